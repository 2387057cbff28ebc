package simnode

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// anonymous is who has no certificate.
var anonymous = User{"system:anonymous", "system:unauthenticated"}

// handle is the chain of k8s.io/apiserver/pkg/server, DefaultBuildHandlerChain,
// as far as it goes here: audit ID, who it is, audit, may they, the answer.
func (s *apiServer) handle(w http.ResponseWriter, r *http.Request) {
	if s.faults.Hang {
		<-r.Context().Done()
		return
	}
	id := r.Header.Get("Audit-ID")
	if id == "" {
		id = newUUID()
	}
	w.Header().Set("Audit-Id", id)
	who, err := s.authenticate(r)
	if err != nil {
		fail(w, http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "Unauthorized")
		return
	}
	if isWatch(r) {
		s.watch(w, r)
		return
	}
	answer := &answer{header: w.Header(), code: http.StatusOK}
	if s.mayUse(who, r.URL.Path) {
		s.respond(answer, r)
	} else {
		fail(answer, http.StatusForbidden, metav1.StatusReasonForbidden, fmt.Sprintf("User %q cannot %s path %q", who.Name, strings.ToLower(r.Method), r.URL.Path))
	}
	if err := s.audit.request(id, who, r, answer.code); err != nil { // in blocking-strict mode
		answer = &answer500
	}
	w.WriteHeader(answer.code)
	_, _ = w.Write(answer.body)
}

// authenticate knows client certificates only. One that has ended is worth as
// much as one that nobody signed: 401, and no other is tried
// (k8s.io/apiserver/pkg/authentication/request/x509).
func (s *apiServer) authenticate(r *http.Request) (User, error) {
	if len(r.TLS.PeerCertificates) == 0 {
		return anonymous, nil
	}
	cert := r.TLS.PeerCertificates[0]
	_, err := cert.Verify(x509.VerifyOptions{Roots: s.roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		fmt.Printf("E%s       1 authentication.go:74] \"Unable to authenticate the request\" err=%q\n", time.Now().Format("0102 15:04:05.000000"), err)
		return User{}, err
	}
	u := User{Name: cert.Subject.CommonName}
	if len(cert.Subject.Organization) > 0 {
		u.Group = cert.Subject.Organization[0]
	}
	return u, nil
}

// health are the paths that everybody may read, once RBAC is loaded
// (system:public-info-viewer).
var health = []string{"/readyz", "/livez", "/healthz", "/version"}

// mayUse is authorization: nobody but system:masters may do anything before RBAC
// is loaded.
func (s *apiServer) mayUse(u User, path string) bool {
	switch {
	case u.Group == SuperAdmin.Group:
		return true
	case !s.rules.Load():
		return false
	}
	return u != anonymous || slices.Contains(health, path)
}

func (s *apiServer) respond(w *answer, r *http.Request) {
	switch r.URL.Path {
	case "/livez", "/healthz":
		w.text("ok")
	case "/readyz":
		s.readyz(w)
	case "/version":
		w.text(`{"major":"1","minor":"36","gitVersion":"v1.36.3"}`)
	case "/metrics":
		w.text(s.counts.text())
	default:
		s.store.serve(w, r)
	}
}

func (s *apiServer) readyz(w *answer) {
	switch {
	case s.ending.Load():
		w.code = http.StatusInternalServerError
		w.text("[+]ping ok\n[-]shutdown failed: reason withheld\nreadyz check failed\n")
	case !s.ready.Load():
		w.code = http.StatusInternalServerError
		w.text("[+]ping ok\n[-]poststarthook/rbac/bootstrap-roles failed: reason withheld\nreadyz check failed\n")
	default:
		w.text("ok")
	}
}

func isWatch(r *http.Request) bool {
	w := r.URL.Query().Get("watch")
	return w == "true" || w == "1"
}

// watch says nothing, and stays.
func (s *apiServer) watch(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

// answer is what is going to be sent, held until it was audited.
type answer struct {
	header http.Header
	code   int
	body   []byte
}

var answer500 = answer{code: http.StatusInternalServerError}

func (a *answer) text(s string) { a.body = []byte(s) }

func (a *answer) json(v any) {
	a.header.Set("Content-Type", "application/json")
	a.body, _ = json.Marshal(v)
}

func (a *answer) Header() http.Header { return a.header }
func (a *answer) WriteHeader(n int)   { a.code = n }
func (a *answer) Write(p []byte) (int, error) {
	a.body = append(a.body, p...)
	return len(p), nil
}

// fail answers with a Status.
func fail(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure,
		Reason: reason, Message: message, Code: int32(code),
	})
}
