package rehearsal

import (
	"path"
	"strconv"
	"strings"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/hint"
	"auditpatch/patch/auditflags"

	"auditpatch/internal/lazyregexp"
)

// died says why the second API server has ended, in its own words. What a signal has ended
// says nothing of the settings.
func (r Rehearsal) died(second *instance) error {
	if second.signalled || exhausted(second.output.String()) {
		return &Impossible{Reason: "the second kube-apiserver was killed or ran out of memory or threads", Hint: hint.Shell("free -m; dmesg | tail")}
	}
	log := second.output.String()
	words := plain(apiserver.LastError(log))
	if r.logs() {
		words = strings.ReplaceAll(words, r.logPath(), r.New.Log.Path)
	}
	if words == "" {
		words = "it says nothing"
	}
	return &Failed{Reason: doesNotStart + words, Log: log, Hint: r.remedy(words)}
}

// doesNotStart comes before the API server's own words.
const doesNotStart = "kube-apiserver does not start with these settings: "

// addressInUse tells whether an API server says so of its port.
func addressInUse(log string) bool {
	return strings.Contains(log, "failed to create listener") && strings.Contains(log, "address already in use")
}

// commandFailed is how kube-apiserver reports what ends it (component-base/cli, Run): klog's
// head, then the message and the error, quoted.
var commandFailed = lazyregexp.New(`"command failed" err=("(?:[^"\\]|\\.)*")`)

// klogHead is what stands before klog's messages: severity, time, thread and place.
var klogHead = lazyregexp.New(`^[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ \S+:\d+\] `)

// exhausted tells whether Go's runtime has given up for want of memory or threads.
func exhausted(log string) bool {
	return strings.Contains(log, "fatal error: runtime: out of memory") || strings.Contains(log, "fatal error: newosproc") ||
		strings.Contains(log, "runtime: failed to create new OS thread") || strings.Contains(log, "fatal error: out of memory")
}

// plain is a line of kube-apiserver's log without what is for programs.
func plain(line string) string {
	if m := commandFailed().FindStringSubmatch(line); m != nil {
		if text, err := strconv.Unquote(m[1]); err == nil {
			line = text
		}
	}
	line = klogHead().ReplaceAllString(strings.TrimSpace(line), "")
	return strings.TrimPrefix(line, "Error: ")
}

var flagName = lazyregexp.New(`--([a-z][a-z0-9-]*)`)

// remedy is what to type against last words.
func (r Rehearsal) remedy(words string) hint.Hint {
	for _, m := range flagName().FindAllStringSubmatch(words, -1) {
		f, known := auditflags.Lookup(m[1])
		normal := f.DefaultAt(r.New.Version)
		switch {
		case known && strings.HasPrefix(words, "unknown flag"):
			return hint.Command("disable").Note("and enable without --" + f.Name)
		case known && normal != "":
			return hint.Flag(f.Name, normal)
		}
	}
	policy, webhook := r.New.Policy, r.New.Webhook
	switch {
	case r.logs() && r.New.Log.Covered() && strings.Contains(words, "ensureLogFile"):
		dir := hint.Path(path.Dir(r.New.Log.Host))
		return hint.Shell("ls -la %s; findmnt -T %s", dir, dir)
	case policy != nil && strings.Contains(words, "audit policy"):
		return hint.Command("policy lint").Spaced("policy", hint.Path(policy.Host))
	case webhook != nil && (strings.Contains(words, "audit webhook") || strings.Contains(words, webhook.Path)):
		return hint.Shell("kubectl config view --raw --flatten --kubeconfig FILE")
	}
	return nil
}
