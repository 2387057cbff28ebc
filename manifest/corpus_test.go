package manifest

import (
	"bytes"
	"cmp"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/diff"
)

// tally counts how a run over many manifests ended.
type tally struct {
	edited, same int
	refused      map[string]int
	example      map[string]string
}

func newTally() *tally {
	return &tally{refused: map[string]int{}, example: map[string]string{}}
}

// quoted is what makes two refusals of one kind differ.
var quoted = regexp.MustCompile(`"[^"]*"|\([^)]*\)|\d+`)

func (c *tally) refuse(name string, err error) {
	reason := err.Error()
	if e := (*Error)(nil); errors.As(err, &e) {
		reason = e.Reason
	}
	reason = quoted.ReplaceAllString(reason, "_")
	if c.refused[reason]++; c.example[reason] == "" {
		c.example[reason] = name
	}
}

func (c *tally) log(t *testing.T) {
	t.Logf("%d edited, %d already as wanted, %d refused", c.edited, c.same, c.refusals())
	for _, reason := range slices.SortedFunc(maps.Keys(c.refused), func(a, b string) int { return cmp.Compare(c.refused[b], c.refused[a]) }) {
		t.Logf("%6d  %s (%s)", c.refused[reason], reason, c.example[reason])
	}
}

func (c *tally) refusals() (n int) {
	for _, k := range c.refused {
		n += k
	}
	return n
}

// probe are edits whose names no manifest has.
func probe() []Edit {
	edits := usual()
	for i, e := range edits {
		switch e := e.(type) {
		case SetFlag:
			edits[i] = SetFlag{"zz-" + e.Name, e.Value}
		case AddMount:
			e.Mount.Name, e.Mount.MountPath = "zz-"+e.Mount.Name, "/zz"+e.Mount.MountPath
			edits[i] = e
		case AddVolume:
			e.Volume.Name = "zz-" + e.Volume.Name
			edits[i] = e
		case SetAnnotation:
			edits[i] = SetAnnotation{"zz-" + e.Key, e.Value}
		}
	}
	return edits
}

// inFlow tells whether the edits have to lengthen lines: a collection in flow
// style, or a null that is written out.
var inFlow = regexp.MustCompile(`(?m)(metadata|annotations|command|args|volumes|volumeMounts|spec|containers)"?: *([\[{~]|null)|^ *- *\{.*(volumeMounts|command)|^[\[{]`)

// checkAdd applies edits of which nothing is there, and their inverse; it
// reports what is wrong, or that the manifest was refused.
func checkAdd(t *testing.T, name string, src []byte, c *tally) (out []byte) {
	t.Helper()
	f, err := Parse(name, src)
	if err != nil {
		c.refuse(name, err)
		return nil
	}
	out, err = f.Apply(probe()...)
	if err != nil {
		c.refuse(name, err)
		return nil
	}
	c.edited++
	checkResult(t, src, out, probe())
	back, err := parse(t, out).Apply(inverse(probe())...)
	if err != nil {
		t.Errorf("%s: the inverse: %v", name, err)
	} else if !bytes.Equal(back, src) {
		t.Errorf("%s: the inverse does not lead back:\n%s", name, diff.Diff("want", src, "got", back))
	}
	if n := removedLines(src, out); n > 0 && !inFlow.Match(src) && (n > 1 || bytes.HasSuffix(src, []byte("\n"))) {
		t.Errorf("%s: %d lines changed:\n%s", name, n, diff.Diff("old", src, "new", out))
	}
	return out
}

// TestCorpus edits manifests that other people wrote, when there are any here.
func TestCorpus(t *testing.T) {
	dir := cmp.Or(os.Getenv("AUDITPATCH_CORPUS"), filepath.Join("..", "..", "shared", "corpus"))
	names, err := filepath.Glob(filepath.Join(dir, "manifests", "*"))
	if err != nil || len(names) == 0 {
		t.Skipf("no manifests in %s: set AUDITPATCH_CORPUS", dir)
	}
	c := newTally()
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		base, _, _ := strings.Cut(filepath.Base(name), "-")
		checkAdd(t, base, src, c)
	}
	c.log(t)
}
