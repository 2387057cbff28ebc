package auditflags

import (
	"fmt"
	"strings"
	"testing"
)

// name, type, default in 1.11, 1.35 and 1.36, first release ("-": before 1.9).
// upstream holds the last two defaults against the code of kube-apiserver.
const flagRows = `
audit-policy-file                    string    ""                     ""               ""               -
audit-log-path                       string    ""                     ""               ""               -
audit-log-maxage                     int       0                      0                366              -
audit-log-maxbackup                  int       0                      0                100              -
audit-log-maxsize                    int       0                      0                100              -
audit-log-compress                   bool      false                  false            false            1.20
audit-log-format                     string    json                   json             json             -
audit-log-version                    string    audit.k8s.io/v1beta1   audit.k8s.io/v1  audit.k8s.io/v1  1.11
audit-log-mode                       string    blocking               blocking         blocking         1.10
audit-log-batch-buffer-size          int       10000                  10000            10000            1.10
audit-log-batch-max-size             int       400                    1                1                1.10
audit-log-batch-max-wait             duration  30s                    0s               0s               1.10
audit-log-batch-throttle-enable      bool      false                  false            false            1.10
audit-log-batch-throttle-qps         float32   10                     0                0                1.10
audit-log-batch-throttle-burst       int       15                     0                0                1.10
audit-log-truncate-enabled           bool      false                  false            false            1.11
audit-log-truncate-max-batch-size    int64     10485760               10485760         10485760         1.11
audit-log-truncate-max-event-size    int64     102400                 102400           102400           1.11
audit-webhook-config-file            string    ""                     ""               ""               -
audit-webhook-initial-backoff        duration  10s                    10s              10s              1.10
audit-webhook-batch-initial-backoff  duration  10s                    10s              10s              1.9
audit-webhook-version                string    audit.k8s.io/v1beta1   audit.k8s.io/v1  audit.k8s.io/v1  1.11
audit-webhook-mode                   string    batch                  batch            batch            -
audit-webhook-batch-buffer-size      int       10000                  10000            10000            1.9
audit-webhook-batch-max-size         int       400                    400              400              1.9
audit-webhook-batch-max-wait         duration  30s                    30s              30s              1.9
audit-webhook-batch-throttle-enable  bool      true                   true             true             1.10
audit-webhook-batch-throttle-qps     float32   10                     10               10               1.9
audit-webhook-batch-throttle-burst   int       15                     15               15               1.9
audit-webhook-truncate-enabled       bool      false                  false            false            1.11
audit-webhook-truncate-max-batch-size int64    10485760               10485760         10485760         1.11
audit-webhook-truncate-max-event-size int64    102400                 102400           102400           1.11
`

func TestFlags(t *testing.T) {
	rows := strings.Split(strings.TrimSpace(flagRows), "\n")
	flags := All()
	if len(flags) != len(rows) || len(rows) != 32 {
		t.Fatalf("%d flags, %d rows, want 32", len(flags), len(rows))
	}
	for i, f := range flags {
		got := []string{f.Name, string(f.Type)}
		for _, v := range []Version{{1, 11}, {1, 35}, {1, 36}} {
			if f.DefaultAt(v) == "" {
				got = append(got, `""`)
			} else {
				got = append(got, f.DefaultAt(v))
			}
		}
		if f.Since == (Version{}) {
			got = append(got, "-")
		} else {
			got = append(got, f.Since.String())
		}
		if want := strings.Join(strings.Fields(rows[i]), " "); strings.Join(got, " ") != want {
			t.Errorf("row %d: %s\nwant   %s", i+1, strings.Join(got, " "), want)
		}
	}
}

func TestFlagWords(t *testing.T) {
	for _, f := range All() {
		if f.Meaning == "" || strings.ContainsAny(f.Meaning, "\n") || strings.HasSuffix(f.Meaning, ".") {
			t.Errorf("--%s: meaning %q", f.Name, f.Meaning)
		}
		backend := map[bool]Backend{strings.HasPrefix(f.Name, "audit-log-"): BackendLog, strings.HasPrefix(f.Name, "audit-webhook-"): BackendWebhook}[true]
		if f.Backend != backend || f.Until != (Version{}) {
			t.Errorf("--%s: backend %v, until %v", f.Name, f.Backend, f.Until)
		}
		if f.DefaultAt(Version{}) != f.DefaultAt(Version{1, 35}) {
			t.Errorf("--%s: an unknown release must be taken as 1.35", f.Name)
		}
		if value := f.DefaultAt(Version{1, 36}); value != "" {
			if canonical, err := f.Parse(value); canonical != value || err != nil {
				t.Errorf("--%s: default %q parses to %q, %v", f.Name, value, canonical, err)
			}
		}
		if _, ok := Lookup(f.Deprecated); f.Deprecated != "" && !ok {
			t.Errorf("--%s: takes the place of an unknown flag %q", f.Name, f.Deprecated)
		}
	}
}

func TestLookupFlag(t *testing.T) {
	for name, want := range map[string]string{
		"audit-log-path":              "audit-log-path",
		"audit_log_path":              "audit-log-path",
		"audit-log_path":              "audit-log-path",
		"Audit-Log-Path":              "",
		"--audit-log-path":            "",
		"audit-dynamic-configuration": "",
		"":                            "",
	} {
		if f, ok := Lookup(name); f.Name != want || ok != (want != "") {
			t.Errorf("%q: %q, %v", name, f.Name, ok)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ flag, value, want, err string }{
		{"audit-log-path", " any text ", " any text ", ""},
		{"audit-log-maxage", "30", "30", ""},
		{"audit-log-maxage", "0x1e", "30", ""},
		{"audit-log-maxage", "036", "30", ""},
		{"audit-log-maxage", "3_0", "30", ""},
		{"audit-log-maxage", "-30", "-30", ""},
		{"audit-log-maxage", "ten", "", `--audit-log-maxage "ten": not a whole number`},
		{"audit-log-maxage", "", "", `--audit-log-maxage "": not a whole number`},
		{"audit-log-maxage", "30d", "", `--audit-log-maxage "30d": not a whole number`},
		{"audit-log-maxage", "30 ", "", `--audit-log-maxage "30 ": not a whole number`},
		{"audit-log-maxage", "9223372036854775808", "", `--audit-log-maxage "9223372036854775808": out of range`},
		{"audit-log-truncate-max-event-size", "1e6", "", `--audit-log-truncate-max-event-size "1e6": not a whole number`},
		{"audit-log-compress", "T", "true", ""},
		{"audit-log-compress", "0", "false", ""},
		{"audit-log-compress", "yes", "", `--audit-log-compress "yes": neither true nor false`},
		{"audit-log-batch-throttle-qps", "0.5", "0.5", ""},
		{"audit-log-batch-throttle-qps", "1e2", "100", ""},
		{"audit-log-batch-throttle-qps", "fast", "", `--audit-log-batch-throttle-qps "fast": not a number`},
		{"audit-log-batch-throttle-qps", "1e39", "", `--audit-log-batch-throttle-qps "1e39": out of range`},
		{"audit-webhook-batch-max-wait", "90s", "1m30s", ""},
		{"audit-webhook-batch-max-wait", "0", "0s", ""},
		{"audit-webhook-batch-max-wait", "30", "", `--audit-webhook-batch-max-wait "30": not a duration such as 30s or 1m30s`},
		{"audit-webhook-mode", "Batch", "Batch", ""},
	} {
		f, _ := Lookup(c.flag)
		got, err := f.Parse(c.value)
		if got != c.want || err != nil && err.Error() != c.err || err == nil && c.err != "" {
			t.Errorf("--%s=%s: %q, %v; want %q, %s", c.flag, c.value, got, err, c.want, c.err)
		}
	}
}

// Every value that parses comes out in a form that parses to itself.
func TestParseCanonical(t *testing.T) {
	for _, f := range All() {
		for _, value := range []string{"0", "7", "0x7", "-1", "true", "F", "1.50", "NaN", "90s", "1h0m", "", "batch"} {
			once, err := f.Parse(value)
			if err != nil {
				continue
			}
			if twice, err := f.Parse(once); twice != once || err != nil {
				t.Errorf("--%s=%s: %q, then %q, %v", f.Name, value, once, twice, err)
			}
		}
	}
}

func ExampleFlag_Parse() {
	f, _ := Lookup("audit_log_maxage")
	_, err := f.Parse("ten")
	fmt.Println(f.DefaultAt(Version{1, 35}), f.DefaultAt(Version{1, 36}), err)
	// Output: 0 366 --audit-log-maxage "ten": not a whole number
}
