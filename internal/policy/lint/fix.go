package lint

import (
	"bytes"
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"auditpatch/internal/policy"
)

// maxRounds bounds how often a text is repaired: a mended entry may turn out to
// stand there twice.
const maxRounds = 5

// Repaired is a text with its fixes.
type Repaired struct {
	Text []byte
	Done []Finding // with the positions that they had before
	Left []Finding // what was not done, because Secrets or ConfigMaps would get into the log
}

// Repair carries out the fixes of a policy, and those of what comes to light by
// them. Each is proven: the content that kube-apiserver's parser reads from the
// new text is the old content with just that change, and the policy is accepted if
// it was before. What cannot be proven is not done.
func Repair(name string, src []byte, target policy.Version, ignore ...string) Repaired {
	r := &repair{name: name, target: target, ignore: ignore, Repaired: Repaired{Text: src}}
	for range maxRounds {
		report := Check(name, r.Text, target, ignore...)
		if !r.round(report) {
			break
		}
	}
	return r.Repaired
}

// repair is a text on its way.
type repair struct {
	name   string
	target policy.Version
	ignore []string
	Repaired
}

// round carries out all fixes at once or, where that cannot be proven, each half of
// them by itself. It reports whether there were any.
func (r *repair) round(report *Report) bool {
	var done []Finding
	var try func(fixes []Finding)
	try = func(fixes []Finding) {
		all := slices.Concat(done, fixes)
		_, ok := r.safe(report, all)
		switch {
		case ok:
			done = all
		case len(fixes) > 1:
			try(fixes[:len(fixes)/2])
			try(fixes[len(fixes)/2:])
		default:
			if _, ok := proven(r.name, r.Text, report.Policy != nil, all); ok {
				r.Left = append(r.Left, fixes...)
			}
		}
	}
	try(r.fixable(report))
	out, ok := r.safe(report, done)
	return ok && r.take(out, done)
}

// fixable are the findings with a fix, without those that touch each other and
// those that were left already.
func (r *repair) fixable(report *Report) (out []Finding) {
	for _, f := range report.Findings {
		if f.Fix == nil || slices.ContainsFunc(out, func(g Finding) bool { return f.Fix.meets(g.Fix) }) {
			continue
		}
		left := func(g Finding) bool { return f.Code == g.Code && f.Field == g.Field }
		if !slices.ContainsFunc(r.Left, left) {
			out = append(out, f)
		}
	}
	return out
}

func (r *repair) take(out []byte, done []Finding) bool {
	r.Text, r.Done = out, append(r.Done, done...)
	return len(done) > 0
}

// safe is the text with the fixes; ok is false when it cannot be proven, or when
// contents that are not in the log now would get into it.
func (r *repair) safe(report *Report, fixes []Finding) (out []byte, ok bool) {
	if out, ok = proven(r.name, r.Text, report.Policy != nil, fixes); !ok || report.Policy == nil {
		return out, ok
	}
	changes := slices.ContainsFunc(fixes, func(f Finding) bool { return f.Fix.Changes != "" })
	if !changes {
		return out, true
	}
	before := leaking(report)
	for at := range leaking(Check(r.name, out, r.target, r.ignore...)) {
		if !before[at] {
			return nil, false
		}
	}
	return out, true
}

// leaking are the rules that put contents into the log, also where a comment has
// switched the finding off.
func leaking(report *Report) map[string]bool {
	out := map[string]bool{}
	for _, f := range slices.Concat(report.Findings, report.Ignored) {
		if f.Code.ID == "AP060" || f.Code.ID == "AP061" {
			out[f.Code.ID+f.Field] = true
		}
	}
	return out
}

func (f *Fix) start() int { return f.Edits[0].Start }

// meets reports whether two fixes touch the same place of the text, or the same
// list, whose indices the one would change for the other.
func (f *Fix) meets(other *Fix) bool {
	for _, a := range f.Edits {
		for _, b := range other.Edits {
			if a.Start <= b.End && b.Start <= a.End {
				return true
			}
		}
	}
	return false
}

// proven is the text with the fixes; ok is false when it does not mean the old
// content with their changes.
func proven(name string, src []byte, accepted bool, findings []Finding) (out []byte, ok bool) {
	if len(findings) == 0 {
		return src, true
	}
	want, err := decoded(src)
	if err != nil {
		return nil, false
	}
	// From the end on: what is dropped moves what comes after it.
	findings = slices.Clone(findings)
	slices.SortFunc(findings, func(a, b Finding) int { return cmp.Compare(b.Fix.start(), a.Fix.start()) })
	out = bytes.Clone(src)
	for _, f := range findings {
		if want, ok = f.Fix.change.apply(want); !ok {
			return nil, false
		}
		for _, e := range f.Fix.Edits {
			out = slices.Concat(out[:e.Start:e.Start], []byte(e.New), out[e.End:])
		}
	}
	got, err := decoded(out)
	if err != nil || !reflect.DeepEqual(got, want) {
		return nil, false
	}
	if accepted {
		if _, err := policy.Load(name, out); err != nil {
			return nil, false
		}
	}
	return out, true
}

// Diff is a unified diff of a file before and after its fixes; empty when they are
// the same.
func Diff(name string, before, after []byte) string {
	_, d, _ := strings.Cut(string(diff.Diff(name, before, name, after)), "\n")
	return d
}
