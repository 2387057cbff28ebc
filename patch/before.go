package patch

import (
	"net/url"
	"slices"
	"strings"
)

// leftovers are flags, mounts and volumes of auditing that stood in a manifest
// which did not log anything. They are remembered in an annotation, so that
// Disable leads back to just that manifest.
type leftovers struct {
	flags   map[string]string
	mounts  []string // mount paths
	volumes []string // names
}

func (l *leftovers) empty() bool {
	return len(l.flags) == 0 && len(l.mounts) == 0 && len(l.volumes) == 0
}

// encode writes them as one line of words.
func (l *leftovers) encode() string {
	var words []string
	for name, value := range l.flags {
		words = append(words, "--"+name+"="+url.QueryEscape(value))
	}
	for _, m := range l.mounts {
		words = append(words, "mount="+url.QueryEscape(m))
	}
	for _, v := range l.volumes {
		words = append(words, "volume="+url.QueryEscape(v))
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// decodeLeftovers reads what encode wrote; words that it does not know are
// passed over.
func decodeLeftovers(s string) *leftovers {
	l := &leftovers{flags: map[string]string{}}
	for _, word := range strings.Fields(s) {
		name, value, _ := strings.Cut(word, "=")
		value, err := url.QueryUnescape(value)
		switch {
		case err != nil:
		case strings.HasPrefix(name, "--"):
			l.flags[name[2:]] = value
		case name == "mount":
			l.mounts = append(l.mounts, value)
		case name == "volume":
			l.volumes = append(l.volumes, value)
		}
	}
	return l
}
