package verdict

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/policytest"
	"auditpatch/patch/auditflags"
)

// load loads the rules of a policy, in YAML.
func load(t testing.TB, rules string) *policy.Policy {
	t.Helper()
	p, err := policy.Load("p.yaml", []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"+rules))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// covers meets CIS 3.2.2 and names what Kubescape and KICS look for.
const covers = `- level: Metadata
  resources:
  - resources: [secrets, configmaps, serviceaccounts/token, pods, pods/exec, pods/portforward, pods/proxy, services/proxy]
  - group: authentication.k8s.io
    resources: [tokenreviews]
  - group: apps
    resources: [deployments]
- level: Metadata
`

func verdicts(r Report) map[string]Verdict {
	all := map[string]Verdict{}
	for _, v := range r.Verdicts {
		all[v.Name()] = v
	}
	return all
}

// TestDefaults wants the flags that enable sets to pass whatever can pass.
func TestDefaults(t *testing.T) {
	r := Judge(Input{Flags: Defaults(), Policy: load(t, covers), Version: policy.Version{Major: 1, Minor: 33}})
	for _, v := range r.Of(Fail) {
		t.Errorf("%s fails: %s %s", v.Name(), v.Seen, v.Reason)
	}
	var never []string
	for _, v := range r.Of(CannotPass) {
		if never = append(never, v.Name()); v.Reason == "" || len(v.Hint) > 0 {
			t.Errorf("%s: reason %q, hint %q", v.Name(), v.Reason, v.Hint)
		}
	}
	if got, want := strings.Join(never, ", "), "STIG V-242403, Kubescape C-0132, Kubescape C-0133"; got != want {
		t.Errorf("cannot pass: %s, want %s", got, want)
	}
	if got := r.String(); got != "31 pass, 3 cannot pass" {
		t.Errorf("counts: %s", got)
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct{ flag, value, fails, hint string }{
		{ageFlag, "7", "CIS 1.2.17, STIG V-242464, Kubescape C-0131, KICS da9f3aa8, checkov CKV_K8S_92", "--audit-log-maxage=30"},
		{ageFlag, "30", "", ""},
		{ageFlag, "0", "CIS 1.2.17, STIG V-242464, Kubescape C-0131, KICS da9f3aa8, checkov CKV_K8S_92", "--audit-log-maxage=30"},
		{ageFlag, "0x20", "CIS 1.2.17, STIG V-242464, Kubescape C-0131, KICS da9f3aa8, checkov CKV_K8S_92", "--audit-log-maxage=30"},
		{ageFlag, "", "CIS 1.2.17, STIG V-242464, Kubescape C-0131, Trivy KCV-0020, KICS da9f3aa8, checkov CKV_K8S_92", "--audit-log-maxage=30"},
		{backupFlag, "9", "CIS 1.2.18, STIG V-242463, KICS 768aab52, checkov CKV_K8S_93", "--audit-log-maxbackup=10"},
		{sizeFlag, "99", "CIS 1.2.19, STIG V-242462, KICS 35c0a471, checkov CKV_K8S_94", "--audit-log-maxsize=100"},
		{pathFlag, "-", "STIG V-242465", "--audit-log-path=" + logPath},
		{policyFlag, "", "CIS 3.2.1, CIS 3.2.2, STIG V-242403, STIG V-242461, Kubescape C-0067, Kubescape C-0160, Kubescape C-0161, KICS 13a49a2e, KICS 1828a670", "auditpatch enable"},
	} {
		flags := Defaults()
		if flags[c.flag] = c.value; c.value == "" {
			delete(flags, c.flag)
		}
		var failed []string
		for _, v := range Judge(Input{Flags: flags, Policy: load(t, covers)}).Of(Fail) {
			if failed = append(failed, v.Name()); v.Hint.String() != c.hint {
				t.Errorf("%s=%s: %s: hint %q, want %q", c.flag, c.value, v.Name(), v.Hint, c.hint)
			}
		}
		if got := strings.Join(failed, ", "); got != c.fails {
			t.Errorf("%s=%s fails\n%s, want\n%s", c.flag, c.value, got, c.fails)
		}
	}
}

// TestSpelling judges command lines that are the same to kube-apiserver, and not to the
// checkers.
func TestSpelling(t *testing.T) {
	kube := []string{"kube-apiserver", "--v=1"}
	const ages = "CIS 1.2.17, STIG V-242464, Kubescape C-0131, Trivy KCV-0020, KICS da9f3aa8, checkov CKV_K8S_92"
	for _, c := range []struct {
		name          string
		command, args []string
		counts, fails string
		reason        string
	}{
		{"once", []string{"--audit-log-maxage=30"}, nil, "30", "", ""},
		{"the last counts", []string{"--audit-log-maxage=7", "--audit-log-maxage=30"}, nil, "30", "CIS 1.2.17, STIG V-242464, Kubescape C-0131, checkov CKV_K8S_92", "kube-bench reads the first"},
		{"the first is read", []string{"--audit-log-maxage=30", "--audit-log-maxage=7"}, nil, "7", "STIG V-242464, Kubescape C-0131", "each of them counts"},
		{"twice the same", []string{"--audit-log-maxage=30", "--audit-log-maxage=30"}, nil, "30", "", ""},
		{"underscores", []string{"--audit_log_maxage=30"}, nil, "30", ages, "not found as the manifest writes it"},
		{"one of them", []string{"--audit-log_maxage=7", "--audit-log-maxage=30"}, nil, "30", "", ""},
		{"two items", []string{"--audit-log-maxage", "30"}, nil, "30", "KICS da9f3aa8, checkov CKV_K8S_92", "item"},
		{"in args", nil, []string{"--audit-log-maxage=30"}, "30", "checkov CKV_K8S_92", "checkov does not look into args"},
		{"too few in args", nil, []string{"--audit-log-maxage=7"}, "7", strings.Replace(ages, "Trivy KCV-0020, ", "", 1), "at least 30 is wanted"},
	} {
		flags := Defaults()
		flags[ageFlag] = c.counts
		in := Input{Flags: flags, Policy: load(t, covers), Version: policy.Version{Major: 1, Minor: 33}}
		in.Command, in.Args = slices.Concat(kube, c.command), c.args
		for name, value := range Defaults() {
			if name != ageFlag {
				in.Command = append(in.Command, "--"+name+"="+value)
			}
		}
		var failed []string
		reasons := ""
		for _, v := range Judge(in).Of(Fail) {
			failed = append(failed, v.Name())
			reasons += v.Reason + "\n"
			if len(v.Hint) == 0 {
				t.Errorf("%s: %s has no hint", c.name, v.Name())
			}
		}
		if got := strings.Join(failed, ", "); got != c.fails || !strings.Contains(reasons, c.reason) {
			t.Errorf("%s fails\n%s, want\n%s, for %q", c.name, got, c.fails, reasons)
		}
		want := 0
		if c.fails != "" && c.name != "in args" {
			want = 1
		}
		if w := Warnings(in); len(w) != want || want == 1 && len(w[0].Hint) == 0 {
			t.Errorf("%s: warnings %v", c.name, w)
		}
	}
	flags := Defaults()
	command := slices.Clone(kube)
	for name, value := range flags {
		command = append(command, "--"+strings.ReplaceAll(name, "-", "_")+"="+value)
	}
	r := Judge(Input{Flags: flags, Command: command, Policy: load(t, covers)})
	if got := r.String(); got != "3 pass, 28 fail, 3 cannot pass" {
		t.Errorf("all with underscores: %s", got)
	}
}

// TestBenchmark compares with the table of kube-bench's cfg/config.yaml.
func TestBenchmark(t *testing.T) {
	for _, c := range []struct {
		minor      int
		forced     string
		name, path string
	}{
		{13, "", "cis-1.5", "1.2.22"}, {18, "", "cis-1.6", "1.2.22"}, {21, "", "cis-1.20", "1.2.21"}, {23, "", "cis-1.23", "1.2.19"},
		{24, "", "cis-1.24", "1.2.18"}, {25, "", "cis-1.7", "1.2.18"}, {26, "", "cis-1.8", "1.2.17"}, {27, "", "cis-1.9", "1.2.16"},
		{28, "", "cis-1.10", "1.2.16"}, {31, "", "cis-1.11", "1.2.16"}, {34, "", "cis-1.12", "1.2.16"}, {40, "", "cis-1.12", "1.2.16"},
		{33, "cis-1.8", "cis-1.8", "1.2.17"}, {26, "no such", "cis-1.8", "1.2.17"},
	} {
		r := Judge(Input{Version: policy.Version{Major: 1, Minor: c.minor}, Benchmark: c.forced})
		if r.Benchmark != c.name || r.Verdicts[0].ID != c.path {
			t.Errorf("1.%d %s: %s %s, want %s %s", c.minor, c.forced, r.Benchmark, r.Verdicts[0].ID, c.name, c.path)
		}
	}
	if r := Judge(Input{}); r.Benchmark != "cis-1.12" {
		t.Errorf("an unknown version is held against %s", r.Benchmark)
	}
}

func TestContent(t *testing.T) {
	const secretsInFull = "- level: RequestResponse\n  verbs: [get]\n  resources: [{resources: [secrets]}]\n"
	for _, c := range []struct{ name, rules, check, want, seen, reason string }{
		{"covers", covers, "CIS 3.2.2", "pass", "2 rules", ""},
		{"a catch-all covers", "- level: Metadata\n", "CIS 3.2.2", "pass", "1 rule", ""},
		{"and names nothing", "- level: Metadata\n", "Kubescape C-0161", "fail", "no rule names secrets", "a rule has to name it, catch-alls do not count"},
		{"nor for KICS", "- level: Metadata\n", "KICS 1828a670", "fail", "no rule names secrets", "a rule has to name it, catch-alls do not count"},
		{"secrets in full", secretsInFull + covers, "CIS 3.2.2", "fail", "RequestResponse by rule 0", "alice get secrets web in default: level RequestResponse puts contents into the log, Metadata is wanted"},
		{"for one user", "- level: RequestResponse\n  users: [bob]\n" + covers, "CIS 3.2.2", "fail", "RequestResponse by rule 0", "bob get secrets web in default: level RequestResponse puts contents into the log, Metadata is wanted"},
		{"in one namespace", "- level: None\n  namespaces: [dev]\n" + covers, "CIS 3.2.2", "fail", "None by rule 0", "alice get secrets web in dev: not recorded"},
		{"administrators hidden", "- level: None\n  userGroups: ['system:masters']\n" + covers, "CIS 3.2.2", "fail", "None by rule 0", "alice of system:masters get secrets web in default: not recorded"},
		{"nothing else", covers[:strings.LastIndex(covers, "- level")], "CIS 3.2.2", "fail", "None by rule -1", "alice get clusterroles.rbac.authorization.k8s.io web: not recorded"},
		{"a component's configmaps", "- level: None\n  users: ['system:kube-scheduler']\n  resources: [{resources: [configmaps]}]\n" + covers, "CIS 3.2.2", "pass", "3 rules", ""},
		{"which Kubescape minds", "- level: None\n  users: ['system:kube-scheduler']\n  resources: [{resources: [configmaps]}]\n" + covers, "Kubescape C-0161", "fail", "configmaps at None", "each rule that names it counts, whatever its users"},
		{"and KICS does not", "- level: None\n  users: ['system:kube-scheduler']\n  resources: [{resources: [configmaps]}]\n" + covers, "KICS 1828a670", "pass", "3 rules", ""},
		{"pods with bodies only", strings.Replace(covers, "pods, ", "", 1) + "- level: Request\n  resources: [{resources: [pods]}]\n", "KICS 1828a670", "fail", "pods only at Request", "some rule has to name it at Metadata"},
		{"no stage", "- level: Metadata\n  omitStages: [RequestReceived, ResponseStarted, ResponseComplete, Panic]\n", "CIS 3.2.2", "fail", "Metadata by rule 0", "alice get secrets web in default: not recorded"},
		{"everything", "- level: RequestResponse\n", "STIG V-242403", "pass", "1 rule", ""},
		{"everything but a stage", "- level: RequestResponse\n  omitStages: [Panic]\n", "STIG V-242403", "cannot pass", "1 rule", "it wants nothing but one rule that records everything at RequestResponse, which puts Secrets into the log and fails CIS 3.2.2 (the preset stig does so)"},
		{"everything of somebody", "- level: RequestResponse\n  users: [bob]\n", "STIG V-242403", "cannot pass", "1 rule", "it wants nothing but one rule that records everything at RequestResponse, which puts Secrets into the log and fails CIS 3.2.2 (the preset stig does so)"},
	} {
		v := verdicts(Judge(Input{Flags: Defaults(), Policy: load(t, c.rules)}))[c.check]
		if string(v.Verdict) != c.want || v.Seen != c.seen || v.Reason != c.reason {
			t.Errorf("%s: %s: %s, %q, %q, want %s, %q, %q", c.name, c.check, v.Verdict, v.Seen, v.Reason, c.want, c.seen, c.reason)
		}
	}
}

// TestHidden wants CIS 3.2.2 to find what a single rule in front of a preset that passes
// takes away, however narrow the rule is, and to leave the components of Kubernetes their
// own.
func TestHidden(t *testing.T) {
	baseline, err := os.ReadFile("../../../presets/baseline.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := bytes.Cut(baseline, []byte("\nrules:\n"))
	if !found {
		t.Fatal("no rules in baseline")
	}
	var many strings.Builder
	for i := range 12_000 {
		many.WriteString("u" + strconv.Itoa(i) + ", ")
	}
	for _, c := range []struct{ name, rule, want, seen string }{
		{"one name in full", "{level: RequestResponse, resources: [{resources: [secrets], resourceNames: [db-password]}]}", "fail", "secrets db-password in default: level"},
		{"one name hidden", "{level: None, verbs: [get, update, delete], resources: [{resources: [secrets], resourceNames: [admin-token]}]}", "fail", "secrets admin-token in default: not recorded"},
		{"user and group", "{level: RequestResponse, users: [bob], userGroups: [devs]}", "fail", "bob of devs get secrets web in default: level"},
		{"administrators", "{level: None, userGroups: [devs, 'system:masters', 'kubeadm:cluster-admins'], resources: [{resources: [configmaps, services]}, {group: rbac.authorization.k8s.io}, {group: authentication.k8s.io, resources: [tokenreviews]}]}", "fail", "alice of devs get configmaps"},
		{"administrators' access", "{level: None, userGroups: ['system:masters'], resources: [{group: rbac.authorization.k8s.io}]}", "fail", "alice of system:masters get clusterroles"},
		{"named people", "{level: None, users: [bob], verbs: [update], resources: [{resources: [configmaps]}]}", "fail", "bob update configmaps"},
		{"nodes", "{level: None, userGroups: ['system:authenticated'], resources: [{resources: [nodes]}]}", "fail", "alice get nodes"},
		{"jobs", "{level: None, userGroups: ['system:authenticated'], resources: [{group: batch}]}", "fail", "alice create jobs.batch"},
		{"webhooks", "{level: None, resources: [{group: admissionregistration.k8s.io}]}", "fail", "admissionregistration.k8s.io"},
		{"network policies", "{level: None, verbs: [delete], resources: [{group: networking.k8s.io, resources: [networkpolicies]}]}", "fail", "alice delete networkpolicies"},
		{"service accounts", "{level: None, verbs: [create], resources: [{resources: [serviceaccounts]}]}", "fail", "alice create serviceaccounts"},
		{"behind many users", "{level: None, users: [" + many.String() + "x], verbs: [watch], resources: [{resources: [endpoints]}]}\n  - {level: RequestResponse, users: [zed], resources: [{resources: [configmaps]}]}", "fail", "zed get configmaps web in default: level"},
		{"anonymous callers, in full", "{level: RequestResponse, userGroups: ['system:unauthenticated']}", "fail", "system:anonymous of system:unauthenticated get secrets web in default: level"},
		{"anonymous callers, by name", "{level: RequestResponse, users: ['system:anonymous']}", "fail", "system:anonymous of system:unauthenticated get secrets web in default: level"},
		{"anonymous callers, hidden", "{level: None, userGroups: ['system:unauthenticated']}", "pass", ""},
		{"kubelets", "{level: None, userGroups: ['system:nodes'], resources: [{resources: [nodes, configmaps]}]}", "pass", ""},
		{"a kubelet", "{level: None, users: ['system:node:a'], resources: [{resources: [nodes, configmaps]}]}", "pass", ""},
		{"a controller", "{level: None, users: ['system:kube-controller-manager', 'system:serviceaccount:kube-system:job-controller'], resources: [{group: batch}, {resources: [configmaps]}]}", "pass", ""},
		{"an operator's reads", "{level: None, users: ['system:serviceaccount:monitoring:prometheus'], verbs: [get, list, watch], resources: [{resources: [nodes, services]}]}", "pass", ""},
		{"an operator's changes", "{level: None, users: ['system:serviceaccount:monitoring:prometheus'], resources: [{resources: [nodes, services]}]}", "fail", "prometheus create services"},
		{"status", "{level: None, resources: [{resources: [nodes/status, pods/status]}, {group: apps, resources: ['*/status']}]}", "pass", ""},
		{"the hum", "{level: None, resources: [{resources: [events, endpoints]}, {group: events.k8s.io}, {group: coordination.k8s.io}]}", "pass", ""},
	} {
		v := verdicts(Judge(Input{Flags: Defaults(), Policy: load(t, "  - "+c.rule+"\n"+string(rest))}))["CIS 3.2.2"]
		if string(v.Verdict) != c.want || !strings.Contains(v.Reason, c.seen) {
			t.Errorf("%s: %s, %q, want %s, %q", c.name, v.Verdict, v.Reason, c.want, c.seen)
		}
	}
}

// TestGivenUp wants a policy that is too much to search to be unknown, and not to pass,
// and thousands of rules to be no such policy.
func TestGivenUp(t *testing.T) {
	var rules strings.Builder
	for i := range 1_200 {
		n := strconv.Itoa(i)
		rules.WriteString("- {level: None, users: [u" + n + "], verbs: [get], resources: [{resources: [w" + n + "]}]}\n")
		rules.WriteString("- {level: None, users: ['system:node:" + n + "'], verbs: [get], resources: [{resources: [configmaps]}]}\n")
	}
	p := load(t, rules.String()+covers)
	began := policytest.CPUTime(t)
	if got := keyConcerns(p); got.verdict != Pass {
		t.Errorf("%+v", got)
	}
	if took := policytest.CPUTime(t) - began; took > 20*time.Second {
		t.Errorf("took %v", took)
	}
	for _, budget := range []int{0, 1_000} {
		if got := within(budget, p); got.verdict != Unknown || got.reason == "" {
			t.Errorf("with a budget of %d: %+v", budget, got)
		}
	}
}

// TestNoPolicy tells a policy that is not there from one that cannot be seen.
func TestNoPolicy(t *testing.T) {
	gone := verdicts(Judge(Input{Flags: Defaults(), NoPolicy: "there is no policy at /p"}))
	unseen := verdicts(Judge(Input{Flags: Defaults(), NoPolicy: "the policy cannot be seen from here", Unseen: true}))
	for _, name := range []string{"CIS 3.2.2", "STIG V-242461", "Kubescape C-0161", "KICS 1828a670"} {
		if v := gone[name]; v.Verdict != Fail || v.Reason != "there is no policy at /p" || v.Hint.String() != "--preset=baseline" {
			t.Errorf("%s of a missing policy: %+v", name, v)
		}
		if v := unseen[name]; v.Verdict != Unknown || v.Reason == "" {
			t.Errorf("%s of an unseen policy: %+v", name, v)
		}
	}
}

// TestPresets compares the verdicts with what the heads of the presets say. Those are
// held by a test of their own, which restates the checkers in another way.
func TestPresets(t *testing.T) {
	files, err := filepath.Glob("../../../presets/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no presets: %v", err)
	}
	compared := 0
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(data, []byte("\n# Fails: ")) {
			continue
		}
		compared++
		_, said, _ := strings.Cut(string(data), "\n# Passes: ")
		said, _, _ = strings.Cut(said, "\n# Fails: ")
		p, err := policy.Load(name, data)
		if err != nil {
			t.Fatal(err)
		}
		all := verdicts(Judge(Input{Flags: Defaults(), Policy: p}))
		for _, check := range []string{"CIS 3.2.2", "Kubescape C-0161", "KICS 1828a670", "STIG V-242403"} {
			if v := all[check]; strings.Contains(said, check) != (v.Verdict == Pass) {
				t.Errorf("%s: %s: %s, %s: the head says that it passes %q", name, check, v.Verdict, v.Reason, said)
			}
		}
	}
	if compared == 0 {
		t.Skip("no head of a preset says which checkers it passes")
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		name  string
		flags map[string]string
		want  []string
	}{
		{"defaults", Defaults(), nil},
		{"nothing", nil, nil},
		{"the webhook alone", map[string]string{"audit-webhook-config-file": "/w", ageFlag: "1"}, nil},
		{"unset is no setting", map[string]string{pathFlag: "/l"}, nil},
		{"two", map[string]string{pathFlag: "/l", ageFlag: "7", sizeFlag: "10"}, []string{
			"--audit-log-maxage=7 fails CIS 1.2.17, STIG V-242464, Kubescape C-0131, KICS da9f3aa8, checkov CKV_K8S_92: at least 30 is wanted",
			"--audit-log-maxsize=10 fails CIS 1.2.19, STIG V-242462, KICS 35c0a471, checkov CKV_K8S_94: at least 100 is wanted"}},
	} {
		got := Warnings(Input{Flags: c.flags, Version: policy.Version{Major: 1, Minor: 33}})
		if len(got) != len(c.want) {
			t.Errorf("%s: %d warnings: %v", c.name, len(got), got)
			continue
		}
		for i, w := range got {
			if w.Message != c.want[i] || len(w.Hint) == 0 {
				t.Errorf("%s: %q with hint %q, want %q", c.name, w.Message, w.Hint, c.want[i])
			}
		}
	}
}

// FuzzJudge wants what a hint says to be enough: with all flags set that hints of failed
// checks name, no check of a flag fails any more, and nothing that passed fails.
func FuzzJudge(f *testing.F) {
	f.Add("/l", "7", "10", "", 33)
	f.Add("-", "0x1e", "-1", "999999999999999999999", 0)
	f.Fuzz(func(t *testing.T, path, age, backup, size string, minor int) {
		flags := map[string]string{pathFlag: path, ageFlag: age, backupFlag: backup, sizeFlag: size, policyFlag: policyPath}
		in := Input{Flags: flags, Policy: load(t, covers), Version: policy.Version{Major: 1, Minor: minor}}
		before := verdicts(Judge(in))
		in.Flags = maps.Clone(flags)
		for _, v := range before {
			if v.Verdict == Fail && len(v.Hint) == 0 {
				t.Fatalf("%s fails without a hint", v.Name())
			}
			if v.Verdict == Fail {
				in.Flags[v.Flag] = Defaults()[v.Flag]
			}
			if n, err := strconv.Atoi(flags[ageFlag]); v.Name() == "STIG V-242464" && (v.Verdict == Pass) != (err == nil && n >= 30) {
				t.Fatalf("maxage %q: %s", flags[ageFlag], v.Verdict)
			}
		}
		if failed := Judge(in).Of(Fail); len(failed) > 0 {
			t.Fatalf("%q still fails with %q", failed[0].Name(), in.Flags)
		}
		for _, w := range Warnings(Input{Flags: flags, Version: policy.Version{Major: 1, Minor: minor}}) {
			if path == "" || flags[w.Flags[0]] == "" {
				t.Fatalf("a warning about what is not set: %q", w.Message)
			}
		}
	})
}

// TestAdd tells once of a flag that has two faults.
func TestAdd(t *testing.T) {
	others := []auditflags.Problem{{Flags: []string{ageFlag}, Message: "--audit-log-maxage=0: kept"}, {Flags: []string{ageFlag, sizeFlag}, Message: "both"}}
	got := Add(others, Input{Flags: map[string]string{pathFlag: "/l", ageFlag: "0", sizeFlag: "10"}, Version: policy.Version{Major: 1, Minor: 33}})
	if len(got) != 3 || !strings.HasPrefix(got[0].Message, "--audit-log-maxage=0: kept; it fails CIS 1.2.17, ") || got[0].Hint.String() != "--audit-log-maxage=30" || got[1].Message != "both" || !strings.HasPrefix(got[2].Message, "--audit-log-maxsize=10 fails") {
		t.Errorf("%+v", got)
	}
	if others[0].Message != "--audit-log-maxage=0: kept" {
		t.Error("what was given has changed")
	}
}
