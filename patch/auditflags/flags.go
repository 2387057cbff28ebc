package auditflags

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Type says how kube-apiserver reads a flag's value. The names are pflag's.
type Type string

const (
	TypeString   Type = "string"
	TypeBool     Type = "bool"
	TypeInt      Type = "int"
	TypeInt64    Type = "int64"
	TypeFloat32  Type = "float32"
	TypeDuration Type = "duration"
)

// Backend is the part of auditing that a flag belongs to.
type Backend int

const (
	BackendBoth    Backend = iota // the policy, which log and webhook share
	BackendLog                    // on when --audit-log-path is set
	BackendWebhook                // on when --audit-webhook-config-file is set
)

// Flag describes one audit flag of kube-apiserver.
type Flag struct {
	Name       string // without dashes in front: audit-log-maxage
	Type       Type
	Backend    Backend
	Meaning    string   // one line, with the unit and what 0 means
	Values     []string // the only values there are; nil when any will do
	Deprecated string   // the name of the flag that took its place
	Since      Version  // the first release that has it; zero: before 1.9
	Until      Version  // the first release without it; zero: still there
	defaults   []since  // ascending; the first entry has no release
}

// since is a value that holds from a release on.
type since struct {
	from  Version
	value string
}

const (
	modeBatch          = "batch"
	modeBlocking       = "blocking"
	modeBlockingStrict = "blocking-strict"
	formatJSON         = "json"
	formatLegacy       = "legacy"
	auditV1            = "audit.k8s.io/v1"
)

var (
	modes   = []string{modeBatch, modeBlocking, modeBlockingStrict}
	formats = []string{formatLegacy, formatJSON}
)

func always(value string) []since { return []since{{value: value}} }

// The releases were read in k8s.io/apiserver pkg/server/options/audit.go as of
// 1.8 to 1.13, 1.17 to 1.20, 1.23, 1.24 and 1.29 to 1.37; upstream holds the table
// against the code of 1.30, 1.35 and 1.37.
var flagTable = []Flag{
	{Name: "audit-policy-file", Type: TypeString, Backend: BackendBoth, defaults: always(""),
		Meaning: "file with the audit policy; without it nothing is recorded"},

	{Name: "audit-log-path", Type: TypeString, Backend: BackendLog, defaults: always(""),
		Meaning: "file that events are appended to, one line each; - is standard output; empty turns the log off"},
	{Name: "audit-log-maxage", Type: TypeInt, Backend: BackendLog, defaults: []since{{value: "0"}, {Version{1, 36}, "366"}},
		Meaning: "days that rotated files are kept; 0 keeps them whatever their age"},
	{Name: "audit-log-maxbackup", Type: TypeInt, Backend: BackendLog, defaults: []since{{value: "0"}, {Version{1, 36}, "100"}},
		Meaning: "number of rotated files that are kept; 0 keeps them all"},
	{Name: "audit-log-maxsize", Type: TypeInt, Backend: BackendLog, defaults: []since{{value: "0"}, {Version{1, 36}, "100"}},
		Meaning: "size in MB at which the file is rotated; 0 never rotates from 1.36 on, and means 100 before"},
	{Name: "audit-log-compress", Type: TypeBool, Backend: BackendLog, Since: Version{1, 20}, defaults: always("false"),
		Meaning: "whether rotated files are compressed with gzip"},
	{Name: "audit-log-format", Type: TypeString, Backend: BackendLog, Values: formats, defaults: always(formatJSON),
		Meaning: "json writes complete events, legacy one short line of text for each"},
	versionFlag("log"),
	modeFlag("log", modeBlocking, Version{1, 10}),
	batchFlag("log", "buffer-size", TypeInt, always("10000")),
	batchFlag("log", "max-size", TypeInt, []since{{value: "400"}, {Version{1, 12}, "1"}}),
	batchFlag("log", "max-wait", TypeDuration, []since{{value: "30s"}, {Version{1, 12}, "0s"}}),
	batchFlag("log", "throttle-enable", TypeBool, always("false")),
	batchFlag("log", "throttle-qps", TypeFloat32, []since{{value: "10"}, {Version{1, 12}, "0"}}),
	batchFlag("log", "throttle-burst", TypeInt, []since{{value: "15"}, {Version{1, 12}, "0"}}),
	truncateFlag("log", "enabled", TypeBool, "false"),
	truncateFlag("log", "max-batch-size", TypeInt64, "10485760"),
	truncateFlag("log", "max-event-size", TypeInt64, "102400"),

	{Name: "audit-webhook-config-file", Type: TypeString, Backend: BackendWebhook, defaults: always(""),
		Meaning: "kubeconfig that says where events are posted; empty turns the webhook off"},
	{Name: "audit-webhook-initial-backoff", Type: TypeDuration, Backend: BackendWebhook, Since: Version{1, 10}, defaults: always("10s"),
		Meaning: "pause before a failed post is retried; five attempts in all, each pause 1.5 times the last"},
	{Name: "audit-webhook-batch-initial-backoff", Type: TypeDuration, Backend: BackendWebhook, Since: Version{1, 9}, defaults: always("10s"),
		Meaning: "earlier name of --audit-webhook-initial-backoff", Deprecated: "audit-webhook-initial-backoff"},
	versionFlag("webhook"),
	modeFlag("webhook", modeBatch, Version{}),
	batchFlag("webhook", "buffer-size", TypeInt, always("10000")),
	batchFlag("webhook", "max-size", TypeInt, always("400")),
	batchFlag("webhook", "max-wait", TypeDuration, always("30s")),
	batchFlag("webhook", "throttle-enable", TypeBool, always("true")),
	batchFlag("webhook", "throttle-qps", TypeFloat32, always("10")),
	batchFlag("webhook", "throttle-burst", TypeInt, always("15")),
	truncateFlag("webhook", "enabled", TypeBool, "false"),
	truncateFlag("webhook", "max-batch-size", TypeInt64, "10485760"),
	truncateFlag("webhook", "max-event-size", TypeInt64, "102400"),
}

// Removed are in no current kube-apiserver; old manifests still name them.
var Removed = []Flag{
	{Name: "audit-dynamic-configuration", Type: TypeBool, Backend: BackendBoth, defaults: always("false"),
		Since: Version{1, 13}, Until: Version{1, 19}, Meaning: "read webhooks from AuditSink objects"},
}

func backendOf(plugin string) Backend {
	if plugin == "log" {
		return BackendLog
	}
	return BackendWebhook
}

func versionFlag(plugin string) Flag {
	return Flag{Name: "audit-" + plugin + "-version", Type: TypeString, Backend: backendOf(plugin),
		Since: Version{1, 11}, Values: []string{auditV1},
		defaults: []since{{value: "audit.k8s.io/v1beta1"}, {Version{1, 13}, auditV1}},
		Meaning:  "API version that events are written in"}
}

func modeFlag(plugin, normal string, from Version) Flag {
	return Flag{Name: "audit-" + plugin + "-mode", Type: TypeString, Backend: backendOf(plugin),
		Since: from, Values: modes, defaults: always(normal),
		Meaning: "batch sends events in the background and drops them when the buffer is full, blocking makes requests wait, blocking-strict also makes them fail"}
}

var batchMeanings = map[string]string{
	"buffer-size":     "number of events that can wait to be batched; further ones are dropped",
	"max-size":        "maximum number of events in a batch",
	"max-wait":        "maximum wait before a batch that is not full is sent",
	"throttle-enable": "whether batches are throttled",
	"throttle-qps":    "average number of batches per second, when throttling is on",
	"throttle-burst":  "number of batches that may be sent in a burst, when throttling is on",
}

func batchFlag(plugin, what string, t Type, defaults []since) Flag {
	from := Version{1, 10}
	if plugin == "webhook" && what != "throttle-enable" {
		from = Version{1, 9}
	}
	return Flag{Name: "audit-" + plugin + "-batch-" + what, Type: t, Backend: backendOf(plugin),
		Since: from, defaults: defaults, Meaning: batchMeanings[what] + "; only in batch mode"}
}

var truncateMeanings = map[string]string{
	"enabled":        "whether events that are too large are truncated",
	"max-batch-size": "maximum size of a batch in bytes; a larger one is split",
	"max-event-size": "maximum size of an event in bytes; a larger one loses its request and response, and is dropped if it is still too large",
}

func truncateFlag(plugin, what string, t Type, normal string) Flag {
	return Flag{Name: "audit-" + plugin + "-truncate-" + what, Type: t, Backend: backendOf(plugin),
		Since: Version{1, 11}, defaults: always(normal), Meaning: truncateMeanings[what]}
}

// All returns the audit flags of today's kube-apiserver: the policy first, then the
// log's, then the webhook's.
func All() []Flag { return slices.Clone(flagTable) }

// Lookup finds a flag of today's kube-apiserver by its name without dashes
// in front. As kube-apiserver does, it takes _ for -.
func Lookup(name string) (Flag, bool) {
	return findFlag(flagTable, strings.ReplaceAll(name, "_", "-"))
}

func findFlag(table []Flag, name string) (Flag, bool) {
	i := slices.IndexFunc(table, func(f Flag) bool { return f.Name == name })
	if i < 0 {
		return Flag{}, false
	}
	return table[i], true
}

// DefaultAt returns what an unset flag means to a release. An unknown release is taken
// as 1.35: its rotation defaults (0, keep for ever) are the ones that can fill a disk.
func (f Flag) DefaultAt(v Version) string {
	if v == (Version{}) {
		v = Version{1, 35}
	}
	value := ""
	for _, d := range f.defaults {
		if d.from == (Version{}) || v.AtLeast(d.from) {
			value = d.value
		}
	}
	return value
}

// Parse reads a value as kube-apiserver's flag parser does, and returns it the
// way that parser would print it. The set of Values is CheckFlags' business:
// kube-apiserver looks at it only for a backend that is on.
func (f Flag) Parse(value string) (canonical string, err error) {
	switch f.Type {
	case TypeBool:
		var b bool
		b, err = strconv.ParseBool(value)
		canonical = strconv.FormatBool(b)
	case TypeInt, TypeInt64:
		var i int64
		i, err = strconv.ParseInt(value, 0, 64)
		canonical = strconv.FormatInt(i, 10)
	case TypeFloat32:
		var x float64
		x, err = strconv.ParseFloat(value, 32)
		canonical = strconv.FormatFloat(x, 'g', -1, 32)
	case TypeDuration:
		var d time.Duration
		d, err = time.ParseDuration(value)
		canonical = d.String()
	default:
		canonical = value
	}
	if err != nil {
		return "", fmt.Errorf("--%s %q: %s", f.Name, value, f.misread(err))
	}
	return canonical, nil
}

func (f Flag) misread(err error) string {
	if errors.Is(err, strconv.ErrRange) {
		return "out of range"
	}
	switch f.Type {
	case TypeBool:
		return "neither true nor false"
	case TypeFloat32:
		return "not a number"
	case TypeDuration:
		return "not a duration such as 30s or 1m30s"
	default:
		return "not a whole number"
	}
}
