package patch

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/manifest"
)

// persisted is a manifest as Enable makes one of a stand-in, with more flags.
func persisted(t *testing.T, flags map[string]string) *manifest.File {
	t.Helper()
	s := State{Manifest: StandIn("/etc/kubernetes/manifests/kube-apiserver.yaml"), Offline: true}
	p, err := Enable(s, Options{Flags: flags, Policy: &Content{Data: []byte("x")}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.Settled()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func silent(t *testing.T) *manifest.File {
	t.Helper()
	m, err := manifest.Parse("m", []byte(kubeadmPod))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func planKubeadm(t *testing.T, text string, m *manifest.File) *KubeadmPlan {
	t.Helper()
	p, err := PlanKubeadm([]byte(text), m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// asKubeadm is what kubeadm keeps of a cluster that kind made.
const asKubeadm = `apiServer:
  certSANs:
  - localhost
  extraArgs:
  - name: runtime-config
    value: ""
  - name: runtime-config
    value: again
apiVersion: kubeadm.k8s.io/v1beta4
clusterName: kind # mine
controllerManager:
  extraArgs:
  - name: audit-is-not-mine
    value: "true"
kind: ClusterConfiguration
scheduler: {}
`

// TestPlanKubeadm wants a second plan to be empty, a change to touch what it has
// to, and the same bytes when audit logging is taken out again.
func TestPlanKubeadm(t *testing.T) {
	v1beta3 := "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\napiServer:\n  extraArgs: {v: \"2\"}\n"
	for name, text := range map[string]string{
		"as kubeadm has it": asKubeadm, "v1beta3": v1beta3,
		"empty": "apiServer: {}\napiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n",
	} {
		on := planKubeadm(t, text, persisted(t, nil))
		if got, want := on.Counts(), "+5 extraArgs +2 extraVolumes"; got != want || on.Audits {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
		if again := planKubeadm(t, string(on.New), persisted(t, nil)); !again.Empty() || !again.Audits {
			t.Errorf("%s: a second plan has %v", name, again.Edits)
		}
		other := planKubeadm(t, string(on.New), persisted(t, map[string]string{"audit-log-path": "/srv/audit/a.log", "audit-log-maxage": "7"}))
		if got, want := other.Counts(), "+2 extraArgs +1 extraVolumes -1 extraVolumes"; got != want {
			t.Errorf("%s: another path: %s, want %s", name, got, want)
		}
		want := []string{
			"its extraVolumes audit-log differ from the manifest",
			"it has audit-log-path=/var/log/kubernetes/audit/audit.log, and the manifest /srv/audit/a.log",
			"it has audit-log-maxage=30, and the manifest 7",
			"it has no extraVolumes for /srv/audit/",
		}
		if d := cmp.Diff(want, other.Differences()); d != "" {
			t.Errorf("%s: differences (-want +got):\n%s", name, d)
		}
		if off := planKubeadm(t, string(on.New), silent(t)); string(off.New) != text {
			t.Errorf("%s: taken out again:\n%s", name, cmp.Diff(text, string(off.New)))
		}
		if off := planKubeadm(t, text, silent(t)); !off.Empty() {
			t.Errorf("%s: nothing to take out, and the plan has %v", name, off.Edits)
		}
	}
}

// TestPlanKubeadmPaths leaves to kubeadm what it mounts by itself, and takes what
// a volume of other make brings already.
func TestPlanKubeadmPaths(t *testing.T) {
	m := persisted(t, map[string]string{"audit-policy-file": "/etc/kubernetes/pki/audit.yaml"})
	if got, want := planKubeadm(t, asKubeadm, m).Counts(), "+5 extraArgs +1 extraVolumes"; got != want {
		t.Errorf("policy beside the certificates: %s, want %s", got, want)
	}
	const theirs = "apiServer:\n  extraVolumes:\n  - name: logs\n    hostPath: /var/log/kubernetes/audit\n    mountPath: /var/log/kubernetes/audit\n" +
		"apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
	if got, want := planKubeadm(t, theirs, persisted(t, nil)).Counts(), "+5 extraArgs +1 extraVolumes"; got != want {
		t.Errorf("their own volume: %s, want %s", got, want)
	}
	same := "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\napiServer: {extraArgs: {audit_log_maxage: '0x1e'}}\n"
	if got := string(planKubeadm(t, same, persisted(t, nil)).New); !strings.Contains(got, "audit_log_maxage: '0x1e'") {
		t.Errorf("the same value in another spelling was written anew:\n%s", got)
	}
}

// TestPlanKubeadmRefuses compares the whole refusal of what something else has.
func TestPlanKubeadmRefuses(t *testing.T) {
	volume := func(name, host, mount string) string {
		return "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\napiServer:\n  extraVolumes:\n  - name: " + name +
			"\n    hostPath: " + host + "\n    mountPath: " + mount + "\n"
	}
	for text, want := range map[string]string{
		volume("audit", "/opt", "/opt"):                      `kube-system/kubeadm-config:5: the name "audit" of extraVolumes is already used for something else (host path /opt)`,
		volume("x", "/opt", "/var/log/kubernetes/audit"):     `kube-system/kubeadm-config:5: mountPath /var/log/kubernetes/audit of extraVolumes is already used for something else (host path /opt)`,
		volume("x", "/opt", "/etc/kubernetes") + "a: &b 1\n": `kube-system/kubeadm-config:8:4: the anchor &b is not supported here`,
	} {
		_, err := PlanKubeadm([]byte(text), persisted(t, nil))
		if err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

// TestUnbuilt plans all but the manifest where kubeadm has not written it.
func TestUnbuilt(t *testing.T) {
	s := State{Manifest: StandIn("/etc/kubernetes/manifests/kube-apiserver.yaml"), Offline: true, Files: map[string]File{}}
	p, err := Enable(s, Options{Flags: map[string]string{}, Policy: &Content{Data: []byte("x")}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range p.Changes {
		got = append(got, string(c.Kind)+" "+c.Path)
	}
	want := []string{"mkdir /etc/kubernetes", "mkdir /var/log/kubernetes/audit", "write /etc/kubernetes/audit-policy.yaml"}
	if d := cmp.Diff(want, got); d != "" || !p.Unbuilt() || p.Restarts() || len(p.Edits) > 0 {
		t.Errorf("(-want +got):\n%s", d)
	}
}
