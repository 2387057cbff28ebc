package apiserver

import (
	"context"
	"encoding/json"
	"net/http"

	"auditpatch/patch"
	"auditpatch/patch/auditflags"
)

// Version is what the API server says of its release; the zero one when it says nothing.
func (s *Server) Version(ctx context.Context) patch.Version {
	a, err := s.Ask(ctx, http.MethodGet, "/version")
	var said struct{ GitVersion string }
	if err != nil || json.Unmarshal([]byte(a.Body), &said) != nil {
		return patch.Version{}
	}
	v, _ := auditflags.ParseImageVersion("kube-apiserver:" + said.GitVersion)
	return v
}
