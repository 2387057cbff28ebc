//go:build e2e

package policies

import (
	"net/http"
	"testing"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	apirequest "k8s.io/apiserver/pkg/endpoints/request"

	"auditpatch/e2e/apiserver"
	"auditpatch/internal/policy"
)

// attributes are those that the API server makes of a request, by its own code.
func attributes(t *testing.T, q apiserver.Request) authorizer.Attributes {
	t.Helper()
	h, err := http.NewRequest(q.Method, "https://127.0.0.1"+q.Target, nil)
	if err != nil {
		t.Fatal(err)
	}
	resolver := apirequest.RequestInfoFactory{APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api")}
	info, err := resolver.NewRequestInfo(h)
	if err != nil {
		t.Fatal(err)
	}
	r := policy.Request{User: "system:anonymous", Verb: info.Verb, Group: info.APIGroup, Version: info.APIVersion, Resource: info.Resource,
		Subresource: info.Subresource, Namespace: info.Namespace, Name: info.Name, Path: info.Path}
	if q.As.Token != "" || q.As.Certificate {
		r.User = q.As.Name // none for a token that nobody knows
		if q.As.Groups != nil {
			r.Groups = append([]string{"system:authenticated"}, q.As.Groups...)
		}
	}
	return r.Attributes()
}
