package patch_test

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/diff"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"auditpatch/patch"
)

// corpus is a folder of manifests that other people wrote. It does not ship
// with the project.
func corpus(t *testing.T) []string {
	dir := os.Getenv("AUDITPATCH_CORPUS")
	if dir == "" {
		dir = "../../shared/corpus"
	}
	files, _ := filepath.Glob(filepath.Join(dir, "manifests", "*"))
	if len(files) == 0 {
		t.Skipf("no corpus in %s: set AUDITPATCH_CORPUS to a folder with manifests/", dir)
	}
	return files
}

var anyPolicy = &patch.Content{Origin: "test", Data: []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n")}

// plain is the state of a node with nothing but a manifest.
func plain(text []byte) patch.State {
	return patch.State{
		Manifest: patch.File{Path: "/etc/kubernetes/manifests/kube-apiserver.yaml", Exists: true, Data: text, Mode: 0o600},
		Files:    map[string]patch.File{},
		Offline:  true,
	}
}

// after is the manifest that a plan leaves.
func after(t *testing.T, p *patch.Plan) []byte {
	t.Helper()
	if text, ok := p.Text(p.Manifest); ok {
		return text
	}
	return p.Unchanged
}

// TestCorpus edits real manifests: each is edited or refused with a reason;
// what is edited changes no line that need not change, means the old Pod plus
// audit logging, does not change again, and goes back to the same bytes.
func TestCorpus(t *testing.T) {
	edited, removed := 0, 0
	refused := map[string][]string{}
	for _, file := range corpus(t) {
		name := filepath.Base(file)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := patch.Enable(plain(text), patch.Options{Policy: anyPolicy})
		if err != nil {
			reason := reasonOf(err)
			refused[reason] = append(refused[reason], name)
			continue
		}
		edited++
		on := after(t, plan)
		removed += checkLines(t, name, text, on)
		checkMeaning(t, name, text, on)
		if again, err := patch.Enable(plain(on), patch.Options{Policy: anyPolicy}); err != nil || !bytes.Equal(after(t, again), on) {
			t.Errorf("%s: a second enable changes the manifest (%v)", name, err)
		}
		if plan.Before.Enabled() {
			continue
		}
		off, err := patch.Disable(plain(on), false)
		if err != nil {
			t.Errorf("%s: disable: %v", name, err)
		} else if got := after(t, off); !bytes.Equal(got, text) {
			t.Errorf("%s: disable does not give back the input:\n%s", name, diff.Diff("input", text, "disabled", got))
		}
	}
	t.Logf("%d edited, %d lines changed in place", edited, removed)
	var reasons []string
	for r := range refused {
		reasons = append(reasons, r)
	}
	sort.Strings(reasons)
	for _, r := range reasons {
		t.Logf("%d refused: %s: %s", len(refused[r]), r, strings.Join(refused[r], " "))
	}
}

var (
	position = regexp.MustCompile(`^\S+:\d+(:\d+)?: `)
	detail   = regexp.MustCompile(`"[^"]*"|\(.*\)`)
)

// reasonOf is an error without its position and its details.
func reasonOf(err error) string {
	return strings.TrimSpace(detail.ReplaceAllString(position.ReplaceAllString(err.Error(), ""), "..."))
}

// checkLines counts the lines that the edit removed or changed. In block style
// there are none but flags whose value was changed.
func checkLines(t *testing.T, name string, before, on []byte) int {
	t.Helper()
	removed := 0
	for _, line := range strings.Split(string(diff.Diff("a", before, "b", on)), "\n") {
		if !strings.HasPrefix(line, "-") || strings.HasPrefix(line, "---") {
			continue
		}
		removed++
		audit := strings.Contains(line, "audit")
		flow := strings.ContainsAny(line, "[]{}") || strings.Contains(line, `"`) // grows, or gets a comma
		last := !bytes.HasSuffix(before, []byte("\n")) && bytes.HasSuffix(before, []byte(strings.TrimPrefix(line, "-")))
		unfit := strings.HasPrefix(strings.TrimSpace(line[1:]), "type: ") // of a volume with which nothing would start
		if !audit && !flow && !last && !unfit {
			t.Errorf("%s: this line need not change: %s", name, line)
		}
	}
	return removed
}

// checkMeaning decodes both texts on its own and compares all but auditing.
func checkMeaning(t *testing.T, name string, before, on []byte) {
	t.Helper()
	old, got := decode(t, name, before), decode(t, name, on)
	line := strings.Join(arguments(got), "\n")
	for _, want := range []string{"--audit-policy-file=", "--audit-log-path=", "--audit-log-maxage=", "--audit-log-maxbackup=", "--audit-log-maxsize="} {
		stdout := strings.Contains(line, "--audit-log-path=-\n") && strings.HasPrefix(want, "--audit-log-max")
		if !strings.Contains(line, want) && !stdout {
			t.Errorf("%s: %s is missing", name, want)
		}
	}
	if d := cmp.Diff(withoutAudit(old), withoutAudit(got)); d != "" {
		t.Errorf("%s: something else changed:\n%s", name, d)
	}
}

func decode(t *testing.T, name string, text []byte) *corev1.Pod {
	t.Helper()
	pod := &corev1.Pod{}
	if err := yaml.Unmarshal(text, pod); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return pod
}

func arguments(p *corev1.Pod) []string {
	var all []string
	for _, c := range p.Spec.Containers {
		all = append(append(all, c.Command...), c.Args...)
	}
	return all
}

// withoutAudit takes out everything that speaks of auditing, from either Pod.
func withoutAudit(p *corev1.Pod) *corev1.Pod {
	p = p.DeepCopy()
	for k := range p.Annotations {
		if strings.HasPrefix(k, "auditpatch/") {
			delete(p.Annotations, k)
		}
	}
	if len(p.Annotations) == 0 {
		p.Annotations = nil
	}
	keep := func(list []string) (out []string) {
		for _, s := range list {
			if !strings.HasPrefix(s, "--audit-") {
				out = append(out, s)
			}
		}
		return out
	}
	for i := range p.Spec.Containers {
		c := &p.Spec.Containers[i]
		c.Command, c.Args = keep(c.Command), keep(c.Args)
		var mounts []corev1.VolumeMount
		for _, m := range c.VolumeMounts {
			if !strings.Contains(m.Name, "audit") {
				mounts = append(mounts, m)
			}
		}
		c.VolumeMounts = mounts
	}
	var volumes []corev1.Volume
	for _, v := range p.Spec.Volumes {
		if !strings.Contains(v.Name, "audit") {
			volumes = append(volumes, v)
		}
	}
	p.Spec.Volumes = volumes
	return p
}
