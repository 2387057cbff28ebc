package patch

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"auditpatch/internal/hint"
	"auditpatch/internal/nodefile"
	"auditpatch/manifest"
	"auditpatch/patch/auditflags"
)

// planner builds one plan.
type planner struct {
	m           *manifest.File
	state       State
	opts        Options
	current     Settings
	desired     map[string]string // the flags as they shall be
	plan        *Plan
	preexisting preexisting // of a manifest that did not log
	// trying says that this plan is one that a hint may propose.
	proposed bool
	// Where the files are on the node, "" when there is none.
	policyHost, logHost, webhookHost string
	access                           access // of the API server's process
}

// NodeFiles are the paths on the node that Enable looks at; "" where there is
// no such file.
type NodeFiles struct {
	Policy, Webhook string
	LogDir, LogFile string // of these only what they are matters, not what is in them
	PolicySet       bool   // the manifest names a policy already
	dirs            []string
}

// All lists the paths.
func (f NodeFiles) All() []string {
	return slices.DeleteFunc(append(slices.Clone(f.dirs), f.Policy, f.Webhook, f.LogDir, f.LogFile), func(s string) bool { return s == "" })
}

// Files names the files whose state Enable with the same options needs in
// State.Files.
func Files(s State, opts Options) (NodeFiles, error) {
	m, err := s.parse()
	if err != nil {
		return NodeFiles{}, err
	}
	p := newPlanner("enable", m, s, opts)
	if err := p.settle(); err != nil {
		return NodeFiles{}, err
	}
	return NodeFiles{p.policyHost, p.webhookHost, p.logHost, p.logFile(), p.current.Policy != nil, append(p.dirs(), p.parentDirs()...)}, nil
}

// Enable plans audit logging as the options say. What the manifest sets
// already and the options do not mention stays. An empty plan means that
// everything is as asked.
func Enable(s State, opts Options) (*Plan, error) {
	m, err := s.parse()
	if err != nil {
		return nil, err
	}
	if err := checkNode(m, s); err != nil {
		return nil, err
	}
	p := newPlanner("enable", m, s, opts)
	if err := p.settle(); err != nil {
		return nil, err
	}
	if s.Files != nil {
		if err := p.files(); err != nil {
			return nil, err
		}
	}
	p.annotate()
	if err := p.plan.writeManifest(m, s.Manifest); err != nil {
		return nil, err
	}
	return p.plan.finish(s), p.plan.checkMounts(s)
}

func newPlanner(verb string, m *manifest.File, s State, opts Options) *planner {
	p := &planner{m: m, state: s, opts: opts, current: Inspect(m), desired: map[string]string{}, access: accessOf(m)}
	p.plan = &Plan{Verb: verb, Manifest: s.Manifest.Path, Before: p.current}
	p.preexisting = preexisting{flags: map[string]string{}}
	if err := m.Nameless(); err != nil {
		p.plan.Warnings = append(p.plan.Warnings, Problem{Message: err.Error()})
	}
	if err := CheckUID(m); err != nil {
		p.plan.Warnings = append(p.plan.Warnings, Problem{Message: err.Error(), Hint: err.(*Error).Hint})
	}
	for _, u := range m.Unknown() {
		p.plan.Warnings = append(p.plan.Warnings, Problem{
			Message: fmt.Sprintf("%s: %s: the kubelet ignores it", m.Name(), u),
		})
	}
	return p
}

// settle decides on flags, mounts and volumes: all that the manifest alone
// determines.
func (p *planner) settle() error {
	if err := CheckManagedBy(p.m); err != nil {
		return err
	}
	p.flags()
	if err := p.check(); err != nil {
		return err
	}
	p.editFlags()
	if err := p.mounts(); err != nil {
		return err
	}
	return p.outsideManifests()
}

// flags works out the flags as they shall be.
func (p *planner) flags() {
	for name, value := range p.current.Flags {
		p.desired[name] = value
	}
	for name, value := range p.opts.Flags {
		p.desired[name] = value
	}
	fillIn(p.desired, p.opts.Webhook != nil)
}

// WithDefaults are a manifest's audit flags as Enable leaves them that is asked for no
// other ones.
func WithDefaults(flags map[string]string) map[string]string {
	out := maps.Clone(flags)
	if out == nil {
		out = map[string]string{}
	}
	fillIn(out, false)
	return out
}

// fillIn sets what is not set, and drops what is set to nothing.
func fillIn(desired map[string]string, webhook bool) {
	for name, value := range byDefault {
		_, set := desired[name]
		log := desired[logFlag]
		switch {
		case set, name == webhookFlag && !webhook:
		case rotation[name] && (auditflags.Has(desired, logFlag) && log == "" || log == "-"):
		default:
			desired[name] = value
		}
	}
	for name, value := range desired {
		if value == "" {
			delete(desired, name)
		}
	}
}

// check refuses flags that kube-apiserver refuses, or that surely do harm.
func (p *planner) check() error {
	for name, value := range p.desired {
		if strings.Contains(value, "$(") {
			return refuse(nil, "--%s %q: the kubelet would expand $( ) in it", name, value)
		}
	}
	errs, warns := auditflags.Check(p.desired, p.current.Version)
	p.plan.Warnings = append(p.plan.Warnings, warns...)
	if len(errs) == 0 {
		return nil
	}
	first := errs[0]
	e := &Error{Reason: first.Message, Hint: first.Hint, More: errs[1:]}
	for _, name := range first.Flags {
		if _, mine := p.opts.Flags[name]; !mine && p.current.Line[name] > 0 {
			e.Reason = fmt.Sprintf("%s:%d: %s", p.m.Name(), p.current.Line[name], first.Message)
			break
		}
	}
	return e
}

// editFlags turns the difference into edits, in the table's order.
func (p *planner) editFlags() {
	for _, spec := range auditflags.All() {
		value, want := p.desired[spec.Name]
		old, set := p.current.Flags[spec.Name]
		_, asked := p.opts.Flags[spec.Name]
		switch {
		case want && (!set || !sameValue(spec, old, value)):
			p.edit(manifest.SetFlag{Name: spec.Name, Value: value})
		case set && !want && old == "" && slices.Contains([]string{policyFlag, logFlag, webhookFlag}, spec.Name):
			// It says what is wanted already.
		case set && !want:
			p.edit(manifest.DropFlag{Name: spec.Name})
		case set && !asked && !sameValue(spec, old, byDefault[spec.Name]):
			p.plan.Kept = append(p.plan.Kept, "--"+spec.Name+"="+old)
		}
		if set && !p.current.Enabled() {
			p.preexisting.flags[spec.Name] = old
		}
	}
}

// sameValue compares two values as kube-apiserver reads them.
func sameValue(spec auditflags.Flag, a, b string) bool {
	x, err1 := spec.Parse(a)
	y, err2 := spec.Parse(b)
	return a == b || err1 == nil && err2 == nil && x == y
}

func (p *planner) edit(e manifest.Edit) { p.plan.Edits = append(p.plan.Edits, e) }

// outsideManifests refuses files in the directory that the kubelet reads: it
// would try to run them.
func (p *planner) outsideManifests() error {
	dir := path.Dir(p.state.Manifest.Path)
	if !path.IsAbs(dir) {
		dir = "/etc/kubernetes/manifests"
	}
	for _, f := range []struct{ flag, host, instead string }{
		{policyFlag, p.policyHost, DefaultPolicyPath},
		{webhookFlag, p.webhookHost, DefaultWebhookPath},
		{logFlag, p.logHost, DefaultLogPath},
	} {
		if f.host != "" && under(f.host, dir) {
			return refuse(p.propose(f.flag, hint.Flag(f.flag, f.instead)),
				"--%s: %s lies in %s, where the kubelet runs every file as a pod", f.flag, f.host, dir)
		}
		if real := p.state.Files[f.host].Real; f.host != "" && real != "" && under(real, dir) {
			return refuse(p.propose(f.flag, nil),
				"--%s: %s is a symlink to %s, where the kubelet runs every file as a pod", f.flag, f.host, real)
		}
	}
	return nil
}

// annotate records the checksums of what the API server reads only at its
// start, and what was there before.
func (p *planner) annotate() {
	p.checksum(PolicyAnnotation, p.opts.Policy, p.policyHost)
	p.checksum(WebhookAnnotation, p.opts.Webhook, p.webhookHost)
	if before := p.preexistingAnnotation(); before != p.current.Annotations[PreexistingAnnotation] {
		p.edit(manifest.SetAnnotation{Key: PreexistingAnnotation, Value: before})
	}
	// Of a run that died, and whose journal is gone too.
	if _, ok := p.current.Annotations[RestartAnnotation]; ok {
		p.edit(manifest.DropAnnotation{Key: RestartAnnotation})
	}
}

// checksum sets an annotation to the sum of the new content, or of the file
// that stays; it drops it where there is no such file any more.
func (p *planner) checksum(key string, content *Content, host string) {
	var data []byte
	switch old, known := p.state.Files[host]; {
	case host == "":
		if _, set := p.current.Annotations[key]; set {
			p.edit(manifest.DropAnnotation{Key: key})
		}
		return
	case content != nil:
		data = content.Data
	case known && old.Exists:
		data = old.Data
	default:
		return
	}
	if sum := Checksum(data); p.current.Annotations[key] != sum {
		p.edit(manifest.SetAnnotation{Key: key, Value: sum})
	}
}

// Checksum is what the annotations hold for a file with this content.
func Checksum(data []byte) string {
	return nodefile.Checksum(data)
}

// logFile is where the log is on the node.
func (p *planner) logFile() string {
	if p.logHost == "" {
		return ""
	}
	return path.Join(p.logHost, path.Base(p.desired[logFlag]))
}
