package patch

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"auditpatch/manifest"
)

func TestKubeadmAPIs(t *testing.T) {
	for v, want := range map[Version]string{
		{}:                    "[v1beta4 v1beta3]",
		{Major: 1, Minor: 21}: "[]",
		{Major: 1, Minor: 22}: "[v1beta3]",
		{Major: 1, Minor: 30}: "[v1beta3]",
		{Major: 1, Minor: 31}: "[v1beta4 v1beta3]",
		{Major: 1, Minor: 36}: "[v1beta4 v1beta3]",
		{Major: 1, Minor: 37}: "[v1beta4]",
		{Major: 1, Minor: 38}: "[v1beta4]",
	} {
		if got := fmt.Sprint(KubeadmAPIs(v)); got != want {
			t.Errorf("kubeadm %s reads %s, want %s", v, got, want)
		}
	}
}

// ofRelease is persisted's manifest with an image of a release.
func ofRelease(t *testing.T, tag string) *manifest.File {
	t.Helper()
	text := string(persisted(t, nil).Bytes())
	image := "image: registry.k8s.io/kube-apiserver"
	if strings.Count(text, image) != 1 {
		t.Fatalf("%q does not stand once in:\n%s", image, text)
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if before, _, found := strings.Cut(line, image); found {
			lines[i] = before + image + tag
		}
	}
	m, err := manifest.Parse("m", []byte(strings.Join(lines, "\n")))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestExportKubeadmVersion takes the form that belongs to the manifest's image, and refuses
// one that its kubeadm does not read.
func TestExportKubeadmVersion(t *testing.T) {
	for _, c := range []struct{ tag, asked, want, hint string }{
		{":v1.30.14", "", "apiVersion: kubeadm.k8s.io/v1beta3", ""},
		{":v1.36.3", "", "apiVersion: kubeadm.k8s.io/v1beta4", ""},
		{":v1.36.3", "v1beta3", "apiVersion: kubeadm.k8s.io/v1beta3", ""},
		{":v1.37.2", "", "apiVersion: kubeadm.k8s.io/v1beta4", ""},
		{":latest", "", "apiVersion: kubeadm.k8s.io/v1beta4", ""},
		{":latest", "v1beta3", "apiVersion: kubeadm.k8s.io/v1beta3", ""},
		{":v1.37.2", "v1beta3", "kubeadm 1.37, the release of the manifest's image, does not read v1beta3", "--api-version=v1beta4"},
		{":v1.30.14", "v1beta4", "kubeadm 1.30, the release of the manifest's image, does not read v1beta4", "--api-version=v1beta3"},
		{":v1.20.1", "", "kubeadm 1.20, the release of the manifest's image, reads neither v1beta4 nor v1beta3", "auditpatch export kubeadm-patches"},
		{":v1.37.2", "v1beta2", `--api-version "v1beta2": it must be v1beta3 or v1beta4`, "--api-version=v1beta4"},
	} {
		text, err := ExportKubeadm(ofRelease(t, c.tag), c.asked)
		got, _, _ := strings.Cut(string(text), "\n")
		hint := ""
		if err != nil {
			got = err.Error()
		}
		if refusal := (*Error)(nil); errors.As(err, &refusal) {
			hint = refusal.Hint.String()
		}
		if got != c.want || hint != c.hint {
			t.Errorf("image %s, version %q: %q, hint %q; want %q, hint %q", c.tag, c.asked, got, hint, c.want, c.hint)
		}
	}
}

// TestExportKindOfAnyRelease has one text for every release, since kind chooses the version.
func TestExportKindOfAnyRelease(t *testing.T) {
	var texts []string
	for _, tag := range []string{":v1.30.14", ":v1.37.2"} {
		text, err := ExportKind(ofRelease(t, tag), "/audit", 1)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	if texts[0] != texts[1] || strings.Contains(texts[0], "kubeadm.k8s.io") {
		t.Errorf("1.30:\n%s\n1.37:\n%s", texts[0], texts[1])
	}
}
