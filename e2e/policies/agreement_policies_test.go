//go:build e2e

package policies

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"auditpatch/internal/policy"
	"auditpatch/presets"
)

// named is a policy with its text.
type named struct {
	name string
	text string
}

// own are policies, each of which makes one field of a rule decide.
var own = []named{
	{"users", `
- {level: None, users: [system:kube-scheduler, "system:node:n1"]}
- {level: Metadata, users: [alice, "system:serviceaccount:prod:builder"]}
- {level: Request, users: ["system:anonymous"]}
- {level: RequestResponse, users: [bed-admin, operator]}
- {level: Request, users: ['DOMAIN\ev@example.com <é>']}`},
	{"groups", `
- {level: RequestResponse, users: [alice, carol], userGroups: [oncall]}
- {level: Metadata, userGroups: [devs]}
- {level: None, userGroups: ["system:nodes", "system:serviceaccounts:dev"]}
- {level: Request, userGroups: ["system:serviceaccounts:prod"]}
- {level: Request, userGroups: ["system:unauthenticated"], omitStages: [RequestReceived]}
- {level: Metadata, userGroups: ["system:masters", "a b"]}
- {level: Request, userGroups: ["system:authenticated"]}`},
	{"verbs", `
- {level: RequestResponse, verbs: [create, patch]}
- {level: Metadata, verbs: [get, delete]}
- {level: Request, verbs: [list, deletecollection, post]}
- {level: Metadata, verbs: [watch, proxy, head, options]}
- {level: RequestResponse, verbs: ["", trace]}`},
	{"namespaces", `
- {level: Request, namespaces: [prod], verbs: [create, update, patch, get]}
- {level: Metadata, namespaces: [""]}
- {level: RequestResponse, namespaces: [dev, prod%2Fsecrets]}
- {level: None, namespaces: [kube-system]}
- {level: Request, namespaces: [prod, missing, made]}`},
	{"names", `
- {level: Request, resources: [{group: "", resources: [secrets], resourceNames: [password, a]}]}
- {level: Metadata, resources: [{group: "", resources: [configmaps, "pods/log", "pods/*"], resourceNames: [settings, web]}]}
- {level: RequestResponse, resources: [{group: "", resources: ["*"], resourceNames: [made, n1, prod]}]}
- {level: Metadata, resources: [{group: "", resources: ["*"], resourceNames: [""]}]}
- {level: Request, resources: [{group: canary.example.com, resources: [vaults], resourceNames: [made]}]}`},
	{"subresources", `
- {level: Metadata, resources: [{group: "", resources: ["pods/exec", "pods/attach", "pods/portforward"]}]}
- {level: RequestResponse, resources: [{resources: ["*/status"]}, {group: apps, resources: ["*/status", "*/scale"]}]}
- {level: Request, resources: [{group: "", resources: ["namespaces/finalize", "serviceaccounts/token", "pods/log"]}]}
- {level: Metadata, resources: [{group: "", resources: ["pods/*"]}, {group: apps}]}
- {level: Request, resources: [{group: "", resources: ["*"]}]}
- {level: RequestResponse, resources: [{group: canary.example.com, resources: ["*"]}, {group: "nosuch.example.com"}]}`},
	{"urls", `
- {level: Metadata, nonResourceURLs: ["/healthz", "/livez*", "/readyz/*"]}
- {level: None, nonResourceURLs: ["/metrics*", "/openapi/v2"]}
- {level: Request, nonResourceURLs: ["/api*"], verbs: [get]}
- {level: RequestResponse, nonResourceURLs: ["/", "//api", "/debug/pprof/*", "/no/such/path", "/APIS*"]}
- {level: Metadata, nonResourceURLs: ["*"], verbs: [head, put, post, trace, patch]}`},
	{"stages", `
- {level: Metadata, verbs: [watch], omitStages: [ResponseStarted]}
- {level: Metadata, verbs: [get], omitStages: [ResponseComplete]}
- {level: Request, verbs: [create], omitStages: [RequestReceived, ResponseStarted]}
- {level: RequestResponse, verbs: [list, patch], omitStages: [RequestReceived, ResponseComplete]}
- {level: Request, verbs: [update, delete], omitStages: [RequestReceived, ResponseStarted, ResponseComplete]}
- {level: RequestResponse, verbs: [deletecollection], omitStages: [Panic]}
- {level: Metadata}`},
	{"stages of the policy", `
- {level: Metadata, resources: [{group: "", resources: ["pods/exec", "pods/log"]}], omitStages: [ResponseStarted]}
- {level: RequestResponse, userGroups: ["system:masters"], omitManagedFields: true}
- {level: Metadata, omitStages: [ResponseComplete]}
omitStages: [RequestReceived]
omitManagedFields: true`},
	{"none first", `
- {level: None, verbs: [get, list, watch], resources: [{group: "", resources: [pods, nodes, "nodes/status"]}]}
- {level: None, nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", "/version"]}
- {level: None, userGroups: [devs], namespaces: [dev]}
- {level: None, users: ["system:kube-scheduler"], verbs: [watch]}
- {level: RequestResponse}`},
}

// head begins a policy of which only the rules are given.
const head = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:"

// everything records all that kube-apiserver can record.
var everything = named{"everything there is", "\n- {level: RequestResponse}\n"}

// compared are the policies of the comparison: our own, random ones and, unless it is to
// be quick, all presets.
func compared(t *testing.T, quick bool) (out []named) {
	t.Helper()
	for _, p := range own {
		out = append(out, named{p.name, head + p.text + "\n"})
	}
	n := 4
	if quick {
		n = 1
	}
	for seed := range n {
		out = append(out, named{fmt.Sprintf("random %d", seed), random(uint64(seed))})
	}
	for _, preset := range presets.All() {
		if quick && preset.Name != presets.Default {
			continue
		}
		text, err := preset.Policy(nil)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, named{"preset " + preset.Name, string(text)})
	}
	return out
}

// random is a policy of many rules with random fields, of which few requests fit each.
func random(seed uint64) string {
	dice := rand.New(rand.NewPCG(seed, 13))
	some := func(of ...string) string {
		dice.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
		return strings.Join(of[:1+dice.IntN(len(of)/2)], ", ")
	}
	var text strings.Builder
	text.WriteString(head + "\n")
	for range 30 {
		fields := []string{"level: " + [...]string{"None", "Metadata", "Request", "RequestResponse"}[dice.IntN(4)]}
		add := func(one int, name, list string) {
			if dice.IntN(one) == 0 {
				fields = append(fields, name+": ["+list+"]")
			}
		}
		add(3, "users", some("alice", "bob", "bed-admin", "operator", "carol", `"system:anonymous"`, `"system:node:n1"`))
		add(3, "userGroups", some("devs", "oncall", `"system:masters"`, `"system:nodes"`, `"system:authenticated"`, `"system:serviceaccounts"`))
		add(2, "verbs", some("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "head", "post"))
		add(4, "omitStages", some("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"))
		switch dice.IntN(4) {
		case 0:
			add(1, "nonResourceURLs", some(`"/api*"`, `"/healthz"`, `"/livez*"`, `"/openapi*"`, `"/version"`, `"/"`, `"/debug*"`))
		case 1:
			add(1, "namespaces", some("prod", "dev", `""`, "kube-system", "missing"))
		case 2:
			add(1, "resources", fmt.Sprintf(`{group: "", resources: [%s]}`, some("pods", "secrets", `"pods/exec"`, `"*/status"`, `"pods/*"`, "configmaps", "namespaces", "nodes")))
		}
		fmt.Fprintf(&text, "- {%s}\n", strings.Join(fields, ", "))
	}
	return text.String()
}

// load reads the policy as auditpatch does.
func (n named) load(t *testing.T) *policy.Policy {
	t.Helper()
	p, err := policy.Load(n.name, []byte(n.text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}
