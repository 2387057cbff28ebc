package manifest

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/diff"
	corev1 "k8s.io/api/core/v1"
)

// mutate changes lines in ways that mostly keep their meaning.
func mutate(r *rand.Rand, src []byte) []byte {
	var out strings.Builder
	for _, l := range strings.SplitAfter(string(src), "\n") {
		if l == "" {
			continue
		}
		out.WriteString(mutateLine(r, l))
	}
	s := out.String()
	if r.Intn(6) == 0 {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\n", "\r\n")
	}
	if r.Intn(12) == 0 {
		s = strings.ReplaceAll(s, "\n    - ", "\r\n    - ")
	}
	if r.Intn(10) == 0 {
		s = strings.TrimRight(s, "\r\n")
	}
	if r.Intn(20) == 0 {
		s = "\ufeff" + s
	}
	return []byte(s)
}

func mutateLine(r *rand.Rand, l string) string {
	text := strings.TrimSpace(l)
	pad := l[:len(l)-len(strings.TrimLeft(l, " "))]
	isItem := strings.HasPrefix(text, "- --") && !strings.ContainsAny(text, "#\"'") && !strings.HasSuffix(text, "\\")
	isPair := !strings.ContainsAny(text, "#\"'{}[]|>&*!,") && !strings.HasPrefix(text, "- ") && strings.Contains(text, ": ")
	switch n := r.Intn(40); {
	case n == 0:
		return "\n" + l
	case n == 1:
		return strings.Repeat(" ", r.Intn(len(pad)+5)) + fmt.Sprintf("# comment %d\n", r.Intn(99)) + l
	case n == 2:
		return strings.TrimRight(l, "\r\n") + "   \n"
	case n == 3 && !strings.Contains(l, "#"):
		return strings.TrimRight(l, "\r\n") + "  # c - [x] 'q\n"
	case n == 4:
		return pad + "# sep\u2028" + strings.Repeat(" ", r.Intn(9)) + "# arator\n" + l
	case n == 5 && !strings.Contains(l, "#"):
		return strings.TrimRight(l, "\r\n") + "\t# tab \n"
	case n < 10 && isItem:
		return pad + "- \"" + text[2:] + "\"\n"
	case n < 13 && isItem:
		return pad + "- '" + text[2:] + "' \n"
	case n < 16 && isItem:
		return pad + "-   >-\n" + pad + "    " + text[2:] + "\n"
	case n < 19 && isItem:
		return pad + "-\n" + pad + "  " + text[2:] + "\n"
	case n < 22 && isItem:
		return pad + "- " + strings.Replace(text[2:], "=", "\n"+pad+"- ", 1) + "\n"
	case n < 24 && isItem:
		return pad + "- &q" + fmt.Sprint(r.Intn(1000)) + " " + text[2:] + "\n"
	case n < 26 && isItem:
		return l + l
	case n < 10 && isPair:
		k, v, _ := strings.Cut(text, ": ")
		return pad + "\"" + k + "\": " + v + "\n"
	case n < 13 && isPair:
		k, v, _ := strings.Cut(text, ": ")
		return pad + k + ":\n" + pad + "  " + v + "\n"
	}
	return l
}

// few are edits whose names no mutant has: one of each kind.
func few() []Edit {
	return []Edit{
		SetFlag{"zz-flag", "/var/log/x"},
		AddMount{corev1.VolumeMount{Name: "zz", MountPath: "/zz", ReadOnly: true}},
		AddVolume{hostPath("zz", "/var/zz", corev1.HostPathDirectoryOrCreate)},
		SetAnnotation{"zz/sum", "1e3"},
	}
}

// outcomes counts how edits of many manifests ended.
type outcomes struct {
	sync.Mutex
	ok, invalid, refused, unproven int
	reasons                        map[string]int
	example                        map[string][]byte
}

func (o *outcomes) refuse(err error, src []byte) {
	o.Lock()
	defer o.Unlock()
	e := err.(*Error)
	reason := quoted.ReplaceAllString(e.Reason, "_")
	if strings.Contains(reason, "cannot be edited safely") {
		o.unproven++
	}
	o.refused++
	if o.reasons[reason]++; o.example[reason] == nil || len(src) < len(o.example[reason]) {
		o.example[reason] = src
	}
}

// check makes edits of which nothing is there, makes them again, and takes
// them out again. A refusal is counted, anything wrong is reported.
func (o *outcomes) check(src []byte) (wrong string) {
	pod, err := decodePod(src)
	if err != nil || pod.Name == "" {
		o.Lock()
		o.invalid++
		o.Unlock()
		return ""
	}
	f, err := Parse("m.yaml", src)
	if err != nil {
		o.refuse(err, src)
		return ""
	}
	out, err := f.Apply(few()...)
	if err != nil {
		o.refuse(err, src)
		return ""
	}
	got, err := decodePod(out)
	if err != nil {
		return fmt.Sprintf("the result does not decode: %v", err)
	}
	applyTyped(pod, f.Container().Name, f.program, few())
	if want, got := meaning(pod), meaning(got); want != got {
		return fmt.Sprintf("wrong meaning:\n%s", diff.Diff("want", []byte(want), "got", []byte(got)))
	}
	g, err := Parse("m.yaml", out)
	if err != nil {
		return fmt.Sprintf("the result does not parse: %v", err)
	}
	if again, err := g.Apply(few()...); err != nil || !bytes.Equal(again, out) {
		return fmt.Sprintf("twice is not once: %v\n%s", err, diff.Diff("once", out, "twice", again))
	}
	back, err := g.Apply(inverse(few())...)
	if err != nil || !bytes.Equal(back, src) {
		return fmt.Sprintf("the inverse does not lead back: %v\n%s", err, diff.Diff("want", src, "got", back))
	}
	o.Lock()
	o.ok++
	o.Unlock()
	return ""
}

func (o *outcomes) log(t *testing.T) {
	t.Logf("%d ok, %d no Pod, %d refused, of these %d unproven", o.ok, o.invalid, o.refused, o.unproven)
	for _, reason := range slices.SortedFunc(maps.Keys(o.reasons), func(a, b string) int { return cmp.Compare(o.reasons[b], o.reasons[a]) }) {
		t.Logf("%6d  %s", o.reasons[reason], reason)
		if dir := os.Getenv("AUDITPATCH_REFUSED"); dir != "" {
			name := strings.Map(func(r rune) rune {
				if strings.ContainsRune(" /:\"", r) {
					return '-'
				}
				return r
			}, reason)
			if err := os.WriteFile(filepath.Join(dir, name[:min(len(name), 90)]), o.example[reason], 0o644); err != nil {
				t.Error(err)
			}
		}
	}
}

// runMutants checks n manifests on two goroutines.
func runMutants(t *testing.T, n int, next func(r *rand.Rand, i int) []byte) {
	t.Helper()
	o := &outcomes{reasons: map[string]int{}, example: map[string][]byte{}}
	var wg sync.WaitGroup
	for worker := range 2 {
		wg.Go(func() {
			for i := worker; i < n && inTime(t); i += 2 {
				r := rand.New(rand.NewSource(int64(i)))
				if src := next(r, i); !t.Failed() {
					if wrong := o.check(src); wrong != "" {
						t.Errorf("mutant %d: %s\nof\n%s", i, wrong, src)
					}
				}
			}
		})
	}
	wg.Wait()
	o.log(t)
	if all := o.ok + o.invalid + o.refused; o.ok < all*3/4 || o.unproven > all/1000 {
		t.Errorf("of %d only %d were edited, %d were refused for want of a proof", all, o.ok, o.unproven)
	}
}

// inTime keeps a slow machine from running into go test's deadline.
func inTime(t *testing.T) bool {
	deadline, ok := t.Deadline()
	return !ok || time.Until(deadline) > 4*time.Minute
}

func mutants(t *testing.T) int {
	if testing.Short() || raceEnabled {
		return 500
	}
	return 10000
}

// TestMutants edits the fixtures after random changes.
func TestMutants(t *testing.T) {
	all := fixtures(t)
	names := slices.Sorted(maps.Keys(all))
	runMutants(t, mutants(t), func(r *rand.Rand, i int) []byte { return mutate(r, all[names[i%len(names)]]) })
}

// TestGenerated edits Pods in random styles, half of them changed once more.
func TestGenerated(t *testing.T) {
	runMutants(t, mutants(t), func(r *rand.Rand, i int) []byte {
		src := []byte((&generator{Rand: r}).text())
		if i%2 == 0 {
			return src
		}
		return mutate(r, src)
	})
}

// someChanges are edits of what a generated Pod may have already, no two of
// the same thing.
func someChanges(g *generator) (edits []Edit) {
	for _, i := range g.Perm(4)[:1+g.Intn(2)] {
		flag, note := fmt.Sprintf("flag-%d", i), fmt.Sprintf("example.test/note-%d", i)
		path, name := fmt.Sprintf("/srv/data-%d", i), fmt.Sprintf("v%d", i)
		switch g.Intn(6) {
		case 0, 1:
			edits = append(edits, SetFlag{flag, g.word()})
		case 2:
			edits = append(edits, DropFlag{flag})
		case 3:
			edits = append(edits, DropMount{path}, DropVolume{name})
		case 4:
			edits = append(edits, SetAnnotation{note, g.word()})
		case 5:
			edits = append(edits, DropAnnotation{note})
		}
	}
	return edits
}

// TestGeneratedChanges sets and drops what is there, which may be refused, and
// must mean what the oracle says when it is not.
func TestGeneratedChanges(t *testing.T) {
	o := &outcomes{reasons: map[string]int{}, example: map[string][]byte{}}
	for i := range mutants(t) / 2 {
		if !inTime(t) {
			break
		}
		g := &generator{Rand: rand.New(rand.NewSource(int64(i)))}
		src := []byte(g.text())
		edits := someChanges(g)
		f, err := Parse("m.yaml", src)
		if _, invalid := decodePod(src); invalid != nil {
			o.invalid++
			continue
		}
		if err != nil {
			o.refuse(err, src)
			continue
		}
		out, err := f.Apply(edits...)
		if err != nil {
			o.refuse(err, []byte(fmt.Sprintf("%s\n# %s: %v", src, edits, err)))
			continue
		}
		o.ok++
		if checkResult(t, src, out, edits); t.Failed() {
			t.Fatalf("mutant %d: %s of\n%s", i, edits, src)
		}
	}
	o.log(t)
}
