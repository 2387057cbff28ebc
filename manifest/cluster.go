package manifest

import (
	"bytes"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// ClusterConfig is a kubeadm ClusterConfiguration, from which kubeadm writes
// the API server's manifest anew at every upgrade and join. It is edited as a
// manifest is: as text, with proof.
type ClusterConfig struct {
	name    string
	doc     *clusterText
	tree    map[string]any
	args    []Arg
	volumes []ExtraVolume
}

// Arg is one of apiServer.extraArgs: kubeadm gives kube-apiserver the flag
// --Name=Value.
type Arg struct {
	Name, Value string
	Line        int
}

// ExtraVolume is one of apiServer.extraVolumes: a hostPath volume and its mount
// (k8s.io/kubernetes cmd/kubeadm/app/apis/kubeadm/v1beta4, HostPathMount).
type ExtraVolume struct {
	Name, HostPath, MountPath string
	ReadOnly                  bool
	PathType                  string
	Line                      int // where it is, 0 for one that is to be added
}

// versions are the API versions whose extraArgs are known: a map of strings in
// the first, a list of names and values in the second.
const (
	withArgMap  = "kubeadm.k8s.io/v1beta3"
	withArgList = "kubeadm.k8s.io/v1beta4"
)

// clusterText is the text with its nodes.
type clusterText struct {
	*text
	root       *yaml.Node
	list       bool // extraArgs is a list
	listIndent int  // how much deeper than its key a list is indented
}

// ParseClusterConfig reads a ClusterConfiguration. name is what errors call it.
// It refuses, with an *Error, what Apply could not edit safely.
func ParseClusterConfig(name string, src []byte) (*ClusterConfig, error) {
	c := &ClusterConfig{name: name}
	if err := c.parse(src); err != nil {
		err.File = name
		return nil, err
	}
	return c, nil
}

func (c *ClusterConfig) parse(src []byte) *Error {
	if err := checkBytes(src); err != nil {
		return err
	}
	var err *Error
	if c.doc, err = loadCluster(src); err != nil {
		return err
	}
	j, e := toJSON(src)
	if e != nil {
		return yamlError(src, e, func(src []byte) error { _, err := toJSON(src); return err })
	}
	if c.tree, e = decodeTree(j); e != nil {
		return refuse(1, 1, "this is not a mapping: %s", e)
	}
	if err := c.readArgs(); err != nil {
		return err
	}
	return c.readVolumes()
}

// loadCluster parses src for positions.
func loadCluster(src []byte) (*clusterText, *Error) {
	docs, e := documents(src)
	if e != nil {
		return nil, yamlError(src, e, func(src []byte) error { _, err := documents(src); return err })
	}
	if len(docs) != 1 || len(docs[0].Content) != 1 || docs[0].Content[0].Kind != yaml.MappingNode {
		return nil, refuse(1, 1, "this is not a single YAML mapping, so it is not a ClusterConfiguration")
	}
	d := &clusterText{text: newText(src), root: docs[0].Content[0]}
	if err := checkUnshared(d.root); err != nil {
		return nil, err
	}
	return d, d.locate()
}

// checkUnshared refuses anchors and aliases: an edit might change two places.
func checkUnshared(n *yaml.Node) *Error {
	switch {
	case n.Kind == yaml.AliasNode:
		return refuseNode(n, "the alias *%s is not supported here", n.Value).hint("write it out in place of *%s", n.Value)
	case n.Anchor != "":
		return refuseNode(n, "the anchor &%s is not supported here", n.Anchor).hint("remove &%s, and write out what repeats it", n.Anchor)
	}
	for _, c := range n.Content {
		if err := checkUnshared(c); err != nil {
			return err
		}
	}
	return nil
}

// locate checks what the document is, and learns its style.
func (d *clusterText) locate() *Error {
	server := d.server()
	if err := checkDuplicates(d.root, server); err != nil {
		return err
	}
	_, kind := child(d.root, "kind")
	_, version := child(d.root, "apiVersion")
	switch {
	case kind == nil || kind.Value != "ClusterConfiguration":
		return refuseNode(d.root, "this is not a ClusterConfiguration")
	case version == nil || version.Value != withArgMap && version.Value != withArgList:
		at, what := d.root, "none"
		if version != nil {
			at, what = version, version.Value
		}
		return refuseNode(at, "apiVersion %s: only %s and %s are known", what, withArgMap, withArgList).
			hint("kubeadm config migrate --old-config FILE")
	}
	d.list = version.Value == withArgList
	d.listIndent = max(listIndent(d.root, server), 0)
	k, v := child(d.root, "apiServer")
	if k != nil && v.Kind != yaml.MappingNode {
		return refuseNode(k, "apiServer is not a mapping").hint("write \"apiServer: {}\"")
	}
	return d.checkKinds(server)
}

// checkKinds refuses extraArgs and extraVolumes of another kind than the version has.
func (d *clusterText) checkKinds(server *yaml.Node) *Error {
	for _, s := range []*slot{d.args(), d.volumes()} {
		switch {
		case server == nil || s.v == nil || s.isNull():
		case s.v.Kind != s.kind && s.kind == yaml.SequenceNode:
			return refuseNode(s.v, "%s is not a list", s.key)
		case s.v.Kind != s.kind:
			return refuseNode(s.v, "%s is not a mapping", s.key)
		}
	}
	if s := d.args(); !d.list && s.v != nil {
		return checkDuplicates(s.v)
	}
	return nil
}

// listIndent is how much deeper than its key the first block list is indented,
// -1 where there is none. The lists that edits fill do not count: their indent
// may remember what stood there before (collection.go).
func listIndent(n, server *yaml.Node) int {
	for i := 0; i+1 < len(n.Content) && n.Kind == yaml.MappingNode; i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if n == server && (k.Value == "extraArgs" || k.Value == "extraVolumes") {
			continue
		}
		if v.Kind == yaml.SequenceNode && v.Style&yaml.FlowStyle == 0 {
			return max(v.Column-k.Column, 0)
		}
		if deep := listIndent(v, server); deep >= 0 {
			return deep
		}
	}
	return -1
}

// server is the mapping of apiServer, nil without one.
func (d *clusterText) server() *yaml.Node {
	if _, v := child(d.root, "apiServer"); v != nil && v.Kind == yaml.MappingNode {
		return v
	}
	return nil
}

// args is the slot of extraArgs.
func (d *clusterText) args() *slot {
	s := &slot{t: d.text, m: d.server(), key: "extraArgs", kind: yaml.MappingNode, indent: 2, nullIndent: 4}
	if d.list {
		s.kind = yaml.SequenceNode
	}
	return d.place(s)
}

// volumes is the slot of extraVolumes.
func (d *clusterText) volumes() *slot {
	return d.place(&slot{t: d.text, m: d.server(), key: "extraVolumes", kind: yaml.SequenceNode})
}

func (d *clusterText) place(s *slot) *slot {
	if s.kind == yaml.SequenceNode {
		s.indent, s.entryIndent = d.listIndent, 2
		if d.listIndent == 0 {
			s.nullIndent = 2
		}
	}
	if s.m != nil {
		s.k, s.v = child(s.m, s.key)
	}
	return s
}

// readArgs reads the arguments in the order of the text, of names that are
// twice all.
func (c *ClusterConfig) readArgs() *Error {
	s := c.doc.args()
	if s.v == nil || s.isNull() {
		return nil
	}
	for i := range entries(s.v) {
		name, value := argAt(s.v, i)
		at := s.v
		if name != nil {
			at = name
		}
		if name == nil || name.Kind != yaml.ScalarNode || value == nil || kindOf(value) != "string" {
			return refuseNode(at, "this argument has no name, or a value that is not a string").
				hint("put the value in quotes")
		}
		c.args = append(c.args, Arg{flagName(name.Value), value.Value, name.Line})
	}
	return nil
}

// argAt is where argument i is, in a mapping or a list.
func argAt(v *yaml.Node, i int) (name, value *yaml.Node) {
	if v.Kind == yaml.MappingNode {
		return v.Content[2*i], v.Content[2*i+1]
	}
	if v.Content[i].Kind != yaml.MappingNode {
		return nil, nil
	}
	_, name = child(v.Content[i], "name")
	_, value = child(v.Content[i], "value")
	return name, value
}

// readVolumes reads the extra volumes.
func (c *ClusterConfig) readVolumes() *Error {
	server, _ := c.tree["apiServer"].(map[string]any)
	list, _ := server["extraVolumes"].([]any)
	s := c.doc.volumes()
	for i, item := range list {
		m, ok := item.(map[string]any)
		if !ok {
			return refuseNode(s.v.Content[i], "this extra volume is not a mapping")
		}
		v := ExtraVolume{Line: s.v.Content[i].Line}
		for key, to := range map[string]*string{"name": &v.Name, "hostPath": &v.HostPath, "mountPath": &v.MountPath, "pathType": &v.PathType} {
			*to, _ = m[key].(string)
		}
		v.ReadOnly, _ = m["readOnly"].(bool)
		c.volumes = append(c.volumes, v)
	}
	return nil
}

// Name is what errors call it.
func (c *ClusterConfig) Name() string { return c.name }

// Bytes is the text as it was read.
func (c *ClusterConfig) Bytes() []byte { return c.doc.src }

// Args are apiServer.extraArgs, with "-" for "_" in their names.
func (c *ClusterConfig) Args() []Arg { return slices.Clone(c.args) }

// Volumes are apiServer.extraVolumes.
func (c *ClusterConfig) Volumes() []ExtraVolume { return slices.Clone(c.volumes) }

// Apply makes the edits and returns the new text, or the same text when they all
// hold already. The new text is decoded and must mean exactly the old one plus
// the edits; anything else is an *Error.
func (c *ClusterConfig) Apply(edits ...ClusterEdit) ([]byte, error) {
	out, err := c.apply(edits)
	if err != nil {
		err.File = c.name
		return nil, err
	}
	return out, nil
}

func (c *ClusterConfig) apply(edits []ClusterEdit) ([]byte, *Error) {
	d := c.doc
	for _, e := range edits {
		var err *Error
		if d, err = c.applyOne(d, e); err != nil {
			return nil, err
		}
	}
	j, e := toJSON(c.doc.src)
	if e != nil {
		return nil, c.unproven(e.Error())
	}
	want, e := decodeTree(j)
	after := &ClusterConfig{}
	if err := after.parse(d.src); err != nil || e != nil {
		return nil, c.unproven("the new text does not decode")
	}
	for _, e := range edits {
		e.applyToClusterTree(want, c.doc.list)
	}
	if !sameCluster(want, after.tree) {
		return nil, c.unproven("the new text would not mean the same as the old text with the edits")
	}
	if bytes.Equal(d.src, c.doc.src) {
		return c.doc.src, nil
	}
	return d.src, nil
}

// applyOne makes one edit, step by step: after each the text is read again.
func (c *ClusterConfig) applyOne(d *clusterText, e ClusterEdit) (*clusterText, *Error) {
	for range maxSteps {
		splices, err := e.stepCluster(d)
		if err != nil || len(splices) == 0 {
			return d, err
		}
		src, ok := d.with(splices...)
		if !ok {
			return nil, c.unproven(e.String() + ": it would change the same place twice")
		}
		if d, err = loadCluster(src); err != nil {
			return nil, c.unproven(e.String() + ": " + err.Reason)
		}
	}
	return nil, c.unproven(e.String() + ": the edit never finishes")
}

func (c *ClusterConfig) unproven(why string) *Error {
	return refuseNode(c.doc.root, "it is written in a way that cannot be edited safely: %s", why).
		hint("write apiServer in plain block style")
}

// addArg appends one argument.
func (d *clusterText) addArg(name, value string) ([]splice, *Error) {
	s := d.args()
	if d.list {
		item := fields{{"name", name}, {"value", value}}
		if s.m == nil || len(s.m.Content) == 0 {
			return d.open(s, flowText(item, d.json, 0), func(col int) []string { return listLines(col, item, 2) })
		}
		return s.appendItem(item)
	}
	if s.m == nil || len(s.m.Content) == 0 {
		pair := quote(name) + ": " + quote(value)
		if d.json {
			pair = doubleQuote(name) + ": " + doubleQuote(value)
		}
		return d.open(s, pair, func(col int) []string { return []string{strings.Repeat(" ", col-1) + pair} })
	}
	return s.appendPair(name, value)
}

// addVolume appends one extra volume.
func (d *clusterText) addVolume(v ExtraVolume) ([]splice, *Error) {
	s, item := d.volumes(), v.fields()
	if s.m == nil || len(s.m.Content) == 0 {
		return d.open(s, flowText(item, d.json, 0), func(col int) []string { return listLines(col, item, 2) })
	}
	return s.appendItem(item)
}

// A block that is written in place of "apiServer: {}", as kubeadm has it, is
// indented by two, and by four where there was no apiServer at all. Taking its
// last entry out leads back to the one or the other.
const (
	indentInEmpty  = 2
	indentInAbsent = 4
)

// open writes the first entry of s where apiServer is missing or empty.
func (d *clusterText) open(s *slot, entry string, block func(col int) []string) ([]splice, *Error) {
	lines := func(deep int) []string {
		col := d.root.Content[0].Column + deep
		return append([]string{strings.Repeat(" ", col-1) + s.key + ":"}, block(col+s.indent)...)
	}
	k, v := child(d.root, "apiServer")
	switch flow := d.root.Style&yaml.FlowStyle != 0; {
	case k == nil && flow:
		return nil, refuseNode(d.root, "there is no apiServer to write into").hint("write \"apiServer: {}\"")
	case k == nil:
		last := d.root.Content[len(d.root.Content)-2]
		end := max(d.blockEnd(last.Line, last.Column, true), d.nodeEnd(d.root))
		head := strings.Repeat(" ", last.Column-1) + "apiServer:"
		return []splice{d.linesAfter(end, append([]string{head}, lines(indentInAbsent)...))}, nil
	case !flow && strings.TrimLeft(d.line(k.Line), " ") == "apiServer: {}":
		end := d.lineEnd(k.Line)
		return []splice{{off: end - len(" {}"), del: len(" {}"), ins: d.eol + strings.Join(lines(indentInEmpty), d.eol)}}, nil
	}
	f, err := d.flowOf(v)
	if err != nil {
		return nil, err
	}
	key, left, right := s.key, "[ ", " ]"
	if d.json {
		key = doubleQuote(key)
	}
	if s.kind == yaml.MappingNode {
		left, right = "{ ", " }"
	}
	return d.appendFlow(f, key+": "+left+entry+right), nil
}

// cutEntry takes entry i of s out, and with the last one what open wrote.
func (d *clusterText) cutEntry(s *slot, i int) ([]splice, *Error) {
	if entries(s.v) > 1 || entries(s.m) > 1 || s.m.Style&yaml.FlowStyle != 0 || s.v.Style&yaml.FlowStyle != 0 || !s.isAsAdded() {
		return s.cut(i)
	}
	k, v := child(d.root, "apiServer")
	end := d.contentEnd(k.Line, max(d.blockEnd(k.Line, k.Column, true), d.nodeEnd(v)))
	if s.k.Column == k.Column+indentInAbsent && k.Line > 1 && d.ownLine(k.Line, k.Column) {
		return []splice{d.cutLines(k.Line, end)}, nil
	}
	if strings.TrimSpace(d.line(k.Line)) != "apiServer:" {
		return nil, refuseNode(k, "apiServer would be left empty").hint("write something else below apiServer, or take it out")
	}
	off := d.lineEnd(k.Line)
	return []splice{{off: off, del: d.lineEnd(end) - off, ins: " {}"}}, nil
}
