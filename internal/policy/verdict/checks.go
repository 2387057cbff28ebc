package verdict

import (
	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
)

// The flags that checks are about.
const (
	policyFlag = "audit-policy-file"
	pathFlag   = "audit-log-path"
	ageFlag    = "audit-log-maxage"
	backupFlag = "audit-log-maxbackup"
	sizeFlag   = "audit-log-maxsize"
)

// logPath is where enable puts the log, and policyPath the policy.
const (
	logPath    = "/var/log/kubernetes/audit/audit.log"
	policyPath = "/etc/kubernetes/audit-policy.yaml"
)

// Defaults are the flags that enable sets where nobody says otherwise.
func Defaults() map[string]string {
	return map[string]string{policyFlag: policyPath, pathFlag: logPath, ageFlag: "30", backupFlag: "10", sizeFlag: "100"}
}

// check is one check of one checker.
type check struct {
	checker, id string
	flag        string
	least       int  // the smallest number that passes; 0: any value does
	file        bool // the value has to be the path of a file
	// content looks into the policy instead of at the flag's value.
	content func(*policy.Policy) content
	never   string // why it cannot pass
}

// content is what a check found in the policy.
type content struct {
	verdict      Kind
	seen, reason string // "" is the number of rules
	hint         hint.Hint
}

// denies is the bug of two rules of Kubescape: ensure-that-the-api-server-audit-log-
// maxbackup-argument-... and its sibling for maxsize deny a command line that contains
// the flag, and one that does not.
const denies = "Kubescape's rule denies the flag with any value, and its absence: a bug of the rule"

// checks are all of them. Sources: kube-bench cfg/, DISA's STIG V2R6, Kubescape's
// regolibrary, Trivy's checks KCV0019 to KCV0022, KICS' assets/queries/k8s, checkov's
// kubernetes checks; all as of 2026.
func checks(benchmark string) []check {
	cis, _ := ids(benchmark)
	return []check{
		{checker: "CIS", id: cis[0], flag: pathFlag},
		{checker: "CIS", id: cis[1], flag: ageFlag, least: 30},
		{checker: "CIS", id: cis[2], flag: backupFlag, least: 10},
		{checker: "CIS", id: cis[3], flag: sizeFlag, least: 100},
		{checker: "CIS", id: "3.2.1", flag: policyFlag},
		{checker: "CIS", id: "3.2.2", flag: policyFlag, content: keyConcerns},
		{checker: "STIG", id: "V-242402", flag: pathFlag},
		{checker: "STIG", id: "V-242403", flag: policyFlag, content: everything},
		{checker: "STIG", id: "V-242461", flag: policyFlag, content: valid},
		{checker: "STIG", id: "V-242462", flag: sizeFlag, least: 100},
		{checker: "STIG", id: "V-242463", flag: backupFlag, least: 10},
		{checker: "STIG", id: "V-242464", flag: ageFlag, least: 30},
		{checker: "STIG", id: "V-242465", flag: pathFlag, file: true},
		{checker: "Kubescape", id: "C-0067", flag: policyFlag},
		{checker: "Kubescape", id: "C-0130", flag: pathFlag},
		{checker: "Kubescape", id: "C-0131", flag: ageFlag, least: 30},
		{checker: "Kubescape", id: "C-0132", flag: backupFlag, never: denies},
		{checker: "Kubescape", id: "C-0133", flag: sizeFlag, never: denies},
		{checker: "Kubescape", id: "C-0160", flag: policyFlag},
		{checker: "Kubescape", id: "C-0161", flag: policyFlag, content: kubescape},
		{checker: "Trivy", id: "KCV-0019", flag: pathFlag},
		{checker: "Trivy", id: "KCV-0020", flag: ageFlag},
		{checker: "Trivy", id: "KCV-0021", flag: backupFlag},
		{checker: "Trivy", id: "KCV-0022", flag: sizeFlag},
		{checker: "KICS", id: "73e251f0", flag: pathFlag},
		{checker: "KICS", id: "da9f3aa8", flag: ageFlag, least: 30},
		{checker: "KICS", id: "768aab52", flag: backupFlag, least: 10},
		{checker: "KICS", id: "35c0a471", flag: sizeFlag, least: 100},
		{checker: "KICS", id: "13a49a2e", flag: policyFlag},
		{checker: "KICS", id: "1828a670", flag: policyFlag, content: kics},
		{checker: "checkov", id: "CKV_K8S_91", flag: pathFlag},
		{checker: "checkov", id: "CKV_K8S_92", flag: ageFlag, least: 30},
		{checker: "checkov", id: "CKV_K8S_93", flag: backupFlag, least: 10},
		{checker: "checkov", id: "CKV_K8S_94", flag: sizeFlag, least: 100},
	}
}

// title says what the check is about.
func (c check) title() string {
	switch {
	case c.id == "V-242403":
		return "the policy records everything with bodies, by one rule"
	case c.id == "V-242461":
		return "the audit policy is set and valid"
	case c.content != nil:
		return "the audit policy covers the key security concerns"
	}
	return map[string]string{
		policyFlag: "an audit policy is set",
		pathFlag:   "the audit log has a path",
		ageFlag:    "rotated audit logs are kept for 30 days",
		backupFlag: "10 rotated audit logs are kept",
		sizeFlag:   "an audit log is rotated at 100 MB, or later",
	}[c.flag]
}

// setting is what sets a flag that is not set.
func (c check) setting() hint.Hint {
	if least := Defaults()[c.flag]; c.flag != policyFlag && c.flag != pathFlag {
		return hint.Flag(c.flag, least)
	}
	return hint.Command("enable")
}

// benchmarks are those of kube-bench, oldest first, with their ids for path, maxage,
// maxbackup and maxsize, and the first Kubernetes 1.x that it holds against them.
var benchmarks = []struct {
	name string
	from int
	ids  [4]string
}{
	{"cis-1.5", 0, [4]string{"1.2.22", "1.2.23", "1.2.24", "1.2.25"}},
	{"cis-1.6", 16, [4]string{"1.2.22", "1.2.23", "1.2.24", "1.2.25"}},
	{"cis-1.20", 19, [4]string{"1.2.21", "1.2.22", "1.2.23", "1.2.24"}},
	{"cis-1.23", 22, [4]string{"1.2.19", "1.2.20", "1.2.21", "1.2.22"}},
	{"cis-1.24", 24, [4]string{"1.2.18", "1.2.19", "1.2.20", "1.2.21"}},
	{"cis-1.7", 25, [4]string{"1.2.18", "1.2.19", "1.2.20", "1.2.21"}},
	{"cis-1.8", 26, [4]string{"1.2.17", "1.2.18", "1.2.19", "1.2.20"}},
	{"cis-1.9", 27, [4]string{"1.2.16", "1.2.17", "1.2.18", "1.2.19"}},
	{"cis-1.10", 28, [4]string{"1.2.16", "1.2.17", "1.2.18", "1.2.19"}},
	{"cis-1.11", 29, [4]string{"1.2.16", "1.2.17", "1.2.18", "1.2.19"}},
	{"cis-1.12", 32, [4]string{"1.2.16", "1.2.17", "1.2.18", "1.2.19"}},
}

// Benchmarks are the versions of CIS that are known, oldest first, as kube-bench names
// them.
func Benchmarks() []string {
	var names []string
	for _, b := range benchmarks {
		names = append(names, b.name)
	}
	return names
}

func ids(benchmark string) (ids [4]string, ok bool) {
	for _, b := range benchmarks {
		if b.name == benchmark {
			return b.ids, true
		}
	}
	return ids, false
}

// benchmarkFor is the benchmark that kube-bench takes for a version, the newest one for
// versions that are newer or not known.
func benchmarkFor(v policy.Version) string {
	name := benchmarks[0].name
	for _, b := range benchmarks {
		if v == (policy.Version{}) || v.Major > 1 || v.Minor >= b.from {
			name = b.name
		}
	}
	return name
}
