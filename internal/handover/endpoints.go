package handover

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/wait"
)

// A kube-apiserver that ends takes itself out of the endpoints of the Service kubernetes,
// and then nothing is left in them on a single control plane until the new one is ready
// (pkg/controlplane/reconcilers, RemoveEndpoints). So they are put back. There are two forms
// of them; kube-proxy reads the slices.
var endpointForms = []endpointForm{
	{"/api/v1/namespaces/default/endpoints", []string{"subsets"}},
	{"/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", []string{"endpoints", "ports"}},
}

// endpointForm is one form: where its objects are, and which fields hold the endpoints, the
// first being empty when there are none.
type endpointForm struct {
	collection string
	fields     []string
}

const serviceName = "kubernetes"

// againAfter is how soon something that has failed is tried again.
var againAfter = wait.Scaled(200 * time.Millisecond)

// keepEndpoints keeps the endpoints of the Service kubernetes as they are, through a second
// API server, until ctx ends. Where the credentials do not suffice nothing is kept.
func keepEndpoints(ctx context.Context, second *apiserver.Server) {
	var all sync.WaitGroup
	for _, form := range endpointForms {
		all.Go(func() { form.keep(ctx, second) })
	}
	all.Wait()
}

// object is one as the API server has it.
type object map[string]any

// keep remembers the object and watches it.
func (f endpointForm) keep(ctx context.Context, s *apiserver.Server) {
	as, found := f.get(ctx, s)
	if !found || f.empty(as) {
		return
	}
	for version := as.version(); ctx.Err() == nil; {
		_ = s.Watch(ctx, f.collection, "metadata.name="+serviceName, version, func(e apiserver.Event) {
			var now object
			if json.Unmarshal(e.Object, &now) == nil && e.Type == "MODIFIED" && f.empty(now) {
				f.put(ctx, s, now, as)
			}
		})
		select { // a watch ends now and then
		case <-ctx.Done():
			return
		case <-time.After(againAfter):
		}
		now, found := f.get(ctx, s)
		if !found {
			continue
		}
		version = now.version()
		if f.empty(now) {
			f.put(ctx, s, now, as)
		}
	}
}

func (f endpointForm) path() string { return f.collection + "/" + serviceName }

func (f endpointForm) get(ctx context.Context, s *apiserver.Server) (o object, found bool) {
	code, data, err := s.Call(ctx, http.MethodGet, f.path(), "", nil)
	if err != nil || code != http.StatusOK || json.Unmarshal(data, &o) != nil {
		return nil, false
	}
	return o, true
}

// put fills an object that is empty now with what was in it. When somebody else has written
// it since, the API server refuses.
func (f endpointForm) put(ctx context.Context, s *apiserver.Server, now, as object) {
	for _, field := range f.fields {
		now[field] = as[field]
	}
	if body, err := json.Marshal(now); err == nil {
		_, _, _ = s.Call(ctx, http.MethodPut, f.path(), "application/json", body)
	}
}

// empty tells whether there are no endpoints.
func (f endpointForm) empty(o object) bool {
	list, _ := o[f.fields[0]].([]any)
	return len(list) == 0
}

// version is the resource version.
func (o object) version() string {
	meta, _ := o["metadata"].(map[string]any)
	version, _ := meta["resourceVersion"].(string)
	return version
}
