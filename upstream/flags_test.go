package upstream

import (
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"k8s.io/apiserver/pkg/server"
	"k8s.io/apiserver/pkg/server/options"

	"auditpatch/patch/auditflags"
)

// release tells the newest from those before 1.36, in which the audit flags are the same, by
// the one thing that changed; a test binary does not know the versions it was built from.
func release() auditflags.Version {
	if options.NewAuditOptions().LogOptions.MaxAge == 0 {
		return auditflags.Version{Major: 1, Minor: 35}
	}
	return auditflags.Version{Major: 1, Minor: 37}
}

func flagSet(o *options.AuditOptions) *pflag.FlagSet {
	fs := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	o.AddFlags(fs)
	return fs
}

func TestFlagTable(t *testing.T) {
	v := release()
	left := map[string]bool{}
	for _, f := range auditflags.All() {
		left[f.Name] = true
	}
	flagSet(options.NewAuditOptions()).VisitAll(func(f *pflag.Flag) {
		ours, ok := auditflags.Lookup(f.Name)
		if !ok {
			t.Errorf("--%s is not in our table", f.Name)
			return
		}
		delete(left, f.Name)
		theirs := fmt.Sprintln(f.Value.Type(), f.DefValue, f.Deprecated != "")
		if got := fmt.Sprintln(ours.Type, ours.DefaultAt(v), ours.Deprecated != ""); got != theirs {
			t.Errorf("--%s: type, default, deprecated are %s, want %s", f.Name, got, theirs)
		}
	})
	if len(left) > 0 {
		t.Errorf("kube-apiserver %s does not have %v", v, left)
	}
}

// Values are drawn from these, and from what is particular to a flag. Many are
// right at the edge of what the parser or a rule takes.
var (
	numbers = []string{"0", "1", "2", "10", "100", "399", "400", "401", "10000", "102399", "102400", "102401", "10485760",
		"-1", "0x10", "0b11", "0o17", "017", "08", "1_000", "1__0", "+5", " 5", "5 ", "", "ten", "1.5", "1e3", "9223372036854775807", "9223372036854775808", "-9223372036854775809"}
	pools = map[auditflags.Type][]string{
		auditflags.TypeString:   {"", "x", " "},
		auditflags.TypeBool:     {"true", "false", "1", "0", "t", "F", "TRUE", "True", "tRUE", "yes", "", "on", " true"},
		auditflags.TypeInt:      numbers,
		auditflags.TypeInt64:    numbers,
		auditflags.TypeFloat32:  {"0", "10", "0.5", "-0.1", "-0", "1e-50", "1e39", "3.4e38", "NaN", "Inf", "-Inf", "infinity", "0x1p-2", "1_0", "", "ten", "10qps", ".5"},
		auditflags.TypeDuration: {"0", "0s", "30s", "1m30s", "-1s", "1h", "1", "30", "", "s", "1.5h", "100ms", "1d", "2540400h", "2562048h", "+3s", "1s ", "µs", "3µs"},
	}
	special = map[string][]string{
		"path":        {"", "/var/log/audit.log", "-", "audit.log", "/dev/stdout", "/var/log/"},
		"config-file": {"", "/etc/kubernetes/webhook.yaml", "webhook.yaml"},
		"policy-file": {"", "/etc/kubernetes/audit-policy.yaml", "policy.yaml"},
		"mode":        {"batch", "blocking", "blocking-strict", "Batch", "BLOCKING", "strict", "", "batch ", "blocking,batch"},
		"format":      {"json", "legacy", "JSON", "xml", "", "json,legacy"},
		"version":     {"audit.k8s.io/v1", "audit.k8s.io/v1beta1", "audit.k8s.io/v1alpha1", "v1", "/", "//", "a/b/c", "", "audit.k8s.io/", "/v1", "AUDIT.k8s.io/v1"},
	}
	strangers = []string{"audit-dynamic-configuration", "audit-log-max-age", "audit-log", "audit-log-batch", "audit-webhook-path"}
)

func values(f auditflags.Flag) []string {
	for suffix, pool := range special {
		if strings.HasSuffix(f.Name, "-"+suffix) {
			return pool
		}
	}
	return pools[f.Type]
}

// combination picks a few flags. Nearly always a backend is on, since nothing is
// checked otherwise; seldom are there many faults, so that each rule gets to decide alone.
func combination(r *rand.Rand) map[string]string {
	set := map[string]string{}
	if r.IntN(10) > 0 {
		set["audit-log-path"] = "/var/log/audit.log"
	}
	if r.IntN(2) > 0 {
		set["audit-webhook-config-file"] = "/etc/kubernetes/webhook.yaml"
	}
	if r.IntN(2) > 0 {
		set["audit-log-mode"] = "batch"
	}
	flags := auditflags.All()
	for range r.IntN(5) {
		f := flags[r.IntN(len(flags))]
		pool := values(f)
		set[f.Name] = pool[r.IntN(len(pool))]
		if r.IntN(2) > 0 {
			set[f.Name] = f.DefaultAt(auditflags.Version{})
		}
	}
	if r.IntN(50) == 0 {
		set[strangers[r.IntN(len(strangers))]] = "true"
	}
	return set
}

func arguments(set map[string]string) []string {
	var args []string
	for name, value := range set {
		args = append(args, "--"+name+"="+value)
	}
	slices.Sort(args)
	return args
}

// start does what kube-apiserver does with audit flags before it opens any file.
func start(set map[string]string) error {
	o := options.NewAuditOptions()
	if err := flagSet(o).Parse(arguments(set)); err != nil {
		return err
	}
	if errs := o.Validate(); len(errs) > 0 {
		return errs[0]
	}
	o.PolicyFile, o.LogOptions.Path = "", ""
	return o.ApplyTo(&server.Config{})
}

var digits = regexp.MustCompile(`"[^"]*"|[0-9]+`)

// TestCheckFlags: a problem marked Upstream is found exactly when the code of
// kube-apiserver refuses.
func TestCheckFlags(t *testing.T) {
	const rounds = 40_000
	v := release()
	r := rand.New(rand.NewPCG(1, 36))
	refused, kinds := 0, map[string]int{}
	for i := range rounds {
		set := combination(r)
		errs, _ := auditflags.Check(set, v)
		theirs := start(set)
		if theirs != nil {
			refused++
		}
		ours := slices.ContainsFunc(errs, func(p auditflags.Problem) bool { return p.Upstream })
		if ours != (theirs != nil) {
			t.Fatalf("round %d: %q\nkube-apiserver: %v\nours: %+v", i, arguments(set), theirs, errs)
		}
		for _, p := range errs {
			kinds[fmt.Sprint(p.Upstream, " ", digits.ReplaceAllString(p.Message, "*"))]++
		}
	}
	t.Logf("%d combinations, %d refused by kube-apiserver %s, %d kinds of problems of ours", rounds, refused, v, len(kinds))
	if refused < rounds/10 || refused > rounds*9/10 {
		t.Errorf("%d of %d refused: the combinations are too much alike", refused, rounds)
	}
}

// TestEachValue tries every value of every flag alone, with both backends on.
func TestEachValue(t *testing.T) {
	v := release()
	tried := 0
	for _, f := range auditflags.All() {
		for _, value := range values(f) {
			for _, mode := range []string{"batch", "blocking"} {
				set := map[string]string{"audit-log-path": "/a", "audit-webhook-config-file": "/b",
					"audit-log-mode": mode, "audit-webhook-mode": mode,
					"audit-log-batch-throttle-enable": "true", "audit-log-batch-throttle-qps": "1", "audit-log-batch-throttle-burst": "1"}
				set[f.Name] = value
				errs, _ := auditflags.Check(set, v)
				ours := slices.ContainsFunc(errs, func(p auditflags.Problem) bool { return p.Upstream })
				if theirs := start(set); ours != (theirs != nil) {
					t.Errorf("%q\nkube-apiserver: %v\nours: %+v", arguments(set), theirs, errs)
				}
				tried++
			}
		}
	}
	t.Logf("%d combinations", tried)
}

// TestCanonical: Parse prints a value as kube-apiserver's parser keeps it.
func TestCanonical(t *testing.T) {
	for _, f := range auditflags.All() {
		for _, value := range values(f) {
			theirs := flagSet(options.NewAuditOptions()).Lookup(f.Name).Value
			err := theirs.Set(value)
			got, ours := f.Parse(value)
			if (err == nil) != (ours == nil) || err == nil && got != theirs.String() {
				t.Errorf("--%s=%q: %q, %v; kube-apiserver: %q, %v", f.Name, value, got, ours, theirs, err)
			}
		}
	}
}
