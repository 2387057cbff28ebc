package patch

import (
	"fmt"
	"slices"
	"strings"

	"auditpatch/manifest"
)

// maxListed is how many settings a sentence lists.
const maxListed = 6

// differences are the settings of a manifest that have nothing to do with auditing
// and are not those of an earlier one: its image and its flags, without their
// values.
func differences(was, is *manifest.File) []string {
	var out []string
	if image := is.Container().Image; image != was.Container().Image {
		out = append(out, "image "+image)
	}
	now, then := otherFlags(is), otherFlags(was)
	var names []string
	for _, f := range slices.Concat(is.Flags(), was.Flags()) {
		if !slices.Contains(names, f.Name) && now[f.Name] != then[f.Name] {
			names = append(names, f.Name)
		}
	}
	for _, name := range names {
		if _, set := now[name]; set {
			out = append(out, "--"+name)
		} else {
			out = append(out, "no --"+name)
		}
	}
	return out
}

// otherFlags are the flags that are not audit flags, with all their values.
func otherFlags(m *manifest.File) map[string]string {
	out := map[string]string{}
	for _, f := range m.Flags() {
		if !strings.HasPrefix(f.Name, "audit-") {
			out[f.Name] += fmt.Sprintf("%q", f.Value)
		}
	}
	return out
}

// listOf is a list in a sentence.
func listOf(words []string) string {
	if more := len(words) - maxListed; more > 0 {
		words = append(slices.Clone(words[:maxListed]), fmt.Sprintf("and %d more", more))
	}
	return strings.Join(words, ", ")
}
