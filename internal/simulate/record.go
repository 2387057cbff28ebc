package simulate

import (
	"bytes"
	"encoding/json"
	"strings"
	"unsafe"

	"auditpatch/internal/auditlog/event"
)

// record is one event by the lengths of its parts, in bytes. A part of an object is its
// name, its value, and the comma that goes with it.
type record struct {
	length       int // of the event as kube-apiserver writes it, with the end of its line
	level, stage int // of these values, with their quotation marks
	request      body
	response     body
	status       int // responseStatus
	annotations  int
	patches      int // those of the annotations that are written from level Request on
	impersonated int
	cutShort     bool // kube-apiserver has taken the bodies out, as --audit-log-truncate-enabled has it
}

// body is a requestObject or responseObject.
type body struct {
	length  int // 0 without one
	managed int // of it, metadata.managedFields, in the object and in those of a list
}

// Annotations that have to do with the level or with bodies: webhook/mutating/dispatcher.go
// and plugin/pkg/audit/truncate in k8s.io/apiserver.
const (
	patchAnnotation = "patch.webhook.admission.k8s.io/"
	truncated       = "audit.k8s.io/truncated"
)

// compactHead begins each event that kube-apiserver writes into a log, without blanks.
const compactHead = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"`

// measure measures an event, one JSON object. Text that is written otherwise than
// kube-apiserver does is measured without its blanks. bodies says whether their managed
// fields are of interest.
func measure(text string, bodies bool) record {
	text = compact(text)
	r := record{length: len(text) + 1}
	n := 0
	members(text, func(name, value string) {
		n++
		length := len(name) + len(value) + 2 // the colon and the comma
		switch name {
		case `"level"`:
			r.level = len(value)
		case `"stage"`:
			r.stage = len(value)
		case `"requestObject"`:
			r.request.add(length, value, bodies)
		case `"responseObject"`:
			r.response.add(length, value, bodies)
		case `"responseStatus"`:
			r.status += length
		case `"impersonatedUser"`:
			r.impersonated += length
		case `"annotations"`:
			r.annotate(length, value)
		}
	})
	return r
}

// compact is the text as kube-apiserver writes it.
func compact(text string) string {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, compactHead) {
		return text
	}
	var out bytes.Buffer
	if json.Compact(&out, []byte(text)) != nil {
		return text
	}
	return out.String()
}

func (b *body) add(length int, value string, look bool) {
	b.length += length
	if look && strings.Contains(value, `"managedFields"`) {
		b.managed += managedIn(value)
	}
}

func (r *record) annotate(length int, value string) {
	r.annotations += length
	if !strings.Contains(value, patchAnnotation) && !strings.Contains(value, truncated) {
		return
	}
	others := 0
	members(value, func(name, value string) {
		if strings.HasPrefix(name, `"`+patchAnnotation) {
			r.patches += len(name) + len(value) + 2
			return
		}
		others++
		r.cutShort = r.cutShort || name == `"`+truncated+`"`
	})
	if others == 0 && r.patches > 0 {
		r.patches = length
	}
}

// managedIn is what an object's managed fields take, in it and in the objects of a list
// or a table (copyWithoutManagedFields in k8s.io/apiserver/pkg/audit).
func managedIn(object string) (n int) {
	members(object, func(name, value string) {
		switch name {
		case `"metadata"`:
			n += member(value, `"managedFields"`)
		case `"items"`:
			elements(value, func(item string) { n += managedIn(item) })
		case `"rows"`:
			elements(value, func(row string) {
				members(row, func(name, value string) {
					if name == `"object"` {
						n += managedIn(value)
					}
				})
			})
		}
	})
	return n
}

// member is what a member of an object takes: one comma less when it stands alone.
func member(object string, wanted string) (n int) {
	others := 0
	members(object, func(name, value string) {
		if name == wanted {
			n += len(name) + len(value) + 2
		} else {
			others++
		}
	})
	if n > 0 && others == 0 {
		n--
	}
	return n
}

// members calls each with the name, in quotation marks, and the value of each member of an
// object without blanks. Anything else has none, and what is damaged ends there.
func members(object string, each func(name, value string)) {
	if len(object) == 0 || object[0] != '{' {
		return
	}
	for i := 1; i < len(object) && object[i] == '"'; i++ {
		colon := after(object, i)
		if colon >= len(object) || object[colon] != ':' {
			return
		}
		end := after(object, colon+1)
		if end > len(object) {
			return
		}
		each(object[i:colon], object[colon+1:end])
		if i = end; i >= len(object) || object[i] != ',' {
			return
		}
	}
}

// elements calls each with each element of a list without blanks.
func elements(list string, each func(string)) {
	if len(list) < 2 || list[0] != '[' || list[1] == ']' {
		return
	}
	for i := 1; i < len(list); i++ {
		end := after(list, i)
		if end > len(list) {
			return
		}
		each(list[i:end])
		if i = end; i >= len(list) || list[i] != ',' {
			return
		}
	}
}

// after is the offset behind the value that begins at i, more than the text has when it
// does not end.
func after(text string, i int) int {
	if i >= len(text) {
		return len(text) + 1
	}
	switch text[i] {
	case '"':
		return afterString(text, i)
	case '{', '[':
		return afterNested(text, i)
	}
	for i < len(text) && strings.IndexByte(",]}", text[i]) < 0 {
		i++
	}
	return i
}

// afterString is the offset behind the string that begins at i.
func afterString(text string, i int) int {
	for i++; i < len(text); {
		n := strings.IndexByte(text[i:], '"')
		if n < 0 {
			break
		}
		i += n + 1
		escapes := 0
		for j := i - 2; text[j] == '\\'; j-- {
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
	}
	return len(text) + 1
}

// afterNested is the offset behind the object or list that begins at i.
func afterNested(text string, i int) int {
	rest := text[i:]
	if n := event.End(unsafe.Slice(unsafe.StringData(rest), len(rest))); n >= 0 {
		return i + n
	}
	return len(text) + 1
}
