package inspect

import (
	"maps"
	"slices"

	"auditpatch/internal/change"
	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/verdict"
	"auditpatch/internal/target"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// Judged is what Verdict judged, and the verdicts.
type Judged struct {
	verdict.Report
	Policy     string // its name; "" for none
	Flags      string // whose they are
	Kubernetes string // the version; "" when it is not known
}

// Question is what Verdict is asked. Its Policy, Version and Benchmark take the place of
// those of the node.
type Question struct {
	// Policy loads the policy for the version that is going to read it; nil is that of
	// the node.
	Policy    func(policy.Version) (*policy.Policy, error)
	Version   policy.Version
	Benchmark string
	// Optional says that there may be no manifest, or none that belongs to the policy.
	Optional bool
}

// Verdict judges the flags of a node's manifest, and the policy that it names. A policy
// that is given instead is judged with the flags that enable would leave.
func Verdict(t *target.Target, q Question) (Judged, error) {
	f := &facts{target: t}
	if f.state, f.unread = t.ReadManifest(); f.unread == nil {
		f.manifest, f.unread = manifest.Parse(f.state.Manifest.Path, f.state.Manifest.Data)
	}
	in := verdict.Input{Flags: verdict.Defaults(), Version: q.Version}
	out := Judged{Flags: "the default flags of enable"}
	switch {
	case f.unread == nil:
		f.now = patch.Inspect(f.manifest)
		if !t.Stdin() {
			f.policy = f.file(f.now.Policy, change.JudgePolicy)
		}
		in = f.judgeable()
		out.Flags = "the flags of " + f.state.Manifest.Path
	case !q.Optional || f.state.Manifest.Exists:
		return out, f.unread
	}
	if q.Version != (policy.Version{}) {
		in.Version = q.Version
	}
	if in.Benchmark = q.Benchmark; q.Policy != nil {
		given, err := q.Policy(in.Version)
		if err != nil {
			return out, err
		}
		in.Policy = given
		if f.unread == nil {
			in = withDefaults(in)
			out.Flags += ", and the defaults of enable"
		}
	}
	if in.Policy != nil {
		out.Policy = in.Policy.Name()
	}
	if in.Version != (policy.Version{}) {
		out.Kubernetes = in.Version.String()
	}
	out.Report = verdict.Judge(in)
	return out, nil
}

// withDefaults is what is judged, with the flags that enable would add.
func withDefaults(in verdict.Input) verdict.Input {
	flags := patch.WithDefaults(in.Flags)
	in.Command = slices.Clone(in.Command)
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		if in.Flags[name] == "" {
			in.Command = append(in.Command, "--"+name+"="+flags[name])
		}
	}
	in.Flags = flags
	return in
}

// judgeable is what the node has for the verdict of checkers.
func (f *facts) judgeable() verdict.Input {
	in := change.Judgeable(f.now)
	switch p := f.policy; {
	case f.now.Policy == nil:
	case f.target.Stdin() || p.at == "":
		in.Unseen, in.NoPolicy = true, "the policy cannot be seen from here"
	case p.err != nil:
		in.Unseen, in.NoPolicy = true, p.err.Error()
	case !p.Exists || p.Dir:
		in.NoPolicy = "there is no policy at " + p.at
	default:
		pol, err := policy.LoadRunning(p.at, p.Data, in.Version)
		if err != nil {
			in.NoPolicy = err.Error()
		} else {
			in.Policy = pol
		}
	}
	return in
}

// BenchmarkStatus is the verdicts on a node in short.
type BenchmarkStatus struct {
	CIS        string   `json:"cis"`        // the version of the benchmark
	Pass       int      `json:"pass"`       // the number of checks
	Fail       []string `json:"fail"`       // those that could pass
	CannotPass []string `json:"cannotPass"` // those that no useful setting passes
	Unknown    []string `json:"unknown"`    // those of a policy that cannot be seen
	// Summary is the same in words.
	Summary string `json:"-"`
}

// benchmarks is nil where nothing is logged: no check would pass.
func (f *facts) benchmarks() *BenchmarkStatus {
	if !f.now.Enabled() {
		return nil
	}
	r := verdict.Judge(f.judgeable())
	s := &BenchmarkStatus{CIS: r.Benchmark, Pass: len(r.Of(verdict.Pass)), Fail: names(r.Of(verdict.Fail)),
		CannotPass: names(r.Of(verdict.CannotPass)), Unknown: names(r.Of(verdict.Unknown))}
	s.Summary = r.String()
	return s
}

func names(verdicts []verdict.Verdict) []string {
	out := []string{}
	for _, v := range verdicts {
		out = append(out, v.Name())
	}
	return out
}

// benchmarksCheck has a finding for each flag whose value fails checks, and one for the
// policy.
func (f *facts) benchmarksCheck(out *findings) {
	if !f.now.Enabled() {
		return
	}
	out.problems(hurts, verdict.Warnings(change.Judgeable(f.now))...)
	in := f.judgeable()
	r := verdict.Judge(in)
	for _, v := range r.Of(verdict.Fail) {
		// That a policy is not there, or not valid, the check of the policy says.
		if in.Policy != nil && v.Flag == "audit-policy-file" && v.Reason != "" && v.Seen != "not found" {
			out.say(doubt, hint.Command("policy verdict"), "the policy fails %s: %s: %s", v.Name(), v.Seen, v.Reason)
		}
	}
	if !out.trouble() && (in.Policy != nil || in.Unseen) {
		out.say(fine, nil, "%s, by CIS (%s), STIG, Kubescape, Trivy, KICS and checkov", r, r.Benchmark)
	}
}
