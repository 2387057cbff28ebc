package expect

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"auditpatch/internal/spelling"
)

// allLevels are those of a policy, the least first.
var allLevels = []string{string(audit.LevelNone), string(audit.LevelMetadata), string(audit.LevelRequest), string(audit.LevelRequestResponse)}

// levels is a range of levels, in the words of the file.
type levels struct {
	words    string
	from, to int // in allLevels
}

// has tells whether a level is in the range.
func (l levels) has(level audit.Level) bool {
	i := slices.Index(allLevels, string(level))
	return l.from <= i && i <= l.to
}

// level reads a level, "at least" or "at most" one, or "any but None".
func (d *decoder) level(n *yaml.Node) *levels {
	text := d.word(n, "level")
	if text == "" {
		return nil
	}
	name, l := text, levels{words: text, from: -1, to: len(allLevels)}
	least, isLeast := strings.CutPrefix(text, "at least ")
	most, isMost := strings.CutPrefix(text, "at most ")
	if isLeast {
		name = least
	} else if isMost {
		name = most
	}
	i := slices.Index(allLevels, strings.TrimSpace(name))
	if i < 0 {
		hint := "there are " + strings.Join(allLevels, ", ") + `, "at least Metadata" and "at most Metadata"`
		if best := spelling.Nearest(name, allLevels); best != "" {
			hint = fmt.Sprintf("write %q", strings.TrimSuffix(text, name)+best)
		}
		d.fault(n, hint, "level %q: there is no such level", text)
		return nil
	}
	if !isMost {
		l.from = i
	}
	if !isLeast {
		l.to = i
	}
	if isLeast && i == 0 || isMost && i == len(allLevels)-1 {
		d.fault(n, `"at least Metadata", "at most Metadata"`, "level %q: each level is", text)
		return nil
	}
	return &l
}
