// Package rehearsal runs the node's own kube-apiserver a second time, with the settings of
// a change that is still to be made, beside the one that serves: on a loopback port, in a
// private copy of the running container's file system, with the files that the change
// would write. It has to become ready and to write a marked event to an audit log of its
// own. Then it ends, and nothing of it is left.
//
// Start with [Rehearsal.Run]. An [Impossible] says that this node or this API server
// cannot be rehearsed, which says nothing of the settings; a [Failed] that the settings do
// not work. The program calls [Stage] first of all in main, since the second API server
// begins as a second auditpatch.
package rehearsal
