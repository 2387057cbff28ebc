// Package manifest edits one static pod manifest, the one of kube-apiserver,
// as text, and proves the edit before it returns the result. It does no input or
// output, and does not know what the flags are for.
//
// Call Parse first, then (*File).Apply with edits such as SetFlag and
// AddVolume.
//
// ParseClusterConfig and (*ClusterConfig).Apply do the same with kubeadm's
// ClusterConfiguration, from which kubeadm regenerates that manifest.
//
// # How it edits
//
// The YAML parser is used only for positions; nothing is ever printed from a
// tree. An edit splices lines or flow entries into the text, so every
// other byte stays: comments, order, quotes, blank lines, line ends, a byte
// order mark, a missing final newline. The new text is then decoded as the
// kubelet decodes it. It must be equal to the decoded old text with the same edits
// made on the tree (tree.go). A gap in this package's knowledge of YAML therefore
// causes a refusal, never a broken Pod.
//
// Adding something and dropping it again restores the same bytes. What the
// collection looked like before its first entry is encoded in the way that this
// entry is written (collection.go).
//
// # Which comments go with what
//
// A comment on the line of an entry belongs to it and goes when the entry is
// dropped. A comment on lines of its own stays: new entries go below comments
// that are indented deeper than the list's dashes (they may be text of a
// literal scalar) and above those that are not. A comment above a dropped entry
// therefore stays, which is wrong if it was about that entry alone.
//
// # What it refuses
//
// Flags inside a shell script or after a lone "--", templates, several
// documents, a list or mapping that an alias or a merge key shares with another
// place, duplicate keys, block scalars and scalars with anchors or tags
// where a value has to be replaced, what the kubelet would refuse, and whatever
// else cannot be proven: explicit keys (? volumes) and a literal scalar
// that keeps blank lines (|+) above a new entry.
package manifest
