package lint

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
)

// maxRounds bounds how often a text is repaired: a mended entry may turn out to
// stand there twice.
const maxRounds = 5

// maxTries bounds how many sets of fixes are tried when not all of them can be carried
// out. Each reads the whole policy.
const maxTries = 60

// Repaired is a text with its fixes.
type Repaired struct {
	Text []byte
	Done []Finding // with the positions that they had before
	Left []Undone  // what was not done, because it would do harm
}

// Undone is a finding whose fix was not carried out, and what that would have done.
type Undone struct {
	Finding
	Harm string
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
	harm   string // why the last text was not safe
	tries  int
	before *Report // of Text, with all findings; nil when it is not needed yet
	Repaired
}

// round carries out all fixes at once or, where that cannot be proven, each half of
// them by itself. It reports whether there were any.
func (r *repair) round(report *Report) bool {
	var done []Finding
	var try func(fixes []Finding)
	try = func(fixes []Finding) {
		if r.tries++; r.tries > maxTries {
			for _, f := range fixes {
				r.Left = append(r.Left, Undone{f, "there are too many fixes that do not go together"})
			}
			return
		}
		all := slices.Concat(done, fixes)
		_, ok := r.safe(report, all)
		switch {
		case ok:
			done = all
		case len(fixes) > 1:
			try(fixes[:len(fixes)/2])
			try(fixes[len(fixes)/2:])
		default:
			if _, ok := proven(r.name, r.Text, report.Strict, all); ok {
				r.Left = append(r.Left, Undone{fixes[0], r.harm})
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
		left := func(g Undone) bool { return f.Code == g.Code && f.Field == g.Field }
		if !slices.ContainsFunc(r.Left, left) {
			out = append(out, f)
		}
	}
	return out
}

func (r *repair) take(out []byte, done []Finding) bool {
	r.Text, r.Done, r.before = out, append(r.Done, done...), nil
	return len(done) > 0
}

// safe is the text with the fixes; ok is false when it cannot be proven, or when
// it would do harm: what was not meant to be in the log would get there, or what
// an intruder does, or a whole rule, would no longer.
func (r *repair) safe(report *Report, fixes []Finding) (out []byte, ok bool) {
	if out, ok = proven(r.name, r.Text, report.Strict, fixes); !ok || report.Policy == nil {
		return out, ok
	}
	if !slices.ContainsFunc(fixes, func(f Finding) bool { return f.Fix.Changes != "" }) {
		return out, true
	}
	// Nothing is left out here: who does not want to see a finding does not want to
	// have its fault made.
	if r.before == nil {
		r.before = Check(r.name, r.Text, r.target)
	}
	after := Check(r.name, out, r.target)
	if after.Policy == nil {
		return out, true // on the way: what is wrong with a field that counts now comes next
	}
	r.harm = cmp.Or(exposes(r.before, after), blinds(r.before, after), kills(r.before, after, fixes))
	return out, r.harm == ""
}

// has reports whether there is such a finding at that place, also where a comment has
// switched it off.
func (r *Report) has(f Finding) bool {
	return slices.ContainsFunc(slices.Concat(r.Findings, r.Ignored), func(g Finding) bool { return f.Code == g.Code && f.Field == g.Field })
}

// added are the findings with one of the codes that the first report does not have.
func added(before, after *Report, ids ...string) (out []Finding) {
	for _, f := range slices.Concat(after.Findings, after.Ignored) {
		if slices.Contains(ids, f.Code.ID) && !before.has(f) {
			out = append(out, f)
		}
	}
	return out
}

// exposes tells of contents that get into the log; "" for none.
func exposes(before, after *Report) string {
	if len(added(before, after, "AP060", "AP061")) > 0 {
		return "Secrets or ConfigMaps would get into the log"
	}
	return ""
}

// blinds tells of what an intruder does and is recorded now; "" for nothing.
func blinds(before, after *Report) string {
	if len(added(before, after, "AP067")) > 0 {
		return "nothing would be recorded any more"
	}
	for _, q := range telling() {
		was, is := before.Policy.Evaluate(q.Attributes()), after.Policy.Evaluate(q.Attributes())
		if was.Level != audit.LevelNone && is.Level == audit.LevelNone {
			return fmt.Sprintf("%q would not be recorded any more", describe(q))
		}
	}
	if hides := added(before, after, "AP066"); len(hides) > 0 && before.Policy.Records() {
		return hides[0].Message
	}
	return ""
}

// kills tells of a rule that decides nothing any more and is not one that is mended;
// "" for none.
func kills(before, after *Report, fixes []Finding) string {
	for _, f := range added(before, after, "AP020", "AP021") {
		if !slices.ContainsFunc(fixes, func(g Finding) bool { return strings.HasPrefix(g.Field, f.Field+".") }) && !before.has(Finding{Code: byID["AP022"], Field: f.Field}) {
			return f.Field + " would never be reached any more"
		}
	}
	return ""
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
	var edits []Edit
	for _, f := range findings {
		if want, ok = f.Fix.change.apply(want); !ok {
			return nil, false
		}
		edits = append(edits, f.Fix.Edits...)
	}
	out = edited(src, edits)
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

// edited is the text with edits that do not touch each other.
func edited(src []byte, edits []Edit) (out []byte) {
	slices.SortFunc(edits, func(a, b Edit) int { return cmp.Compare(a.Start, b.Start) })
	at := 0
	for _, e := range edits {
		if e.Start < at {
			return nil // two at one place: nothing is proven of that
		}
		out = append(append(out, src[at:e.Start]...), e.New...)
		at = e.End
	}
	return append(out, src[at:]...)
}

// Diff is a unified diff of a file before and after its fixes; empty when they are
// the same.
func Diff(name string, before, after []byte) string {
	_, d, _ := strings.Cut(string(diff.Diff(name, before, name, after)), "\n")
	return d
}
