package simnode

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// serverFlags are kube-apiserver's.
type serverFlags struct{ *pflag.FlagSet }

// parseFlags reads a command line with the flags that kubeadm sets, those for
// auditing with their types (k8s.io/apiserver/pkg/server/options/audit.go), and
// no others, less one that it is too old for.
func parseFlags(args []string, unknown string) (*serverFlags, error) {
	fs := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	fs.SetOutput(io.Discard)
	// k8s.io/component-base/cli/flag, WordSepNormalizeFunc
	fs.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		return pflag.NormalizedName(strings.ReplaceAll(name, "_", "-"))
	})
	for _, name := range []string{
		"advertise-address", "authorization-mode", "client-ca-file", "enable-admission-plugins", "encryption-provider-config", "etcd-cafile", "etcd-certfile",
		"etcd-keyfile", "etcd-servers", "kubelet-client-certificate", "kubelet-client-key", "kubelet-preferred-address-types",
		"proxy-client-cert-file", "proxy-client-key-file", "requestheader-allowed-names", "requestheader-client-ca-file",
		"requestheader-extra-headers-prefix", "requestheader-group-headers", "requestheader-username-headers", "service-account-issuer",
		"service-account-key-file", "service-account-signing-key-file", "service-cluster-ip-range", "tls-cert-file", "tls-private-key-file",
		"audit-log-path", "audit-policy-file", "audit-webhook-config-file", "endpoint-reconciler-type", "v",
	} {
		fs.String(name, "", "")
	}
	for name, value := range map[string]string{
		"bind-address": "0.0.0.0", "audit-log-format": "json", "audit-log-version": "audit.k8s.io/v1", "audit-log-mode": "blocking",
		"audit-webhook-mode": "batch", "audit-webhook-version": "audit.k8s.io/v1",
	} {
		fs.String(name, value, "")
	}
	fs.Int("secure-port", 6443, "")
	for name, value := range map[string]int{"audit-log-maxage": 366, "audit-log-maxbackup": 100, "audit-log-maxsize": 100} {
		fs.Int(name, value, "")
	}
	for _, backend := range []string{"audit-log-", "audit-webhook-"} {
		fs.Int(backend+"batch-buffer-size", 10000, "")
		fs.Int(backend+"batch-max-size", 400, "")
		fs.Duration(backend+"batch-max-wait", 0, "")
		fs.Bool(backend+"batch-throttle-enable", false, "")
		fs.Float32(backend+"batch-throttle-qps", 0, "")
		fs.Int(backend+"batch-throttle-burst", 0, "")
		fs.Bool(backend+"truncate-enabled", false, "")
		fs.Int64(backend+"truncate-max-batch-size", 10<<20, "")
		fs.Int64(backend+"truncate-max-event-size", 100<<10, "")
	}
	for _, name := range []string{"allow-privileged", "enable-bootstrap-token-auth", "audit-log-compress", "anonymous-auth"} {
		fs.Bool(name, true, "")
	}
	fs.Duration("audit-webhook-initial-backoff", 0, "")
	fs.Duration("shutdown-delay-duration", 0, "")
	for _, a := range args {
		if name, _, _ := strings.Cut(strings.TrimLeft(a, "-"), "="); unknown != "" && name == unknown {
			return nil, fmt.Errorf("unknown flag: --%s", name)
		}
	}
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	return &serverFlags{fs}, validateFlags(&serverFlags{fs})
}

// text is a flag's value.
func (f *serverFlags) text(name string) string { return f.Lookup(name).Value.String() }

func (f *serverFlags) number(name string) int {
	n, _ := f.GetInt(name)
	return n
}

// validateFlags is as much of AuditOptions.Validate as tests need.
func validateFlags(f *serverFlags) error {
	modes := []string{"batch", "blocking", "blocking-strict"}
	for backend, path := range map[string]string{"log": "audit-log-path", "webhook": "audit-webhook-config-file"} {
		mode := f.text("audit-" + backend + "-mode")
		if f.text(path) != "" && !slices.Contains(modes, mode) {
			return fmt.Errorf("invalid audit %s mode %s, allowed modes are %q", backend, mode, strings.Join(modes, ","))
		}
	}
	return nil
}

// mentions tells whether a command line holds a text.
func mentions(argv []string, text string) bool {
	return slices.ContainsFunc(argv, func(a string) bool { return strings.Contains(a, text) })
}
