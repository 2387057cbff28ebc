package manifest

import "sigs.k8s.io/kustomize/kyaml/yaml"

// maxExpanded bounds what a text says once its aliases are replaced by what they
// repeat. A few lines can say more than a machine has memory, and neither the
// kubelet's parser nor ours counts the bytes of a long string.
const maxExpanded = 4 * maxSize

// checkExpansion refuses aliases that repeat too much, before anything follows them.
func checkExpansion(docs []*yaml.Node) *Error {
	x := expansion{known: map[*yaml.Node]int{}}
	for _, d := range docs {
		if x.size(d) > maxExpanded && x.at != nil {
			return refuseNode(x.at, "the Pod would be larger than 40 MiB once its aliases are expanded").
				hint("write the values out in place of *%s", x.at.Value)
		}
	}
	return nil
}

// expansion measures nodes, those that have an anchor once.
type expansion struct {
	known map[*yaml.Node]int
	at    *yaml.Node // the alias that made it too much
}

// size is how many bytes n stands for, roughly; it stops above maxExpanded.
func (x *expansion) size(n *yaml.Node) int {
	if n.Kind == yaml.AliasNode {
		size := x.anchored(n.Alias)
		if size > maxExpanded/2 || x.at == nil {
			x.at = n
		}
		return size
	}
	if n.Anchor != "" {
		return x.anchored(n)
	}
	return x.own(n)
}

func (x *expansion) anchored(n *yaml.Node) int {
	if size, ok := x.known[n]; ok {
		return size
	}
	x.known[n] = maxExpanded + 1 // an alias to what it is in never ends
	x.known[n] = x.own(n)
	return x.known[n]
}

func (x *expansion) own(n *yaml.Node) int {
	size := 1 + len(n.Value)
	for _, c := range n.Content {
		if size += x.size(c); size > maxExpanded {
			break
		}
	}
	return size
}
