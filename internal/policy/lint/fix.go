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

// Repaired is one fix that was carried out.
type Repaired struct {
	Finding Finding // with the position before this round of fixes
}

// Repair carries out the fixes of a policy, and those of what comes to light by
// them. Each is proven: the content that kube-apiserver's parser reads from the
// new text is the old content with just that change, and the policy is accepted if
// it was before. What cannot be proven is not done.
func Repair(name string, src []byte, target policy.Version, ignore ...string) (fixed []byte, done []Repaired) {
	for range maxRounds {
		report := Check(name, src, target, ignore...)
		next, now := repairAll(name, src, report)
		if len(now) == 0 {
			break
		}
		src, done = next, append(done, now...)
	}
	return src, done
}

// repairAll carries out all fixes at once or, where that cannot be proven, one of
// them after the other.
func repairAll(name string, src []byte, report *Report) ([]byte, []Repaired) {
	var fixable []Finding
	for _, f := range report.Findings {
		overlaps := slices.ContainsFunc(fixable, func(g Finding) bool { return f.Fix != nil && f.Fix.meets(g.Fix) })
		if f.Fix != nil && !overlaps {
			fixable = append(fixable, f)
		}
	}
	if out, ok := proven(name, src, report.Policy != nil, fixable); ok {
		return out, repaired(fixable)
	}
	// From the end on, so that the places of the others stay.
	slices.SortFunc(fixable, func(a, b Finding) int { return cmp.Compare(b.Fix.start(), a.Fix.start()) })
	var done []Finding
	for _, f := range fixable {
		if out, ok := proven(name, src, report.Policy != nil, append(slices.Clone(done), f)); ok && out != nil {
			done = append(done, f)
		}
	}
	out, ok := proven(name, src, report.Policy != nil, done)
	if !ok {
		return src, nil
	}
	slices.Reverse(done)
	return out, repaired(done)
}

func repaired(findings []Finding) (out []Repaired) {
	for _, f := range findings {
		out = append(out, Repaired{f})
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
