package load

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
)

// Log is what an audit log holds.
type Log struct {
	Recorded map[string]bool // audit IDs of completed requests
	Twice    []string        // events that are there more than once: audit ID and stage
	Torn     []string        // lines that are no event
}

// ReadLog reads an audit log, all files of it one after the other.
func ReadLog(log io.Reader) (*Log, error) {
	l := &Log{Recorded: map[string]bool{}}
	seen := map[string]bool{}
	lines := bufio.NewReaderSize(log, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return l, nil // a line without an end is still being written
		}
		if err != nil {
			return nil, err
		}
		var event struct{ AuditID, Stage string }
		if err := json.Unmarshal(line, &event); err != nil {
			l.Torn = append(l.Torn, string(line))
			continue
		}
		name := event.AuditID + " " + event.Stage
		if seen[name] {
			l.Twice = append(l.Twice, name)
		}
		seen[name] = true
		if event.Stage == "ResponseComplete" {
			l.Recorded[event.AuditID] = true
		}
	}
}

// Missing are the acknowledged requests that are not among the recorded ones. One that was
// answered without an audit ID is missing too.
func (r *Run) Missing(recorded map[string]bool) []Request {
	var missing []Request
	for _, request := range r.Requests {
		if request.Class == Acknowledged && !recorded[request.AuditID] {
			missing = append(missing, request)
		}
	}
	return missing
}
