package event

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// Strings calls each for each string of a JSON list, such as Event.SourceIPs or
// Subject.Groups, until each returns false. What is no string is left out. A string is
// valid until each returns.
func Strings(list []byte, each func([]byte) bool) {
	for rest := list; ; {
		from := bytes.IndexByte(rest, '"')
		if from < 0 {
			return
		}
		rest = rest[from+1:]
		to, escaped := stringEnd(rest)
		if to < 0 {
			return
		}
		text := rest[:to]
		if escaped || !utf8.Valid(text) {
			var s string
			if json.Unmarshal(append(append([]byte{'"'}, text...), '"'), &s) != nil {
				return
			}
			text = []byte(s)
		}
		if !each(text) {
			return
		}
		rest = rest[to+1:]
	}
}

// stringEnd is where the closing quotation mark stands, -1 for nowhere.
func stringEnd(b []byte) (end int, escaped bool) {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i, escaped
		case '\\':
			escaped = true
			i++
		}
	}
	return -1, escaped
}
