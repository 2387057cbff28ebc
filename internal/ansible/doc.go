// Package ansible makes the program a module of Ansible: a task's arguments in, the
// result of a change out.
//
// Call [Main] when [TaskFile] says that the program was called so.
package ansible
