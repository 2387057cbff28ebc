// Package auditlog knows the files that kube-apiserver's log backend writes and
// the events in them, in both formats, json and legacy.
//
// Measure tells what a log takes and how far it reaches back; Begin starts a
// search for an event that is about to be written. Files are read through an
// fs.FS, so that a log on a mounted image is read like that of a live node.
package auditlog
