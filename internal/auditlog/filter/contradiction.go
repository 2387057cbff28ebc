package filter

import (
	"slices"
	"strings"

	"auditpatch/internal/hint"
)

// nothingLeft refuses a flag of which each value is excluded by another.
func (r reading) nothingLeft(take, leave []test) error {
	if len(take) == 0 {
		return nil
	}
	for _, t := range take {
		if !slices.ContainsFunc(leave, func(l test) bool { return l.covers(t.key) }) {
			return nil
		}
	}
	return hint.Errorf(hint.Flag(r.Name, take[0].key), "--%s: what one value asks for another excludes, so no event is left: %s", r.Name, strings.Join(r.values, ", "))
}

// contradiction refuses two flags that no event meets together.
func contradiction(values map[string][]string) error {
	if len(values["writes"]) > 0 && onlyTakes(values["verb"], func(v string) bool {
		return !slices.ContainsFunc(writing, newPattern(strings.ToLower(v)).covers)
	}) {
		return hint.Errorf(hint.Switch("writes"), "--writes and --verb %s: no event is left", values["verb"][0])
	}
	if len(values["failed"]) > 0 && onlyTakes(values["code"], func(v string) bool { s, ok := readSpan(v); return ok && s.to < 400 }) {
		return hint.Errorf(hint.Switch("failed"), "--failed and --code %s: no event is left", values["code"][0])
	}
	return nil
}

// onlyTakes tells whether values ask for something, and for nothing that is not like that.
func onlyTakes(values []string, like func(string) bool) bool {
	asks := false
	for _, v := range values {
		text, not := cutNot(v)
		if not {
			continue
		}
		if asks = true; !like(text) {
			return false
		}
	}
	return asks
}
