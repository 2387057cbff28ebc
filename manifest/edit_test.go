package manifest

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestEditStrings compares how edits are told.
func TestEditStrings(t *testing.T) {
	for _, c := range []struct {
		edit Edit
		want string
	}{
		{SetFlag{"a", "b"}, "set flag --a=b"},
		{DropFlag{"a"}, "drop flag --a"},
		{AddMount{corev1.VolumeMount{Name: "v", MountPath: "/v"}}, "add mount /v of volume v"},
		{DropMount{"/v"}, "drop mount /v"},
		{AddVolume{hostPath("v", "/w", "File")}, "add volume v of host path /w"},
		{AddVolume{corev1.Volume{Name: "v"}}, "add volume v"},
		{DropVolume{"v"}, "drop volume v"},
		{SetMountReadOnly{"/v", true}, "make mount /v read-only"},
		{SetMountReadOnly{"/v", false}, "make mount /v writable"},
		{SetVolumeType{"v", "File"}, "set type of volume v to File"},
		{SetAnnotation{"a", "b"}, "set annotation a=b"},
		{DropAnnotation{"a"}, "drop annotation a"},
	} {
		if got := c.edit.String(); got != c.want {
			t.Errorf("%#v: %s, want %s", c.edit, got, c.want)
		}
	}
}

// TestFlags reads flags and where they stand.
func TestFlags(t *testing.T) {
	f := parse(t, fixtures(t)["two-items.yaml"])
	want := []Flag{
		{"advertise-address", "192.0.2.121", false, 12, 7},
		{"audit-log-maxage", "7", false, 14, 7},
		{"audit-log-maxsize", "50", false, 16, 7},
		{"audit-log-maxbackup", "3", false, 18, 7},
		{"allow-privileged", "", true, 19, 7},
		{"audit-log-maxbackup", "4", false, 20, 7},
		{"goaway-chance", "-0.5", false, 21, 7},
	}
	got := f.Flags()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("flags are %+v, want %+v", got, want)
		}
	}
	if last, ok := f.Flag("audit-log-maxbackup"); !ok || last != want[5] {
		t.Errorf("the last of repeats: %+v", last)
	}
	if _, ok := f.Flag("v"); ok {
		t.Error("-v is no long flag")
	}
	aliased := "x: &c [kube-apiserver, --a=1]\n" + pod("    command: *c\n", "", "")
	if a, _ := parse(t, []byte(aliased)).Flag("a"); a != (Flag{"a", "1", false, 1, 24}) {
		t.Errorf("in an alias: %+v", a)
	}
	merged := pod("    <<: {command: [kube-apiserver, --a=1]}\n", "", "")
	if a, _ := parse(t, []byte(merged)).Flag("a"); a != (Flag{"a", "1", false, 7, 5}) {
		t.Errorf("in a merge: %+v", a)
	}
}

func TestPlaces(t *testing.T) {
	f := parse(t, fixtures(t)["indented.yaml"])
	for path, want := range map[string][2]int{"/etc/kubernetes/pki": {38, 11}, "/etc/ssl/certs/": {40, 11}, "/etc": {0, 0}} {
		if line, col := f.MountAt(path); line != want[0] || col != want[1] {
			t.Errorf("MountAt(%s) = %d:%d, want %v", path, line, col, want)
		}
	}
	for name, want := range map[string][2]int{"pki": {50, 7}, "ca-certs": {55, 7}, "none": {0, 0}} {
		if line, col := f.VolumeAt(name); line != want[0] || col != want[1] {
			t.Errorf("VolumeAt(%s) = %d:%d, want %v", name, line, col, want)
		}
	}
	if name, namespace, ok := PodName(f.Bytes()); name != "kube-apiserver" || namespace != "kube-system" || !ok {
		t.Errorf("PodName = %s %s %v", name, namespace, ok)
	}
	for _, src := range []string{"", "[", "kind: Pod\nmetadata: {name: x}\n", "- a\n"} {
		if name, _, ok := PodName([]byte(src)); ok {
			t.Errorf("PodName(%q) = %s", src, name)
		}
	}
}
