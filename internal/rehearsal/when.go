package rehearsal

import (
	"strings"

	"auditpatch/internal/hint"
)

// When says whether a change is rehearsed.
type When string

const (
	Auto   When = "auto"   // where it is possible
	Always When = "always" // or the change is refused
	Never  When = "never"
)

// Choices are all values of When, the default first.
var Choices = []struct {
	When  When
	Means string
}{
	{Auto, "where it is possible"},
	{Always, "or the change is refused"},
	{Never, "begin without"},
}

// ParseWhen reads the flag's value.
func ParseWhen(text string) (When, error) {
	var names []string
	for _, c := range Choices {
		if string(c.When) == text {
			return c.When, nil
		}
		names = append(names, string(c.When))
	}
	return "", hint.Errorf(hint.Flag("rehearse", names[0]), "--rehearse %q: it is one of %s", text, strings.Join(names, ", "))
}
