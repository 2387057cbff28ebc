package auditlog

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/json"
)

// maxLine is more than an event of a request for one object takes. Longer lines
// are passed over, without being held in memory.
const maxLine = 4 << 20

// event is what is read of one line.
type event struct {
	auditID string
	at      time.Time // when it was written; in format legacy when the request came in
}

// parseLine reads an event in either format. What stands in the objects of an
// event or in its user agent is never taken for the event's own fields.
func parseLine(line []byte) (event, bool) {
	if line = bytes.TrimSpace(line); bytes.HasPrefix(line, []byte("{")) {
		return parseJSON(line)
	}
	return parseLegacy(string(line))
}

// parseJSON reads an audit.k8s.io/v1 Event. The Go library would take a field in
// other letter cases as well.
func parseJSON(line []byte) (event, bool) {
	var e struct {
		Kind                     string    `json:"kind"`
		AuditID                  string    `json:"auditID"`
		StageTimestamp           time.Time `json:"stageTimestamp"`
		RequestReceivedTimestamp time.Time `json:"requestReceivedTimestamp"`
	}
	if json.UnmarshalCaseSensitivePreserveInts(line, &e) != nil || e.Kind != "Event" || e.AuditID == "" {
		return event{}, false
	}
	if e.StageTimestamp.IsZero() {
		e.StageTimestamp = e.RequestReceivedTimestamp
	}
	return event{e.AuditID, e.StageTimestamp}, true
}

// parseLegacy reads TIME AUDIT: id="ID" stage=... (k8s.io/apiserver/pkg/audit,
// EventString). All values are quoted as Go quotes them, so that an event is
// always one line, and its ID always the first field.
func parseLegacy(line string) (event, bool) {
	when, rest, found := strings.Cut(line, ` AUDIT: id=`)
	at, err := time.Parse(time.RFC3339Nano, when)
	if !found || err != nil {
		return event{}, false
	}
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil || !strings.HasPrefix(rest[len(quoted):], " stage=") {
		return event{}, false
	}
	id, err := strconv.Unquote(quoted)
	return event{id, at}, err == nil && id != ""
}

// nextLine reads a whole line with its end. whole is false for one that is longer
// than maxLine, of which nothing is returned. At the end of the file what stands
// there without a line end is not counted in n: its writer may not be done.
func nextLine(r *bufio.Reader) (line []byte, n int64, whole bool, err error) {
	whole = true
	for {
		part, err := r.ReadSlice('\n')
		n += int64(len(part))
		if whole = whole && len(line)+len(part) <= maxLine; whole {
			line = append(line, part...)
		} else {
			line = nil
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF):
			return line, 0, whole, io.EOF
		}
		return line, n, whole, err
	}
}
