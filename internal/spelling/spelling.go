// Package spelling finds the name that a misspelt word was probably meant to be:
// a command, a flag, a preset, a field.
//
// Start with [Nearest].
package spelling

import (
	"strings"

	"github.com/xrash/smetrics"
)

// Nearest returns the known name that differs least from word, or "" when all
// differ too much. Case, hyphens, underscores and spaces do not count. The first
// of several equally near names wins.
func Nearest(word string, known []string) string {
	word = Plain(word)
	if len(word) < 2 {
		return ""
	}
	// A third of the letters may be wrong, or two in a short word: swapped letters
	// count as two. Half of the name has to be right.
	best, distance := "", max(2, len(word)/3)+1
	for _, name := range known {
		letters := Plain(name)
		if d := smetrics.WagnerFischer(word, letters, 1, 1, 1); d < distance && d <= len(letters)/2 {
			best, distance = name, d
		}
	}
	return best
}

// Plain leaves out what people get wrong most: case and separators.
func Plain(name string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(name))
}

// Either is a list of words with "or" before the last. Of none it is empty.
func Either(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
