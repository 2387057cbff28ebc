// Package cli is the command line: it reads flags, hands data from one package
// to the next, and prints for people and for programs. It decides nothing
// about manifests or policies.
//
// Call Main with the arguments; it returns the exit status. Arguments in the
// way of Ansible are turned into a command line first (ansible.go).
//
// The rules of what is printed, kept here for all commands: text for people
// goes to stderr, results (diffs, JSON, policies, tables) to stdout. Lines on
// stderr that begin with "auditpatch: " are of three kinds: error, hint,
// warning. A sentence starts in lower case and has no full stop. A hint is
// something to type.
package cli
