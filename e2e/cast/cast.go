// Package cast keeps a terminal session and draws it: [Read] reads a recording
// in the format asciicast v2, and its SVG plays it in a page.
package cast

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf8"
)

// Recording is a session: what a terminal showed, line by line.
type Recording struct {
	Lines []Line
}

// Line is one line, and when it came after the session's start.
type Line struct {
	At   time.Duration
	Text string
}

// Prompt begins each line that was typed.
const Prompt = "# "

// Add takes a line.
func (r *Recording) Add(at time.Duration, text string) {
	r.Lines = append(r.Lines, Line{at.Round(time.Millisecond), text})
}

// Text is all that the terminal shows in the end.
func (r Recording) Text() string {
	var b strings.Builder
	for _, l := range r.Lines {
		b.WriteString(l.Text + "\n")
	}
	return b.String()
}

// width is the number of characters of the longest line.
func (r Recording) width() (n int) {
	for _, l := range r.Lines {
		n = max(n, utf8.RuneCountInString(l.Text))
	}
	return n
}

type header struct {
	Version int `json:"version"`
	Width   int `json:"width"`
	Height  int `json:"height"`
}

// Write writes a file that players of asciicasts can play.
func (r Recording) Write(name string) error {
	var b bytes.Buffer
	out := json.NewEncoder(&b)
	out.SetEscapeHTML(false)
	if err := out.Encode(header{2, r.width(), len(r.Lines)}); err != nil {
		return err
	}
	for _, l := range r.Lines {
		if err := out.Encode([]any{json.Number(fmt.Sprintf("%.3f", l.At.Seconds())), "o", l.Text + "\r\n"}); err != nil {
			return err
		}
	}
	return os.WriteFile(name, b.Bytes(), 0o644)
}

// Read reads what Write has written.
func Read(name string) (r Recording, err error) {
	f, err := os.Open(name)
	if err != nil {
		return r, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Scan()
	var h header
	if err := json.Unmarshal(lines.Bytes(), &h); err != nil || h.Version != 2 {
		return r, fmt.Errorf("%s is no asciicast v2: %w", name, err)
	}
	for lines.Scan() {
		var event [3]any
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			return r, fmt.Errorf("read %s: %w", name, err)
		}
		seconds, number := event[0].(float64)
		text, words := event[2].(string)
		if !number || !words {
			return r, fmt.Errorf("read %s: no event: %s", name, lines.Text())
		}
		r.Add(time.Duration(seconds*float64(time.Second)), strings.TrimSuffix(text, "\r\n"))
	}
	return r, lines.Err()
}
