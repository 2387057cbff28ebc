// Package explain says what an audit policy does with a request, and why.
//
// Explain is the first name to know: for one request it names the rule that
// decides, the stages that are recorded, what the event holds, and for each
// earlier rule the first field that does not fit. Events does the same for a
// stream of audit events, without the reasons, and fast. FromURL, FromFields and
// FromKubectl make requests of what people type.
//
// Every decision comes from k8s.io/apiserver: its evaluator says which rule
// matches, also where only one field of a rule is in question, and its
// RequestInfoFactory reads URLs. This package adds what surrounds the evaluator in
// kube-apiserver: which stages a request goes through, and which objects reach
// the event.
package explain
