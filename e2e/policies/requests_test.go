//go:build e2e

package policies

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"auditpatch/e2e/apiserver"
)

// targets are requests, each with its method, its target as it goes over the wire, and
// what else there is: a body, a protocol to switch to, or "hold" for an answer without
// an end, which is not waited for.
const targets = `
GET /
GET /api
GET /api/
GET //api
GET /api/v1
GET /api/v1/
GET /apis
GET /apis/
GET /apis/apps
GET /apis/apps/v1
GET /apis/apps/v1/
GET /apis/canary.example.com/v1
GET /apis/no.such.group/v1
GET /healthz
GET /healthz/etcd
GET /livez
GET /livez?verbose
GET /livez/ping
GET /readyz
GET /readyz/etcd
HEAD /readyz
GET /version
GET /version/
GET /metrics
GET /metrics/slis
GET /logs
GET /logs/
GET /openapi/v2
GET /openapi/v3
GET /openapi/v3/api/v1
GET /.well-known/openid-configuration
GET /openid/v1/jwks
GET /statusz
GET /flagz
GET /configz
GET /debug/pprof/cmdline
GET /debug/pprof/symbol
GET /debug/pprof
GET /debug/flags/v
GET /no/such/path
GET /favicon.ico
POST /healthz {}
PUT /api {}
DELETE /apis
PATCH /version {}
HEAD /api
HEAD /apis/apps/v1
OPTIONS /api
OPTIONS /healthz
TRACE /version
GET /api/v1/pods
GET /api/v1/pods?limit=1
GET /api/v1/pods?labelSelector=a%3Db
GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn1
GET /api/v1/pods?fieldSelector=metadata.name%3Dweb
GET /api/v1/pods?fieldSelector=metadata.name!%3Dweb
GET /api/v1/pods?fieldSelector=metadata.namespace%3Dprod
GET /api/v1/pods?fieldSelector=broken%3D%3D%3D
GET /api/v1/pods?resourceVersion=0
GET /api/v1/pods?watch=false
GET /api/v1/pods?watch=maybe hold
GET /api/v1/pods?watch=true hold
GET /api/v1/pods?watch=1 hold
GET /api/v1/pods?watch hold
GET /api/v1/pods?watch= hold
GET /api/v1/pods?watch=true&limit=x hold
GET /api/v1/pods?watch=0&timeoutSeconds=x
GET /api/v1/pods/
GET /api/v1//pods
GET /api//v1/pods
GET //api/v1/pods
GET /api/v1/pods//
GET /api/v1/namespaces/prod/pods
GET /api/v1/namespaces/prod/pods/
GET /api/v1/namespaces/prod/pods?watch=true hold
GET /api/v1/namespaces/prod/pods/web
GET /api/v1/namespaces/prod/pods/web/
GET /api/v1/namespaces/prod/pods/web/status
GET /api/v1/namespaces/prod/pods/web/status/
GET /api/v1/namespaces/prod/pods/web?watch=true
GET /api/v1/namespaces/prod/pods/web/log
GET /api/v1/namespaces/prod/pods/web/log?follow=true hold
GET /api/v1/namespaces/prod/pods/missing/log
POST /api/v1/namespaces/prod/pods/web/exec?command=ls&stdout=true spdy
GET /api/v1/namespaces/prod/pods/web/exec?command=ls&stdout=true websocket
POST /api/v1/namespaces/prod/pods/web/exec?command=ls&stdout=true {}
GET /api/v1/namespaces/prod/pods/web/exec
GET /api/v1/namespaces/prod/pods/missing/exec?command=ls websocket
POST /api/v1/namespaces/dev/pods/missing/exec?command=ls spdy
POST /api/v1/namespaces/prod/pods/web/attach?stdin=true spdy
GET /api/v1/namespaces/prod/pods/web/attach?stdout=true websocket
GET /api/v1/namespaces/prod/pods/missing/attach websocket
POST /api/v1/namespaces/prod/pods/web/portforward spdy
GET /api/v1/namespaces/prod/pods/web/portforward?ports=80 websocket
GET /api/v1/namespaces/prod/pods/missing/portforward websocket
GET /api/v1/namespaces/prod/pods/web/proxy
GET /api/v1/namespaces/prod/pods/web/proxy/a/b?c=d
POST /api/v1/namespaces/prod/pods/web:8080/proxy/form {}
DELETE /api/v1/namespaces/prod/pods/web/proxy/form
GET /api/v1/namespaces/prod/services/web/proxy/
GET /api/v1/namespaces/prod/services/https:web:443/proxy/a websocket
GET /api/v1/nodes/n1/proxy/metrics
POST /api/v1/nodes/n1/proxy/run/prod/web/main?cmd=ls {}
GET /api/v1/nodes/missing/proxy/
POST /api/v1/namespaces/prod/pods/web/binding {}
POST /api/v1/namespaces/prod/pods/web/eviction {}
PATCH /api/v1/namespaces/prod/pods/web/ephemeralcontainers {}
PATCH /api/v1/namespaces/prod/pods/web/resize {}
GET /api/v1/namespaces/prod/pods/web/nosuch
POST /api/v1/namespaces/prod/pods pod
POST /api/v1/namespaces/prod/pods?dryRun=All pod
PUT /api/v1/namespaces/prod/pods/web pod
PATCH /api/v1/namespaces/prod/pods/web {}
PATCH /api/v1/namespaces/prod/pods/web/status {}
DELETE /api/v1/namespaces/prod/pods/missing
DELETE /api/v1/namespaces/prod/pods/web?dryRun=All {}
DELETE /api/v1/namespaces/dev/pods
DELETE /api/v1/namespaces/dev/pods?labelSelector=a%3Db {}
DELETE /api/v1/namespaces/dev/pods/
DELETE /api/v1/pods
POST /api/v1/pods {}
PUT /api/v1/pods {}
PATCH /api/v1/namespaces/prod/pods {}
HEAD /api/v1/pods
HEAD /api/v1/namespaces/prod/pods/web
OPTIONS /api/v1/pods
OPTIONS /api/v1/namespaces/prod/pods/web
TRACE /api/v1/pods
GET /api/v1/watch/pods hold
GET /api/v1/watch/namespaces/prod/pods hold
GET /api/v1/watch/namespaces/prod/pods/web hold
GET /api/v1/watch/namespaces hold
GET /api/v1/watch/namespaces/prod hold
GET /api/v1/watch
GET /api/v1/watch/
GET /api/v1/proxy
GET /api/v1/proxy/namespaces/prod/pods/web
GET /api/v1/proxy/nodes/n1
POST /api/v1/proxy/namespaces/prod/services/web/a {}
GET /apis/apps/v1/watch
GET /apis/apps/v1/watch/deployments hold
GET /apis/apps/v1/watch/namespaces/prod/deployments hold
GET /api/v1/secrets
GET /api/v1/secrets?fieldSelector=metadata.name%3Dpassword
GET /api/v1/secrets?fieldSelector=type%3DOpaque
GET /api/v1/secrets?watch=true hold
GET /api/v1/namespaces/prod/secrets
GET /api/v1/namespaces/prod/secrets?fieldSelector=metadata.name%3Dpassword
GET /api/v1/namespaces/prod/secrets?fieldSelector=metadata.name%3Dpassword&watch=true hold
GET /api/v1/namespaces/prod/secrets?fieldSelector=metadata.name%3Dpassword,type%3DOpaque
GET /api/v1/namespaces/prod/secrets?fieldSelector=metadata.name%3Da%252Fb
GET /api/v1/namespaces/prod/secrets/password
GET /api/v1/namespaces/prod/secrets/pass%77ord
GET /api/v1/namespaces/prod/secrets/a%2Fb
GET /api/v1/namespaces/prod/secrets/a%20b
GET /api/v1/namespaces/prod/secrets/%C3%A9
GET /api/v1/namespaces/pro%64/secrets
GET /api/v1/namespaces/prod%2Fsecrets
GET /api/v1/namespaces/prod/secrets/..
GET /api/v1/namespaces/prod/../dev/secrets
GET /api/v1/namespaces/missing/secrets
GET /api/v1/namespaces//secrets
GET /api/v1/namespaces/kube-system/secrets
POST /api/v1/namespaces/prod/secrets secret
POST /api/v1/namespaces/dev/secrets secret
POST /api/v1/namespaces/prod/secrets {}
PUT /api/v1/namespaces/prod/secrets/password secret
PATCH /api/v1/namespaces/prod/secrets/password {}
PATCH /api/v1/namespaces/prod/secrets/made?fieldManager=a&force=true apply
DELETE /api/v1/namespaces/prod/secrets/made
DELETE /api/v1/namespaces/dev/secrets?dryRun=All
GET /api/v1/configmaps
GET /api/v1/namespaces/prod/configmaps/settings
GET /api/v1/namespaces/prod/configmaps?fieldSelector=metadata.name%3Dsettings
GET /api/v1/namespaces/prod/configmaps?watch=true&fieldSelector=metadata.name%3Dsettings hold
POST /api/v1/namespaces/prod/configmaps configmap
POST /api/v1/namespaces/dev/configmaps configmap
POST /api/v1/namespaces/kube-system/configmaps?dryRun=All configmap
PUT /api/v1/namespaces/prod/configmaps/settings configmap
PATCH /api/v1/namespaces/prod/configmaps/settings {}
DELETE /api/v1/namespaces/dev/configmaps/made
GET /api/v1/namespaces
GET /api/v1/namespaces/
GET /api/v1/namespaces?watch=true hold
GET /api/v1/namespaces?fieldSelector=metadata.name%3Dprod
GET /api/v1/namespaces/prod
GET /api/v1/namespaces/prod/
GET /api/v1/namespaces/prod/status
GET /api/v1/namespaces/prod/finalize
PUT /api/v1/namespaces/prod/finalize {}
PATCH /api/v1/namespaces/prod/status {}
PATCH /api/v1/namespaces/prod {}
POST /api/v1/namespaces namespace
DELETE /api/v1/namespaces/missing
DELETE /api/v1/namespaces
GET /api/v1/nodes
GET /api/v1/nodes/n1
GET /api/v1/nodes/n1/status
PATCH /api/v1/nodes/n1/status {}
GET /api/v1/persistentvolumes
GET /api/v1/events
GET /api/v1/namespaces/prod/events
POST /api/v1/namespaces/prod/events {}
GET /apis/events.k8s.io/v1/events
GET /api/v1/namespaces/prod/endpoints
GET /api/v1/namespaces/prod/services/web
GET /api/v1/namespaces/prod/serviceaccounts/builder
POST /api/v1/namespaces/prod/serviceaccounts/builder/token token
POST /api/v1/namespaces/prod/serviceaccounts/missing/token token
GET /api/v1/componentstatuses
POST /api/v1/bindings {}
GET /api/v1/nosuchthings
POST /api/v1/namespaces/prod/nosuchthings {}
PUT /api/v1/namespaces/prod/nosuchthings/a {}
PATCH /apis/nosuch.example.com/v1/things/a {}
DELETE /apis/nosuch.example.com/v1/namespaces/prod/things
GET /api/v2/pods
GET /apis/apps/v1/deployments
GET /apis/apps/v1/namespaces/prod/deployments
GET /apis/apps/v1/namespaces/prod/deployments/a
GET /apis/apps/v1/namespaces/prod/deployments/a/scale
PUT /apis/apps/v1/namespaces/prod/deployments/a/scale {}
PATCH /apis/apps/v1/namespaces/prod/deployments/a/status {}
POST /apis/apps/v1/namespaces/dev/deployments {}
DELETE /apis/apps/v1/namespaces/dev/deployments
GET /apis/apps/v1/deployments?watch=true hold
GET /apis//v1/deployments
GET /apis/apps//deployments
GET /apis/apps/v1//deployments
GET /apis/batch/v1/namespaces/prod/jobs
GET /apis/rbac.authorization.k8s.io/v1/clusterroles
GET /apis/rbac.authorization.k8s.io/v1/clusterroles/cluster-admin
POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings {}
GET /apis/coordination.k8s.io/v1/namespaces/kube-system/leases
PUT /apis/coordination.k8s.io/v1/namespaces/kube-system/leases/a {}
GET /apis/networking.k8s.io/v1/ingresses
GET /apis/apiregistration.k8s.io/v1/apiservices
GET /apis/apiextensions.k8s.io/v1/customresourcedefinitions
POST /apis/authentication.k8s.io/v1/tokenreviews {}
POST /apis/authentication.k8s.io/v1/selfsubjectreviews {}
POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews {}
POST /apis/authorization.k8s.io/v1/subjectaccessreviews {}
POST /apis/authorization.k8s.io/v1/namespaces/prod/localsubjectaccessreviews {}
GET /apis/certificates.k8s.io/v1/certificatesigningrequests
PUT /apis/certificates.k8s.io/v1/certificatesigningrequests/a/approval {}
GET /apis/canary.example.com/v1/vaults
GET /apis/canary.example.com/v1/namespaces/prod/vaults
GET /apis/canary.example.com/v1/namespaces/prod/vaults?watch=true hold
POST /apis/canary.example.com/v1/namespaces/prod/vaults vault
GET /apis/canary.example.com/v1/namespaces/prod/vaults/made
PUT /apis/canary.example.com/v1/namespaces/prod/vaults/made/status {}
DELETE /apis/canary.example.com/v1/namespaces/prod/vaults
GET /api/v1/pods?timeout=10s
GET /api/v1/pods?timeout=0
GET /api/v1/pods?timeout=
GET /api/v1/pods?timeout=soon
GET /healthz?timeout=soon
GET /api/v1/pods?timeout=1ns
POST /api/v1/namespaces/prod/configmaps?timeout=1ns configmap
DELETE /api/v1/namespaces/dev/pods?timeout=1us
POST /api/v1/namespaces/prod/configmaps?timeout=5 configmap
GET /api/v1/pods?watch=true&timeout=soon hold
GET /api/v1/namespaces/prod/pods/web/log?timeout=soon
GET /api/v1/namespaces/prod/pods?pretty=true
GET /api/v1/namespaces/prod/pods?a=%00
GET /api/v1/namespaces/prod/pods?%zz
GET /api/v1/namespaces/prod/pods?a;b
GET /APIS/apps/v1/deployments
GET /api/V1/Pods
GET /apis/apps/v1/namespaces/prod/deployments/a/b/c/d/e
GET https://kubernetes.default.svc/api/v1/secrets
GET http://elsewhere.example.com/api/v1/namespaces/prod/pods
`

// actor is whoever sends a request, and what its client adds.
type actor struct {
	apiserver.User
	header map[string]string
}

// actors are users of every kind. The zero token of builder is filled in when it is
// known.
func actors(builder string) []actor {
	as := func(name, value string) map[string]string { return map[string]string{name: value} }
	return []actor{
		{User: apiserver.Admin},
		{User: alice},
		{User: apiserver.User{}}, // anonymous
		{User: apiserver.User{Token: "nobody-knows-this"}},
		{User: node},
		{User: apiserver.User{Name: "system:serviceaccount:prod:builder", Token: builder}},
		{User: operator, header: as("Impersonate-User", "alice")},
		{User: bob, header: as("Impersonate-User", "bed-admin")}, // may not
		{User: scheduler},
		{User: carol},
		{User: apiserver.Admin, header: map[string]string{"Impersonate-User": "system:serviceaccount:prod:builder", "Impersonate-Group": "devs"}},
		{User: odd},
	}
}

var (
	alice     = apiserver.User{Name: "alice", Groups: []string{"devs", "oncall"}, Token: "alice-token"}
	operator  = apiserver.User{Name: "operator", Groups: []string{"operators"}, Token: "operator-token"}
	scheduler = apiserver.User{Name: "system:kube-scheduler", Token: "scheduler-token"}
	odd       = apiserver.User{Name: `DOMAIN\ev@example.com <é>`, Groups: []string{"a b", "system:masters"}, Token: "odd-token"}
	carol     = apiserver.User{Name: "carol", Groups: []string{"devs"}, Certificate: true}
	node      = apiserver.User{Name: "system:node:n1", Groups: []string{"system:nodes"}, Certificate: true}
)

// sent is a request of the comparison.
type sent struct {
	apiserver.Request
	id string
}

// late reports whether the time of a request is over before kube-apiserver begins with it.
// Then its login may fail, its connection may be dropped, or all may go well.
func (q sent) late() bool {
	return strings.HasSuffix(q.Target, "=1ns") || strings.HasSuffix(q.Target, "=1us")
}

// requests are all of targets, each by four of the actors in turn, so that all kinds of
// targets meet all kinds of actors; and what does not fit into a line.
func requests(t *testing.T, builder string) (out []sent) {
	t.Helper()
	who := actors(builder)
	lines := strings.Split(strings.TrimSpace(targets), "\n")
	long := strings.Repeat("x", 6000)
	lines = append(lines, "GET /api/v1/namespaces/prod/configmaps/"+long, "GET /api/v1/configmaps?labelSelector="+long, "GET /healthz/"+long)
	for i, line := range lines {
		for turn := range 4 {
			by := who[(i+3*turn+i/len(who))%len(who)]
			q := parse(t, line)
			q.As = by.User
			maps.Copy(q.Header, by.header)
			out = append(out, sent{Request: q})
		}
	}
	for i := range out {
		out[i].id = requestID(i)
		out[i].Header["Audit-ID"] = out[i].id
	}
	return out
}

// requestID is the Audit-ID of a request.
func requestID(i int) string { return fmt.Sprintf("request-%04d", i) }

// parse reads a line of targets.
func parse(t *testing.T, line string) apiserver.Request {
	t.Helper()
	words := strings.Fields(line)
	q := apiserver.Request{Method: words[0], Target: words[1], Header: map[string]string{}}
	what := ""
	if len(words) == 3 {
		what = words[2]
	}
	switch what {
	case "":
	case "hold":
		q.Hold = true
	case "spdy":
		q.Header["Connection"], q.Header["Upgrade"] = "Upgrade", "SPDY/3.1"
		q.Header["X-Stream-Protocol-Version"] = "v4.channel.k8s.io"
		q.Hold = true
	case "websocket":
		q.Header["Connection"], q.Header["Upgrade"] = "Upgrade", "websocket"
		q.Header["Sec-WebSocket-Version"], q.Header["Sec-WebSocket-Key"] = "13", "dGhlIHNhbXBsZSBub25jZQ=="
		q.Header["Sec-WebSocket-Protocol"] = "v5.channel.k8s.io"
		q.Hold = true
	default:
		q.Body = body(t, what)
		q.Header["Content-Type"] = asJSON
		if q.Method == http.MethodPatch {
			q.Header["Content-Type"] = mergePatch
		}
		if what == "apply" {
			q.Header["Content-Type"] = applyPatch
		}
	}
	return q
}

// body is an object by its name in targets.
func body(t *testing.T, name string) []byte {
	t.Helper()
	meta := object{"name": "made"}
	switch name {
	case "{}":
		return []byte("{}")
	case "pod":
		return object{"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": object{
			"automountServiceAccountToken": false, "containers": []object{{"name": "main", "image": "none"}}}}.bytes()
	case "secret", "apply":
		return object{"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": object{"a": "b"}}.bytes()
	case "configmap":
		return object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": object{"a": "b"}}.bytes()
	case "namespace":
		return object{"apiVersion": "v1", "kind": "Namespace", "metadata": meta}.bytes()
	case "token":
		return object{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": object{}}.bytes()
	case "vault":
		return object{"apiVersion": "canary.example.com/v1", "kind": "Vault", "metadata": meta}.bytes()
	}
	t.Fatalf("targets has no body %q", name)
	return nil
}
