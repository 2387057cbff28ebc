// Package auditevents makes up audit logs for benchmarks and for comparisons with other readers.
//
// New makes a Generator; its Log is a log of some size.
package auditevents

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Generator writes a log like that of a busy cluster: lines of 1 KB, 3 in 100 of 5 to
// 52 KB, with objects in them. The same seed gives the same log.
type Generator struct {
	r  *rand.Rand
	at time.Time
	n  int
}

// New returns a generator whose choices follow from the seed.
func New(seed uint64) *Generator {
	return &Generator{r: rand.New(rand.NewPCG(seed, 1)), at: time.Date(2026, 11, 22, 11, 20, 4, 0, time.UTC)}
}

// Log is a log of about size bytes.
func (g *Generator) Log(size int) []byte {
	var b bytes.Buffer
	for b.Len() < size {
		g.event(&b)
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func (g *Generator) pick(of ...string) string { return of[g.r.IntN(len(of))] }

func (g *Generator) event(b *bytes.Buffer) {
	g.n++
	g.at = g.at.Add(time.Duration(g.r.IntN(20000)) * time.Microsecond)
	verb := g.pick("get", "get", "get", "get", "list", "watch", "watch", "update", "update", "patch", "create", "delete")
	ns := g.pick("web", "db", "kube-system", "default", "monitoring") + g.pick("", "-prod", "-dev")
	user := g.pick("system:serviceaccount:kube-system:generic-garbage-collector", "system:node:worker-"+fmt.Sprint(g.r.IntN(40)), "jane@example.com", "system:apiserver", "kubernetes-admin")
	resource, group := g.pick("pods", "secrets", "configmaps", "leases", "deployments"), ""
	if resource == "deployments" {
		group = `"apiGroup":"apps",`
	}
	code := g.pick("200", "200", "200", "200", "201", "404", "403", "409")
	name := fmt.Sprintf("%s-%08x", g.pick("api", "cache", "queue"), g.r.Uint32())
	fmt.Fprintf(b, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"%08x-%04x-4000-8000-%012x","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/%s/%s/%s%s","verb":"%s",`,
		g.r.Uint32(), g.r.Uint32()>>16, g.n, ns, resource, name, g.pick("", "", "", "", "", "", "", `?fieldManager=x\u0026force=true`), verb)
	fmt.Fprintf(b, `"user":{"username":"%s","uid":"%016x","groups":["system:serviceaccounts","system:authenticated"],"extra":{"authentication.kubernetes.io/credential-id":["JTI=%016x"],"authentication.kubernetes.io/node-name":["worker-1"]}},`, user, g.r.Uint64(), g.r.Uint64())
	fmt.Fprintf(b, `"sourceIPs":["10.0.%d.%d"],"userAgent":"kube-controller-manager/v1.31.4 (linux/amd64) kubernetes/a78aa47/leader-election",`, g.r.IntN(256), g.r.IntN(256))
	fmt.Fprintf(b, `"objectRef":{"resource":"%s","namespace":"%s","name":"%s",%s"apiVersion":"v1"},"responseStatus":{"metadata":{},"code":%s},`, resource, ns, name, group, code)
	if g.r.IntN(100) < 3 {
		fmt.Fprintf(b, `"requestObject":%s,`, g.object(5000+g.r.IntN(47000)))
	}
	stamp := g.at.Add(time.Duration(g.r.IntN(3000)-1500) * time.Microsecond)
	fmt.Fprintf(b, `"requestReceivedTimestamp":"%s","stageTimestamp":"%s",`, g.at.Add(-time.Millisecond*5).Format("2006-01-02T15:04:05.000000Z"), stamp.Format("2006-01-02T15:04:05.000000Z"))
	b.WriteString(`"annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC: allowed by ClusterRoleBinding \"x\" of ClusterRole \"y\" to User \"z\""}}`)
}

// object is a body, now and then with a verb in it.
func (g *Generator) object(size int) string {
	var b strings.Builder
	b.WriteString(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x","managedFields":[{"manager":"kubectl","fieldsV1":{"f:data":{".":{}}}}]},"rules":[{"verb":"` + g.pick("get", "delete") + `"}],"data":{`)
	for i := 0; b.Len() < size; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"key-%d":"%s: {\n  path: \"/%08x/%s\"}"`, i, g.pick("match", "route"), g.r.Uint32(), strings.Repeat("abc/", g.r.IntN(10)))
	}
	b.WriteString("}}")
	return b.String()
}
