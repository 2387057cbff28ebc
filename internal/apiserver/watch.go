package apiserver

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// Event is a change of an object.
type Event struct {
	Type   string // ADDED, MODIFIED, DELETED, BOOKMARK or ERROR
	Object json.RawMessage
}

// Watch calls do with each change of the objects of a collection since a resource version,
// until ctx ends or the API server ends the watch.
func (s *Server) Watch(ctx context.Context, collection, field, since string, do func(Event)) error {
	resp, err := s.send(ctx, http.MethodGet, collection+"?watch=1&fieldSelector="+field+"&resourceVersion="+since, "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the API server says %d", resp.StatusCode)
	}
	events := bufio.NewScanner(resp.Body)
	events.Buffer(nil, maxObject)
	for events.Scan() {
		var e Event
		if err := json.Unmarshal(bytes.TrimSpace(events.Bytes()), &e); err != nil {
			return err
		}
		do(e)
	}
	return events.Err()
}
