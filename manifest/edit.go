package manifest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Edit is one change of a manifest. Its verb describes the result, so an edit
// that is already in effect changes nothing:
//
//	Set   the value is set, exactly once
//	Add   the entry exists; an existing one stays as it is
//	Drop  the entry is gone
//
// The set is closed: SetFlag, DropFlag, AddMount, DropMount, SetMountReadOnly,
// AddVolume, DropVolume, SetVolumeType, SetAnnotation, DropAnnotation.
type Edit interface {
	fmt.Stringer
	// check refuses an edit that could not be written as it is.
	check() *Error
	// step returns the next splices on the way to the edited text, none when the
	// edit is in effect.
	step(d *document, program int) ([]splice, *Error)
	// applyToTree makes the same edit on the decoded Pod.
	applyToTree(p *podTree)
}

// SetFlag gives the API server a flag. Where it is already, the value that
// counts (the last one) is replaced in place; else "--Name=Value" is appended.
// A flag without a value is true.
type SetFlag struct{ Name, Value string }

// DropFlag takes a flag out, with all its repeats and whatever its spelling.
type DropFlag struct{ Name string }

// AddMount adds a volume mount to the API server's container unless its mount
// path is mounted already. It takes a name, a path and readOnly, no more.
type AddMount struct{ Mount corev1.VolumeMount }

// DropMount takes the mount at a path out of the API server's container.
type DropMount struct{ MountPath string }

// AddVolume adds a hostPath volume unless one of that name is there already.
type AddVolume struct{ Volume corev1.Volume }

// DropVolume takes a volume out.
type DropVolume struct{ Name string }

// SetAnnotation gives the Pod an annotation.
type SetAnnotation struct{ Key, Value string }

// DropAnnotation takes an annotation out.
type DropAnnotation struct{ Key string }

func (e SetFlag) String() string        { return fmt.Sprintf("set flag --%s=%s", e.Name, e.Value) }
func (e DropFlag) String() string       { return fmt.Sprintf("drop flag --%s", e.Name) }
func (e DropMount) String() string      { return fmt.Sprintf("drop mount %s", e.MountPath) }
func (e DropVolume) String() string     { return fmt.Sprintf("drop volume %s", e.Name) }
func (e SetAnnotation) String() string  { return fmt.Sprintf("set annotation %s=%s", e.Key, e.Value) }
func (e DropAnnotation) String() string { return fmt.Sprintf("drop annotation %s", e.Key) }

func (e AddMount) String() string {
	return fmt.Sprintf("add mount %s of volume %s", e.Mount.MountPath, e.Mount.Name)
}

func (e AddVolume) String() string {
	if e.Volume.HostPath == nil {
		return fmt.Sprintf("add volume %s", e.Volume.Name)
	}
	return fmt.Sprintf("add volume %s of host path %s", e.Volume.Name, e.Volume.HostPath.Path)
}

// check refuses what would be written other than it was asked for.
func (e AddMount) check() *Error {
	plain := corev1.VolumeMount{Name: e.Mount.Name, MountPath: e.Mount.MountPath, ReadOnly: e.Mount.ReadOnly}
	if !reflect.DeepEqual(e.Mount, plain) {
		return refuse(0, 0, "%s: it has more than a name, a mount path and readOnly", e)
	}
	return nil
}

func (e AddVolume) check() *Error {
	h := e.Volume.HostPath
	if source := e.Volume.VolumeSource; h == nil || source != (corev1.VolumeSource{HostPath: h}) {
		return refuse(0, 0, "%s: it is not a hostPath volume", e)
	}
	return nil
}

func (e SetFlag) check() *Error {
	if e.Name == "" || strings.HasPrefix(e.Name, "-") || strings.ContainsAny(e.Name, "= \t\r\n") {
		return refuse(0, 0, "%q is not the name of a flag", e.Name)
	}
	if !utf8.ValidString(e.Value) || strings.Contains(e.Value, "\x00") {
		return refuse(0, 0, "--%s=%q cannot be passed as a command-line argument", e.Name, e.Value)
	}
	return nil
}

func (e DropFlag) check() *Error       { return SetFlag{Name: e.Name}.check() }
func (e DropMount) check() *Error      { return nil }
func (e DropVolume) check() *Error     { return nil }
func (e SetAnnotation) check() *Error  { return nil }
func (e DropAnnotation) check() *Error { return nil }

func (e SetFlag) step(d *document, program int) ([]splice, *Error) {
	v, err := d.vector()
	if err != nil {
		return nil, err
	}
	it, ok := lastItem(parseItems(v, program), e.Name)
	switch {
	case !ok:
		s, err := d.list(d.container, d.lastList())
		if err != nil {
			return nil, err
		}
		return s.appendItem("--" + e.Name + "=" + e.Value)
	case it.hasValue(e.Value):
		return nil, nil
	case it.items == 2 && looksLikeFlag(e.Value):
		return d.cutArgument(it.at + 1)
	case it.items == 2:
		return d.replaceArgument(it.at+1, e.Value)
	}
	return d.replaceArgument(it.at, flagText(v[it.at], e.Value))
}

// step takes one item out at a time, of two items the value first: the name is
// then a flag alone, which the next step takes.
func (e DropFlag) step(d *document, program int) ([]splice, *Error) {
	v, err := d.vector()
	it, ok := lastItem(parseItems(v, program), e.Name)
	if err != nil || !ok {
		return nil, err
	}
	return d.cutArgument(it.at + it.items - 1)
}

// cutArgument takes item i of command and args out.
func (d *document) cutArgument(i int) ([]splice, *Error) {
	a := findArgument(d.container, i)
	s, err := d.list(d.container, a.list)
	if err != nil {
		return nil, err
	}
	return s.cut(a.i)
}

// replaceArgument writes another value for item i of command and args.
func (d *document) replaceArgument(i int, value string) ([]splice, *Error) {
	a := findArgument(d.container, i)
	if _, err := d.list(d.container, a.list); err != nil {
		return nil, err
	}
	return d.replaceScalar(a.node(), value)
}

func (e AddMount) step(d *document, _ int) ([]splice, *Error) {
	return d.addEntry(d.container, mountAt(e.Mount.MountPath), mountFields(e.Mount))
}

func (e DropMount) step(d *document, _ int) ([]splice, *Error) {
	return d.dropEntry(d.container, mountAt(e.MountPath))
}

func (e AddVolume) step(d *document, _ int) ([]splice, *Error) {
	return d.addEntry(d.spec, volumeNamed(e.Volume.Name), volumeFields(e.Volume))
}

func (e DropVolume) step(d *document, _ int) ([]splice, *Error) {
	return d.dropEntry(d.spec, volumeNamed(e.Name))
}

func (e SetAnnotation) step(d *document, _ int) ([]splice, *Error) {
	s, err := d.annotations()
	if err != nil {
		return nil, err
	}
	if s.v != nil {
		if _, v := child(s.v, e.Key); v != nil {
			if dereference(v).Value == e.Value {
				return nil, nil
			}
			return d.replaceScalar(v, e.Value)
		}
	}
	return s.appendPair(e.Key, e.Value)
}

func (e DropAnnotation) step(d *document, _ int) ([]splice, *Error) {
	s, err := d.annotations()
	if err != nil || s.v == nil {
		return nil, err
	}
	for i := 0; i+1 < len(s.v.Content); i += 2 {
		if s.v.Content[i].Value == e.Key {
			return s.cut(i / 2)
		}
	}
	return nil, nil
}

// member is what tells one mapping of a list from the others: the value that
// it has under a key.
type member struct{ list, key, value string }

func mountAt(path string) member     { return member{"volumeMounts", "mountPath", path} }
func volumeNamed(name string) member { return member{"volumes", "name", name} }

// addEntry adds a mapping to a list of m unless it has that member.
func (d *document) addEntry(m *yaml.Node, id member, item fields) ([]splice, *Error) {
	s, err := d.list(m, id.list)
	if err != nil || s.find(id) >= 0 {
		return nil, err
	}
	return s.appendItem(item)
}

// dropEntry takes that member out of a list of m.
func (d *document) dropEntry(m *yaml.Node, id member) ([]splice, *Error) {
	s, err := d.list(m, id.list)
	if err != nil {
		return nil, err
	}
	if i := s.find(id); i >= 0 {
		return s.cut(i)
	}
	return nil, nil
}

// find is the index of a member, or -1.
func (s *slot) find(id member) int {
	if s.v == nil {
		return -1
	}
	return slices.IndexFunc(s.v.Content, func(n *yaml.Node) bool {
		_, v := child(dereference(n), id.key)
		return v != nil && dereference(v).Value == id.value
	})
}

// lastList is the list that takes a new flag: args when it holds anything,
// since its items come last.
func (d *document) lastList() string {
	if _, v := child(d.container, "args"); len(listValues(v)) > 0 {
		return "args"
	}
	return "command"
}
