//go:build linux

package simnode

// pending are scenarios of faults that are known and not mended yet: name -> why.
// Whoever mends one takes its name out.
var pending = map[string]string{
	"kubelet restarts in a rollback, when the new one starts": "the new policy stays when the API server did not come back in time, and no recover removes it",
}

// pendingDirectory is true while a rollback can leave an empty directory where
// the policy was: the new file is removed while a container that mounts it is
// being started once more.
const pendingDirectory = false
