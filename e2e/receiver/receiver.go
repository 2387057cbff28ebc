package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
)

// maxBody is Falco's webhookMaxBatchSize.
const maxBody = 12 << 20

// receiver answers the posts.
type receiver struct {
	status int
	mu     sync.Mutex // of out: batches come side by side
	out    io.Writer
}

// note is what the file holds of an event.
type note struct {
	AuditID   string `json:"auditID"`
	Stage     string `json:"stage"`
	Verb      string `json:"verb"`
	User      string `json:"user"`
	Namespace string `json:"namespace,omitempty"`
	Resource  string `json:"resource,omitempty"`
	Name      string `json:"name,omitempty"`
	Code      int    `json:"code,omitempty"`
	Agent     string `json:"userAgent,omitempty"`
	Client    string `json:"client,omitempty"` // whom the certificate names that the API server showed
}

// eventList is the part of an audit.k8s.io/v1 EventList that a note needs.
type eventList struct {
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	Items      []struct {
		AuditID   string `json:"auditID"`
		Stage     string `json:"stage"`
		Verb      string `json:"verb"`
		UserAgent string `json:"userAgent"`
		User      struct {
			Username string `json:"username"`
		} `json:"user"`
		ObjectRef struct {
			Namespace string `json:"namespace"`
			Resource  string `json:"resource"`
			Name      string `json:"name"`
		} `json:"objectRef"`
		ResponseStatus struct {
			Code int `json:"code"`
		} `json:"responseStatus"`
	} `json:"items"`
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	status, err := r.take(w, req)
	if err != nil {
		log.Printf("%s %s from %s: %d %v", req.Method, req.URL.Path, req.RemoteAddr, status, err)
		http.Error(w, err.Error(), status)
		return
	}
	w.WriteHeader(status)
}

// take refuses a request or notes its events.
func (r *receiver) take(w http.ResponseWriter, req *http.Request) (status int, err error) {
	if req.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, fmt.Errorf("%s method not allowed", req.Method)
	}
	if !strings.Contains(req.Header.Get("Content-Type"), "application/json") {
		return http.StatusBadRequest, errors.New("wrong content type")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, maxBody))
	if err != nil {
		return http.StatusBadRequest, err
	}
	if r.status != http.StatusOK {
		return r.status, errors.New("as told")
	}
	notes, err := notes(body, req)
	if err != nil { // Falco answers 200 and drops it
		return http.StatusBadRequest, err
	}
	if err := r.append(notes); err != nil {
		return http.StatusInternalServerError, err
	}
	return http.StatusOK, nil
}

func notes(body []byte, req *http.Request) ([]note, error) {
	var list eventList
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, err
	}
	if list.Kind != "EventList" || list.APIVersion != "audit.k8s.io/v1" {
		return nil, fmt.Errorf("%s %s is not audit.k8s.io/v1 EventList", list.APIVersion, list.Kind)
	}
	client := ""
	if req.TLS != nil && len(req.TLS.PeerCertificates) > 0 {
		client = req.TLS.PeerCertificates[0].Subject.CommonName
	}
	var all []note
	for _, e := range list.Items {
		all = append(all, note{e.AuditID, e.Stage, e.Verb, e.User.Username, e.ObjectRef.Namespace, e.ObjectRef.Resource,
			e.ObjectRef.Name, e.ResponseStatus.Code, e.UserAgent, client})
	}
	return all, nil
}

// append writes a batch in one piece, so that a reader sees whole lines.
func (r *receiver) append(notes []note) error {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	for _, n := range notes {
		if err := encoder.Encode(n); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := io.WriteString(r.out, text.String())
	return err
}
