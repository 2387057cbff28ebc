// Package node reads and changes the files of one machine. Whenever the process or
// the machine dies, each file is complete, either old or new, and the next run can
// finish the work or undo it.
//
// Start with [New] and [Node.Read]. A change is a [Run]:
//
//	lock, err := n.Lock("enable")       // one run at a time
//	run, err := n.Begin("enable", steps, nil)
//	err = run.Apply()                   // all steps, or none
//	err = run.Finalize()                // where a step has an interim content
//	err = run.Done()                    // or run.Undo() and run.Abandon("why")
//
// After a crash [Node.Unfinished] finds the run and [Run.Recover] ends it.
// The old contents of a finished run stay as a [Backup].
//
// # Files
//
//	STATE/lock                  flock(2); its text says who holds it
//	/run/auditpatch.lock        the same, of this machine and all its state directories
//	STATE/journal               the ID of the run that is not finished
//	STATE/runs/ID/run.json      the steps; never changed after Begin
//	STATE/runs/ID/0.old, 0.new  contents before and after step 0; 0.interim, if
//	                            there is one, is on the way from one to the other
//	STATE/runs/ID/.done         becomes "done" when the run ends well
//	STATE/runs/ID/.undone       becomes "undone" when it was rolled back
//	STATE/runs/ID/.overridden   becomes "overridden" when someone else changed the manifest
//	STATE/runs/ID/.undoing      becomes "undoing" before the first file goes back
//	STATE/runs/ID/phase         what the caller last told SetPhase
//	STATE/runs/.ID              garbage: a run that was being written or deleted
//	DIR/.NAME.auditpatch-...    new contents of DIR/NAME before the rename
//
// # Why a crash is harmless
//
// A name is changed only by rename(2), which is atomic, and only to a file that
// was fsynced before, so the name never refers to an empty or partial file.
// The directory is fsynced after each rename and before the next step, so the
// disk cannot hold step 3 (the manifest) without step 2 (the policy that it
// names), in whatever order the file system writes.
//
// Begin: (1) the contents, run.json and the three marks are written and fsynced
// under runs/.ID, (2) that directory is fsynced, (3) renamed to runs/ID, (4)
// runs is fsynced, (5) the journal is written under a temporary name, fsynced,
// renamed, and the state directory fsynced. A death before the rename in (5)
// leaves no journal: no file of the node has been touched, and the next Begin
// cleans up. After (5), everything that is needed to go either way is on disk.
//
// Apply: (1) missing directories are created, each with an fsync of its parent, and
// all contents, new and old, are written next to their targets under dot names
// and fsynced; (2) step by step the target is compared once more and the dot
// name renamed onto it. Whatever is likely to fail (a full or read-only disk, a
// missing permission) fails in (1), before any file has changed. The old contents
// are written as well because a rollback may have to happen on a disk that the
// change itself has filled: it then needs only renames.
//
// Undo: the mark "undoing" is made durable first. Without it a death before the
// decisive file is back would look like a death shortly after it was written,
// and Recover would finish what was being undone.
//
// Done and Abandon: dot names are removed, in Done also the directories that are
// to be removed, then a mark made at the beginning is renamed (this needs no space,
// so a full disk cannot prevent it), then the journal is removed. A death between
// the last two leaves a journal that names a run with an end mark: that run is
// over, and Unfinished ignores it.
//
// Recover looks at the decisive step (Commit). If it is new on disk, or interim,
// all steps before it are new, and the rest is executed; otherwise everything is
// rolled back.
//
// # The order of an undo
//
// Undo is not simply the reverse. A manifest refers to other files (policy, webhook
// config), which must exist when it is used. So the files that others refer to are
// restored first, then the decisive one, and only then are files removed to which
// nothing refers any more. See rank in undo.go.
//
// # Whose files these are
//
// Root must not do for others what they may not do themselves. A path is trusted if
// each directory on it belongs to root, to us, or to the owner of the tree, and is
// not writable by everybody, and if nobody else could have created the symlinks on
// it. Begin refuses other paths ([UntrustedError]). After that, directories are
// opened one by one without following links, and are checked once they are open
// (tree.folder). A file that only gets another mode and owner gets them through a
// descriptor that was checked: a regular file with one name and the expected owner,
// in a directory into which nobody else can move another (step.openInPlace).
// Everything in the state directory has to be ours. Reading (Read, Stat, Siblings,
// LogUsage) follows every link, because it changes nothing.
//
// # Limits
//
// Between the last comparison and the rename a few microseconds remain in which
// another program's edit would be lost. Hard links are broken by the rename, as
// with every tool that replaces files. The target of a symlink is replaced, but
// never removed. Access control lists are seen only as the group bits of a mode.
// The lock of a tree that is not this machine's is on its root directory, and
// anyone who may read that directory can hold the lock.
package node
