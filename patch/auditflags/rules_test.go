package auditflags_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/internal/standin/problems"
	"auditpatch/patch/auditflags"
)

type Version = auditflags.Version

// Each case is flags on top of a log that gives nothing to complain about, unless
// the flags begin with "only". A finding is written as
//
//	refuse|fail|warn flag,flag: message => hint
//
// refuse is what kube-apiserver refuses as well (Upstream).
var ruleCases = []struct {
	name     string
	version  Version
	set      string
	findings string
}{
	{"sound", Version{1, 36}, "", ""},
	{"sound webhook", Version{1, 36}, "hook ", ""},
	{"log and webhook", Version{1, 36}, "hook audit-log-compress=true", ""},
	{"nothing", Version{1, 36}, "only ", ""},
	{"nothing but other flags", Version{1, 36}, "only secure-port=6443 profiling=false", ""},

	{"policy alone", Version{1, 36}, "only audit-policy-file=/etc/kubernetes/audit-policy.yaml", `
warn audit-policy-file: --audit-policy-file without --audit-log-path or --audit-webhook-config-file: nothing is logged => --audit-log-path=/var/log/kubernetes/audit/audit.log
`},
	{"log alone", Version{1, 36}, "only audit-log-path=/var/log/audit/audit.log audit-log-maxage=30 audit-log-maxbackup=10 audit-log-maxsize=100", `
warn audit-log-path: --audit-log-path without --audit-policy-file: the log stays empty => --audit-policy-file=/etc/kubernetes/audit-policy.yaml
`},
	{"webhook alone", Version{1, 36}, "only audit-webhook-config-file=/etc/kubernetes/w.yaml audit-webhook-truncate-enabled=true", `
warn audit-webhook-config-file: --audit-webhook-config-file without --audit-policy-file: nothing is sent => --audit-policy-file=/etc/kubernetes/audit-policy.yaml
`},
	{"both without policy", Version{1, 36}, "audit-policy-file= hook ", `
warn audit-log-path: --audit-log-path without --audit-policy-file: the log stays empty => --audit-policy-file=/etc/kubernetes/audit-policy.yaml
warn audit-webhook-config-file: --audit-webhook-config-file without --audit-policy-file: nothing is sent => --audit-policy-file=/etc/kubernetes/audit-policy.yaml
`},
	{"flags of a log that is off", Version{1, 36}, "only audit-log-maxage=30 audit-log-maxsize=-1 audit-log-mode=nonsense audit-log-format=json", `
warn audit-log-maxage,audit-log-maxsize,audit-log-mode: --audit-log-maxage, --audit-log-maxsize, --audit-log-mode have no effect without --audit-log-path
`},
	{"flags of a webhook that is off", Version{1, 36}, "audit-webhook-mode=blocking", `
warn audit-webhook-mode: --audit-webhook-mode has no effect without --audit-webhook-config-file
`},

	{"values that do not parse", Version{1, 36}, "audit-log-maxage=ten audit-log-maxbackup= audit-log-maxsize=100MB audit-log-compress=yes audit-log-truncate-max-batch-size=1e6", `
refuse audit-log-compress: --audit-log-compress "yes": neither true nor false => --audit-log-compress=false
refuse audit-log-maxage: --audit-log-maxage "ten": not a whole number => --audit-log-maxage=30
refuse audit-log-maxbackup: --audit-log-maxbackup "": not a whole number => --audit-log-maxbackup=10
refuse audit-log-maxsize: --audit-log-maxsize "100MB": not a whole number => --audit-log-maxsize=100
refuse audit-log-truncate-max-batch-size: --audit-log-truncate-max-batch-size "1e6": not a whole number => --audit-log-truncate-max-batch-size=10485760
`},
	{"values that do not parse, webhook off", Version{1, 36}, "audit-webhook-batch-throttle-qps=fast audit-webhook-batch-max-wait=30 audit-webhook-initial-backoff=10 audit-webhook-batch-initial-backoff=x", `
refuse audit-webhook-batch-initial-backoff: --audit-webhook-batch-initial-backoff "x": not a duration such as 30s or 1m30s => --audit-webhook-batch-initial-backoff=10s
refuse audit-webhook-batch-max-wait: --audit-webhook-batch-max-wait "30": not a duration such as 30s or 1m30s => --audit-webhook-batch-max-wait=30s
refuse audit-webhook-batch-throttle-qps: --audit-webhook-batch-throttle-qps "fast": not a number => --audit-webhook-batch-throttle-qps=10
refuse audit-webhook-initial-backoff: --audit-webhook-initial-backoff "10": not a duration such as 30s or 1m30s => --audit-webhook-initial-backoff=10s
`},
	{"more values that do not parse", Version{1, 36}, "audit-log-batch-max-wait=1 audit-log-batch-throttle-qps=x audit-log-batch-throttle-burst=x audit-log-batch-throttle-enable=x audit-log-truncate-enabled=x audit-log-truncate-max-event-size=x audit-log-batch-buffer-size=x audit-log-batch-max-size=x", `
refuse audit-log-batch-buffer-size: --audit-log-batch-buffer-size "x": not a whole number => --audit-log-batch-buffer-size=10000
refuse audit-log-batch-max-size: --audit-log-batch-max-size "x": not a whole number => --audit-log-batch-max-size=1
refuse audit-log-batch-max-wait: --audit-log-batch-max-wait "1": not a duration such as 30s or 1m30s => --audit-log-batch-max-wait=1s
refuse audit-log-batch-throttle-burst: --audit-log-batch-throttle-burst "x": not a whole number => --audit-log-batch-throttle-burst=15
refuse audit-log-batch-throttle-enable: --audit-log-batch-throttle-enable "x": neither true nor false => --audit-log-batch-throttle-enable=false
refuse audit-log-batch-throttle-qps: --audit-log-batch-throttle-qps "x": not a number => --audit-log-batch-throttle-qps=10
refuse audit-log-truncate-enabled: --audit-log-truncate-enabled "x": neither true nor false => --audit-log-truncate-enabled=false
refuse audit-log-truncate-max-event-size: --audit-log-truncate-max-event-size "x": not a whole number => --audit-log-truncate-max-event-size=102400
`},
	{"yet more values that do not parse", Version{1, 36}, "audit-webhook-batch-throttle-burst=x audit-webhook-batch-throttle-enable=x audit-webhook-truncate-enabled=x audit-webhook-truncate-max-event-size=x audit-webhook-truncate-max-batch-size=x audit-webhook-batch-buffer-size=x audit-webhook-batch-max-size=x", `
refuse audit-webhook-batch-buffer-size: --audit-webhook-batch-buffer-size "x": not a whole number => --audit-webhook-batch-buffer-size=10000
refuse audit-webhook-batch-max-size: --audit-webhook-batch-max-size "x": not a whole number => --audit-webhook-batch-max-size=400
refuse audit-webhook-batch-throttle-burst: --audit-webhook-batch-throttle-burst "x": not a whole number => --audit-webhook-batch-throttle-burst=15
refuse audit-webhook-batch-throttle-enable: --audit-webhook-batch-throttle-enable "x": neither true nor false => --audit-webhook-batch-throttle-enable=true
refuse audit-webhook-truncate-enabled: --audit-webhook-truncate-enabled "x": neither true nor false => --audit-webhook-truncate-enabled=false
refuse audit-webhook-truncate-max-batch-size: --audit-webhook-truncate-max-batch-size "x": not a whole number => --audit-webhook-truncate-max-batch-size=10485760
refuse audit-webhook-truncate-max-event-size: --audit-webhook-truncate-max-event-size "x": not a whole number => --audit-webhook-truncate-max-event-size=102400
`},
	{"unknown flags", Version{1, 36}, "audit-log-max-age=30 audit_log_file=/a", `
refuse audit-log-max-age: --audit-log-max-age: not an audit flag of kube-apiserver => --audit-log-maxage=30
refuse audit-log-file: --audit-log-file: not an audit flag of kube-apiserver
`},
	{"underscores", Version{1, 36}, "only audit_policy_file=/etc/kubernetes/audit-policy.yaml audit_log_path=audit.log audit-log-path=/var/log/audit/audit.log audit-log_maxage=30 audit-log-maxbackup=10 audit-log-maxsize=100", ""},
	{"compress before 1.20", Version{1, 19}, "audit-log-compress=true", `
refuse audit-log-compress: --audit-log-compress: added in kube-apiserver 1.20, this one is 1.19
`},
	{"compress in 1.20", Version{1, 20}, "audit-log-compress=true", ""},
	{"modes before 1.10", Version{1, 9}, "audit-log-mode=blocking", `
refuse audit-log-mode: --audit-log-mode: added in kube-apiserver 1.10, this one is 1.9
`},
	{"truncation before 1.11", Version{1, 10}, "audit-log-truncate-enabled=true audit-log-version=audit.k8s.io/v1beta1", `
refuse audit-log-truncate-enabled: --audit-log-truncate-enabled: added in kube-apiserver 1.11, this one is 1.10
refuse audit-log-version: --audit-log-version: added in kube-apiserver 1.11, this one is 1.10
`},
	{"dynamic configuration in 1.12", Version{1, 12}, "audit-dynamic-configuration=true", `
refuse audit-dynamic-configuration: --audit-dynamic-configuration: added in kube-apiserver 1.13, this one is 1.12
`},
	{"dynamic configuration in 1.18", Version{1, 18}, "audit-dynamic-configuration=true", `
warn audit-dynamic-configuration: --audit-dynamic-configuration: removed in kube-apiserver 1.19
`},
	{"dynamic configuration in 1.19", Version{1, 19}, "audit-dynamic-configuration=true", `
refuse audit-dynamic-configuration: --audit-dynamic-configuration: removed in kube-apiserver 1.19, this one is 1.19
`},
	{"unknown version", Version{}, "audit-dynamic-configuration=true audit-log-compress=true", `
warn audit-dynamic-configuration: --audit-dynamic-configuration: removed in kube-apiserver 1.19
`},

	{"relative paths", Version{1, 36}, "hook audit-policy-file=policy.yaml audit-log-path=logs/audit.log audit-webhook-config-file=./webhook.yaml", `
fail audit-policy-file: --audit-policy-file "policy.yaml": not an absolute path => --audit-policy-file=/etc/kubernetes/policy.yaml
fail audit-log-path: --audit-log-path "logs/audit.log": not an absolute path => --audit-log-path=/var/log/kubernetes/audit/audit.log
fail audit-webhook-config-file: --audit-webhook-config-file "./webhook.yaml": not an absolute path => --audit-webhook-config-file=/etc/kubernetes/webhook.yaml
`},
	{"relative path without a name", Version{1, 36}, "audit-policy-file=.. audit-log-path=.", `
fail audit-policy-file: --audit-policy-file "..": not an absolute path
fail audit-log-path: --audit-log-path ".": not an absolute path
`},
	{"path with a space in front", Version{1, 36}, "audit-log-path=~/var/log/audit.log", `
fail audit-log-path: --audit-log-path " /var/log/audit.log": not an absolute path => --audit-log-path=/var/log/kubernetes/audit/audit.log
`},
	{"standard output as a device", Version{1, 36}, "audit-log-path=/dev/stdout", `
fail audit-log-path: --audit-log-path "/dev/stdout": rotation renames the file, and a device cannot be renamed => --audit-log-path=-
`},
	{"standard output in proc", Version{1, 36}, "audit-log-path=/proc/self/fd/1", `
fail audit-log-path: --audit-log-path "/proc/self/fd/1": rotation renames the file, and a device cannot be renamed => --audit-log-path=-
`},
	{"device in disguise", Version{1, 36}, "audit-log-path=/var/../dev/stderr", `
fail audit-log-path: --audit-log-path "/var/../dev/stderr": rotation renames the file, and a device cannot be renamed => --audit-log-path=-
`},
	{"standard output", Version{1, 36}, "audit-log-path=- audit-log-compress=true", `
warn audit-log-path,audit-log-maxage,audit-log-maxbackup,audit-log-maxsize,audit-log-compress: --audit-log-path "-": events are mixed into the container's own log, and the kubelet rotates it; maxage, maxbackup, maxsize and compress have no effect => --audit-log-path=/var/log/kubernetes/audit/audit.log
`},
	{"standard output alone", Version{1, 36}, "only audit-policy-file=/etc/kubernetes/audit-policy.yaml audit-log-path=-", `
warn audit-log-path: --audit-log-path "-": events are mixed into the container's own log, and the kubelet rotates it; maxage, maxbackup, maxsize and compress have no effect => --audit-log-path=/var/log/kubernetes/audit/audit.log
`},
	{"folder", Version{1, 36}, "audit-log-path=/var/log/audit/", `
fail audit-log-path: --audit-log-path "/var/log/audit/": a folder, not a file
`},
	{"policy is a folder", Version{1, 36}, "audit-policy-file=/etc/kubernetes/", `
fail audit-policy-file: --audit-policy-file "/etc/kubernetes/": a folder, not a file
`},
	{"in the manifests folder", Version{1, 36}, "hook audit-policy-file=/etc/kubernetes/manifests/policy.yaml audit-log-path=/etc/kubernetes/manifests/audit.log audit-webhook-config-file=/etc/kubernetes/manifests/x/../w.yaml", `
fail audit-log-path: --audit-log-path "/etc/kubernetes/manifests/audit.log": the kubelet would read the log as a static pod => --audit-log-path=/var/log/kubernetes/audit/audit.log
warn audit-policy-file: --audit-policy-file "/etc/kubernetes/manifests/policy.yaml": the kubelet tries to read every file in /etc/kubernetes/manifests/ as a static pod => --audit-policy-file=/etc/kubernetes/policy.yaml
warn audit-webhook-config-file: --audit-webhook-config-file "/etc/kubernetes/manifests/x/../w.yaml": the kubelet tries to read every file in /etc/kubernetes/manifests/ as a static pod => --audit-webhook-config-file=/etc/kubernetes/w.yaml
`},
	{"log over policy", Version{1, 36}, "audit-policy-file=/etc/kubernetes/audit audit-log-path=/etc/kubernetes//audit", `
fail audit-log-path,audit-policy-file: --audit-log-path and --audit-policy-file are both "/etc/kubernetes//audit": events would be appended to it
`},
	{"log over webhook config", Version{1, 36}, "hook audit-webhook-config-file=/etc/kubernetes/audit audit-log-path=/etc/kubernetes/audit", `
fail audit-log-path,audit-webhook-config-file: --audit-log-path and --audit-webhook-config-file are both "/etc/kubernetes/audit": events would be appended to it
`},

	{"mode in capitals", Version{1, 36}, "hook audit-log-mode=Blocking audit-webhook-mode=BATCH", `
refuse audit-log-mode: --audit-log-mode "Blocking": must be in small letters => --audit-log-mode=blocking
refuse audit-webhook-mode: --audit-webhook-mode "BATCH": must be in small letters => --audit-webhook-mode=batch
`},
	{"mode unknown", Version{1, 36}, "hook audit-log-mode=strict audit-webhook-mode=", `
refuse audit-log-mode: --audit-log-mode "strict": not one of batch, blocking, blocking-strict => --audit-log-mode=blocking
refuse audit-webhook-mode: --audit-webhook-mode "": not one of batch, blocking, blocking-strict => --audit-webhook-mode=batch
`},
	{"strict before 1.13", Version{1, 12}, "audit-log-mode=blocking-strict", `
refuse audit-log-mode: --audit-log-mode "blocking-strict": not one of batch, blocking => --audit-log-mode=blocking
`},
	{"log strict", Version{1, 36}, "audit-log-mode=blocking-strict", `
warn audit-log-mode: --audit-log-mode "blocking-strict": with a full disk every audited request fails; where the policy covers /livez, kube-apiserver restarts over and over => --audit-log-mode=blocking
`},
	{"webhook blocking", Version{1, 36}, "hook audit-webhook-mode=blocking", `
warn audit-webhook-mode: --audit-webhook-mode "blocking": every request waits for the receiver; while it is down, each waits for five tries, 80 s and more => --audit-webhook-mode=batch
`},
	{"webhook strict", Version{1, 36}, "hook audit-webhook-mode=blocking-strict", `
warn audit-webhook-mode: --audit-webhook-mode "blocking-strict": every request waits for the receiver; while it is down, each waits for five tries, 80 s and more => --audit-webhook-mode=batch
`},
	{"log batch", Version{1, 36}, "audit-log-mode=batch", `
warn audit-log-mode: --audit-log-mode "batch": events are dropped when the buffer is full and lost when kube-apiserver dies, and writing is no faster => --audit-log-mode=blocking
`},
	{"batch flags in blocking mode", Version{1, 36}, "audit-log-batch-max-size=0 audit-log-batch-max-wait=5s audit-log-batch-buffer-size=10000", `
warn audit-log-batch-max-size,audit-log-batch-max-wait: --audit-log-batch-max-size, --audit-log-batch-max-wait have no effect in mode blocking
`},
	{"one batch flag in blocking mode", Version{1, 36}, "hook audit-webhook-mode=blocking audit-webhook-batch-throttle-burst=0", `
warn audit-webhook-batch-throttle-burst: --audit-webhook-batch-throttle-burst has no effect in mode blocking
warn audit-webhook-mode: --audit-webhook-mode "blocking": every request waits for the receiver; while it is down, each waits for five tries, 80 s and more => --audit-webhook-mode=batch
`},
	{"busy loop", Version{1, 36}, "audit-log-mode=batch audit-log-batch-max-size=400", `
fail audit-log-batch-max-wait,audit-log-batch-max-size: --audit-log-batch-max-wait, not set and so "0s": with batches of more than one event kube-apiserver never sleeps and burns most of a core => --audit-log-batch-max-wait=1s
warn audit-log-mode: --audit-log-mode "batch": events are dropped when the buffer is full and lost when kube-apiserver dies, and writing is no faster => --audit-log-mode=blocking
`},
	{"busy loop, negative wait", Version{1, 36}, "audit-log-mode=batch audit-log-batch-max-size=2 audit-log-batch-max-wait=-1s", `
fail audit-log-batch-max-wait,audit-log-batch-max-size: --audit-log-batch-max-wait "-1s": with batches of more than one event kube-apiserver never sleeps and burns most of a core => --audit-log-batch-max-wait=1s
warn audit-log-mode: --audit-log-mode "batch": events are dropped when the buffer is full and lost when kube-apiserver dies, and writing is no faster => --audit-log-mode=blocking
`},
	{"busy loop, webhook", Version{1, 36}, "hook audit-webhook-batch-max-wait=0", `
fail audit-webhook-batch-max-wait,audit-webhook-batch-max-size: --audit-webhook-batch-max-wait "0s": with batches of more than one event kube-apiserver never sleeps and burns most of a core => --audit-webhook-batch-max-wait=1s
`},
	{"no busy loop", Version{1, 36}, "audit-log-mode=batch audit-log-batch-max-size=400 audit-log-batch-max-wait=1s", `
warn audit-log-mode: --audit-log-mode "batch": events are dropped when the buffer is full and lost when kube-apiserver dies, and writing is no faster => --audit-log-mode=blocking
`},
	{"no busy loop in 1.11", Version{1, 11}, "only audit-policy-file=/a audit-log-path=/b/c audit-log-maxage=30 audit-log-maxbackup=10 audit-log-maxsize=100 audit-log-mode=batch", `
warn audit-log-mode: --audit-log-mode "batch": events are dropped when the buffer is full and lost when kube-apiserver dies, and writing is no faster => --audit-log-mode=blocking
`},
	{"negative wait, batches of one", Version{1, 36}, "audit-log-mode=batch audit-log-batch-max-wait=-1s", `
warn audit-log-batch-max-wait: --audit-log-batch-max-wait "-1s": a wait cannot be negative; it has no effect on batches of one => --audit-log-batch-max-wait=0s
warn audit-log-mode: --audit-log-mode "batch": events are dropped when the buffer is full and lost when kube-apiserver dies, and writing is no faster => --audit-log-mode=blocking
`},
	{"buffer and batch of nothing", Version{1, 36}, "hook audit-webhook-batch-buffer-size=0 audit-webhook-batch-max-size=-5", `
refuse audit-webhook-batch-buffer-size: --audit-webhook-batch-buffer-size "0": must be more than 0 => --audit-webhook-batch-buffer-size=10000
refuse audit-webhook-batch-max-size: --audit-webhook-batch-max-size "-5": must be more than 0 => --audit-webhook-batch-max-size=400
`},
	{"buffer smaller than a batch", Version{1, 36}, "hook audit-webhook-batch-buffer-size=399", `
warn audit-webhook-batch-buffer-size,audit-webhook-batch-max-size: --audit-webhook-batch-buffer-size "399": a burst larger than the buffer is dropped, though the batch has room for 400 => --audit-webhook-batch-buffer-size=4000
`},
	{"buffer as large as a batch", Version{1, 36}, "hook audit-webhook-batch-buffer-size=400", ""},
	{"huge buffer", Version{1, 36}, "hook audit-webhook-batch-buffer-size=1000001", `
warn audit-webhook-batch-buffer-size: --audit-webhook-batch-buffer-size "1000001": a backlog can take gigabytes of memory => --audit-webhook-batch-buffer-size=10000
`},
	{"log throttle alone", Version{1, 36}, "audit-log-mode=batch audit-log-batch-throttle-enable=true", `
refuse audit-log-batch-throttle-qps,audit-log-batch-throttle-enable: --audit-log-batch-throttle-qps, not set and so "0": must be more than 0 when throttling is on => --audit-log-batch-throttle-qps=10
refuse audit-log-batch-throttle-burst,audit-log-batch-throttle-enable: --audit-log-batch-throttle-burst, not set and so "0": must be more than 0 when throttling is on => --audit-log-batch-throttle-burst=15
warn audit-log-mode: --audit-log-mode "batch": events are dropped when the buffer is full and lost when kube-apiserver dies, and writing is no faster => --audit-log-mode=blocking
`},
	{"log throttle without burst", Version{1, 36}, "audit-log-mode=batch audit-log-batch-throttle-enable=true audit-log-batch-throttle-qps=5", `
refuse audit-log-batch-throttle-burst,audit-log-batch-throttle-enable: --audit-log-batch-throttle-burst, not set and so "0": must be more than 0 when throttling is on => --audit-log-batch-throttle-burst=15
warn audit-log-mode: --audit-log-mode "batch": events are dropped when the buffer is full and lost when kube-apiserver dies, and writing is no faster => --audit-log-mode=blocking
`},
	{"webhook throttle of nothing", Version{1, 36}, "hook audit-webhook-batch-throttle-qps=-0.5 audit-webhook-batch-throttle-burst=0", `
refuse audit-webhook-batch-throttle-qps,audit-webhook-batch-throttle-enable: --audit-webhook-batch-throttle-qps "-0.5": must be more than 0 when throttling is on => --audit-webhook-batch-throttle-qps=10
refuse audit-webhook-batch-throttle-burst,audit-webhook-batch-throttle-enable: --audit-webhook-batch-throttle-burst "0": must be more than 0 when throttling is on => --audit-webhook-batch-throttle-burst=15
`},
	{"webhook throttle off", Version{1, 36}, "hook audit-webhook-batch-throttle-enable=false audit-webhook-batch-throttle-qps=0", ""},
	{"rate without number", Version{1, 36}, "hook audit-webhook-batch-throttle-qps=NaN", `
fail audit-webhook-batch-throttle-qps: --audit-webhook-batch-throttle-qps "NaN": not a rate => --audit-webhook-batch-throttle-enable=false
`},
	{"rate without end", Version{1, 36}, "hook audit-webhook-batch-throttle-qps=+Inf", `
fail audit-webhook-batch-throttle-qps: --audit-webhook-batch-throttle-qps "+Inf": not a rate => --audit-webhook-batch-throttle-enable=false
`},

	{"truncation off, sizes wrong", Version{1, 36}, "audit-log-truncate-max-event-size=0", `
refuse audit-log-truncate-max-event-size: --audit-log-truncate-max-event-size "0": must be more than 0 => --audit-log-truncate-max-event-size=102400
warn audit-log-truncate-max-event-size: --audit-log-truncate-max-event-size has no effect without --audit-log-truncate-enabled
`},
	{"truncation off, batch less than event", Version{1, 36}, "audit-log-truncate-max-batch-size=102399", `
refuse audit-log-truncate-max-batch-size,audit-log-truncate-max-event-size: --audit-log-truncate-max-batch-size "102399": less than max-event-size (102400) => --audit-log-truncate-max-batch-size=102400
warn audit-log-truncate-max-batch-size: --audit-log-truncate-max-batch-size has no effect without --audit-log-truncate-enabled
`},
	{"truncation, batch as large as event", Version{1, 36}, "audit-log-truncate-enabled=true audit-log-truncate-max-batch-size=102400", ""},
	{"truncation off, sizes without effect", Version{1, 36}, "audit-log-truncate-max-batch-size=1048576 audit-log-truncate-max-event-size=1048576", `
warn audit-log-truncate-max-batch-size,audit-log-truncate-max-event-size: --audit-log-truncate-max-batch-size, --audit-log-truncate-max-event-size have no effect without --audit-log-truncate-enabled
`},
	{"webhook truncation, sizes wrong", Version{1, 36}, "hook audit-webhook-truncate-max-batch-size=10 audit-webhook-truncate-max-event-size=-1", `
refuse audit-webhook-truncate-max-event-size: --audit-webhook-truncate-max-event-size "-1": must be more than 0 => --audit-webhook-truncate-max-event-size=102400
`},
	{"webhook truncation off", Version{1, 36}, "only audit-policy-file=/a audit-webhook-config-file=/b", `
warn audit-webhook-truncate-enabled: --audit-webhook-truncate-enabled, not set and so "false": one batch of large events can be more than the receiver takes, and is then lost whole => --audit-webhook-truncate-enabled=true
`},
	{"webhook truncation off, blocking", Version{1, 36}, "only audit-policy-file=/a audit-webhook-config-file=/b audit-webhook-mode=blocking", `
warn audit-webhook-mode: --audit-webhook-mode "blocking": every request waits for the receiver; while it is down, each waits for five tries, 80 s and more => --audit-webhook-mode=batch
`},

	{"versions unknown", Version{1, 36}, "hook audit-log-version=v1 audit-webhook-version=audit.k8s.io/v1beta1", `
refuse audit-log-version: --audit-log-version "v1": must be audit.k8s.io/v1 => --audit-log-version=audit.k8s.io/v1
refuse audit-webhook-version: --audit-webhook-version "audit.k8s.io/v1beta1": must be audit.k8s.io/v1 => --audit-webhook-version=audit.k8s.io/v1
`},
	{"version beta in 1.23", Version{1, 23}, "audit-log-version=audit.k8s.io/v1beta1", `
warn audit-log-version: --audit-log-version "audit.k8s.io/v1beta1": removed in kube-apiserver 1.24 => --audit-log-version=audit.k8s.io/v1
`},
	{"version beta in 1.24", Version{1, 24}, "audit-log-version=audit.k8s.io/v1beta1", `
refuse audit-log-version: --audit-log-version "audit.k8s.io/v1beta1": must be audit.k8s.io/v1 => --audit-log-version=audit.k8s.io/v1
`},
	{"version v1 in 1.11", Version{1, 11}, "audit-log-version=audit.k8s.io/v1", `
refuse audit-log-version: --audit-log-version "audit.k8s.io/v1": not one of audit.k8s.io/v1beta1, audit.k8s.io/v1alpha1 => --audit-log-version=audit.k8s.io/v1beta1
`},
	{"webhook off, version malformed", Version{1, 36}, "audit-webhook-version=a/b/c", `
refuse audit-webhook-version: --audit-webhook-version "a/b/c": not an API version => --audit-webhook-version=audit.k8s.io/v1
warn audit-webhook-version: --audit-webhook-version has no effect without --audit-webhook-config-file
`},
	{"webhook off, version unknown", Version{1, 36}, "audit-webhook-version=v7", `
warn audit-webhook-version: --audit-webhook-version has no effect without --audit-webhook-config-file
`},
	{"format unknown", Version{1, 36}, "audit-log-format=JSON", `
refuse audit-log-format: --audit-log-format "JSON": must be in small letters => --audit-log-format=json
`},
	{"format legacy", Version{1, 36}, "audit-log-format=legacy", `
warn audit-log-format: --audit-log-format "legacy": lines of text without request, response and most of the rest; few tools read them => --audit-log-format=json
`},

	{"rotation not set, 1.35", Version{1, 35}, "only audit-policy-file=/a audit-log-path=/b/c", `
warn audit-log-maxage: --audit-log-maxage, not set and so "0": old files are kept whatever their age => --audit-log-maxage=30
warn audit-log-maxbackup: --audit-log-maxbackup, not set and so "0": old files are not counted, and nothing limits how much disk the log takes => --audit-log-maxbackup=10
warn audit-log-maxsize: --audit-log-maxsize, not set and so "0": 100 MB here, but no rotation at all from kube-apiserver 1.36 on => --audit-log-maxsize=100
`},
	{"rotation not set, 1.36", Version{1, 36}, "only audit-policy-file=/a audit-log-path=/b/c", ""},
	{"rotation not set, unknown", Version{}, "only audit-policy-file=/a audit-log-path=/b/c", `
warn audit-log-maxage: --audit-log-maxage, not set and so "0": old files are kept whatever their age => --audit-log-maxage=30
warn audit-log-maxbackup: --audit-log-maxbackup, not set and so "0": old files are not counted, and nothing limits how much disk the log takes => --audit-log-maxbackup=10
warn audit-log-maxsize: --audit-log-maxsize, not set and so "0": 100 MB up to kube-apiserver 1.35, no rotation at all from 1.36 on => --audit-log-maxsize=100
`},
	{"rotation zero, 1.35", Version{1, 35}, "audit-log-maxage=0 audit-log-maxbackup=0 audit-log-maxsize=0", `
warn audit-log-maxage: --audit-log-maxage "0": old files are kept whatever their age => --audit-log-maxage=30
warn audit-log-maxbackup: --audit-log-maxbackup "0": old files are not counted, and nothing limits how much disk the log takes => --audit-log-maxbackup=10
warn audit-log-maxsize: --audit-log-maxsize "0": 100 MB here, but no rotation at all from kube-apiserver 1.36 on => --audit-log-maxsize=100
`},
	{"rotation zero, 1.36", Version{1, 36}, "audit-log-maxage=0 audit-log-maxbackup=0 audit-log-maxsize=0", `
warn audit-log-maxage: --audit-log-maxage "0": old files are kept whatever their age => --audit-log-maxage=30
warn audit-log-maxbackup: --audit-log-maxbackup "0": old files are not counted, and nothing limits how much disk the log takes => --audit-log-maxbackup=10
warn audit-log-maxsize: --audit-log-maxsize "0": the file is never rotated and grows until the disk is full => --audit-log-maxsize=100
`},
	{"rotation negative", Version{1, 36}, "audit-log-maxage=-1 audit-log-maxbackup=-1 audit-log-maxsize=-1", `
refuse audit-log-maxage: --audit-log-maxage "-1": must not be negative => --audit-log-maxage=30
refuse audit-log-maxbackup: --audit-log-maxbackup "-1": must not be negative => --audit-log-maxbackup=10
refuse audit-log-maxsize: --audit-log-maxsize "-1": must not be negative => --audit-log-maxsize=100
`},
	{"rotation negative on standard output", Version{1, 36}, "audit-log-path=- audit-log-maxage=-1", `
refuse audit-log-maxage: --audit-log-maxage "-1": must not be negative => --audit-log-maxage=30
warn audit-log-path,audit-log-maxage,audit-log-maxbackup,audit-log-maxsize: --audit-log-path "-": events are mixed into the container's own log, and the kubelet rotates it; maxage, maxbackup, maxsize and compress have no effect => --audit-log-path=/var/log/kubernetes/audit/audit.log
`},
	{"rotation overflows", Version{1, 36}, "audit-log-maxage=106752 audit-log-maxsize=8796093022208", `
fail audit-log-maxage: --audit-log-maxage "106752": more than 106751 days overflow, and rotated files may be deleted at once => --audit-log-maxage=30
fail audit-log-maxsize: --audit-log-maxsize "8796093022208": more than 8796093022207 MB overflow, and events are lost => --audit-log-maxsize=100
`},
	{"rotation at the limit", Version{1, 36}, "audit-log-maxage=106751 audit-log-maxsize=8796093022207", ""},
	{"small files", Version{1, 36}, "audit-log-maxsize=3", `
warn audit-log-maxsize: --audit-log-maxsize "3": an event larger than the file may grow is lost => --audit-log-maxsize=100
`},

	{"backoff alias", Version{1, 36}, "hook audit-webhook-batch-initial-backoff=5s", `
warn audit-webhook-batch-initial-backoff: --audit-webhook-batch-initial-backoff: deprecated, its name is --audit-webhook-initial-backoff => --audit-webhook-initial-backoff=5s
`},
	{"backoff alias in 1.9", Version{1, 9}, "only audit-policy-file=/a audit-webhook-config-file=/b audit-webhook-batch-initial-backoff=5s", ""},
	{"backoff twice", Version{1, 36}, "hook audit-webhook-batch-initial-backoff=5s audit-webhook-initial-backoff=6s", `
warn audit-webhook-batch-initial-backoff: --audit-webhook-batch-initial-backoff: deprecated, its name is --audit-webhook-initial-backoff => --audit-webhook-initial-backoff=5s
warn audit-webhook-initial-backoff,audit-webhook-batch-initial-backoff: --audit-webhook-initial-backoff and --audit-webhook-batch-initial-backoff differ: the one that comes last counts
`},
	{"backoff twice the same", Version{1, 36}, "hook audit-webhook-batch-initial-backoff=5s audit-webhook-initial-backoff=5s", `
warn audit-webhook-batch-initial-backoff: --audit-webhook-batch-initial-backoff: deprecated, its name is --audit-webhook-initial-backoff => --audit-webhook-initial-backoff=5s
`},
	{"backoff zero", Version{1, 36}, "hook audit-webhook-initial-backoff=0", `
warn audit-webhook-initial-backoff: --audit-webhook-initial-backoff "0s": a receiver that fails is asked five times without a pause => --audit-webhook-initial-backoff=10s
`},
}

const soundLog = "audit-policy-file=/etc/kubernetes/audit-policy.yaml audit-log-path=/var/log/kubernetes/audit/audit.log " +
	"audit-log-maxage=30 audit-log-maxbackup=10 audit-log-maxsize=100"

const soundWebhook = "audit-webhook-config-file=/etc/kubernetes/audit-webhook.yaml audit-webhook-truncate-enabled=true "

func flagsOf(text string) map[string]string {
	set := map[string]string{}
	words, only := strings.CutPrefix(text, "only ")
	if !only {
		words = soundLog + " " + strings.Replace(text, "hook ", soundWebhook, 1)
	}
	for _, word := range strings.Fields(words) {
		name, value, _ := strings.Cut(word, "=")
		set[name] = strings.ReplaceAll(value, "~", " ")
	}
	return set
}

func TestCheckFlags(t *testing.T) {
	for _, c := range ruleCases {
		t.Run(c.name, func(t *testing.T) {
			errs, warns := auditflags.Check(flagsOf(c.set), c.version)
			got := append(problems.Lines("fail", errs), problems.Lines("warn", warns)...)
			var want []string
			if c.findings != "" {
				want = strings.Split(strings.TrimSpace(c.findings), "\n")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Every flag is named by a finding of some case.
func TestRuleCasesCoverFlags(t *testing.T) {
	left := map[string]bool{}
	for _, f := range auditflags.All() {
		left[f.Name] = true
	}
	for _, c := range ruleCases {
		errs, warns := auditflags.Check(flagsOf(c.set), c.version)
		for _, p := range append(errs, warns...) {
			for _, name := range p.Flags {
				delete(left, name)
			}
			if strings.HasSuffix(p.Message, ".") || strings.Contains(p.Message, "%!") {
				t.Errorf("%s: %q", c.name, p.Message)
			}
		}
	}
	if len(left) > 0 {
		t.Errorf("no case for %v", left)
	}
}

// A hint that is a flag must itself parse and be a flag of that version.
func TestHintsHold(t *testing.T) {
	for _, c := range ruleCases {
		errs, warns := auditflags.Check(flagsOf(c.set), c.version)
		for _, p := range append(errs, warns...) {
			for _, part := range p.Hint {
				for _, flag := range part.Flags {
					f, ok := auditflags.Lookup(flag.Name)
					if !ok || c.version.Before(f.Since) {
						t.Errorf("%s: hint %q names no flag of %s", c.name, p.Hint, c.version)
					} else if _, err := f.Parse(flag.Value); err != nil {
						t.Errorf("%s: hint %q: %v", c.name, p.Hint, err)
					}
				}
			}
		}
	}
}
