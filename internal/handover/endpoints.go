package handover

import (
	"context"
	"encoding/json"
	"errors"
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

// readEndpoints are the endpoints of the Service kubernetes as they are to stay, one object
// for each form.
func readEndpoints(ctx context.Context, s *apiserver.Server) (all []object, err error) {
	for _, form := range endpointForms {
		o, err := form.get(ctx, s)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// keepEndpoints keeps the endpoints of the Service kubernetes as they were, through a second
// API server, until ctx ends.
func keepEndpoints(ctx context.Context, second *apiserver.Server, were []object) {
	var all sync.WaitGroup
	for i, o := range were {
		if form := endpointForms[i]; !form.empty(o) {
			all.Go(func() { form.keep(ctx, second, o) })
		}
	}
	all.Wait()
}

// object is one as the API server has it.
type object map[string]any

// keep watches an object, and fills it when it is empty.
func (f endpointForm) keep(ctx context.Context, s *apiserver.Server, as object) {
	for version := as.version(); ctx.Err() == nil; {
		watching, stop := context.WithCancel(ctx)
		_ = s.Watch(watching, f.collection, "metadata.name="+serviceName, version, func(e apiserver.Event) {
			var now object
			if json.Unmarshal(e.Object, &now) == nil && e.Type == "MODIFIED" && f.empty(now) && !f.put(ctx, s, now, as) {
				stop() // and look again
			}
		})
		stop()
		select { // a watch ends now and then
		case <-ctx.Done():
			return
		case <-time.After(againAfter):
		}
		now, err := f.get(ctx, s)
		if err != nil {
			continue
		}
		version = now.version()
		if f.empty(now) {
			f.put(ctx, s, now, as)
		}
	}
}

func (f endpointForm) path() string { return f.collection + "/" + serviceName }

func (f endpointForm) get(ctx context.Context, s *apiserver.Server) (o object, err error) {
	code, data, err := s.Call(ctx, http.MethodGet, f.path(), "", nil)
	if err == nil && code != http.StatusOK {
		err = errors.New(apiserver.Refusal(code, data))
	}
	if err != nil {
		return nil, err
	}
	return o, json.Unmarshal(data, &o)
}

// put fills an object that is empty now with what was in it, and tells whether that is done.
// When somebody else has written it since, the API server refuses.
func (f endpointForm) put(ctx context.Context, s *apiserver.Server, now, as object) bool {
	for _, field := range f.fields {
		now[field] = as[field]
	}
	body, err := json.Marshal(now)
	if err != nil {
		return false
	}
	code, _, err := s.Call(ctx, http.MethodPut, f.path(), "application/json", body)
	return err == nil && code == http.StatusOK
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
