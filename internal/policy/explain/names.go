package explain

import (
	"strings"

	"auditpatch/internal/spelling"
)

// ResourceName is the plural of the built-in resource that a word stands for: its plural,
// singular, kind or short name, as kubectl takes them. near is the one that was probably
// meant by a word that is none; both may be empty.
func ResourceName(word string) (plural, near string) {
	if b, ok := resolve(word, "", true); ok {
		return b.name, ""
	}
	var names []string
	for _, b := range builtins {
		names = append(names, b.name)
	}
	return "", spelling.Nearest(strings.ToLower(word), names)
}
