package load

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Recorded reads the audit IDs of the completed requests in an audit log.
func Recorded(log io.Reader) (map[string]bool, error) {
	ids := map[string]bool{}
	lines := bufio.NewReaderSize(log, 1<<20)
	for number := 1; ; number++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return ids, nil // a line without an end is still being written
		}
		if err != nil {
			return nil, err
		}
		var event struct{ AuditID, Stage string }
		if err := json.Unmarshal(line, &event); err != nil {
			return nil, fmt.Errorf("line %d of the audit log: %w: %q", number, err, line)
		}
		if event.Stage == "ResponseComplete" {
			ids[event.AuditID] = true
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
