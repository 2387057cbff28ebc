package manifest

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// SetMountReadOnly makes a mount of the API server's container read-only or
// writable, in place: the same edit with the other value leads back to the same
// bytes. The mount has to be there.
type SetMountReadOnly struct {
	MountPath string
	ReadOnly  bool
}

// SetVolumeType gives a hostPath volume another type, in place: the same edit
// with the earlier type leads back to the same bytes. The volume has to be there.
type SetVolumeType struct {
	Name string
	Type corev1.HostPathType
}

func (e SetMountReadOnly) String() string {
	if e.ReadOnly {
		return fmt.Sprintf("make mount %s read-only", e.MountPath)
	}
	return fmt.Sprintf("make mount %s writable", e.MountPath)
}

func (e SetVolumeType) String() string {
	return fmt.Sprintf("set type of volume %s to %s", e.Name, e.Type)
}

func (e SetMountReadOnly) check() *Error { return nil }

func (e SetVolumeType) check() *Error {
	if !slices.Contains(hostPathTypes, e.Type) {
		return refuse(0, 0, "%q is not a type of a hostPath volume", e.Type)
	}
	return nil
}

// booleans are the words that the kubelet's parser takes for true and false,
// each with its opposite in the same spelling.
var booleans = map[string]string{
	"true": "false", "True": "False", "TRUE": "FALSE", "yes": "no", "Yes": "No", "YES": "NO",
	"on": "off", "On": "Off", "ON": "OFF", "y": "n", "Y": "N",
}

// opposite is the other truth value in the same spelling.
func opposite(word string) (other string, was, ok bool) {
	for yes, no := range booleans {
		switch word {
		case yes:
			return no, true, true
		case no:
			return yes, false, true
		}
	}
	return "", false, false
}

func (e SetMountReadOnly) step(d *document, _ int) ([]splice, *Error) {
	m, err := d.memberOf(d.container, mountAt(e.MountPath))
	if err != nil {
		return nil, err
	}
	_, v := child(m, "readOnly")
	if v == nil {
		if err := checkMerged(m, "readOnly"); err != nil || !e.ReadOnly {
			return nil, err
		}
		return d.addField(m, "readOnly", "true")
	}
	other, was, ok := opposite(v.Value)
	switch {
	case v.Kind == yaml.ScalarNode && v.Tag == "!!null" && !e.ReadOnly, ok && was == e.ReadOnly:
		return nil, nil
	case !ok || v.Kind != yaml.ScalarNode || v.Anchor != "" || v.Style != 0:
		return nil, refuseNode(v, "readOnly of this mount cannot be changed in place").hint("write \"readOnly: %t\"", e.ReadOnly)
	}
	return []splice{{off: d.offset(v.Line, v.Column), del: len(v.Value), ins: other}}, nil
}

func (e SetVolumeType) step(d *document, _ int) ([]splice, *Error) {
	m, err := d.memberOf(d.spec, volumeNamed(e.Name))
	if err != nil {
		return nil, err
	}
	_, host := child(m, "hostPath")
	if host == nil || host.Kind != yaml.MappingNode || len(host.Content) == 0 {
		return nil, refuseNode(m, "hostPath of volume %q is not written out here", e.Name).hint("write hostPath out in this volume")
	}
	_, v := child(host, "type")
	switch {
	case v == nil:
		if err := checkMerged(host, "type"); err != nil || e.Type == "" {
			return nil, err
		}
		return d.addField(host, "type", quote(string(e.Type)))
	case v.Value == string(e.Type):
		return nil, nil
	}
	return d.replaceScalar(v, string(e.Type))
}

// memberOf finds that member of a list of m, written out where it is.
func (d *document) memberOf(m *yaml.Node, id member) (*yaml.Node, *Error) {
	s, err := d.list(m, id.list)
	if err != nil {
		return nil, err
	}
	i := s.find(id)
	if i < 0 {
		return nil, refuseNode(m, "%s has no entry with the %s %s", id.list, id.key, id.value)
	}
	at := s.v.Content[i]
	if at.Kind == yaml.AliasNode {
		return nil, refuseNode(at, "this entry of %s is an alias (*%s) for a mapping elsewhere", id.list, at.Value).
			hint("write it out here")
	}
	return at, nil
}

// addField adds a key with a plain value to a mapping that has others.
func (d *document) addField(m *yaml.Node, key, value string) ([]splice, *Error) {
	s := &slot{t: d.text, m: m, key: key, kind: yaml.MappingNode, k: m, v: m}
	if d.json && value != "true" && value != "false" {
		value = doubleQuote(value)
	}
	name := key
	if d.json {
		name = doubleQuote(key)
	}
	return s.add(name+": "+value, func(col int) []string {
		return []string{fmt.Sprintf("%*s%s: %s", col-1, "", key, value)}
	})
}

func (e SetMountReadOnly) applyToTree(p *podTree) {
	m := memberIn(p.container, mountAt(e.MountPath))
	if v, _ := m["readOnly"].(bool); m != nil && v != e.ReadOnly {
		m["readOnly"] = e.ReadOnly
	}
}

func (e SetVolumeType) applyToTree(p *podTree) {
	m := memberIn(p.spec(), volumeNamed(e.Name))
	host, _ := m["hostPath"].(map[string]any)
	if v, _ := host["type"].(string); host != nil && v != string(e.Type) {
		host["type"] = string(e.Type)
	}
}

// memberIn is that member of a list of m, nil when there is none.
func memberIn(m map[string]any, id member) map[string]any {
	list, _ := m[id.list].([]any)
	if i := slices.IndexFunc(list, id.is); i >= 0 {
		found, _ := list[i].(map[string]any)
		return found
	}
	return nil
}
