// Package typed is what a user has typed, as messages and hints may show it: they go
// into logs, and a URL may hold a credential.
//
// Call [Of] with all that was typed, and [Values.Hide] on each text before it is printed.
package typed

import (
	"cmp"
	"encoding/json"
	"path"
	"slices"
	"strconv"
	"strings"

	"auditpatch/patch/webhookconfig"

	"auditpatch/internal/lazyregexp"
)

// unknown stands for what is like a URL and is none.
const unknown = "..."

// Values are what was typed. The zero value knows none.
type Values struct{ hide *strings.Replacer }

// Public is as much of a typed value as may be shown: all of it, or of a URL what holds
// no credential.
func Public(value string) string {
	if !strings.Contains(value, "://") {
		return value
	}
	return cmp.Or(webhookconfig.PublicURL(value), unknown)
}

// Of knows the words of a command line, or other values.
func Of(words []string) Values {
	public := map[string]string{}
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		for _, typed := range []string{w, strings.TrimLeft(w, "-"), strings.TrimLeft(name, "-"), value} {
			if shown := Public(typed); shown != typed {
				for _, form := range forms(typed) {
					public[form] = shown
				}
			}
		}
	}
	var pairs []string
	for form := range public {
		pairs = append(pairs, form)
	}
	// Of two that begin alike the longer one first, or the rest of it would stay.
	slices.SortFunc(pairs, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	for i := 0; i < len(pairs); i += 2 {
		pairs = slices.Insert(pairs, i+1, public[pairs[i]])
	}
	return Values{strings.NewReplacer(pairs...)}
}

// forms are all that becomes of a value in a message: a path is cleaned, and stands
// there also as the folder of it, and either is quoted for Go, JSON, a shell or YAML.
func forms(value string) (out []string) {
	paths := []string{value}
	for p := path.Clean(value); strings.Count(p, "/") > 1; p = path.Dir(p) {
		paths = append(paths, p)
	}
	for _, p := range paths {
		text, _ := json.Marshal(p) // a string always can be
		out = append(out, p, inner(strconv.Quote(p)), inner(string(text)),
			strings.ReplaceAll(p, "'", `'\''`), strings.ReplaceAll(p, "'", "''"))
	}
	return out
}

func inner(quoted string) string { return quoted[1 : len(quoted)-1] }

// account is the user and password of any URL, also of one that has become a path.
var account = lazyregexp.New(`([A-Za-z][A-Za-z0-9+.-]*:/{1,2})[^\s/'"@]+@`)

// Hide is a text for people without the credentials of what was typed.
func (v Values) Hide(text string) string {
	if v.hide != nil {
		text = v.hide.Replace(text)
	}
	return account().ReplaceAllString(text, "$1")
}
