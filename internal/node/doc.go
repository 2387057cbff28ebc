// Package node reads and changes the files of one machine so that, at whatever
// instant the process or the machine dies, each file is whole and old or whole
// and new, and the next run can finish the work or take it back.
//
// Start with [New] and [Node.Read]. A change is a [Run]:
//
//	lock, err := n.Lock("enable")       // one changer at a time
//	run, err := n.Begin("enable", steps, nil)
//	err = run.Apply()                   // all steps, or none
//	err = run.Finalize()                // where a step has an interim content
//	err = run.Done()                    // or run.Undo() and run.Abandon("why")
//
// After a crash [Node.Unfinished] finds the run and [Run.Recover] ends it.
// The old contents of a finished run stay as a [Backup].
//
// # What lies where
//
//	STATE/lock                  flock(2); who holds it, for people to read
//	/run/auditpatch.lock        the same, of this machine and all its state directories
//	STATE/journal               the ID of the run that is not finished
//	STATE/runs/ID/run.json      the steps; never changed after Begin
//	STATE/runs/ID/0.old, 0.new  contents before and after step 0; 0.interim, if
//	                            there is one, is on the way from one to the other
//	STATE/runs/ID/.done         becomes "done" when the run ends well
//	STATE/runs/ID/.undone       becomes "undone" when it was put back
//	STATE/runs/ID/.overridden   becomes "overridden" when somebody else changed the manifest
//	STATE/runs/ID/.undoing      becomes "undoing" before the first file goes back
//	STATE/runs/ID/phase         what the caller last told SetPhase
//	STATE/runs/.ID              rubbish: a run half written or half deleted
//	DIR/.NAME.auditpatch-...    contents on their way to DIR/NAME
//
// # Why a crash does no harm
//
// A name is changed only by rename(2), which is atomic, and only to a file that
// was fsynced before: the name never leads to an empty or half written file.
// The directory is fsynced after each rename and before the next step, so the
// disk cannot hold step 3 (the manifest) without step 2 (the policy that it
// names), whatever order the file system likes to write in.
//
// Begin: (1) the contents, run.json and the three marks are written and fsynced
// under runs/.ID, (2) that directory is fsynced, (3) renamed to runs/ID, (4)
// runs is fsynced, (5) the journal is written under a temporary name, fsynced,
// renamed, and the state directory fsynced. A death before the rename in (5)
// leaves no journal: no file of the node has been touched, and the next Begin
// sweeps up. After (5) all that is needed to go either way is on the disk.
//
// Apply: (1) missing directories are made, each with an fsync of its parent, and
// all contents, new and old, are written beside their targets under dot names
// and fsynced; (2) step by step the target is compared once more and the dot
// name renamed onto it. Whatever is likely to fail (a full disk, a read-only
// one, a missing right) fails in (1), before any file has changed. The old
// contents are laid out as well because a rollback may have to happen on a disk
// that the change itself has filled: it then needs nothing but renames.
//
// Undo: the mark "undoing" is made durable first. Without it a death before the
// decisive file is back would look like a death shortly after it was written,
// and Recover would finish what was being taken back.
//
// Done and Abandon: dot names are removed, in Done also the directories that are
// to go, then a mark made at the beginning is renamed (this needs no space, so a
// full disk cannot stop it), then the journal is removed. A death between the last two leaves a journal that names a run
// with an end mark: that run is finished, and Unfinished says so.
//
// Recover looks at the decisive step (Commit). Is it new on the disk, or interim,
// then all steps before it are new, and the rest is carried out; else all is put back.
//
// # The order of an undo
//
// Not simply the reverse. A manifest names other files (policy, webhook config),
// and whoever starts from it must find them. So first come back the files that
// others name, then the decisive one, and only after that are files taken away
// that nobody names any more. See rank in undo.go.
//
// # Whose files these are
//
// Root must not do for others what they may not do themselves. A way to a file is
// trusted when each directory on it belongs to root, to us, or to whoever owns
// the tree, and is not writable by everybody; and a symlink on it when nobody
// else could have made it. Begin refuses other ways ([UntrustedError]). From then
// on directories are opened one below the other without following links, and
// are judged by what was opened (tree.folder). A file that only gets another mode
// and owner gets them through a descriptor that was checked: a regular file with
// one name and the expected owner, in a directory into which nobody else can move
// another (step.openInPlace). Everything in the state directory has to be ours.
// Looking (Read, Stat, Siblings, LogUsage) follows every link: nothing is changed.
//
// # Limits
//
// Between the last comparison and the rename a few microseconds remain in which
// another program's edit would be lost. Hard links are broken by the rename, as
// with every tool that replaces files. What a symlink leads to is replaced, but
// never removed. Access control lists are seen only as the group bits of a mode.
// The lock of a tree that is not this machine's is one of its root directory, and
// whoever may read that can hold it.
package node
