package explain

import (
	"strings"

	"auditpatch/internal/policy/builtin"
	"auditpatch/internal/spelling"
)

// ResourceName is the plural of the built-in resource that a word stands for: its plural,
// singular, kind or short name, as kubectl takes them. near is the one that was probably
// meant by a word that is none; both may be empty.
func ResourceName(word string) (plural, near string) {
	if b, ok := resolve(word, "", true); ok {
		return b.Name, ""
	}
	var names []string
	for _, b := range builtin.All() {
		names = append(names, b.Name)
	}
	return "", spelling.Nearest(strings.ToLower(word), names)
}
