// Package manifest edits one static pod manifest, the one of kube-apiserver,
// as text, and proves the edit before it hands the result out. It has no
// input or output and knows nothing of what the flags are for.
//
// Call Parse first, then (*File).Apply with edits such as SetFlag and
// AddVolume.
//
// ParseClusterConfig and (*ClusterConfig).Apply do the same with kubeadm's
// ClusterConfiguration, from which kubeadm writes that manifest anew.
//
// # How it edits
//
// The YAML parser is asked only where things stand; nothing is ever printed
// from a tree. An edit splices lines or flow entries into the text, so every
// other byte stays: comments, order, quotes, blank lines, line ends, a byte
// order mark, a missing final newline. The new text is then decoded as the
// kubelet decodes it, and has to equal the decoded old text on which the same
// edits were made a second time, without the text (tree.go). A gap in this
// package's knowledge of YAML is therefore a refusal and never a broken Pod.
//
// Adding something and dropping it again gives back the same bytes. What the
// first entry of a missing or empty collection looked like before is
// remembered in how that entry is written (collection.go).
//
// # Which comments go with what
//
// A comment on the line of an entry belongs to it and goes when the entry is
// dropped. A comment on lines of its own stays: new entries go below comments
// that are indented deeper than the list's dashes (they may be text of a
// literal scalar) and above those that are not. A comment above an entry that
// is dropped therefore stays behind, which is wrong when it spoke of that
// entry alone.
//
// # What it refuses
//
// Flags inside a shell script or behind a lone "--", templates, several
// documents, a list or mapping that an alias or a merge key shares with another
// place, keys that stand twice, block scalars and scalars with anchors or tags
// where a value has to be replaced, what the kubelet would refuse, and whatever
// else the proof does not carry: explicit keys (? volumes) and a literal scalar
// that keeps blank lines (|+) above a new entry.
package manifest
