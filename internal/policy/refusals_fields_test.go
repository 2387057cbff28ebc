package policy

// refusedFields are refused for a field.
var refusedFields = []refusal{
	{
		name: "misspelt field with one value",
		in: head + `# a comment
rules:
- level: Metadata
  users: [bob]
  verb: get
`,
		want: []string{
			`7:3 rules[0].verb: unknown field "verb" in rules[0]: the rule would match every verb | write "verbs: [\"get\"]"`,
		},
	},
	{
		name: "field without a name",
		in: head + `rules:
- level: Metadata
  "": get
"": x
`,
		want: []string{
			`5:3 rules[0].: unknown field "" in rules[0]: kube-apiserver would ignore it | remove ""`,
			`6:1 : unknown field "": kube-apiserver would ignore it | remove ""`,
		},
	},
	{
		name: "JSON with a field without a name",
		in:   `{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "": "", "rules": [{"level": "Metadata"}]}`,
		want: []string{
			`1:53 : unknown field "": kube-apiserver would ignore it | remove ""`,
		},
	},
	{
		name: "misspelt field with a list",
		in: head + `rules:
- level: None
  userGroup: [a, "b"]
`,
		want: []string{
			`5:3 rules[0].userGroup: unknown field "userGroup" in rules[0]: the rule would match every user | write "userGroups: [\"a\", \"b\"]"`,
		},
	},
	{
		name: "misspelt field with a long value",
		in: head + `rules:
- level: None
  ressources: [{group: apps}]
`,
		want: []string{
			`5:3 rules[0].ressources: unknown field "ressources" in rules[0]: the rule would match every resource | write "resources"`,
		},
	},
	{
		name: "misspelt field beside the right one",
		in: head + `rules:
- level: None
  verb: get
  verbs: [list]
`,
		want: []string{
			`5:3 rules[0].verb: unknown field "verb" in rules[0]: kube-apiserver would ignore it | remove "verb", or join it to "verbs" in line 6`,
		},
	},
	{
		name: "wrong case beside the right field, itself wrong",
		in: head + `rules:
- level: none
  Level: None
`,
		want: []string{
			`4:10 rules[0].level: unknown level "none" in rules[0]: kube-apiserver would not start | write "level: None"`,
			`5:3 rules[0].Level: unknown field "Level" in rules[0]: kube-apiserver would ignore it | remove "Level", or join it to "level" in line 4`,
		},
	},
	{
		name: "wrong case",
		in: head + `Rules:
- level: None
`,
		want: []string{
			`3:1 Rules: unknown field "Rules": the policy would have no rules | write "rules"`,
		},
	},
	{
		name: "wrong case of level",
		in: head + `rules:
- Level: None
`,
		want: []string{
			`4:3 rules[0].Level: unknown field "Level" in rules[0]: the rule would have no level | write "level: None"`,
		},
	},
	{
		name: "fields of the wrong level",
		in: head + `rules:
- level: None
  resources:
  - group: apps
    verbs: [get]
    namespace: a
  resourceNames: [x]
`,
		want: []string{
			`7:5 rules[0].resources[0].verbs: unknown field "verbs" in rules[0].resources[0]: the rule would match every verb | move "verbs" out to rules[0], beside "level"`,
			`8:5 rules[0].resources[0].namespace: unknown field "namespace" in rules[0].resources[0]: the rule would match every namespace | move "namespaces" out to rules[0], beside "level"`,
			`9:3 rules[0].resourceNames: unknown field "resourceNames" in rules[0]: the rule would match every object | write "resourceNames: [\"x\"]" in an entry of "resources"`,
		},
	},
	{
		name: "field outside of rules",
		in: head + `level: None
verbs: [get]
rules:
- level: None
`,
		want: []string{
			`3:1 level: unknown field "level": kube-apiserver would ignore it | move "level" into an entry of "rules"`,
			`4:1 verbs: unknown field "verbs": kube-apiserver would ignore it | move "verbs" into an entry of "rules"`,
		},
	},
	{
		name: "field of a rule that is there twice",
		in: head + `rules:
- level: None
  verbs: [get]
  resources:
  - group: apps
    verbs: [list]
`,
		want: []string{
			`8:5 rules[0].resources[0].verbs: unknown field "verbs" in rules[0].resources[0]: kube-apiserver would ignore it | remove "verbs", or join it to "verbs" in line 5`,
		},
	},
	{
		name: "fields of RBAC",
		in: head + `rules:
- level: Metadata
  apiGroups: [apps]
  resources: [deployments, daemonsets]
  verbs: [get]
`,
		want: []string{
			`5:3 rules[0].apiGroups: unknown field "apiGroups" in rules[0]: the rule would match the core group | write "group" in an entry of "resources"`,
			`6:3 rules[0].resources: rules[0].resources is a list of strings, not a list of mappings: kube-apiserver would not start | write "resources: [{group: \"apps\", resources: [\"deployments\", \"daemonsets\"]}]"`,
		},
	},
	{
		name: "unknown field without a likeness",
		in: head + `rules:
- level: None
webhook: {url: x}
`,
		want: []string{
			`5:1 webhook: unknown field "webhook": kube-apiserver would ignore it | remove "webhook"`,
		},
	},
	{
		name: "unknown field with dots",
		in: head + `rules:
- level: None
  a.b[0]: {}
`,
		want: []string{
			`5:3 rules[0].a.b[0]: unknown field "a.b[0]" in rules[0]: kube-apiserver would ignore it | remove "a.b[0]"`,
		},
	},
	{
		name: "key twice",
		in: head + `rules:
- level: None
  level: Metadata
  verbs: [get]
  verbs: [list]
`,
		want: []string{
			`5:3 rules[0].level: key "level" stands twice in rules[0]: kube-apiserver takes this one and ignores the one in line 4 | remove one "level"`,
			`7:3 rules[0].verbs: key "verbs" stands twice in rules[0]: kube-apiserver takes this one and ignores the one in line 6 | join both into one "verbs"`,
		},
	},
	{
		name: "key merged in",
		in: head + `rules:
- &a
  level: None
- <<: *a
  level: Metadata
`,
		want: []string{
			`7:3 rules[1].level: key "level" stands twice in rules[1], once merged in with "<<": kube-apiserver takes one of the two and ignores the other | remove one "level"`,
		},
	},
	{
		name: "anchors under a field of their own",
		in: head + `x-nodes: &nodes [system:nodes]
rules:
- level: None
  userGroups: *nodes
`,
		want: []string{
			`3:1 x-nodes: unknown field "x-nodes": kube-apiserver would ignore it | write the value in place of "*nodes", and remove "x-nodes"`,
		},
	},
	{
		name: "no rules",
		in:   head,
		want: []string{
			`1:1 rules: the policy has no rules: kube-apiserver would not start | write "rules: [{level: Metadata}]"`,
		},
	},
	{
		name: "rules empty",
		in:   head + "rules: []\n",
		want: []string{
			`3:1 rules: the policy has no rules: kube-apiserver would not start | write "rules: [{level: Metadata}]"`,
		},
	},
	{
		name: "rules null",
		in:   head + "rules:\n",
		want: []string{
			`3:1 rules: the policy has no rules: kube-apiserver would not start | write "rules: [{level: Metadata}]"`,
		},
	},
	{
		name: "rules a mapping",
		in: head + `rules:
  level: Metadata
`,
		want: []string{
			`3:1 rules: rules is a mapping, not a list of mappings: kube-apiserver would not start | put "- " before its first field and indent the others below`,
		},
	},
	{
		name: "rules a list of names",
		in:   head + "rules: [Metadata]\n",
		want: []string{
			`3:1 rules: rules is a list of strings, not a list of mappings: kube-apiserver would not start | `,
		},
	},
	{
		name: "rule null",
		in: head + `rules:
-
`,
		want: []string{
			`4:2 rules[0].level: rules[0] has no level: kube-apiserver would not start | write "level: Metadata"`,
		},
	},
	{
		name: "level missing",
		in: head + `rules:
- level: None
- users: [bob]
`,
		want: []string{
			`5:3 rules[1].level: rules[1] has no level: kube-apiserver would not start | write "level: Metadata"`,
		},
	},
	{
		name: "level null",
		in: head + `rules:
- level:
`,
		want: []string{
			`4:3 rules[0].level: rules[0] has no level: kube-apiserver would not start | write "level: Metadata"`,
		},
	},
	{
		name: "level in lower case",
		in: head + `rules:
- level: requestresponse
`,
		want: []string{
			`4:10 rules[0].level: unknown level "requestresponse" in rules[0]: kube-apiserver would not start | write "level: RequestResponse"`,
		},
	},
	{
		name: "level without likeness",
		in: head + `rules:
- level: Debug
`,
		want: []string{
			`4:10 rules[0].level: unknown level "Debug" in rules[0]: kube-apiserver would not start | write one of None, Metadata, Request, RequestResponse`,
		},
	},
	{
		name: "level a number",
		in: head + `rules:
- level: 1
`,
		want: []string{
			`4:10 rules[0].level: rules[0].level is a number, not a string: kube-apiserver would not start | write level: "1", with the quotes`,
		},
	},
	{
		name: "group with version",
		in: head + `rules:
- level: None
  resources:
  - group: apps/v1
  - group: ok
  - group: apps/v1
  - group: Apps
`,
		want: []string{
			`6:12 rules[0].resources[0].group: group "apps/v1" in rules[0].resources[0] is not the name of an API group: kube-apiserver would not start | write "group: apps"`,
			`8:12 rules[0].resources[2].group: group "apps/v1" in rules[0].resources[2] is not the name of an API group: kube-apiserver would not start | write "group: apps"`,
			`9:12 rules[0].resources[3].group: group "Apps" in rules[0].resources[3] is not the name of an API group: kube-apiserver would not start | write "group: apps"`,
		},
	},
	{
		name: "group with a glob",
		in: head + `rules:
- level: None
  resources:
  - group: "*.k8s.io"
  - group: v1/
  - group: " "
`,
		want: []string{
			`6:12 rules[0].resources[0].group: group "*.k8s.io" in rules[0].resources[0] is not the name of an API group: kube-apiserver would not start | write one entry a group, with its full name`,
			`7:12 rules[0].resources[1].group: group "v1/" in rules[0].resources[1] is not the name of an API group: kube-apiserver would not start | write "group: \"\""`,
			`8:12 rules[0].resources[2].group: group " " in rules[0].resources[2] is not the name of an API group: kube-apiserver would not start | write "group: \"\"" for the core group, or the full name of another`,
		},
	},
	{
		name: "resourceNames alone",
		in: head + `rules:
- level: None
  resources:
  - group: ""
    resources: [pods]
    resourceNames: [a]
  - group: ""
    resourceNames: [a]
`,
		want: []string{
			`10:5 rules[0].resources[1].resourceNames: resourceNames without resources in rules[0].resources[1]: kube-apiserver would not start | write "resources: [...]" beside it, with what the names belong to`,
		},
	},
	{
		name: "URLs beside resources",
		in: head + `rules:
- level: None
  nonResourceURLs: [/healthz]
  namespaces: [a]
`,
		want: []string{
			`5:3 rules[0].nonResourceURLs: nonResourceURLs beside resources or namespaces in rules[0]: kube-apiserver would not start | split the rule: one with nonResourceURLs, one with the rest`,
		},
	},
	{
		name: "URLs malformed",
		in: head + `rules:
- level: None
  nonResourceURLs: [healthz, /a*/b, "*"]
`,
		want: []string{
			`5:21 rules[0].nonResourceURLs[0]: path "healthz" in rules[0].nonResourceURLs does not begin with "/": kube-apiserver would not start | write "/healthz"`,
			`5:30 rules[0].nonResourceURLs[1]: path "/a*/b" in rules[0].nonResourceURLs has a "*" before its end: kube-apiserver would not start | write "/a*"`,
		},
	},
	{
		name: "stages",
		in: head + `omitStages: [requestreceived]
rules:
- level: None
  omitStages: [Panic, Complete, foo]
`,
		want: []string{
			`3:14 omitStages[0]: unknown stage "requestreceived" in omitStages: kube-apiserver would not start | write "RequestReceived"`,
			`6:23 rules[0].omitStages[1]: unknown stage "Complete" in rules[0].omitStages: kube-apiserver would not start | write one of RequestReceived, ResponseStarted, ResponseComplete, Panic`,
			`6:33 rules[0].omitStages[2]: unknown stage "foo" in rules[0].omitStages: kube-apiserver would not start | write one of RequestReceived, ResponseStarted, ResponseComplete, Panic`,
		},
	},
	{
		name: "string for a list",
		in: head + `rules:
- level: None
  users: bob
- level: None
  users: [a]
- level: None
  users: alice
`,
		want: []string{
			`5:10 rules[0].users: rules[0].users is a string, not a list of strings: kube-apiserver would not start | write "users: [\"bob\"]"`,
			`9:10 rules[2].users: rules[2].users is a string, not a list of strings: kube-apiserver would not start | write "users: [\"alice\"]"`,
		},
	},
	{
		name: "string for a list, used again by an alias",
		in: head + `rules:
- users: &a None
  level: None
- level: *a
`,
		want: []string{
			`4:10 rules[0].users: rules[0].users is a string, not a list of strings: kube-apiserver would not start | write "users: [\"None\"]"`,
		},
	},
	{
		name: "bare boolean and number",
		in: head + `rules:
- level: None
  verbs: [get, no, 1, "2"]
`,
		want: []string{
			`5:16 rules[0].verbs[1]: rules[0].verbs[1] is a boolean, not a string: kube-apiserver would not start | write "no", with the quotes`,
			`5:20 rules[0].verbs[2]: rules[0].verbs[2] is a number, not a string: kube-apiserver would not start | write "1", with the quotes`,
		},
	},
	{
		name: "string for a mapping",
		in: head + `metadata: audit
rules:
- level: None
  resources: [{group: apps}, pods]
`,
		want: []string{
			`3:11 metadata: metadata is a string, not a mapping: kube-apiserver would not start | `,
			`6:30 rules[0].resources[1]: rules[0].resources[1] is a string, not a mapping: kube-apiserver would not start | write "{group: \"\", resources: [\"pods\"]}"`,
		},
	},
	{
		name: "wrong types in metadata",
		in: head + `metadata:
  annotations: {a/b: 1, c.d: x}
  labels: [a]
rules:
- level: None
`,
		want: []string{
			`4:22 metadata.annotations.a/b: metadata.annotations.a/b is a number, not a string: kube-apiserver would not start | write a/b: "1", with the quotes`,
			`5:3 metadata.labels: metadata.labels is a list, not a mapping: kube-apiserver would not start | `,
		},
	},
	{
		name: "position in characters",
		in:   head + "rules: [{users: [\"äöü\"], lvel: None}]\n",
		want: []string{
			`3:26 rules[0].lvel: unknown field "lvel" in rules[0]: the rule would have no level | write "level: None"`,
		},
	},
	{
		name: "several faults, sorted",
		in: head + `rules:
- verb: get
  level: none
  users: bob
  nonResourceURLs: [x]
  level: None
`,
		want: []string{
			`4:3 rules[0].verb: unknown field "verb" in rules[0]: the rule would match every verb | write "verbs: [\"get\"]"`,
			`6:10 rules[0].users: rules[0].users is a string, not a list of strings: kube-apiserver would not start | write "users: [\"bob\"]"`,
			`7:21 rules[0].nonResourceURLs[0]: path "x" in rules[0].nonResourceURLs does not begin with "/": kube-apiserver would not start | write "/x"`,
			`8:3 rules[0].level: key "level" stands twice in rules[0]: kube-apiserver takes this one and ignores the one in line 5 | remove one "level"`,
		},
	},
}
