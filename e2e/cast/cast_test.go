package cast

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func sample() (r Recording) {
	r.Add(0, "# auditpatch enable")
	r.Add(1500*time.Millisecond, `auditpatch: error: "a" < b & c`)
	r.Add(90*time.Second, "")
	r.Add(91*time.Second, "  indented")
	return r
}

func TestWriteRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.cast")
	if err := sample().Write(name); err != nil {
		t.Fatal(err)
	}
	got, err := Read(name)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(sample(), got); d != "" {
		t.Error(d)
	}
}

// TestSVG wants the SVG to be XML that has each line once, with nobody waiting
// for a long pause.
func TestSVG(t *testing.T) {
	svg := sample().SVG(`a "title"`)
	var text []string
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if words, ok := token.(xml.CharData); ok && strings.TrimSpace(string(words)) != "" {
			text = append(text, string(words))
		}
	}
	text = append(text[:1], text[2:]...) // the style
	want := []string{`a "title"`, "# auditpatch enable", `auditpatch: error: "a" < b & c`, "  indented"}
	if d := cmp.Diff(want, text); d != "" {
		t.Error(d)
	}
	if !bytes.Contains(svg, []byte("animation-delay: 3.10s")) {
		t.Errorf("the last line does not come after 3.1 s:\n%s", svg)
	}
}
