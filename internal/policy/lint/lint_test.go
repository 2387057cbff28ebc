package lint

import (
	"os"
	"slices"
	"strings"
	"testing"

	"auditpatch/internal/policy"
)

// TestFindings is about what the examples of the codes do not have: cases near to a
// finding that are right, and what a finding says.
func TestFindings(t *testing.T) {
	for _, tt := range []struct {
		name, in string // rules
		want     []string
		says     string // part of a message or hint
		whole    bool   // there is no other rule after them
	}{
		{name: "options of none", in: "- level: None\n  users: [bob]\n  verbs: [proxy, \"\"]\n  resources: [{group: apps}]\n"},
		{name: "head for paths", in: "- level: None\n  verbs: [get, head, post]\n  nonResourceURLs: [/version]\n"},
		{name: "post where both are meant", in: "- level: None\n  users: [bob]\n  verbs: [post]\n"},
		{name: "POST where both are meant", in: "- level: None\n  users: [bob]\n  verbs: [POST]\n", want: []string{"AP030"}, says: `write "create" for resources, "post" for paths`},
		{name: "custom resources", in: "- level: None\n  users: [bob]\n  resources: [{group: example.com, resources: [Widget, pods, \"widgets/*\"]}]\n"},
		{name: "resources that are newer than the table", in: "- level: None\n  users: [bob]\n  resources: [{group: apps, resources: [rollouts]}, {group: resource.k8s.io, resources: [anything]}]\n"},
		{name: "star for subresources", in: "- level: None\n  users: [bob]\n  resources: [{group: \"\", resources: [\"*/status\", \"pods/*\", pods]}]\n"},
		{name: "the namespace of cluster-scoped requests", in: "- level: None\n  users: [bob]\n  namespaces: [\"\"]\n  resources: [{group: \"\", resources: [nodes]}]\n"},
		{name: "a Namespace in its namespace", in: "- level: None\n  users: [bob]\n  namespaces: [prod]\n  resources: [{group: \"\", resources: [namespaces]}]\n"},
		{name: "names of subresources that are created", in: "- level: None\n  users: [bob]\n  verbs: [create]\n  resources: [{group: \"\", resources: [pods/eviction], resourceNames: [web]}]\n"},
		{name: "discovery", in: "- level: None\n  verbs: [get]\n  nonResourceURLs: [/api, /api/*, /apis/*, /apis/apps/v1, \"/healthz*\", /livez, \"/livez/*\"]\n"},
		{name: "path of a resource with a star", in: "- level: None\n  verbs: [get]\n  nonResourceURLs: [/version, \"/apis/apps/v1/deployments*\"]\n", want: []string{"AP044"}, says: `group: \"apps\"`},
		{name: "secrets of one name", in: "- level: RequestResponse\n  verbs: [get]\n  resources: [{group: \"\", resources: [secrets], resourceNames: [db]}]\n", want: []string{"AP060"}, says: "get secrets db"},
		{name: "secrets after a rule that keeps them", in: "- level: Metadata\n  resources: [{group: \"\", resources: [secrets, configmaps]}]\n- level: Request\n  namespaces: [prod]\n  verbs: [create]\n  resources: [{group: \"\"}]\n"},
		{name: "secrets of a user whom an earlier rule does not have", in: "- level: Metadata\n  users: [bob]\n  resources: [{group: \"\", resources: [secrets]}]\n- level: Request\n  verbs: [create]\n  resources: [{group: \"\", resources: [secrets]}]\n", want: []string{"AP060"}, says: "by alice"},
		{name: "tokens in answers", in: "- level: RequestResponse\n  resources: [{group: \"\", resources: [serviceaccounts/token]}]\n", want: []string{"AP060"}, says: "create serviceaccounts/token"},
		{name: "tokens are not in requests", in: "- level: Request\n  resources: [{group: \"\", resources: [serviceaccounts/token]}]\n"},
		{name: "reads at level Request have no body", in: "- level: Request\n  verbs: [get, list, delete]\n  resources: [{group: \"\", resources: [secrets]}]\n"},
		{name: "wildcard of subresources does not take secrets", in: "- level: Request\n  verbs: [create]\n  resources: [{group: \"\", resources: [\"*/binding\"]}]\n"},
		{name: "shadowed by two", in: "- level: None\n  verbs: [get]\n  users: [bob]\n- level: None\n  verbs: [list]\n  users: [bob]\n- level: Request\n  users: [bob]\n  verbs: [get, list]\n  resources: [{group: apps, resources: [deployments]}]\n", want: []string{"AP021", "AP062"}, says: "rules[1] (line 9) takes"},
		{name: "not shadowed, by the group", in: "- level: None\n  userGroups: [devs]\n  verbs: [get]\n- level: Metadata\n  users: [bob]\n  verbs: [get]\n"},
		{name: "not shadowed, by the failed login", in: "- level: None\n  verbs: [get]\n  userGroups: [\"system:authenticated\", \"system:unauthenticated\"]\n  nonResourceURLs: [\"/healthz*\"]\n- level: Metadata\n  verbs: [get]\n  nonResourceURLs: [\"/healthz*\"]\n"},
		{name: "websocket that another rule sees", in: "- level: Metadata\n  verbs: [create]\n  resources: [{group: \"\", resources: [pods/exec]}]\n"},
		{name: "exec over a websocket", in: "- level: None\n  verbs: [get]\n  resources: [{group: \"\", resources: [pods/exec, pods/attach, pods/portforward]}]\n", want: []string{"AP066"}, says: "get pods/exec web"},
		{name: "port-forward", in: "- level: None\n  verbs: [get]\n  resources: [{group: \"\", resources: [pods/portforward]}]\n", want: []string{"AP066"}, says: "get pods/portforward web"},
		{name: "exec among reads", in: "- level: Metadata\n  resources: [{group: \"\", resources: [secrets, configmaps, pods/proxy, services/proxy]}, {group: authentication.k8s.io, resources: [tokenreviews]}]\n- level: None\n  verbs: [get, list, watch]\n", want: []string{"AP066"}, says: "get pods/exec web"},
		{name: "writes, with exec", in: "- level: Metadata\n  verbs: [create, update, patch, delete, deletecollection]\n- level: Metadata\n  resources: [{group: \"\", resources: [secrets, configmaps, pods/proxy, services/proxy]}]\n- level: None\n", want: []string{"AP039"}, says: "get pods/exec web", whole: true},
		{name: "exec as pods/*", in: "- level: Metadata\n  verbs: [create]\n  resources: [{group: \"\", resources: [pods, \"pods/*\"]}]\n- level: None\n  resources: [{group: \"\", resources: [pods/exec]}]\n  users: [alice]\n", want: []string{"AP039", "AP066"}, says: "rules[0] sees pods/* with"},
		{name: "exec as */exec", in: "- level: Request\n  verbs: [create]\n  resources: [{group: \"\", resources: [\"*/exec\"]}]\n", want: []string{"AP039"}, says: "rules[0] sees */exec with"},
		{name: "writes with their contents", in: "- level: Request\n  verbs: [create]\n  resources: [{group: \"\", resources: [\"pods/*\", pods]}]\n"},
		{name: "tokens", in: "- level: None\n  resources: [{group: \"\", resources: [serviceaccounts/token]}]\n", want: []string{"AP066"}, says: "create serviceaccounts/token"},
		{name: "tokens for pods", in: "- level: None\n  userGroups: [\"system:nodes\"]\n  resources: [{group: \"\", resources: [serviceaccounts/token]}]\n"},
		{name: "other ways into a pod", in: "- level: None\n  resources: [{group: \"\", resources: [pods/attach, pods/ephemeralcontainers, nodes/proxy]}]\n", want: []string{"AP066"}, says: "create pods/attach"},
		{name: "changes of roles", in: "- level: None\n  verbs: [patch]\n  resources: [{group: rbac.authorization.k8s.io}]\n", want: []string{"AP066"}, says: "patch clusterroles"},
		{name: "changes of webhooks", in: "- level: None\n  verbs: [delete]\n  resources: [{group: admissionregistration.k8s.io}]\n", want: []string{"AP066"}, says: "delete mutatingwebhookconfigurations"},
		{name: "a whole namespace", in: "- level: None\n  namespaces: [prod]\n", want: []string{"AP066"}, says: "in namespace prod"},
		{name: "events of a namespace", in: "- level: None\n  namespaces: [prod]\n  verbs: [create]\n  resources: [{group: \"\", resources: [events]}, {group: events.k8s.io, resources: [events]}]\n"},
		{name: "an unknown field, and the rest", in: "- level: Metadata\n  users: [a]\n  foo: bar\n- level: RequestResponse\n  verbs: [create]\n  resources: [{group: \"\", resources: [secrets]}]\n", want: []string{"AP001", "AP060"}},
		{name: "a level that is unknown, and no more", in: "- level: Some\n- level: RequestResponse\n", want: []string{"AP008"}},
		{name: "a login that failed has no contents", in: "- level: Metadata\n  userGroups: [\"system:authenticated\", \"system:unauthenticated\"]\n- level: RequestResponse\n", whole: true, want: []string{"AP081"}},
		{name: "an anonymous request has", in: "- level: Metadata\n  userGroups: [\"system:authenticated\"]\n- level: Request\n  verbs: [create]\n  resources: [{group: \"\", resources: [secrets]}]\n", want: []string{"AP060"}, says: "system:anonymous"},
		{name: "token requests as a resource", in: "- level: Metadata\n  users: [bob]\n  resources: [{group: authentication.k8s.io, resources: [tokenreviews, tokenrequests]}]\n", want: []string{"AP034"}, says: "serviceaccounts/token"},
		{name: "OPTIONS only", in: "- level: None\n  verbs: [get, list, watch, create, update, patch, delete, deletecollection]\n  resources: [{group: \"\", resources: [services]}]\n- level: Request\n  resources: [{group: \"\", resources: [services]}]\n", want: []string{"AP026"}, says: "OPTIONS of services web"},
		{name: "OPTIONS only, and the same", in: "- level: Request\n  verbs: [get, list, watch, create, update, patch, delete, deletecollection]\n  resources: [{group: \"\", resources: [services]}]\n- level: Request\n  resources: [{group: \"\", resources: [services]}]\n"},
		{name: "TRACE only", in: "- level: None\n  verbs: [get, post, put, patch, delete, head, options]\n  nonResourceURLs: [/version]\n- level: Metadata\n  nonResourceURLs: [/version]\n", want: []string{"AP026"}, says: "trace /version"},
		{name: "one of several, OPTIONS only", in: "- level: None\n  verbs: [get, list, watch, create, update, patch, delete, deletecollection]\n  resources: [{group: \"\", resources: [services]}]\n- level: Request\n  resources: [{group: \"\", resources: [services, persistentvolumes]}]\n", want: []string{"AP026"}, says: "\"services\" in rules[1]"},
		{name: "a rule for OPTIONS", in: "- level: None\n  verbs: [get, list, watch, create, update, patch, delete, deletecollection]\n  resources: [{group: \"\", resources: [services]}]\n- level: Request\n  verbs: [\"\", proxy]\n  resources: [{group: \"\", resources: [services]}]\n"},
		{name: "group rbac", in: "- level: None\n  users: [bob]\n  resources: [{group: rbac, resources: [things]}]\n", want: []string{"AP035"}, says: `group: rbac.authorization.k8s.io`},
		{name: "group networking", in: "- level: None\n  users: [bob]\n  resources: [{group: networking, resources: [things]}]\n", want: []string{"AP035"}, says: `group: networking.k8s.io`},
		{name: "group authorization", in: "- level: None\n  users: [bob]\n  resources: [{group: authorization, resources: [things]}]\n", want: []string{"AP035"}, says: `group: authorization.k8s.io`},
		{name: "group certificates", in: "- level: None\n  users: [bob]\n  resources: [{group: certificates, resources: [things]}]\n", want: []string{"AP035"}, says: `group: certificates.k8s.io`},
		{name: "group storage", in: "- level: None\n  users: [bob]\n  resources: [{group: storage, resources: [things]}]\n", want: []string{"AP035"}, says: `group: storage.k8s.io`},
		{name: "group apiextensions", in: "- level: None\n  users: [bob]\n  resources: [{group: apiextensions, resources: [things]}]\n", want: []string{"AP035"}, says: `group: apiextensions.k8s.io`},
		{name: "group bacth", in: "- level: None\n  users: [bob]\n  resources: [{group: bacth, resources: [things]}]\n", want: []string{"AP035"}, says: `group: batch`},
		{name: "group apps.k8s.io", in: "- level: None\n  users: [bob]\n  resources: [{group: apps.k8s.io, resources: [things]}]\n", want: []string{"AP056"}, says: `group: apps`},
		{name: "group core.k8s.io", in: "- level: None\n  users: [bob]\n  resources: [{group: core.k8s.io, resources: [things]}]\n", want: []string{"AP056"}, says: `group: \"\"`},
		{name: "group rbac.authorization.k8s.oi", in: "- level: None\n  users: [bob]\n  resources: [{group: rbac.authorization.k8s.oi, resources: [things]}]\n", want: []string{"AP056"}, says: `group: rbac.authorization.k8s.io`},
		{name: "group networking.k8s.oi", in: "- level: None\n  users: [bob]\n  resources: [{group: networking.k8s.oi, resources: [things]}]\n", want: []string{"AP056"}, says: `group: networking.k8s.io`},
		{name: "another group metrics.k8s.io", in: "- level: None\n  users: [bob]\n  resources: [{group: metrics.k8s.io, resources: [things]}]\n", want: nil, says: ``},
		{name: "another group resource.k8s.io", in: "- level: None\n  users: [bob]\n  resources: [{group: resource.k8s.io, resources: [things]}]\n", want: nil, says: ``},
		{name: "another group autoscaling.k8s.io", in: "- level: None\n  users: [bob]\n  resources: [{group: autoscaling.k8s.io, resources: [things]}]\n", want: nil, says: ``},
		{name: "another group gateway.networking.k8s.io", in: "- level: None\n  users: [bob]\n  resources: [{group: gateway.networking.k8s.io, resources: [things]}]\n", want: nil, says: ``},
		{name: "another group snapshot.storage.k8s.io", in: "- level: None\n  users: [bob]\n  resources: [{group: snapshot.storage.k8s.io, resources: [things]}]\n", want: nil, says: ``},
		{name: "another group apps.openshift.io", in: "- level: None\n  users: [bob]\n  resources: [{group: apps.openshift.io, resources: [things]}]\n", want: nil, says: ``},
		{name: "another group app.k8s.io", in: "- level: None\n  users: [bob]\n  resources: [{group: app.k8s.io, resources: [things]}]\n", want: nil, says: ``},
		{name: "another group example.com", in: "- level: None\n  users: [bob]\n  resources: [{group: example.com, resources: [things]}]\n", want: nil, says: ``},
		{name: "another group tools", in: "- level: None\n  users: [bob]\n  resources: [{group: tools, resources: [things]}]\n", want: nil, says: ``},
		{name: "of another group deploy", in: "- level: None\n  users: [bob]\n  resources: [{group: \"\", resources: [deploy]}]\n", want: []string{"AP034"}, says: `group: apps, resources: [deployments]`},
		{name: "of another group statefulset", in: "- level: None\n  users: [bob]\n  resources: [{group: \"\", resources: [statefulset]}]\n", want: []string{"AP034"}, says: `[statefulsets]`},
		{name: "of another group Deployment", in: "- level: None\n  users: [bob]\n  resources: [{group: \"\", resources: [Deployment]}]\n", want: []string{"AP034"}, says: `[deployments]`},
		{name: "of another group Ingress", in: "- level: None\n  users: [bob]\n  resources: [{group: \"\", resources: [Ingress]}]\n", want: []string{"AP034"}, says: `group: networking.k8s.io, resources: [ingresses]`},
		{name: "of another group role", in: "- level: None\n  users: [bob]\n  resources: [{group: \"\", resources: [role]}]\n", want: []string{"AP034"}, says: `[roles]`},
		{name: "of another group RoleBinding", in: "- level: None\n  users: [bob]\n  resources: [{group: \"\", resources: [RoleBinding]}]\n", want: []string{"AP034"}, says: `[rolebindings]`},
		{name: "of another group deploy/scale", in: "- level: None\n  users: [bob]\n  resources: [{group: \"\", resources: [deploy/scale]}]\n", want: []string{"AP034"}, says: `[deployments/scale]`},
		{name: "subresource pods/logs", in: "- level: None\n  users: [bob]\n  resources: [{group: \"\", resources: [pods/logs]}]\n", want: []string{"AP036"}, says: `pods/log`},
		{name: "subresource pods/port-forward", in: "- level: None\n  users: [bob]\n  resources: [{group: \"\", resources: [pods/port-forward]}]\n", want: []string{"AP036"}, says: `pods/portforward`},
		{name: "subresource pods/exe", in: "- level: None\n  users: [bob]\n  resources: [{group: \"\", resources: [pods/exe]}]\n", want: []string{"AP036"}, says: `pods/exec`},
		{name: "subresource secrets/data", in: "- level: None\n  users: [bob]\n  resources: [{group: \"\", resources: [secrets/data]}]\n", want: []string{"AP036"}, says: `secrets have no subresources`},
		{name: "subresource */exce", in: "- level: None\n  users: [bob]\n  resources: [{group: \"*\", resources: [\"*/exce\"]}]\n", want: []string{"AP036"}, says: `*/exec`},
		{name: "subresource deployments/scales", in: "- level: None\n  users: [bob]\n  resources: [{group: apps, resources: [deployments/scales]}]\n", want: []string{"AP036"}, says: `deployments/scale`},
		{name: "subresource serviceaccounts/tokens", in: "- level: None\n  users: [bob]\n  resources: [{group: \"\", resources: [serviceaccounts/tokens]}]\n", want: []string{"AP036"}, says: `serviceaccounts/token`},
		{name: "another subresource nodes/metrics", in: "- level: None\n  users: [bob]\n  resources: [{group: \"\", resources: [nodes/metrics]}]\n", want: nil, says: ``},
		{name: "another subresource deployments/finalizers", in: "- level: None\n  users: [bob]\n  resources: [{group: apps, resources: [deployments/finalizers]}]\n", want: nil, says: ``},
		{name: "another subresource */start", in: "- level: None\n  users: [bob]\n  resources: [{group: \"*\", resources: [\"*/start\"]}]\n", want: nil, says: ``},
		{name: "another subresource widgets/logs", in: "- level: None\n  users: [bob]\n  resources: [{group: example.com, resources: [widgets/logs]}]\n", want: nil, says: ``},
		{name: "another subresource */resize", in: "- level: None\n  users: [bob]\n  resources: [{group: \"\", resources: [\"*/resize\"]}]\n", want: nil, says: ``},
		{name: "resources as /api/v1/*", in: "- level: None\n  verbs: [get]\n  nonResourceURLs: [/version, \"/api/v1/*\"]\n", want: []string{"AP044"}, says: `group: \"\"`},
		{name: "resources as /apis/apps/v1/*", in: "- level: None\n  verbs: [get]\n  nonResourceURLs: [/version, \"/apis/apps/v1/*\"]\n", want: []string{"AP044"}, says: `group: \"apps\"`},
		{name: "events of both groups, in two rules", in: "- level: None\n  users: [bob]\n  resources: [{group: \"\", resources: [events]}]\n- level: None\n  users: [bob]\n  resources: [{group: events.k8s.io, resources: [events]}]\n"},
		{name: "a resource that is gone", in: "- level: None\n  users: [bob]\n  resources: [{group: policy, resources: [podsecuritypolicies]}]\n", want: []string{"AP051"}},
		{name: "a log of others may be an object", in: "- level: RequestResponse\n  omitManagedFields: true\n  verbs: [get]\n  resources: [{group: example.com, resources: [widgets/log]}]\n"},
		{name: "two identities", in: "- level: None\n  verbs: [watch]\n  userGroups: [\"system:serviceaccounts:a\", \"system:nodes\", devs]\n- level: None\n  verbs: [get]\n  users: [\"system:node:a\", \"system:admin\", \"system:serviceaccount:a:b\"]\n  resources: [{group: apps}]\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			report := Check("p.yaml", []byte(exampleHead+tt.in+either(tt.whole, "", exampleTail)), policy.Version{})
			got := ids(report.Findings)
			slices.Sort(got)
			if !slices.Equal(got, tt.want) {
				t.Errorf("found %q, want %q:\n%q", got, tt.want, say(report.Findings))
			}
			if all := strings.Join(say(report.Findings), "\n"); !strings.Contains(all, tt.says) {
				t.Errorf("nothing says %q:\n%s", tt.says, all)
			}
		})
	}
}

// TestManagedFieldsOfOthers says no more than one can know of groups that kube-apiserver
// may not serve itself.
func TestManagedFieldsOfOthers(t *testing.T) {
	for groups, want := range map[string]string{
		"{group: metrics.k8s.io}, {group: custom.metrics.k8s.io}": "",
		"{group: example.com}, {group: metrics.k8s.io}":           "writes custom resources, though not what aggregated",
		"{group: example.com}, {group: apps}":                     "writes objects with",
		"{group: \"*\"}":                                          "writes objects with",
	} {
		report := Check("p.yaml", []byte(stageHead+"rules:\n- level: RequestResponse\n  verbs: [get]\n  resources: ["+groups+"]\n- level: Metadata\n"), policy.Version{})
		said := ""
		for _, f := range report.Findings {
			if f.Code.ID == "AP076" {
				said += f.Message
			}
		}
		if (said == "") != (want == "") || !strings.Contains(said, want) {
			t.Errorf("%s: %q, want %q", groups, said, want)
		}
	}
}

// TestIgnore switches findings off by comments, and tells of comments with mistakes.
func TestIgnore(t *testing.T) {
	rule := "- level: None\n  userGroups: [\"system:nodes\"]\n"
	for _, tt := range []struct {
		name, in      string
		kept, ignored []string
	}{
		{"above the rule", "# auditpatch:ignore AP066 kubelets\n" + rule, nil, []string{"AP066"}},
		{"above, with more words between", "# auditpatch:ignore AP066 kubelets\n# are noisy\n\n" + rule, nil, []string{"AP066"}},
		{"at the end of the line", "- level: None # auditpatch:ignore AP066 kubelets\n  userGroups: [\"system:nodes\"]\n", nil, []string{"AP066"}},
		{"for a line in the rule", "- level: None\n  users: [bob]\n  # auditpatch:ignore AP030, AP050: a test\n  verbs: [GET, GET, get]\n", nil, []string{"AP030", "AP050"}},
		{"another code", "# auditpatch:ignore AP060 kubelets\n" + rule, []string{"AP066", "AP090"}, nil},
		{"another rule", "# auditpatch:ignore AP066 bob\n- level: None\n  users: [bob]\n" + rule, []string{"AP066", "AP090"}, nil},
		{"no reason", "# auditpatch:ignore AP066\n" + rule, []string{"AP090"}, []string{"AP066"}},
		{"no code", "# auditpatch:ignore kubelets\n" + rule, []string{"AP066", "AP090"}, nil},
		{"unknown code", "# auditpatch:ignore AP066, AP999 kubelets\n" + rule, []string{"AP090"}, []string{"AP066"}},
		{"with a blank", "# auditpatch: ignore AP066 kubelets\n" + rule, nil, []string{"AP066"}},
		{"one of two codes", "# auditpatch:ignore AP066 AP030 kubelets\n" + rule, []string{"AP090"}, []string{"AP066"}},
		{"in a string", "- level: None\n  userGroups: [\"system:nodes\", \"# auditpatch:ignore AP066 x\"]\n", []string{"AP066"}, nil},
		{"behind a string", "- userGroups: [\"system:nodes\", 'it''s'] # auditpatch:ignore AP066 x\n  level: None\n", nil, []string{"AP066"}},
		{"a refusal", "# auditpatch:ignore AP001 so be it\n- level: None\n  verb: [get]\n", []string{"AP001", "AP020", "AP067", "AP090"}, nil},
	} {
		report := Check("p.yaml", []byte(exampleHead+tt.in+exampleTail), policy.Version{})
		kept, ignored := ids(report.Findings), ids(report.Ignored)
		slices.Sort(kept)
		slices.Sort(ignored)
		if !slices.Equal(kept, tt.kept) || !slices.Equal(ignored, tt.ignored) {
			t.Errorf("%s: kept %q, ignored %q; want %q, %q", tt.name, kept, ignored, tt.kept, tt.ignored)
		}
	}
	report := Check("p.yaml", []byte(exampleHead+rule+exampleTail), policy.Version{}, "AP066")
	if len(report.Findings) > 0 {
		t.Errorf("with --ignore: %q", say(report.Findings))
	}
}

// TestPage holds docs/lints.md against the table of codes. UPDATE_README=1 writes it.
func TestPage(t *testing.T) {
	const name = "../../../docs/lints.md"
	if os.Getenv("UPDATE_README") != "" {
		if err := os.WriteFile(name, []byte(Page()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != Page() {
		t.Error("docs/lints.md is not that of the table: UPDATE_README=1 go test -run TestPage ./internal/policy/lint")
	}
}
