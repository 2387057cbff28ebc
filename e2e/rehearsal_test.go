//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"auditpatch/e2e/cluster"
)

// The rehearsal's own limits: settings that do not work are refused within this time, and
// nobody who asks this often notices.
const (
	refusedWithin = 5 * time.Second
	probedEvery   = 30 * time.Millisecond
)

// elsewhere is a folder for the log that the test can spoil.
const elsewhere = "/var/log/elsewhere"

// badSettings are settings that do not work.
type badSettings struct {
	name  string
	of    string // log, policy, webhook or flag: what is wrong with them; "of enable" where restore takes it
	spoil string // a shell script that makes them so
	flags []string
	cause string // a regular expression for what has to be said
}

const (
	policyPath = "/etc/kubernetes/audit-policy.yaml"
	hookPath   = "/etc/kubernetes/audit-webhook.yaml"
)

// policyFile has a text in the place of a policy, in /root for enable and where it was installed
// for restore.
func policyFile(text string) string {
	return fmt.Sprintf("printf %%b %q | tee /root/bad.yaml >%s", text, policyPath)
}

// hookFile does the same with a webhook's kubeconfig.
func hookFile(cluster, user string) string {
	const config = `printf '%%s\n' 'apiVersion: v1' 'kind: Config' 'clusters: [{name: a, cluster: {%s}}]' 'users: [{name: a, user: {%s}}]' ` +
		`'contexts: [{name: a, context: {cluster: a, user: a}}]' 'current-context: a' | tee /root/bad.yaml >%s`
	return fmt.Sprintf(config, cluster, user, hookPath)
}

var (
	logElsewhere = []string{"--audit-log-path=" + elsewhere + "/audit.log"}
	badPolicy    = []string{"--policy", "/root/bad.yaml"}
	badHook      = []string{"--webhook-config", "/root/bad.yaml"}
)

// pairs makes certificates and keys that do not belong together.
const pairs = `for i in 1 2; do openssl req -x509 -newkey rsa:2048 -nodes -keyout /root/key$i -out /root/cert$i -subj /CN=x$i 2>/dev/null; done; `

// onPage are the settings that docs/how-it-works.md has as an example.
const onPage = "webhook with a CA that is missing"

// newerField are settings that restore takes.
const newerField = "policy with a field of a newer release"

var allBadSettings = []badSettings{
	{"log on a file system that is full", "log", "mount -t tmpfs -o size=32k none $dir; head -c 64k /dev/zero >$dir/x 2>/dev/null; true", logElsewhere, "full|no space left"},
	{"log on a file system without inodes", "log", "mount -t tmpfs -o nr_inodes=1 none $dir", logElsewhere, "inodes|no space left"},
	{"log on a read-only file system", "log", "mount -t tmpfs -o ro none $dir", logElsewhere, "read-only"},
	{"log is a directory", "log", "mkdir $dir/audit.log", logElsewhere, "directory"},
	{"log's folder is a file", "log", "rmdir $dir; : >$dir", logElsewhere, "is a file"},
	{"log cannot be changed", "log", ": >$dir/audit.log; chattr +i $dir/audit.log", logElsewhere, "not permitted|chattr"},
	{"log's folder cannot be changed", "log", "chattr +i $dir", logElsewhere, "not permitted|chattr"},
	{"policy with a level that is none", "policy", policyFile(`apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Everything}]\n`), badPolicy, `unknown level "Everything"`},
	{"policy of an API that is gone", "policy", policyFile(`apiVersion: audit.k8s.io/v1beta1\nkind: Policy\nrules: [{level: Metadata}]\n`), badPolicy, "v1beta1"},
	// kube-apiserver ignores the field, so it can be gone back to.
	{newerField, "policy of enable", policyFile(`apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata, sampleRate: 2}]\n`), badPolicy, "sampleRate"},
	{"policy without rules", "policy", policyFile(`apiVersion: audit.k8s.io/v1\nkind: Policy\n`), badPolicy, "rule"},
	{"policy that is empty", "policy", policyFile(``), badPolicy, "empty"},
	{"policy that is no YAML", "policy", policyFile(`rules: [\n`), badPolicy, "bad.yaml:|audit-policy.yaml:"},
	{onPage, "webhook", hookFile("server: \"https://127.0.0.1:9\", certificate-authority: /etc/kubernetes/pki/none.crt", ""), badHook, "none.crt"},
	{"webhook with a certificate that is missing", "webhook", hookFile("server: \"https://127.0.0.1:9\"", "client-certificate: /etc/kubernetes/pki/none.crt, client-key: /etc/kubernetes/pki/none.key"), badHook, "none.crt"},
	{"webhook with a context that is missing", "webhook", hookFile("server: \"https://127.0.0.1:9\"", "") + "; sed -i s/current-context:.*/current-context:\\ b/ /root/bad.yaml " + hookPath, badHook, "context"},
	{"webhook with a key that does not fit", "webhook", pairs + hookFile("server: \"https://127.0.0.1:9\"", "client-certificate-data: '$(base64 -w0 /root/cert1)', client-key-data: '$(base64 -w0 /root/key2)'") +
		`; sed -i "s|.(base64 -w0 /root/cert1)|$(base64 -w0 /root/cert1)|; s|.(base64 -w0 /root/key2)|$(base64 -w0 /root/key2)|" /root/bad.yaml ` + hookPath, badHook, "key"},
	{"a flag with a bad value", "flag", "true", []string{"--audit-log-maxage=10x"}, "10x"},
	{"a flag that is gone", "flag", "true", []string{"--audit-dynamic-configuration=true"}, "audit-dynamic-configuration"},
	{"a mode that is none", "flag", "true", []string{"--audit-log-mode=sometimes"}, "sometimes"},
	{"batches larger than an event may be", "flag", "true", []string{"--audit-webhook-config-file=" + hookPath, "--audit-log-truncate-enabled=true", "--audit-log-truncate-max-batch-size=10"}, "batch"},
}

// unspoil undoes what the settings have made, and their leftovers.
const unspoil = `dir=` + elsewhere + `; umount -q $dir; chattr -i $dir/audit.log $dir 2>/dev/null; rm -rf $dir /root/bad.yaml /root/cert? /root/key?; mkdir -p $dir; `

// TestRehearsalRefuses wants settings that do not work to be refused before anything is touched:
// soon, with the cause, and with nobody who uses the API server noticing.
func TestRehearsalRefuses(t *testing.T) {
	l := begin(t)
	l.exec("sh", "-c", unspoil)
	defer l.node.Exec(l.ctx, "sh", "-c", unspoil+"rmdir $dir")
	l.rollsOut(func() { l.auditpatch(0, "enable") })
	l.exec("cp", policyPath, "/root/good.yaml")
	var rows []string
	for _, bad := range allBadSettings {
		l.exec("sh", "-c", unspoil+bad.spoil+"; cp /root/good.yaml "+policyPath+"; rm -f "+hookPath)
		rows = append(rows, l.refusesUnnoticed(bad, append([]string{"enable"}, bad.flags...)...))
	}
	l.exec("sh", "-c", unspoil)
	l.Logf("settings that enable has refused\n%s", strings.Join(rows, "\n"))
}

// TestRehearsalRestores wants the same of settings that a backup has, and that do not work any
// more.
func TestRehearsalRestores(t *testing.T) {
	l := begin(t)
	l.exec("sh", "-c", unspoil)
	defer l.node.Exec(l.ctx, "sh", "-c", unspoil+"rmdir $dir; systemctl start kubelet")
	l.rollsOut(func() { l.auditpatch(0, "enable") })
	backups := l.badBackups()
	var rows []string
	for _, bad := range allBadSettings {
		id := backups[bad.name]
		switch bad.of {
		case "flag", "policy of enable":
			continue
		case "log":
			l.exec("sh", "-c", unspoil+bad.spoil)
			id = backups["log"]
		}
		rows = append(rows, l.refusesUnnoticed(bad, "restore", "--to", id))
	}
	l.exec("sh", "-c", unspoil)
	l.rollsOut(func() {
		l.wantSaid(l.auditpatch(0, "restore", "--to", backups[newerField]), "sampleRate", "the audit settings of the backup are restored")
	})
	l.Logf("backups that restore has refused\n%s", strings.Join(rows, "\n"))
}

// badBackups makes a backup of each of the bad policies and webhook configs, by the name of the
// settings, and of a log elsewhere. The kubelet is stopped meanwhile, so that the API server
// that runs hears of none of it.
func (l *lab) badBackups() map[string]string {
	l.Helper()
	const change = `auditpatch enable --no-wait "$@" 2>&1 | sed -n "s/^backup *\([^ ]*\).*/\1/p"`
	backup := func(flags ...string) string {
		stdout, stderr, exit := l.node.Exec(l.ctx, append([]string{"sh", "-c", change, "sh"}, flags...)...)
		if id := strings.TrimSpace(stdout); exit == 0 && id != "" {
			return id
		}
		l.Fatalf("enable %s makes no backup: %s", strings.Join(flags, " "), stderr)
		return ""
	}
	manifest, policy := l.read(cluster.Manifest), l.read(policyPath)
	l.exec("systemctl", "stop", "kubelet")
	out := map[string]string{}
	presets := []string{"metadata", "writes"}
	for i, bad := range allBadSettings {
		switch bad.of {
		case "policy", "policy of enable":
			l.exec("sh", "-c", bad.spoil)
			out[bad.name] = backup("--preset", presets[i%2])
		case "webhook":
			backup("--webhook-url", fmt.Sprintf("https://127.0.0.1:9/%d", i))
			l.exec("sh", "-c", bad.spoil)
			out[bad.name] = backup("--webhook-url", "https://127.0.0.1:9/other")
		}
	}
	// The last one, since what is gone back to is the state of that time, and not one change.
	backup(append(logElsewhere, "--audit-webhook-config-file=")...)
	out["log"] = backup("--audit-log-path=/var/log/kubernetes/audit/audit.log")
	l.write(cluster.Manifest, manifest)
	l.write(policyPath, policy)
	l.exec("rm", "-f", hookPath)
	from := time.Now()
	l.exec("systemctl", "start", "kubelet")
	l.waitUpdates(from, cluster.Updates{Add: 1}) // as any kubelet that starts sees it
	return out
}

// refusesUnnoticed wants auditpatch to refuse a change, and returns a row about it.
func (l *lab) refusesUnnoticed(bad badSettings, args ...string) string {
	l.Helper()
	manifest, server, from := l.read(cluster.Manifest), l.server(), time.Now()
	watch := l.node.WatchEvery(probedEvery)
	defer watch.Stop()
	began := time.Now()
	said := l.auditpatch(2, args...)
	took := time.Since(began)
	for _, c := range watch.Stop() {
		if c.Probe == cluster.Readyz && c.State != "200" {
			l.Fatalf("%s: the API server was %s", bad.name, c.State)
		}
	}
	if bad.name == onPage && args[0] == "enable" {
		pageOutput(l, "rehearsal", strings.ReplaceAll(said, "bad.yaml", "hook.yaml"))
	}
	if found, err := regexp.MatchString(bad.cause, said); err != nil || !found {
		l.Fatalf("%s: it does not say %s", bad.name, bad.cause)
	}
	if now := l.server(); now.PID != server.PID || l.read(cluster.Manifest) != manifest {
		l.Fatalf("%s: pid %d is %d now, or the manifest has changed", bad.name, server.PID, now.PID)
	}
	l.wantUpdates(from, cluster.Updates{})
	l.nothingLeft()
	if took > refusedWithin {
		l.Errorf("%s: refused only after %.1f s", bad.name, took.Seconds())
	}
	return fmt.Sprintf("%5.1f s  %s", took.Seconds(), bad.name)
}

// nothingLeft wants nothing to be left of a second API server. The kubelet's own names of logs
// have the name of the node in them, and so that of the cluster.
func (l *lab) nothingLeft() {
	l.Helper()
	const script = `pgrep -xa auditpatch-rehe | grep -v defunct
		find /var/log /run/containerd -name '*auditpatch*' -not -path '/var/log/pods/*' -not -path '/var/log/containers/*' 2>/dev/null
		grep -e /proc/layers -e auditpatch-rehearsal /proc/1/mountinfo
		leases=$(kubectl --kubeconfig /etc/kubernetes/admin.conf get leases -n kube-system -o name | grep -c /apiserver-)
		[ "$leases" = 1 ] || echo "$leases identity leases"`
	if stdout, _, _ := l.node.Exec(l.ctx, "sh", "-c", script); stdout != "" {
		l.Fatalf("left behind: %s", stdout)
	}
}

// TestRehearsalKilled kills auditpatch while it rehearses: the second API server ends with it,
// and what else it leaves is gone after the next run.
func TestRehearsalKilled(t *testing.T) {
	l := begin(t)
	server := l.server()
	for _, seconds := range []string{"0.3", "1", "1.8", "2.6"} {
		const script = `auditpatch enable --dry-run --rehearse=always >/dev/null 2>&1 & pid=$!
			sleep "$1"; kill -KILL $pid; sleep 0.3; pgrep -xa auditpatch-rehe | grep -v defunct # nobody has reaped it yet`
		if stdout, _, _ := l.node.Exec(l.ctx, "bash", "-c", script, "bash", seconds); stdout != "" {
			l.Fatalf("after %s s: the second API server goes on: %s", seconds, stdout)
		}
	}
	l.stays(func() {
		l.wantSaid(l.auditpatch(0, "enable", "--dry-run", "--rehearse=always"), "rehearsal these settings work: ready in ", "dry run: nothing was changed")
	})
	l.nothingLeft()
	if now := l.server(); now.PID != server.PID {
		l.Fatalf("kube-apiserver was pid %d and is %d now", server.PID, now.PID)
	}
}

// TestRehearsalMounts puts the policy into a folder that is mounted already, with another mount
// within: nothing of the rehearsal may be mounted on the node, where it would hide what the
// folder has, and the policy has to lie on the disk in the end.
func TestRehearsalMounts(t *testing.T) {
	l := begin(t)
	l.exec("sh", "-c", "mkdir -p /etc/kubernetes/audit/inner /mnt/disk && touch /etc/kubernetes/audit/there")
	defer l.node.Exec(l.ctx, "sh", "-c", "umount /mnt/disk; rm -r /mnt/disk /etc/kubernetes/audit")
	l.swap(strings.NewReplacer(
		"    volumeMounts:\n", "    volumeMounts:\n    - {mountPath: /etc/kubernetes/audit, name: conf}\n    - {mountPath: /etc/kubernetes/audit/inner, name: inner, readOnly: true}\n",
		"  volumes:\n", "  volumes:\n  - {name: conf, hostPath: {path: /etc/kubernetes/audit, type: Directory}}\n  - {name: inner, hostPath: {path: /etc/kubernetes/pki, type: Directory}}\n",
	).Replace(l.read(cluster.Manifest)))
	if _, err := l.node.WaitServer(l.ctx, 0); err != nil {
		l.Fatal(err)
	}
	flags := []string{"enable", "--audit-policy-file=/etc/kubernetes/audit/policy.yaml"}
	before := l.read("/proc/1/mountinfo")
	l.stays(func() {
		said := l.auditpatch(0, append(flags, "--dry-run", "--rehearse=always")...)
		l.wantSaid(said, "rehearsal these settings work: ready in ")
	})
	if after := l.read("/proc/1/mountinfo"); after != before {
		l.Fatalf("the node's mounts were\n%s\nand are\n%s", before, after)
	}
	l.exec("sh", "-c", "[ $(ls /etc/kubernetes/audit | wc -l) = 2 ]")
	l.rollsOut(func() { l.auditpatch(0, flags...) })
	l.exec("sh", "-c", "mount --bind / /mnt/disk && test -s /mnt/disk/etc/kubernetes/audit/policy.yaml")
	l.nothingLeft()
}

// TestRehearsalMemory prints how much memory a second API server takes at most, by the size of
// what the cluster holds. E2E_REHEARSAL_MEMORY has the sizes, in MB; without it the test is
// skipped.
func TestRehearsalMemory(t *testing.T) {
	sizes := strings.Fields(os.Getenv("E2E_REHEARSAL_MEMORY"))
	if len(sizes) == 0 {
		t.Skip("E2E_REHEARSAL_MEMORY has no sizes")
	}
	l := begin(t)
	const objects = `export KUBECONFIG=/etc/kubernetes/admin.conf
		kubectl create namespace ballast --dry-run=client -o yaml | kubectl apply -f - >/dev/null
		head -c 750000 /dev/urandom | base64 -w0 >/root/ballast
		for i in $(seq "$1"); do kubectl create configmap -n ballast "b$i" --from-file=/root/ballast >/dev/null 2>&1; done
		kubectl get configmaps -n ballast -o name | grep -c /b`
	defer l.node.Kubectl(l.ctx, "delete", "namespace", "ballast", "--wait=false")
	const peak = `echo "the first: $(sed -n 's/^VmRSS:\t *//p' /proc/$(pgrep -x kube-apiserver)/status)"
		auditpatch "$@" >/dev/null 2>/root/said & pid=$!
		while kill -0 $pid 2>/dev/null; do
			for p in $(pgrep -x auditpatch-rehe); do sed -n 's/^VmHWM:\t *//p' /proc/$p/status >>/root/peaks; done 2>/dev/null
			sleep 0.05
		done
		wait $pid || { cat /root/said; exit 1; }
		echo "the second, at most: $(sort -n /root/peaks | tail -n 1)"; rm /root/peaks; grep -e ^rehearsal -e 'takes connections' /root/said`
	for _, size := range sizes {
		stdout, stderr, _ := l.node.Exec(l.ctx, "bash", "-c", objects, "bash", size)
		l.Logf("%s MB: objects of 1 MB: %s%s", size, stdout, stderr)
		for _, args := range [][]string{
			{"enable", "--dry-run", "--rehearse=always", "--audit-log-maxage=" + size},
			{"enable", "--restart=seamless", "--audit-log-maxage=" + size},
		} {
			stdout, stderr, exit := l.node.Exec(l.ctx, append([]string{"bash", "-c", peak, "bash"}, args...)...)
			if exit != 0 {
				l.Fatalf("%s MB: %s%s", size, stdout, stderr)
			}
			if args[1] != "--dry-run" {
				l.node.Intend(2)
			}
			l.Logf("%s MB: %s\n%s", size, strings.Join(args, " "), stdout)
		}
	}
}
