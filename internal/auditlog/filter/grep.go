package filter

import (
	"bytes"
	"encoding/json"

	"auditpatch/internal/auditlog/event"
)

func readGrep(r reading) (condition, error) {
	return r.condition(0, func(value string) (test, error) {
		text := []byte(value)
		match := func(e *event.Event) bool {
			if bytes.Contains(e.JSON, text) {
				return true
			}
			return bytes.IndexByte(e.JSON, '\\') >= 0 && bytes.Contains(unescaped(e.JSON), text)
		}
		return test{match: match, key: value, covers: func(key string) bool { return bytes.Contains([]byte(key), text) }}, nil
	})
}

// unescaped is JSON with the characters that its escapes mean.
func unescaped(text []byte) []byte {
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		at := bytes.IndexByte(text, '\\')
		if at < 0 {
			return append(out, text...)
		}
		out, text = append(out, text[:at]...), text[at:]
		n := escapes(text)
		var s string
		if json.Unmarshal(append(append([]byte{'"'}, text[:n]...), '"'), &s) != nil {
			s = string(text[:n])
		}
		out, text = append(out, s...), text[n:]
	}
	return out
}

// escapes is how long a run of escapes is: two that stand for one character are one run.
func escapes(text []byte) (n int) {
	for n+1 < len(text) && text[n] == '\\' {
		if text[n+1] != 'u' {
			n += 2
			continue
		}
		n = min(n+6, len(text))
	}
	return max(n, 1)
}
