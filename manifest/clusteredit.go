package manifest

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// ClusterEdit is one change of a ClusterConfig. Its verb describes the result, as
// in an [Edit]. The set is closed: SetArg, DropArg, AddExtraVolume,
// DropExtraVolume.
type ClusterEdit interface {
	fmt.Stringer
	// stepCluster returns the next splices on the way to the edited text, none when
	// the edit is in effect.
	stepCluster(d *clusterText) ([]splice, *Error)
	// applyToClusterTree makes the same edit on the decoded configuration.
	applyToClusterTree(tree map[string]any, list bool)
}

// SetArg gives the API server an extra argument, once: of several with its name
// the last stays, with the new value.
type SetArg struct{ Name, Value string }

// DropArg takes an extra argument out, with all its repeats.
type DropArg struct{ Name string }

// AddExtraVolume adds a volume unless one of that name is there already.
type AddExtraVolume struct{ Volume ExtraVolume }

// DropExtraVolume takes a volume out.
type DropExtraVolume struct{ Name string }

func (e SetArg) String() string          { return fmt.Sprintf("set extraArgs %s=%s", e.Name, e.Value) }
func (e DropArg) String() string         { return fmt.Sprintf("drop extraArgs %s", e.Name) }
func (e DropExtraVolume) String() string { return fmt.Sprintf("drop extraVolumes %s", e.Name) }
func (e AddExtraVolume) String() string {
	return fmt.Sprintf("add extraVolumes %s of host path %s", e.Volume.Name, e.Volume.HostPath)
}

// fields is a volume as it is written. readOnly is always spelled out, as in
// the manifest's mounts.
func (v ExtraVolume) fields() fields {
	fs := fields{{"name", v.Name}, {"hostPath", v.HostPath}, {"mountPath", v.MountPath}, {"readOnly", v.ReadOnly}}
	if v.PathType != "" {
		fs = append(fs, field{"pathType", v.PathType})
	}
	return fs
}

// named are the entries of extraArgs with a name, the one that counts last. Of
// a mapping that is the one that kubeadm gives last: it sorts.
func (d *clusterText) named(name string) (at []int) {
	s := d.args()
	if s.v == nil || s.isNull() {
		return nil
	}
	key := func(i int) string { k, _ := argAt(s.v, i); return k.Value }
	for i := range entries(s.v) {
		if k, _ := argAt(s.v, i); k != nil && flagName(k.Value) == flagName(name) {
			at = append(at, i)
		}
	}
	if !d.list {
		slices.SortFunc(at, func(a, b int) int { return strings.Compare(key(a), key(b)) })
	}
	return at
}

func (e SetArg) stepCluster(d *clusterText) ([]splice, *Error) {
	at := d.named(e.Name)
	switch s := d.args(); {
	case len(at) == 0:
		return d.addArg(e.Name, e.Value)
	case len(at) > 1:
		return s.cut(at[0])
	default:
		_, value := argAt(s.v, at[0])
		if value.Value == e.Value {
			return nil, nil
		}
		return d.replaceScalar(value, e.Value)
	}
}

func (e DropArg) stepCluster(d *clusterText) ([]splice, *Error) {
	at := d.named(e.Name)
	if len(at) == 0 {
		return nil, nil
	}
	return d.cutEntry(d.args(), at[len(at)-1])
}

func (e AddExtraVolume) stepCluster(d *clusterText) ([]splice, *Error) {
	s := d.volumes()
	if s.v != nil && s.v.Kind == s.kind && s.find(member{"extraVolumes", "name", e.Volume.Name}) >= 0 {
		return nil, nil
	}
	return d.addVolume(e.Volume)
}

func (e DropExtraVolume) stepCluster(d *clusterText) ([]splice, *Error) {
	s := d.volumes()
	if s.v == nil || s.v.Kind != s.kind {
		return nil, nil
	}
	if i := s.find(member{"extraVolumes", "name", e.Name}); i >= 0 {
		return d.cutEntry(s, i)
	}
	return nil, nil
}

// serverTree is the decoded apiServer, made where there is none.
func serverTree(tree map[string]any) map[string]any {
	m, ok := tree["apiServer"].(map[string]any)
	if !ok {
		m = map[string]any{}
		tree["apiServer"] = m
	}
	return m
}

func (e SetArg) applyToClusterTree(tree map[string]any, list bool) {
	server := serverTree(tree)
	if !list {
		args, ok := server["extraArgs"].(map[string]any)
		if !ok {
			args = map[string]any{}
			server["extraArgs"] = args
		}
		key := e.Name
		if spelled := spellings(args, e.Name); len(spelled) > 0 {
			key = spelled[len(spelled)-1]
			for _, k := range spelled {
				delete(args, k)
			}
		}
		args[key] = e.Value
		return
	}
	args, _ := server["extraArgs"].([]any)
	last := -1
	for i, a := range args {
		if isArg(a, e.Name) {
			last = i
		}
	}
	if last < 0 {
		server["extraArgs"] = append(args, map[string]any{"name": e.Name, "value": e.Value})
		return
	}
	keep := args[last].(map[string]any)
	keep["value"] = e.Value
	i := -1
	server["extraArgs"] = slices.DeleteFunc(args, func(a any) bool {
		i++
		return i != last && isArg(a, e.Name)
	})
}

func (e DropArg) applyToClusterTree(tree map[string]any, list bool) {
	server := serverTree(tree)
	if args, ok := server["extraArgs"].([]any); ok && list {
		server["extraArgs"] = slices.DeleteFunc(args, func(a any) bool { return isArg(a, e.Name) })
	}
	if args, ok := server["extraArgs"].(map[string]any); ok && !list {
		for _, k := range spellings(args, e.Name) {
			delete(args, k)
		}
	}
}

func (e AddExtraVolume) applyToClusterTree(tree map[string]any, _ bool) {
	addTo(serverTree(tree), member{"extraVolumes", "name", e.Volume.Name}, e.Volume.fields())
}

func (e DropExtraVolume) applyToClusterTree(tree map[string]any, _ bool) {
	dropFrom(serverTree(tree), member{"extraVolumes", "name", e.Name})
}

// isArg tells whether a decoded entry of extraArgs has that name.
func isArg(a any, name string) bool {
	m, _ := a.(map[string]any)
	s, ok := m["name"].(string)
	return ok && flagName(s) == flagName(name)
}

// spellings are the keys of a mapping of arguments that mean a name, sorted.
func spellings(args map[string]any, name string) (keys []string) {
	for k := range args {
		if flagName(k) == flagName(name) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// sameCluster tells whether two configurations mean the same to kubeadm: what
// is missing, null and empty is the same in the collections that edits fill.
func sameCluster(a, b map[string]any) bool {
	for _, tree := range []map[string]any{a, b} {
		server := serverTree(tree)
		dropEmpty(server, "extraArgs")
		dropEmpty(server, "extraVolumes")
		dropEmpty(tree, "apiServer")
	}
	return reflect.DeepEqual(a, b)
}
