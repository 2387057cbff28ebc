package simnode

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// store keeps objects as files, each under its path in the API: what etcd does.
type store struct{ dir string }

// object is a Kubernetes object of any kind.
type object map[string]any

func (o object) meta() object {
	m, ok := o["metadata"].(map[string]any)
	if !ok {
		m = map[string]any{}
		o["metadata"] = m
	}
	return m
}

func (o object) text(key string) string { s, _ := o[key].(string); return s }

// serve is the generic registry (k8s.io/apiserver/pkg/registry/generic), with
// requests one after the other.
func (s store) serve(w *answer, r *http.Request) {
	lock, err := os.OpenFile(filepath.Join(s.dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		fail(w, http.StatusInternalServerError, metav1.StatusReasonInternalError, err.Error())
		return
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		fail(w, http.StatusInternalServerError, metav1.StatusReasonInternalError, err.Error())
		return
	}
	path, named := s.place(r.URL.Path)
	switch {
	case path == "":
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, "the server could not find the requested resource")
	case r.Method == http.MethodPost && !named:
		s.create(w, r, path)
	case r.Method == http.MethodGet && !named:
		s.list(w, r, path)
	default:
		s.one(w, r, path)
	}
}

// place is where objects of a request's path lie, and whether it names one.
// Namespaced ones are filed under resource/namespace.
func (s store) place(path string) (dir string, named bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case len(parts) >= 3 && parts[0] == "api":
		parts = parts[2:]
	case len(parts) >= 4 && parts[0] == "apis":
		parts = parts[3:]
	default:
		return "", false
	}
	if len(parts) >= 3 && parts[0] == "namespaces" {
		parts = append([]string{parts[2], parts[1]}, parts[3:]...)
		return filepath.Join(append([]string{s.dir}, parts...)...), len(parts) > 2
	}
	return filepath.Join(append([]string{s.dir}, parts...)...), len(parts) > 1
}

func (s store) create(w *answer, r *http.Request, dir string) {
	var o object
	if json.NewDecoder(r.Body).Decode(&o) != nil || o.meta().text("name") == "" {
		fail(w, http.StatusUnprocessableEntity, metav1.StatusReasonInvalid, "no object with a name")
		return
	}
	file := filepath.Join(dir, o.meta().text("name"))
	if _, err := os.Stat(file); err == nil {
		fail(w, http.StatusConflict, metav1.StatusReasonAlreadyExists, filepath.Base(file)+" already exists")
		return
	}
	o.meta()["uid"] = newUUID()
	s.put(w, file, o, http.StatusCreated)
}

// put writes an object under the next version.
func (s store) put(w *answer, file string, o object, code int) {
	counter := filepath.Join(s.dir, ".version")
	data, _ := os.ReadFile(counter)
	version, _ := strconv.Atoi(string(data))
	next := strconv.Itoa(version + 1)
	o.meta()["resourceVersion"] = next
	text, err := json.Marshal(o)
	if err == nil {
		err = os.WriteFile(counter, []byte(next), 0o600)
	}
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o700)
	}
	if err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		fail(w, http.StatusInternalServerError, metav1.StatusReasonInternalError, err.Error())
		return
	}
	w.code = code
	w.json(o)
}

func (s store) list(w *answer, r *http.Request, dir string) {
	items := []object{}
	selector := r.URL.Query().Get("labelSelector")
	for _, pattern := range []string{"*", "*/*"} { // of one namespace, or of all
		files, _ := filepath.Glob(filepath.Join(dir, pattern))
		for _, file := range files {
			var o object
			if data, err := os.ReadFile(file); err == nil && json.Unmarshal(data, &o) == nil && selected(o, selector) {
				items = append(items, o)
			}
		}
	}
	w.json(object{"kind": "List", "apiVersion": "v1", "metadata": object{}, "items": items})
}

// selected tells whether an object has the labels K=V,K=V.
func selected(o object, selector string) bool {
	labels, _ := o.meta()["labels"].(map[string]any)
	for _, want := range strings.Split(selector, ",") {
		key, value, ok := strings.Cut(want, "=")
		if ok && labels[key] != value {
			return false
		}
	}
	return true
}

// one reads, replaces, patches or deletes an object.
func (s store) one(w *answer, r *http.Request, file string) {
	data, err := os.ReadFile(file)
	var there, given object
	if err != nil || json.Unmarshal(data, &there) != nil {
		fail(w, http.StatusNotFound, metav1.StatusReasonNotFound, fmt.Sprintf("%q not found", filepath.Base(file)))
		return
	}
	if r.Method == http.MethodPut || r.Method == http.MethodPatch {
		if err := json.NewDecoder(r.Body).Decode(&given); err != nil {
			fail(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
			return
		}
		if v := given.meta().text("resourceVersion"); v != "" && v != there.meta().text("resourceVersion") {
			fail(w, http.StatusConflict, metav1.StatusReasonConflict, "the object has been modified; please apply your changes to the latest version and try again")
			return
		}
	}
	dry := r.URL.Query().Get("dryRun") == "All"
	switch r.Method {
	case http.MethodGet:
		w.json(there)
	case http.MethodDelete:
		if !dry {
			_ = os.Remove(file)
		}
		w.json(there)
	case http.MethodPatch:
		merge(there, given)
		given = there
		fallthrough
	case http.MethodPut:
		if dry {
			w.json(given)
			return
		}
		s.put(w, file, given, http.StatusOK)
	default:
		fail(w, http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, "method not allowed")
	}
}

// merge is a JSON merge patch (RFC 7386).
func merge(into, patch map[string]any) {
	for key, value := range patch {
		deep, isMap := value.(map[string]any)
		old, wasMap := into[key].(map[string]any)
		switch {
		case value == nil:
			delete(into, key)
		case isMap && wasMap:
			merge(old, deep)
		default:
			into[key] = value
		}
	}
}
