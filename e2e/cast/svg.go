package cast

import (
	"bytes"
	"fmt"
	"html"
	"strings"
	"time"
	"unicode/utf8"
)

// Sizes in pixels. A character of a monospaced font is 0.6 of its size wide, and
// textLength makes it so in every font.
const (
	margin   = 18
	fontSize = 13
	advance  = 7.8
	leading  = 19
)

// A page's reader has less patience than a recording: pauses are cut to this,
// and what is typed stands for a moment before it is answered.
const (
	longestPause = 900 * time.Millisecond
	typed        = 1200 * time.Millisecond
)

// colours of lines by how they begin, the first that fits.
var colours = []struct{ prefix, colour string }{
	{Prompt, "#7ee787"},
	{"auditpatch: error:", "#ff7b72"},
	{"auditpatch: hint:", "#79c0ff"},
	{"auditpatch: warning:", "#e3b341"},
	{"", "#d0d7de"},
}

// SVG draws the session with a title, which those who cannot see it are told.
// Its lines appear as they came. Where nothing moves, as in print or for readers
// who ask for less motion, all of them are there at once.
func (r Recording) SVG(title string) []byte {
	width := int(float64(r.width())*advance) + 2*margin
	height := len(r.Lines)*leading + 2*margin
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n", html.EscapeString(title))
	fmt.Fprintf(&b, `<style>
text { font: %dpx ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre }
@media (prefers-reduced-motion: no-preference) { text { animation: appear 1ms both } }
@keyframes appear { from { opacity: 0 } to { opacity: 1 } }
</style>
<rect width="100%%" height="100%%" rx="8" fill="#0d1117"/>
`, fontSize)
	at, before := time.Duration(0), time.Duration(0)
	for i, l := range r.Lines {
		at += min(l.At-before, longestPause)
		before = l.At
		if i > 0 && strings.HasPrefix(l.Text, Prompt) {
			at += typed
		}
		r.line(&b, i, at, l.Text)
		if strings.HasPrefix(l.Text, Prompt) {
			at += typed / 3
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (r Recording) line(b *bytes.Buffer, i int, at time.Duration, text string) {
	if text == "" {
		return
	}
	colour := ""
	for _, c := range colours {
		if strings.HasPrefix(text, c.prefix) {
			colour = c.colour
			break
		}
	}
	length := float64(utf8.RuneCountInString(text)) * advance
	fmt.Fprintf(b, `<text xml:space="preserve" x="%d" y="%d" textLength="%.1f" fill="%s" style="animation-delay: %.2fs">%s</text>`+"\n",
		margin, margin+i*leading+leading*3/4, length, colour, at.Seconds(), html.EscapeString(text))
}
