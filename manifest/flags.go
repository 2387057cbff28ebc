package manifest

import (
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Flag is one flag of the API server as the manifest gives it.
type Flag struct {
	Name  string // without dashes in front, with "-" for "_"
	Value string // "" for a flag that stands alone
	Alone bool   // --name without a value: true, for a boolean flag
	Line  int
	Col   int
}

// item is one flag and where it is in command and args taken together.
type item struct {
	Flag
	at    int
	items int // 1, or 2 when the value is an item of its own
}

// Flags lists the API server's flags in order, repeats included.
func (f *File) Flags() []Flag {
	flags := make([]Flag, len(f.flagItems))
	for i, it := range f.flagItems {
		flags[i] = it.Flag
	}
	return flags
}

// Flag is the value that counts: the last one of its name.
func (f *File) Flag(name string) (Flag, bool) {
	i, ok := f.lastFlag[flagName(name)]
	if !ok {
		return Flag{}, false
	}
	return f.flagItems[i].Flag, true
}

// readItems reads the flags and finds their places in the text.
func (f *File) readItems() ([]item, *Error) {
	v := vector(f.Container())
	items := parseItems(v, f.program)
	nodes := argumentNodes(f.doc.container)
	for i := range items {
		it := &items[i]
		at := f.doc.container
		if it.at < len(nodes) {
			at = nodes[it.at]
		}
		it.Line, it.Col = at.Line, at.Column
		switch {
		case v[it.at] == "--":
			return nil, refuseNode(at, "\"--\" ends the flags here: kube-apiserver ignores everything after it").
				hint("remove the item \"--\"")
		case it.Name == "":
			return nil, refuseNode(at, "%q is not a flag: kube-apiserver does not start with it", v[it.at]).
				hint("remove the item")
		}
	}
	return items, nil
}

// argument is where one item of command and args is in the text.
type argument struct {
	m    *yaml.Node // the container
	list string     // "command" or "args"
	v    *yaml.Node // the list, nil when it is not written in the container
	i    int        // index in the list
}

// node is the item, or what comes nearest to it.
func (a argument) node() *yaml.Node { return entry(a.m, a.list, a.i) }

// argumentNodes are the items of command and args taken together.
func argumentNodes(container *yaml.Node) []*yaml.Node {
	var nodes []*yaml.Node
	for _, key := range []string{"command", "args"} {
		_, v := child(container, key)
		if v = dereference(v); v != nil && v.Kind == yaml.SequenceNode {
			nodes = append(nodes, v.Content...)
		}
	}
	return nodes
}

// findArgument finds item i of command and args taken together.
func findArgument(container *yaml.Node, i int) argument {
	_, v := child(container, "command")
	if n := len(listValues(v)); i >= n {
		_, v = child(container, "args")
		return argument{container, "args", v, i - n}
	}
	return argument{container, "command", v, i}
}

// vector is command and args taken together, if both are the container's own.
func (d *document) vector() ([]string, *Error) {
	var v []string
	for _, key := range []string{"command", "args"} {
		if err := checkMerged(d.container, key); err != nil {
			return nil, err
		}
		_, list := child(d.container, key)
		v = append(v, listValues(list)...)
	}
	return v, nil
}

// listValues are the strings of a list as the kubelet reads them.
func listValues(v *yaml.Node) []string {
	var out []string
	if v = dereference(v); v == nil || v.Kind != yaml.SequenceNode {
		return nil
	}
	for _, n := range v.Content {
		if n = dereference(n); n.Tag == "!!null" {
			out = append(out, "")
		} else {
			out = append(out, n.Value)
		}
	}
	return out
}

// parseItems reads the flags of a command line whose program takes the first
// skip items. An item behind "--name" is that flag's value unless it looks
// like a flag: kube-apiserver takes no arguments, so it can be nothing else. A
// lone "--" gives an item without a name.
func parseItems(v []string, skip int) []item {
	var items []item
	for i := skip; i < len(v); i++ {
		if !strings.HasPrefix(v[i], "--") {
			continue
		}
		it := item{at: i, items: 1}
		name, value, has := strings.Cut(v[i][2:], "=")
		it.Name, it.Value, it.Alone = flagName(name), value, !has
		if next := i + 1; !has && name != "" && next < len(v) && !looksLikeFlag(v[next]) {
			it.Value, it.Alone, it.items = v[next], false, 2
			i++
		}
		items = append(items, it)
	}
	return items
}

// looksLikeFlag tells a flag from a value. "-" is standard output, and no flag
// is called by a number.
func looksLikeFlag(s string) bool {
	return len(s) > 1 && s[0] == '-' && (s[1] < '0' || s[1] > '9')
}

// flagName is how a flag is known: the API server takes "_" for "-".
func flagName(s string) string { return strings.ReplaceAll(s, "_", "-") }

// lastItem is the flag of that name that counts.
func lastItem(items []item, name string) (item, bool) {
	name = flagName(name)
	for i := len(items) - 1; i >= 0; i-- {
		if items[i].Name == name {
			return items[i], true
		}
	}
	return item{}, false
}

// hasValue tells whether the flag has that value. A flag without a value is true.
func (it item) hasValue(value string) bool {
	return it.Alone && value == "true" || !it.Alone && it.Value == value
}

// flagText is a flag with another value, its name spelled as before.
func flagText(old, value string) string {
	name, _, _ := strings.Cut(old, "=")
	return name + "=" + value
}
