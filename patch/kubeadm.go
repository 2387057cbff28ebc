package patch

import (
	"bytes"
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"auditpatch/internal/hint"
	"auditpatch/manifest"
	"auditpatch/patch/auditflags"

	"auditpatch/internal/lazyregexp"
)

// KubeadmConfig is the ConfigMap whose key ClusterConfiguration kubeadm writes
// the manifest from, at every upgrade and on every control-plane node that joins.
const KubeadmConfig = "kube-system/kubeadm-config"

// KubeadmPlan is a change of the ClusterConfiguration as data.
type KubeadmPlan struct {
	Old, New []byte
	Edits    []manifest.ClusterEdit // none when everything is as asked
	// Audits tells whether Old turns audit logging on: it has a policy and a backend.
	Audits  bool
	current map[string]string
}

// Empty tells whether everything is as asked already.
func (p *KubeadmPlan) Empty() bool { return len(p.Edits) == 0 }

// PlanKubeadm plans to give a ClusterConfiguration the audit settings of a
// manifest, those and no others; none when the manifest logs nothing. All else
// in the text stays byte for byte.
func PlanKubeadm(text []byte, m *manifest.File) (*KubeadmPlan, error) {
	c, err := manifest.ParseClusterConfig(KubeadmConfig, text)
	if err != nil {
		return nil, err
	}
	k := &kubeadmPlanner{c: c, current: map[string]string{}, count: map[string]int{}, desired: map[string]string{}}
	for _, a := range c.Args() {
		if strings.HasPrefix(a.Name, "audit-") {
			k.current[a.Name] = a.Value
			k.count[a.Name]++
		}
	}
	var volumes []manifest.ExtraVolume
	if s := Inspect(m); s.Enabled() {
		k.desired = s.Flags
		if volumes, err = auditVolumes(m); err != nil {
			return nil, err
		}
	}
	if err := k.volumes(volumes); err != nil {
		return nil, err
	}
	k.args()
	p := &KubeadmPlan{Old: text, Edits: slices.Concat(k.drops, k.sets, k.adds), Audits: k.audits(), current: k.current}
	if p.New, err = c.Apply(p.Edits...); err != nil {
		return nil, err
	}
	if bytes.Equal(p.New, p.Old) {
		p.Edits = nil
	}
	return p, nil
}

// kubeadmPlanner builds one KubeadmPlan.
type kubeadmPlanner struct {
	c                *manifest.ClusterConfig
	current, desired map[string]string // the audit arguments
	count            map[string]int    // how often each is there
	drops            []manifest.ClusterEdit
	sets             []manifest.ClusterEdit
	adds             []manifest.ClusterEdit
}

// audits tells whether the present arguments log anything.
func (k *kubeadmPlanner) audits() bool {
	return k.current[policyFlag] != "" && (k.current[logFlag] != "" || k.current[webhookFlag] != "")
}

// args plans the arguments, in the order of the table of flags.
func (k *kubeadmPlanner) args() {
	var names []string
	for _, spec := range slices.Concat(auditflags.All(), auditflags.Removed) {
		names = append(names, spec.Name)
	}
	var others []string
	for _, set := range []map[string]string{k.desired, k.current} {
		for name := range set {
			if !slices.Contains(names, name) && !slices.Contains(others, name) {
				others = append(others, name)
			}
		}
	}
	slices.Sort(others)
	for _, name := range append(names, others...) {
		spec, _ := auditflags.Lookup(name)
		old, is := k.current[name]
		switch value, want := k.desired[name]; {
		case want && (!is || !sameValue(spec, old, value) || k.count[name] > 1):
			k.sets = append(k.sets, manifest.SetArg{Name: name, Value: value})
		case is && !want:
			k.sets = append(k.sets, manifest.DropArg{Name: name})
		}
	}
}

// volumes plans the volumes: what is wanted is there, and what only the present
// audit arguments need and is not wanted any more is gone.
func (k *kubeadmPlanner) volumes(want []manifest.ExtraVolume) error {
	there := map[string]bool{} // names that stay
	for _, v := range k.c.Volumes() {
		same := slices.ContainsFunc(want, func(w manifest.ExtraVolume) bool { return sameVolume(v, w) })
		if !same && k.onlyForAudit(v) {
			k.drops = append(k.drops, manifest.DropExtraVolume{Name: v.Name})
			continue
		}
		there[v.Name] = true
	}
	for _, w := range want {
		covered := false
		for _, v := range k.c.Volumes() {
			switch {
			case !there[v.Name]:
			case sameVolume(v, w):
				covered = true
			case path.Clean(v.MountPath) == path.Clean(w.MountPath):
				return k.conflict(v, "mountPath "+v.MountPath)
			case v.Name == w.Name:
				return k.conflict(v, fmt.Sprintf("the name %q", v.Name))
			}
		}
		if !covered {
			k.adds = append(k.adds, manifest.AddExtraVolume{Volume: w})
		}
	}
	return nil
}

func (k *kubeadmPlanner) conflict(v manifest.ExtraVolume, what string) error {
	return refuse(hint.Shell("kubectl -n kube-system edit configmap kubeadm-config"),
		"%s:%d: %s of extraVolumes is already used for something else (host path %s)", k.c.Name(), v.Line, what, v.HostPath)
}

// sameVolume tells whether two volumes bring the same path in the same mode.
func sameVolume(a, b manifest.ExtraVolume) bool {
	return path.Clean(a.MountPath) == path.Clean(b.MountPath) && path.Clean(a.HostPath) == path.Clean(b.HostPath) && a.ReadOnly == b.ReadOnly
}

// onlyForAudit tells whether a volume is of exactly one of the paths that the
// audit arguments name.
func (k *kubeadmPlanner) onlyForAudit(v manifest.ExtraVolume) bool {
	at := path.Clean(v.MountPath)
	exact := false
	for _, flag := range []string{policyFlag, webhookFlag, logFlag} {
		if p := k.current[flag]; path.IsAbs(p) {
			exact = exact || at == path.Clean(p) || flag == logFlag && at == path.Dir(path.Clean(p))
		}
	}
	for _, a := range k.c.Args() {
		if !strings.HasPrefix(a.Name, "audit-") && path.IsAbs(a.Value) && under(a.Value, at) {
			return false
		}
	}
	return exact
}

// kubeadmVolumes are those that kubeadm itself gives the API server
// (cmd/kubeadm/app/phases/controlplane/volumes.go).
var kubeadmVolumes = lazyregexp.New(`^(k8s-certs|ca-certs|etcd-certs-\d+|etc-pki(-.*)?|etc-ca-certificates|usr(-local)?-share-ca-certificates)$`)

// auditVolumes are the volumes of a manifest that bring its audit paths, but for
// those that kubeadm adds by itself.
func auditVolumes(m *manifest.File) (out []manifest.ExtraVolume, err error) {
	s := Inspect(m)
	for _, l := range []*Location{s.Policy, s.Log, s.Webhook} {
		if l == nil || l.Mount == nil || l.Volume == nil || l.Volume.HostPath == nil || kubeadmVolumes().MatchString(l.Volume.Name) {
			continue
		}
		if l.Mount.SubPath != "" || l.Mount.SubPathExpr != "" {
			return nil, refuse(hint.Words("mount the path itself, without subPath"), "%s: the mount %s has a subPath, which extraVolumes of kubeadm cannot have", m.Name(), l.Mount.MountPath)
		}
		v := manifest.ExtraVolume{Name: l.Volume.Name, HostPath: l.Volume.HostPath.Path, MountPath: l.Mount.MountPath, ReadOnly: l.Mount.ReadOnly}
		if t := l.Volume.HostPath.Type; t != nil {
			v.PathType = string(*t)
		}
		if !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out, nil
}

// Counts says what happens: "+5 extraArgs +2 extraVolumes".
func (p *KubeadmPlan) Counts() string {
	var args, volumes struct{ plus, less int }
	for _, e := range p.Edits {
		switch e.(type) {
		case manifest.SetArg:
			args.plus++
		case manifest.DropArg:
			args.less++
		case manifest.AddExtraVolume:
			volumes.plus++
		case manifest.DropExtraVolume:
			volumes.less++
		}
	}
	var out []string
	for _, c := range []struct {
		sign, what string
		n          int
	}{{"+", "extraArgs", args.plus}, {"-", "extraArgs", args.less}, {"+", "extraVolumes", volumes.plus}, {"-", "extraVolumes", volumes.less}} {
		if c.n > 0 {
			out = append(out, fmt.Sprintf("%s%d %s", c.sign, c.n, c.what))
		}
	}
	return strings.Join(out, " ")
}

// Differences says where the ClusterConfiguration and a manifest disagree, one
// setting each.
func (p *KubeadmPlan) Differences() (out []string) {
	for _, e := range p.Edits {
		switch e := e.(type) {
		case manifest.SetArg:
			old, is := p.current[e.Name]
			switch {
			case !is:
				out = append(out, fmt.Sprintf("it lacks %s=%s", e.Name, e.Value))
			case old == e.Value:
				out = append(out, fmt.Sprintf("it has %s more than once", e.Name))
			default:
				out = append(out, fmt.Sprintf("it has %s=%s, and the manifest %s", e.Name, old, e.Value))
			}
		case manifest.DropArg:
			out = append(out, fmt.Sprintf("it has %s=%s, and the manifest does not", e.Name, p.current[e.Name]))
		case manifest.AddExtraVolume:
			out = append(out, fmt.Sprintf("it has no extraVolumes for %s", e.Volume.MountPath))
		case manifest.DropExtraVolume:
			out = append(out, fmt.Sprintf("its extraVolumes %s differ from the manifest", e.Name))
		}
	}
	return out
}

// kubeadmPod is as much of the manifest that kubeadm writes as a plan looks at:
// where there is none yet, it stands in for the one that is to come.
const kubeadmPod = `apiVersion: v1
kind: Pod
metadata:
  name: kube-apiserver
  namespace: kube-system
spec:
  containers:
  - command:
    - kube-apiserver
    image: registry.k8s.io/kube-apiserver
    name: kube-apiserver
    volumeMounts:
    - mountPath: /etc/ssl/certs
      name: ca-certs
      readOnly: true
    - mountPath: /etc/kubernetes/pki
      name: k8s-certs
      readOnly: true
  volumes:
  - hostPath:
      path: /etc/ssl/certs
      type: DirectoryOrCreate
    name: ca-certs
  - hostPath:
      path: /etc/kubernetes/pki
      type: DirectoryOrCreate
    name: k8s-certs
`

// StandIn is the manifest file at a path that kubeadm has not written yet. A plan
// from it has all but the manifest.
func StandIn(name string) File {
	return File{Path: name, Data: []byte(kubeadmPod), Mode: 0o600}
}

// volumesOf turns extra volumes into what is in a Pod.
func volumesOf(extra []manifest.ExtraVolume) (mounts []corev1.VolumeMount, volumes []corev1.Volume) {
	for _, v := range extra {
		kind := corev1.HostPathType(v.PathType)
		mounts = append(mounts, corev1.VolumeMount{Name: v.Name, MountPath: v.MountPath, ReadOnly: v.ReadOnly})
		volumes = append(volumes, corev1.Volume{Name: v.Name, VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: v.HostPath, Type: &kind}}})
	}
	return mounts, volumes
}
