package read

import (
	"bytes"
	"fmt"

	"auditpatch/internal/auditlog/event"

	"auditpatch/internal/lazyregexp"
)

// form is how a file holds events.
type form int

const (
	unknown   form = iota
	jsonLines      // or lines with something before the JSON, or of other forms that need no neighbours
	values         // JSON over several lines, or several objects in one
	fragments      // what container runtimes write: long lines in several pieces
	whole          // any of these, seen when it is read from its beginning to its end
	packed         // gzip
	foreign        // none that can be read
)

// mostHead is how much of a file is looked at to see its form.
const mostHead = 64 << 10

var bom = []byte("\ufeff")

// magic are the beginnings of files that have to be unpacked by others first.
var magic = []struct{ begin, reason string }{
	{"\xff\xfe", "it is UTF-16, and has to be UTF-8"},
	{"\xfe\xff", "it is UTF-16, and has to be UTF-8"},
	{"{\x00", "it is UTF-16, and has to be UTF-8"},
	{"\x00{", "it is UTF-16, and has to be UTF-8"},
	{"\x28\xb5\x2f\xfd", "it is compressed with zstd, and has to be unpacked first"},
	{"\xfd7zXZ\x00", "it is compressed with xz, and has to be unpacked first"},
	{"BZh", "it is compressed with bzip2, and has to be unpacked first"},
	{"PK\x03\x04", "it is a zip archive, and has to be unpacked first"},
	{"\x04\x22\x4d\x18", "it is compressed with lz4, and has to be unpacked first"},
}

// foreignReason says why a file that begins so cannot be read, "" if it may.
func foreignReason(head []byte) string {
	for _, m := range magic {
		if bytes.HasPrefix(head, []byte(m.begin)) {
			return m.reason
		}
	}
	return ""
}

// cri is how a container runtime's lines begin: a time, a stream, and F for the last
// piece of a line or P for one before it.
var cri = lazyregexp.New(`^\d{4}-\d\d-\d\dT\S+ (stdout|stderr) [FP](:\S*)? `)

// listHead is how an EventList, or another object with a list, begins in its first line.
var listHead = lazyregexp.New(`^\{\s*("\w+"\s*:\s*("[^"]*"|\d+|\{[^{}]*\})\s*,\s*)*"(items|Items|events|logEvents|hits|records)"\s*:\s*[\[{]`)

// formOf sees a file's form by its beginning.
func formOf(head []byte) form {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return packed
	case foreignReason(head) != "":
		return foreign
	}
	text := bytes.TrimLeft(bytes.TrimPrefix(head, bom), " \t\r\n")
	if len(text) == 0 {
		return jsonLines
	}
	line, rest, ended := bytes.Cut(text, []byte("\n"))
	line = bytes.TrimRight(line, " \t\r")
	switch {
	case text[0] == '[':
		if next := bytes.TrimLeft(text[1:], " \t\r\n"); len(next) == 0 || bytes.IndexByte([]byte(`{["]`), next[0]) >= 0 {
			return values
		}
	case text[0] == '{':
		return formOfObject(line, rest, ended)
	case cri().Match(line):
		return fragments
	}
	return jsonLines
}

// formOfObject is formOf for what begins with an object.
func formOfObject(line, rest []byte, ended bool) form {
	end := event.End(line)
	switch {
	case end == len(line):
		return formOfLine(line)
	case end > 0:
		return values
	case bytes.HasPrefix(line, []byte(`{"kind":"Event",`)):
		return jsonLines // torn, or longer than what is looked at
	case !ended || listHead().Match(line):
		return values
	}
	rest = bytes.TrimLeft(rest, "\r\n")
	if len(rest) == 0 || bytes.IndexByte([]byte(" \t\"}]"), rest[0]) >= 0 {
		return values
	}
	return jsonLines
}

// formOfLine is formOf for a line that is one object.
func formOfLine(line []byte) form {
	is := jsonLines
	log, stream := false, false
	event.Members(line, func(name, value []byte) bool {
		switch n := string(name); {
		case lists[n] && (value[0] == '[' || value[0] == '{'):
			is = values
			return false
		case n == "log" && value[0] == '"':
			log = true
		case n == "stream" && value[0] == '"':
			stream = true
		}
		return true
	})
	if log && stream {
		return fragments
	}
	return is
}

// lists are the fields in which others keep lists of events: EventList, CloudWatch,
// Elasticsearch and Azure.
var lists = map[string]bool{"items": true, "Items": true, "events": true, "logEvents": true, "hits": true, "records": true}

// wrappers are the fields in which log shippers keep an event, or a line that has one.
var wrappers = map[string]bool{"log": true, "message": true, "MESSAGE": true, "@message": true, "_source": true, "_raw": true, "result": true, "properties": true}

func tooLong(most int) string {
	return fmt.Sprintf("it is longer than %d MB", most>>20)
}
