package rehearsal

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"strings"

	"auditpatch/internal/apiserver"
)

// An API server keeps a Lease with its identity for as long as it runs. From some release on
// it gives it up when it ends by itself, and one of 1.30 does not; what is left stays for an
// hour (pkg/controlplane/apiserver/server.go, IdentityLeaseDurationSeconds). The identity is
// made of the host name alone, and an API server that starts takes away a Lease of its own
// identity: so the second one has a host name of its own, the same each time.

// hostName is that of the second API server on a machine. What is too long for the kernel
// stays different from other names that begin alike.
func hostName(machine string) string {
	const suffix, most = ".auditpatch", 64
	if len(machine)+len(suffix) > most {
		hash := sha256.Sum256([]byte(machine))
		machine = fmt.Sprintf("%s-%x", machine[:most-len(suffix)-9], hash[:4])
	}
	return machine + suffix
}

// leaseName is the name of the Lease of an API server on a host
// (k8s.io/apiserver/pkg/server/config.go, NewConfig).
func leaseName(host string) string {
	var text []byte
	for _, part := range []string{host, "kube-apiserver"} {
		text = binary.BigEndian.AppendUint16(text, uint16(len(part)))
		text = append(text, part...)
	}
	hash := sha256.Sum256(text)
	return "apiserver-" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(hash[:16]))
}

// Forget removes the Lease that the second API server of a run which was killed has left.
// Whoever may not leaves it to the API servers, which remove it after an hour.
func Forget(s *apiserver.Server) {
	if machine, err := os.Hostname(); err == nil {
		removeLease(s, hostName(machine))
	}
}

// removeLease removes what Lease a second API server on a host has left.
func removeLease(s *apiserver.Server, host string) {
	_, _, _ = s.Call(context.Background(), http.MethodDelete,
		"/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/"+leaseName(host), "", nil)
}
