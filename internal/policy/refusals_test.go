package policy

import "slices"

// refusal is a text that is refused, with all that is said about it: each
// finding as "line:col field: message | hint".
type refusal struct {
	name, in string
	want     []string
}

var refusals = slices.Concat(refusedTexts, refusedFields)

// refusedTexts are refused as a whole, or for what kind of text they are.
var refusedTexts = []refusal{
	{
		name: "second document",
		in: head + `rules:
- level: None
---
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: Metadata
`,
		want: []string{
			`5:1 : a second YAML document begins here: kube-apiserver reads only the first one | put its rules under the "rules" of the first document and remove "---"`,
		},
	},
	{
		name: "second document of an empty string",
		in:   "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: None\n--- !",
		want: []string{
			`5:1 : a second YAML document begins here: kube-apiserver reads only the first one | put its rules under the "rules" of the first document and remove "---"`,
		},
	},
	{
		name: "second document after an empty one",
		in: head + `rules:
- level: None
---
# nothing
---
rules: []
`,
		want: []string{
			`7:1 : a second YAML document begins here: kube-apiserver reads only the first one | put its rules under the "rules" of the first document and remove "---"`,
		},
	},
	{
		name: "first document empty",
		in: `---
---
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: None
`,
		want: []string{
			`2:1 : the policy is in the second YAML document: kube-apiserver reads only the first, which is empty | remove the first "---"`,
		},
	},
	{
		name: "second document broken",
		in: head + `rules:
- level: None
---
- ]
`,
		want: []string{
			`6:1 : text after the first YAML document: kube-apiserver does not read it, and it is not YAML: did not find expected node content | remove it`,
		},
	},
	{
		name: "text after a flow mapping",
		in: `---
{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: None}]}
foo: bar
`,
		want: []string{
			`3:1 : text after the first YAML document: kube-apiserver does not read it, and it is not YAML: did not find expected <document start> | remove it`,
		},
	},
	{
		name: "empty",
		in:   "",
		want: []string{
			`1:1 : the file is empty: kube-apiserver would not start | write "apiVersion: audit.k8s.io/v1", "kind: Policy" and "rules:"`,
		},
	},
	{
		name: "blank",
		in: `

`,
		want: []string{
			`1:1 : the file is empty: kube-apiserver would not start | write "apiVersion: audit.k8s.io/v1", "kind: Policy" and "rules:"`,
		},
	},
	{
		name: "only comments",
		in:   "# apiVersion: audit.k8s.io/v1\n",
		want: []string{
			`1:1 : the file has comments and nothing else: kube-apiserver would not start | write "apiVersion: audit.k8s.io/v1", "kind: Policy" and "rules:"`,
		},
	},
	{
		name: "null",
		in:   "null\n",
		want: []string{
			`1:1 : the file is empty: kube-apiserver would not start | write "apiVersion: audit.k8s.io/v1", "kind: Policy" and "rules:"`,
		},
	},
	{
		name: "list",
		in:   "- level: None\n",
		want: []string{
			`1:1 : the file is a list, not a mapping: kube-apiserver would not start | write "apiVersion: audit.k8s.io/v1"`,
		},
	},
	{
		name: "text",
		in:   "hello\n",
		want: []string{
			`1:1 : the file is a string, not a mapping: kube-apiserver would not start | write "apiVersion: audit.k8s.io/v1"`,
		},
	},
	{
		name: "no apiVersion",
		in: `kind: Policy
rules:
- level: None
  verb: get
`,
		want: []string{
			`1:1 apiVersion: apiVersion is missing: kube-apiserver would not start | write "apiVersion: audit.k8s.io/v1"`,
			`4:3 rules[0].verb: unknown field "verb" in rules[0]: the rule would match every verb | write "verbs: [\"get\"]"`,
		},
	},
	{
		name: "old apiVersion",
		in: `# old
apiVersion: audit.k8s.io/v1beta1
kind: Policy
rules:
- level: none
  users: bob
`,
		want: []string{
			`2:13 apiVersion: apiVersion "audit.k8s.io/v1beta1" is gone since Kubernetes 1.24: kube-apiserver would not start | write "apiVersion: audit.k8s.io/v1"`,
			`5:10 rules[0].level: unknown level "none" in rules[0]: kube-apiserver would not start | write "level: None"`,
			`6:10 rules[0].users: rules[0].users is a string, not a list of strings: kube-apiserver would not start | write "users: [\"bob\"]"`,
		},
	},
	{
		name: "first apiVersion",
		in: `apiVersion: audit.k8s.io/v1alpha1
kind: Policy
rules:
- level: None
`,
		want: []string{
			`1:13 apiVersion: apiVersion "audit.k8s.io/v1alpha1" is gone since Kubernetes 1.24: kube-apiserver would not start | write "apiVersion: audit.k8s.io/v1"`,
		},
	},
	{
		name: "foreign apiVersion",
		in: `apiVersion: v1
kind: Policy
rules:
- level: None
`,
		want: []string{
			`1:13 apiVersion: apiVersion "v1" is not that of an audit policy: kube-apiserver would not start | write "apiVersion: audit.k8s.io/v1"`,
		},
	},
	{
		name: "apiVersion a number",
		in: `apiVersion: 1
kind: Policy
rules:
- level: None
`,
		want: []string{
			`1:13 apiVersion: apiVersion "1" is not that of an audit policy: kube-apiserver would not start | write "apiVersion: audit.k8s.io/v1"`,
		},
	},
	{
		name: "internal apiVersion",
		in: `apiVersion: audit.k8s.io/__internal
kind: Policy
rules:
- level: None
`,
		want: []string{
			`1:13 apiVersion: apiVersion "audit.k8s.io/__internal" is not that of an audit policy: kube-apiserver would not start | write "apiVersion: audit.k8s.io/v1"`,
		},
	},
	{
		name: "template",
		in: `apiVersion: {{ .Version }}
kind: Policy
rules:
- level: None
`,
		want: []string{
			`1:1 apiVersion: apiVersion is left to a template: kube-apiserver would not start | render the template first`,
		},
	},
	{
		name: "wrong kind",
		in: `apiVersion: audit.k8s.io/v1
kind: PolicyList
items: []
`,
		want: []string{
			`2:7 kind: kind "PolicyList" is not Policy: kube-apiserver would not start | write "kind: Policy"`,
		},
	},
	{
		name: "wrapped in a ConfigMap",
		in: `apiVersion: v1
kind: ConfigMap
metadata:
  name: audit
data:
  policy.yaml: |
    apiVersion: audit.k8s.io/v1
`,
		want: []string{
			`2:7 kind: kind "ConfigMap" is not Policy: kube-apiserver would not start | write what stands under "policy.yaml" into a file of its own`,
		},
	},
	{
		name: "tab",
		in:   head + "rules:\n- level: None\n\tverbs: [get]\n",
		want: []string{
			`5:1 : found a tab character that violates indentation: kube-apiserver would not start | indent with blanks, not with a tab`,
		},
	},
	{
		name: "bracket left open",
		in: head + `rules:
- level: None
  verbs: [get
- level: None
`,
		want: []string{
			`5:10 : did not find expected ',' or ']': kube-apiserver would not start | close the bracket that is opened here`,
		},
	},
	{
		name: "quotes left open",
		in: head + `rules:
- level: None
  users: ["bob]
- level: None
`,
		want: []string{
			`5:11 : found unexpected end of stream: kube-apiserver would not start | close the quotes that are opened here`,
		},
	},
	{
		name: "colon forgotten",
		in: head + `rules:
- level: None
  verbs
  users: []
`,
		want: []string{
			`5:3 : could not find expected ':': kube-apiserver would not start | write "verbs:"`,
		},
	},
	{
		name: "indented too little",
		in: head + `rules:
- level: None
 verbs: [get]
`,
		want: []string{
			`5:2 : did not find expected key: kube-apiserver would not start | indent the line like the one it belongs to`,
		},
	},
	{
		name: "indented too much",
		in: head + `rules:
- level: None
    verbs: [get]
`,
		want: []string{
			`5:10 : mapping values are not allowed in this context: kube-apiserver would not start | indent the line like the one it belongs to, or put the value in quotes`,
		},
	},
	{
		name: "bare star",
		in: head + `rules:
- level: None
  verbs: [*]
`,
		want: []string{
			`5:11 : did not find expected alphabetic or numeric character: kube-apiserver would not start | leave the field out: then it matches everything`,
		},
	},
	{
		name: "unknown alias",
		in: head + `rules:
- level: None
  users: *admins
`,
		want: []string{
			`5:10 : unknown anchor 'admins' referenced: kube-apiserver would not start | put it in quotes, or define the anchor before it`,
		},
	},
	{
		name: "alias to itself",
		in: head + `rules:
- level: None
  users: &a [*a]
`,
		want: []string{
			`5:10 : anchor 'a' value contains itself: kube-apiserver would not start | `,
		},
	},
	{
		name: "list as a key",
		in: head + `rules:
- level: None
  ? [a]
  : b
`,
		want: []string{
			`4:3 : a list or a mapping stands in place of a key: kube-apiserver would not start | `,
		},
	},
	{
		name: "control character",
		in:   head + "rules:\n- level: \x01None\n",
		want: []string{
			`4:10 : control characters are not allowed: kube-apiserver would not start | `,
		},
	},
	{
		name: "not UTF-8",
		in:   head + "rules:\n- level: None\xff\n",
		want: []string{
			`4:14 : invalid leading UTF-8 octet: kube-apiserver would not start | `,
		},
	},
	{
		name: "JSON in name only",
		in:   "{apiVersion: audit.k8s.io/v1, kind: Policy, rules: [{level: none}]}\n",
		want: []string{
			`1:2 : the file begins with "{", so it is read as JSON: invalid character 'a' looking for beginning of object key string: kube-apiserver would not start | write "---" in a line of its own before it: then it is read as YAML`,
			`1:61 rules[0].level: unknown level "none" in rules[0]: kube-apiserver would not start | write "level: None"`,
		},
	},
	{
		name: "JSON with a comma too many",
		in: `{"apiVersion": "audit.k8s.io/v1", "kind": "Policy",
 "rules": [{"level": "None"},]}
`,
		want: []string{
			`2:30 : the file begins with "{", so it is read as JSON: invalid character ']' looking for beginning of value: kube-apiserver would not start | write "---" in a line of its own before it: then it is read as YAML`,
		},
	},
	{
		name: "Windows line ends and a byte order mark",
		in:   "\ufeffapiVersion: audit.k8s.io/v1\r\nkind: Policy\r\nrules:\r\n- level: None\r\n  verb: get\r\n",
		want: []string{
			`5:3 rules[0].verb: unknown field "verb" in rules[0]: the rule would match every verb | write "verbs: [\"get\"]"`,
		},
	},
	{
		name: "key twice in JSON",
		in:   "{\"apiVersion\": \"audit.k8s.io/v1\", \"kind\": \"Policy\",\n\t\"rules\": [\n\t\t{\"level\": \"None\",\n\t\t \"level\": \"Metadata\", \"verb\": \"get\"}]}\n",
		want: []string{
			`4:4 rules[0].level: key "level" stands twice in rules[0]: kube-apiserver takes this one and ignores the one in line 3 | remove one "level"`,
			`4:25 rules[0].verb: unknown field "verb" in rules[0]: the rule would match every verb | write "verbs: [\"get\"]"`,
		},
	},
	{
		name: "bad date",
		in: head + `metadata:
  creationTimestamp: yesterday
rules:
- level: None
`,
		want: []string{
			`4:22 : parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006": kube-apiserver would not start | `,
		},
	},
	{
		name: "string for a boolean",
		in: head + `omitManagedFields: "true"
rules:
- level: None
`,
		want: []string{
			`3:20 omitManagedFields: omitManagedFields is a string, not a boolean: kube-apiserver would not start | write "omitManagedFields: true" or "omitManagedFields: false"`,
		},
	},
}
