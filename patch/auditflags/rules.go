package auditflags

import (
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"auditpatch/internal/hint"
)

// Problem is one thing that is wrong, or not wise, with settings.
type Problem struct {
	Flags   []string // the flags it is about, without dashes in front
	Message string
	Hint    hint.Hint // nil when there is nothing to type
	// Upstream is set when kube-apiserver itself refuses these values, whatever lies on
	// the node. Not set when it would start and then do harm, or fail on a file.
	Upstream bool
}

const (
	// At 1 KB an event, what is waiting takes 1 GB.
	muchBuffer = 1_000_000

	manifestDir = "/etc/kubernetes/manifests/"
)

// Check holds a set of flags against what kube-apiserver of version v
// accepts (errs) and against what is known to hurt (errs where it surely does, else
// warns). The keys are flag names without dashes in front; the values are those
// that take effect, "true" for a bool flag without one. Flags that are not about auditing
// are passed over.
func Check(set map[string]string, v Version) (errs, warns []Problem) {
	c := &checker{set: map[string]string{}, v: v}
	c.read(set)
	c.pairing()
	for _, f := range []string{"audit-policy-file", "audit-log-path", "audit-webhook-config-file"} {
		c.file(f)
	}
	c.apart()
	for _, plugin := range []string{"log", "webhook"} {
		if c.on(plugin) {
			c.strategy(plugin)
			c.truncation(plugin)
			c.oneOf("audit-" + plugin + "-version")
		} else {
			c.unused(plugin)
		}
	}
	if c.on("log") {
		c.oneOf("audit-log-format")
		c.logStyle()
		c.rotation()
	}
	c.webhookExtras()
	return c.errs, c.warns
}

// checker gathers the findings about one set of flags. The values in set are in
// canonical form; one that does not parse is not in it.
type checker struct {
	set         map[string]string
	v           Version
	errs, warns []Problem
}

// refuse is for what kube-apiserver refuses, fail for what it accepts to its harm.
func (c *checker) refuse(flags []string, h hint.Hint, format string, a ...any) {
	c.errs = append(c.errs, Problem{flags, fmt.Sprintf(format, a...), h, true})
}

func (c *checker) fail(flags []string, h hint.Hint, format string, a ...any) {
	c.errs = append(c.errs, Problem{flags, fmt.Sprintf(format, a...), h, false})
}

func (c *checker) warn(flags []string, h hint.Hint, format string, a ...any) {
	c.warns = append(c.warns, Problem{flags, fmt.Sprintf(format, a...), h, false})
}

func (c *checker) value(name string) string {
	if value, ok := c.set[name]; ok {
		return value
	}
	f, _ := Lookup(name)
	return f.DefaultAt(c.v)
}

func (c *checker) number(name string) int64 {
	i, _ := strconv.ParseInt(c.value(name), 10, 64)
	return i
}

func (c *checker) duration(name string) time.Duration {
	d, _ := time.ParseDuration(c.value(name))
	return d
}

func (c *checker) isSet(name string) bool { _, ok := c.set[name]; return ok }

// say names a flag and the value it has, given or by default.
func (c *checker) say(name string) string {
	if value, ok := c.set[name]; ok {
		return fmt.Sprintf("--%s %q", name, value)
	}
	return fmt.Sprintf("--%s, not set and so %q", name, c.value(name))
}

func (c *checker) on(plugin string) bool {
	if plugin == "log" {
		return c.value("audit-log-path") != ""
	}
	return c.value("audit-webhook-config-file") != ""
}

// read takes over the audit flags that this version has and whose values parse.
func (c *checker) read(set map[string]string) {
	for _, given := range slices.Sorted(maps.Keys(set)) {
		name := strings.ReplaceAll(given, "_", "-")
		if !strings.HasPrefix(name, "audit-") || name != given && Has(set, name) {
			continue
		}
		f, ok := Lookup(name)
		if !ok {
			c.unknown(name, set[given])
			continue
		}
		if c.v.Before(f.Since) {
			c.refuse([]string{name}, nil, "--%s: added in kube-apiserver %[3]s, this one is %[2]s", name, c.v, f.Since)
			continue
		}
		value, err := f.Parse(set[given])
		if err != nil {
			c.refuse([]string{name}, c.advise(name), "%v", err)
			continue
		}
		c.set[name] = value
	}
}

func Has(set map[string]string, name string) bool { _, ok := set[name]; return ok }

func (c *checker) unknown(name, value string) {
	f, ok := findFlag(Removed, name)
	switch {
	case !ok:
		c.refuse([]string{name}, lookalike(name, value), "--%s: not an audit flag of kube-apiserver", name)
	case c.v.AtLeast(f.Until):
		c.refuse([]string{name}, nil, "--%s: removed in kube-apiserver %[3]s, this one is %[2]s", name, c.v, f.Until)
	case c.v.Before(f.Since):
		c.refuse([]string{name}, nil, "--%s: added in kube-apiserver %[3]s, this one is %[2]s", name, c.v, f.Since)
	default:
		c.warn([]string{name}, nil, "--%s: removed in kube-apiserver %s", name, f.Until)
	}
}

// lookalike finds the flag that was meant by --audit-log-max-age and the like.
func lookalike(name, value string) hint.Hint {
	bare := strings.ReplaceAll(name, "-", "")
	for _, f := range flagTable {
		if strings.ReplaceAll(f.Name, "-", "") == bare {
			return hint.Flag(f.Name, value)
		}
	}
	return nil
}

func (c *checker) pairing() {
	policy := c.value("audit-policy-file") != ""
	switch {
	case policy && !c.on("log") && !c.on("webhook"):
		c.warn([]string{"audit-policy-file"}, hint.Flag("audit-log-path", "/var/log/kubernetes/audit/audit.log"),
			"--audit-policy-file without --audit-log-path or --audit-webhook-config-file: nothing is logged")
	case !policy && c.on("log"):
		c.warn([]string{"audit-log-path"}, hint.Flag("audit-policy-file", "/etc/kubernetes/audit-policy.yaml"),
			"--audit-log-path without --audit-policy-file: the log stays empty")
	}
	if !policy && c.on("webhook") {
		c.warn([]string{"audit-webhook-config-file"}, hint.Flag("audit-policy-file", "/etc/kubernetes/audit-policy.yaml"),
			"--audit-webhook-config-file without --audit-policy-file: nothing is sent")
	}
}

// file checks a path on the node. A relative one is looked up in the container's
// working directory, which no mount covers.
func (c *checker) file(name string) {
	file, flags := c.value(name), []string{name}
	isLog := name == "audit-log-path"
	if file == "" || isLog && file == "-" {
		return
	}
	dir := "/etc/kubernetes/"
	if isLog {
		dir = "/var/log/kubernetes/audit/"
	}
	clean := path.Clean(file)
	better := hint.Flag(name, dir+path.Base(clean))
	if strings.Trim(path.Base(clean), ".-") == "" || strings.Contains(file, "://") { // the end of a URL may be a credential
		better = nil
	}
	switch {
	case !path.IsAbs(file):
		c.fail(flags, better, "%s: not an absolute path", c.say(name))
	case isLog && (strings.HasPrefix(clean, "/dev/") || strings.HasPrefix(clean, "/proc/")):
		c.fail(flags, hint.Flag("audit-log-path", "-"), "%s: rotation renames the file, and a device cannot be renamed", c.say(name))
	case strings.HasSuffix(file, "/"):
		c.fail(flags, nil, "%s: a folder, not a file", c.say(name))
	case isLog && strings.HasPrefix(clean, manifestDir):
		c.fail(flags, better, "%s: the kubelet would read the log as a static pod", c.say(name))
	case strings.HasPrefix(clean, manifestDir):
		c.warn(flags, better, "%s: the kubelet tries to read every file in %s as a static pod", c.say(name), manifestDir)
	}
}

// apart: kube-apiserver appends to the log without a look at what is in it.
func (c *checker) apart() {
	log := c.value("audit-log-path")
	for _, name := range []string{"audit-policy-file", "audit-webhook-config-file"} {
		if log != "" && c.value(name) != "" && path.Clean(c.value(name)) == path.Clean(log) {
			c.fail([]string{"audit-log-path", name}, nil, "--audit-log-path and --%s are both %q: events would be appended to it", name, log)
		}
	}
}

// unused names the flags of a backend that is off.
func (c *checker) unused(plugin string) {
	opener := "audit-log-path"
	if plugin == "webhook" {
		opener = "audit-webhook-config-file"
	}
	c.idle(func(f Flag) bool { return f.Backend == backendOf(plugin) && f.Name != opener }, "without --"+opener)
}

// idle warns about the flags of a kind that are set to something, to no effect.
func (c *checker) idle(kind func(Flag) bool, why string) {
	var names []string
	for _, f := range flagTable {
		if kind(f) && c.isSet(f.Name) && c.set[f.Name] != f.DefaultAt(c.v) {
			names = append(names, f.Name)
		}
	}
	switch len(names) {
	case 0:
	case 1:
		c.warn(names, nil, "--%s has no effect %s", names[0], why)
	default:
		c.warn(names, nil, "--%s have no effect %s", strings.Join(names, ", --"), why)
	}
}

// oneOf checks a flag that takes one of a few words; case matters.
func (c *checker) oneOf(name string) bool {
	f, _ := Lookup(name)
	value, allowed := c.value(name), f.Values
	switch {
	case strings.HasSuffix(name, "-mode") && c.v.Before(Version{1, 13}):
		allowed = modes[:2]
	case strings.HasSuffix(name, "-version") && c.v.Before(Version{1, 24}):
		allowed = []string{auditV1, "audit.k8s.io/v1beta1", "audit.k8s.io/v1alpha1"}
		if c.v.Before(Version{1, 12}) {
			allowed = allowed[1:]
		}
	}
	if !slices.Contains(allowed, value) {
		better, fault := f.DefaultAt(c.v), "not one of "+strings.Join(allowed, ", ")
		if len(allowed) == 1 {
			fault = "must be " + allowed[0]
		}
		if lower := strings.ToLower(value); slices.Contains(allowed, lower) {
			better, fault = lower, "must be in small letters"
		}
		c.refuse([]string{name}, hint.Flag(name, better), "%s: %s", c.say(name), fault)
		return false
	}
	if strings.HasSuffix(name, "-version") && value != auditV1 && slices.Contains(allowed, auditV1) && c.isSet(name) {
		c.warn([]string{name}, hint.Flag(name, auditV1), "%s: removed in kube-apiserver 1.24", c.say(name))
	}
	return true
}

func (c *checker) strategy(plugin string) {
	name := "audit-" + plugin + "-mode"
	if !c.oneOf(name) {
		return
	}
	mode, batchOnly := c.value(name), "audit-"+plugin+"-batch-"
	if mode == modeBatch {
		c.batch(plugin)
		return
	}
	c.idle(func(f Flag) bool { return strings.HasPrefix(f.Name, batchOnly) && f.Deprecated == "" }, "in mode "+mode)
	switch {
	case plugin == "webhook":
		c.warn([]string{name}, hint.Flag(name, modeBatch),
			"%s: every request waits for the receiver; while it is down, each waits for five tries, 80 s and more", c.say(name))
	case mode == modeBlockingStrict:
		c.warn([]string{name}, hint.Flag(name, modeBlocking),
			"%s: with a full disk every audited request fails; where the policy covers /livez, kube-apiserver restarts over and over", c.say(name))
	}
}

// batch goes by what k8s.io/apiserver's buffered backend does with the numbers.
func (c *checker) batch(plugin string) {
	p := "audit-" + plugin + "-batch-"
	buffer, size := c.number(p+"buffer-size"), c.number(p+"max-size")
	for _, name := range []string{p + "buffer-size", p + "max-size"} {
		if c.number(name) <= 0 {
			c.refuse([]string{name}, c.advise(name), "%s: must be more than 0", c.say(name))
		}
	}
	if wait := c.duration(p + "max-wait"); size > 1 && wait <= 0 {
		c.fail([]string{p + "max-wait", p + "max-size"}, hint.Flag(p+"max-wait", "1s"),
			"%s: with batches of more than one event kube-apiserver never sleeps and burns most of a core", c.say(p+"max-wait"))
	} else if wait < 0 {
		c.warn([]string{p + "max-wait"}, hint.Flag(p+"max-wait", "0s"), "%s: a wait cannot be negative; it has no effect on batches of one", c.say(p+"max-wait"))
	}
	if buffer > 0 && buffer < size {
		c.warn([]string{p + "buffer-size", p + "max-size"}, hint.Flag(p+"buffer-size", 10*size),
			"%s: a burst larger than the buffer is dropped, though the batch has room for %d", c.say(p+"buffer-size"), size)
	}
	if buffer > muchBuffer {
		c.warn([]string{p + "buffer-size"}, c.advise(p+"buffer-size"), "%s: a backlog can take gigabytes of memory", c.say(p+"buffer-size"))
	}
	c.throttle(p)
	if plugin == "log" {
		c.warn([]string{"audit-log-mode"}, hint.Flag("audit-log-mode", modeBlocking),
			"%s: events are dropped when the buffer is full and lost when kube-apiserver dies, and writing is no faster", c.say("audit-log-mode"))
	}
}

func (c *checker) throttle(p string) {
	if c.value(p+"throttle-enable") != "true" {
		return
	}
	qps, _ := strconv.ParseFloat(c.value(p+"throttle-qps"), 32)
	name := p + "throttle-qps"
	switch {
	case qps <= 0:
		c.refuse([]string{name, p + "throttle-enable"}, c.advise(name), "%s: must be more than 0 when throttling is on", c.say(name))
	case math.IsNaN(qps) || math.IsInf(qps, 0):
		c.fail([]string{name}, hint.Flag(p+"throttle-enable", false), "%s: not a rate", c.say(name))
	}
	if name := p + "throttle-burst"; c.number(name) <= 0 {
		c.refuse([]string{name, p + "throttle-enable"}, c.advise(name), "%s: must be more than 0 when throttling is on", c.say(name))
	}
}

// truncation: the sizes are checked even when truncation is off.
func (c *checker) truncation(plugin string) {
	p := "audit-" + plugin + "-truncate-"
	event, batch := c.number(p+"max-event-size"), c.number(p+"max-batch-size")
	if event <= 0 {
		c.refuse([]string{p + "max-event-size"}, c.advise(p+"max-event-size"), "%s: must be more than 0", c.say(p+"max-event-size"))
	}
	if batch < event {
		c.refuse([]string{p + "max-batch-size", p + "max-event-size"}, hint.Flag(p+"max-batch-size", event),
			"%s: less than max-event-size (%d)", c.say(p+"max-batch-size"), event)
	}
	if c.value(p+"enabled") == "true" {
		return
	}
	c.idle(func(f Flag) bool { return strings.HasPrefix(f.Name, p+"max-") }, "without --"+p+"enabled")
	if plugin == "webhook" && c.value("audit-webhook-mode") == modeBatch && !c.v.Before(Version{1, 11}) {
		c.warn([]string{p + "enabled"}, hint.Flag(p+"enabled", true), "%s: one batch of large events can be more than the receiver takes, and is then lost whole", c.say(p+"enabled"))
	}
}

// advised holds values that are better than the default, which for some means no
// limit or is not allowed in the place where it matters.
var advised = map[string]string{
	"audit-log-maxage":               "30",
	"audit-log-maxbackup":            "10",
	"audit-log-maxsize":              "100",
	"audit-log-batch-max-wait":       "1s",
	"audit-log-batch-throttle-qps":   "10",
	"audit-log-batch-throttle-burst": "15",
}

// advise is a hint with a value that does.
func (c *checker) advise(name string) hint.Hint {
	value, ok := advised[name]
	if !ok {
		f, _ := Lookup(name)
		value = f.DefaultAt(c.v)
	}
	return hint.Flag(name, value)
}

func (c *checker) logStyle() {
	if c.value("audit-log-format") == formatLegacy {
		c.warn([]string{"audit-log-format"}, hint.Flag("audit-log-format", formatJSON),
			"%s: lines of text without request, response and most of the rest; few tools read them", c.say("audit-log-format"))
	}
	if c.value("audit-log-path") != "-" {
		return
	}
	flags := []string{"audit-log-path"}
	for _, name := range []string{"audit-log-maxage", "audit-log-maxbackup", "audit-log-maxsize", "audit-log-compress"} {
		if c.isSet(name) {
			flags = append(flags, name)
		}
	}
	c.warn(flags, hint.Flag("audit-log-path", "/var/log/kubernetes/audit/audit.log"),
		"%s: events are mixed into the container's own log, and the kubelet rotates it; maxage, maxbackup, maxsize and compress have no effect", c.say("audit-log-path"))
}

func (c *checker) webhookExtras() {
	name, alias := "audit-webhook-initial-backoff", "audit-webhook-batch-initial-backoff"
	// kube-apiserver looks at this much of the version even when the webhook is off.
	if gv := "audit-webhook-version"; !c.on("webhook") && strings.Count(c.value(gv), "/") > 1 {
		c.refuse([]string{gv}, hint.Flag(gv, auditV1), "%s: not an API version", c.say(gv))
	}
	if c.isSet(alias) && !c.v.Before(Version{1, 10}) {
		c.warn([]string{alias}, hint.Flag(name, c.value(alias)), "--%s: deprecated, its name is --%s", alias, name)
		if c.isSet(name) && c.value(name) != c.value(alias) {
			c.warn([]string{name, alias}, nil, "--%s and --%s differ: the one that comes last counts", name, alias)
		}
	}
	if c.isSet(name) && c.on("webhook") && c.duration(name) <= 0 {
		c.warn([]string{name}, c.advise(name), "%s: a receiver that fails is asked five times without a pause", c.say(name))
	}
}
