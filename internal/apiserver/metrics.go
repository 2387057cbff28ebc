package apiserver

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ErrNoRight is the error of what the credentials do not open.
var ErrNoRight = errors.New("may not read")

// Get reads an answer of any size on a connection of its own.
func (s *Server) Get(ctx context.Context, path string, read func(io.Reader) error) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	resp, err := s.send(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return read(resp.Body)
	case http.StatusUnauthorized, http.StatusForbidden:
		return fmt.Errorf("%w %s (%d)", ErrNoRight, path, resp.StatusCode)
	}
	return fmt.Errorf("%s says %d", path, resp.StatusCode)
}

// Deliveries are what a process of kube-apiserver counted for one host.
type Deliveries struct {
	Taken    float64 // answers that client-go takes for success
	Failed   float64 // posts without an answer
	Answered string  // another status than success
}

// Deliveries reads the counters.
func (s *Server) Deliveries(ctx context.Context, host string) (seen Deliveries, err error) {
	err = s.Get(ctx, "/metrics", func(body io.Reader) error {
		lines := bufio.NewScanner(body)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if b := lines.Bytes(); bytes.HasPrefix(b, posts) || bytes.HasPrefix(b, losses) {
				seen.add(string(b), host)
			}
		}
		return lines.Err()
	})
	return seen, err
}

// The counters of component-base (metrics/prometheus/restclient) and apiserver
// (pkg/audit), with the same labels at least from 1.30 to 1.36.
var posts, losses = []byte("rest_client_requests_total{"), []byte("apiserver_audit_error_total{")

// add counts one line.
func (d *Deliveries) add(line, host string) {
	labels, value, ok := sample(line)
	if !ok || value == 0 {
		return
	}
	if labels["plugin"] == "webhook" {
		d.Failed += value
	}
	switch code, err := strconv.Atoi(labels["code"]); {
	case labels["host"] != host || labels["method"] != http.MethodPost:
	case err != nil: // <error>
		d.Failed += value
	case code >= http.StatusOK && code <= http.StatusPartialContent:
		d.Taken += value
	default:
		d.Answered = strings.TrimSpace(labels["code"] + " " + http.StatusText(code))
	}
}

// sample reads NAME{LABEL="VALUE",...} NUMBER, a line of the Prometheus text
// format. Labels come in any order. What the format escapes in a value (\\, \",
// \n) Go escapes the same way.
func sample(line string) (labels map[string]string, value float64, ok bool) {
	_, rest, _ := strings.Cut(line, "{")
	labels = map[string]string{}
	for !strings.HasPrefix(rest, "}") {
		name, after, _ := strings.Cut(rest, "=")
		quoted, err := strconv.QuotedPrefix(after)
		if err != nil {
			return nil, 0, false
		}
		if labels[name], err = strconv.Unquote(quoted); err != nil {
			return nil, 0, false
		}
		rest = strings.TrimLeft(after[len(quoted):], ", ")
	}
	number := strings.Fields(rest[1:]) // a time may follow
	if len(number) == 0 {
		return nil, 0, false
	}
	value, err := strconv.ParseFloat(number[0], 64)
	return labels, value, err == nil
}
