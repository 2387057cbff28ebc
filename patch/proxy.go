package patch

import (
	"cmp"
	"strings"

	"auditpatch/manifest"
)

// Proxy is what the environment of the API server's container says of proxies, by
// which it reaches its webhooks. kubeadm writes down there what its own environment
// had (cmd/kubeadm/app/util/env.go).
type Proxy struct {
	HTTP, HTTPS, NoProxy string
	// Unknown is a variable whose value is not in the manifest, "" for none.
	Unknown string
}

// proxy reads the container's variables: of the two spellings of each the one in
// capitals wins (golang.org/x/net/http/httpproxy), of two of one name the last.
func proxy(m *manifest.File) Proxy {
	set := map[string]string{}
	var p Proxy
	for _, e := range m.Container().Env {
		switch name := strings.ToUpper(e.Name); {
		case name != "HTTP_PROXY" && name != "HTTPS_PROXY" && name != "NO_PROXY":
		case e.ValueFrom != nil, strings.Contains(e.Value, "$("):
			p.Unknown = e.Name
		default:
			set[e.Name] = e.Value
		}
	}
	value := func(name string) string { return cmp.Or(set[name], set[strings.ToLower(name)]) }
	p.HTTP, p.HTTPS, p.NoProxy = value("HTTP_PROXY"), value("HTTPS_PROXY"), value("NO_PROXY")
	return p
}
