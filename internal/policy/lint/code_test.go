package lint

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"testing"

	"k8s.io/klog/v2"
)

func TestMain(m *testing.M) {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	os.Exit(m.Run())
}

// ids are the codes of findings, each once, in the order of the text.
func ids(findings []Finding) (out []string) {
	for _, f := range findings {
		if !slices.Contains(out, f.Code.ID) {
			out = append(out, f.Code.ID)
		}
	}
	return out
}

func say(findings []Finding) (out []string) {
	for _, f := range findings {
		out = append(out, fmt.Sprintf("%d:%d %s %s: %s | %s", f.Line, f.Col, f.Code.ID, f.Field, f.Message, f.Hint))
	}
	return out
}

// TestCodes wants each code's bad example to have that finding and no other, and
// the mended one to have none.
func TestCodes(t *testing.T) {
	for _, c := range Codes() {
		t.Run(c.ID, func(t *testing.T) {
			bad := Check("bad.yaml", []byte(c.Bad.Policy()), c.Target)
			if got := ids(bad.Findings); !slices.Equal(got, []string{c.ID}) {
				t.Errorf("the bad example has %q:\n%q", got, say(bad.Findings))
			}
			if good := Check("good.yaml", []byte(c.Good.Policy()), c.Target); len(good.Findings) > 0 {
				t.Errorf("the good example has\n%q", say(good.Findings))
			}
			if c.Bad.Policy() == c.Good.Policy() {
				t.Error("the examples are the same")
			}
		})
	}
}

// TestCodeTable wants the IDs in order and once each, and everything said.
func TestCodeTable(t *testing.T) {
	form := regexp.MustCompile(`^AP\d{3}$`)
	seen := map[string]bool{}
	for _, c := range Codes() {
		if !form.MatchString(c.ID) || seen[c.ID] || seen[c.Name] {
			t.Errorf("%s %s: the ID is malformed, or one of the two is there twice", c.ID, c.Name)
		}
		seen[c.ID], seen[c.Name] = true, true
		if rank[c.Severity] == 0 || c.Title == "" || c.Why == "" || c.Why[len(c.Why)-1] != '.' {
			t.Errorf("%s lacks a severity, a title, or a sentence that says why", c.ID)
		}
		if found, ok := Find(c.Name); !ok || found != c {
			t.Errorf("%s is not found by its name", c.ID)
		}
	}
	if _, ok := Find("AP999"); ok {
		t.Error("AP999 is found")
	}
}
