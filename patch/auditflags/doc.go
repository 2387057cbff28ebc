// Package auditflags knows kube-apiserver's audit flags: their types, defaults and
// releases, and the rules between them.
//
// Call [Check] with the flags of a manifest; [All] and [Lookup] are the table.
package auditflags
