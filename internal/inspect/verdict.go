package inspect

import (
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
	Policy    *policy.Policy
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
		in.Policy = q.Policy
		if f.unread == nil {
			in.Flags = withDefaults(in.Flags)
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

// withDefaults are the flags with what enable sets where nobody says otherwise.
func withDefaults(flags map[string]string) map[string]string {
	out := verdict.Defaults()
	for name, value := range flags {
		out[name] = value
	}
	return out
}

// judgeable is what the node has for the verdict of checkers.
func (f *facts) judgeable() verdict.Input {
	in := verdict.Input{Flags: f.now.Flags, Version: policy.Version{Major: f.now.Version.Major, Minor: f.now.Version.Minor}}
	switch p := f.policy; {
	case f.now.Policy == nil:
	case f.target.Stdin() || p.at == "":
		in.Unseen, in.NoPolicy = true, "the policy cannot be seen from here"
	case p.err != nil:
		in.Unseen, in.NoPolicy = true, p.err.Error()
	case !p.Exists || p.Dir:
		in.NoPolicy = "there is no policy at " + p.at
	default:
		pol, _, err := policy.LoadStartable(p.at, p.Data, in.Version)
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
	out.problems(doubt, verdict.Warnings(f.now.Flags, f.now.Version)...)
	r := verdict.Judge(f.judgeable())
	for _, v := range r.Of(verdict.Fail) {
		if v.Flag == "audit-policy-file" && v.Reason != "" {
			out.say(doubt, hint.Command("policy verdict"), "the policy fails %s: %s: %s", v.Name(), v.Seen, v.Reason)
		}
	}
	if !out.trouble() {
		out.say(fine, nil, "%s, by CIS (%s), STIG, Kubescape, Trivy, KICS and checkov", r, r.Benchmark)
	}
}
