package manifest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// clusterEdits are of the kinds that a change makes, and clusterUndo takes them
// back.
var (
	clusterEdits = []ClusterEdit{
		SetArg{"flag-path", "/etc/kubernetes/x.yaml"}, SetArg{"flag-age", "30"},
		AddExtraVolume{ExtraVolume{Name: "x", HostPath: "/etc/kubernetes/x.yaml", MountPath: "/etc/kubernetes/x.yaml", ReadOnly: true, PathType: "File"}},
		AddExtraVolume{ExtraVolume{Name: "logs", HostPath: "/var/log/y/", MountPath: "/var/log/y/", PathType: "DirectoryOrCreate"}},
	}
	clusterUndo = []ClusterEdit{
		DropArg{"flag-age"}, DropArg{"flag-path"}, DropExtraVolume{"x"}, DropExtraVolume{"logs"},
	}
)

const (
	v1beta3Head = "apiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\n"
	v1beta4Head = "apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
)

// clusterSamples are ways in which apiServer is written.
var clusterSamples = map[string]string{
	"empty":             "apiServer: {}\nZ",
	"empty, last":       "Zscheduler: {}\napiServer: {}",
	"empty, comment":    "apiServer: {} # ours\nZ",
	"absent":            "Zscheduler: {}\n",
	"absent, no end":    "Zscheduler: {}",
	"absent, comment":   "Z# the end\n",
	"other keys":        "apiServer:\n  # names of the certificate\n  certSANs:\n  - localhost\n  timeoutForControlPlane: 4m0s\nZetcd:\n  local: {dataDir: /var/lib/etcd}\n",
	"indented lists":    "apiServer:\n  certSANs:\n    - localhost\nZ",
	"empty collections": "apiServer:\n  extraArgs: EMPTY\n  extraVolumes: []\nZ",
	"null collections":  "apiServer:\n  extraArgs:\n  extraVolumes: null\nZ",
	"flow":              "apiServer: {certSANs: [localhost]}\nZ",
	"JSON":              "{\"apiServer\": {\"certSANs\": [\"localhost\"]}, J}",
	"CRLF":              "apiServer: {}\r\nZ",
	"volumes":           "apiServer:\n  extraVolumes:\n  - name: other   # stays\n    hostPath: /opt\n    mountPath: /opt\nZ",
	"unknown fields":    "apiServer:\n  newField: {a: 1}\nZnewer: true\n",
}

// sample fills a version in.
func sample(text string, list bool) string {
	head, empty, args := v1beta3Head, "{}", "apiServer:\n  extraArgs:\n    v: \"2\" # talk\n    # below\n    feature_gates: A=true\nZ"
	if list {
		head, empty, args = v1beta4Head, "[]", "apiServer:\n  extraArgs:\n  - name: v\n    value: \"2\" # talk\n  # below\n  - {name: v, value: \"3\"}\nZ"
	}
	if text == "ARGS" {
		text = args
	}
	version := strings.Fields(head)[1]
	text = strings.ReplaceAll(strings.ReplaceAll(text, "EMPTY", empty), "J", `"apiVersion": "`+version+`", "kind": "ClusterConfiguration"`)
	return strings.Replace(text, "Z", head, 1)
}

// TestClusterConfigBack wants every sample's bytes back when what was put in is
// taken out again, and a second run to change nothing.
func TestClusterConfigBack(t *testing.T) {
	clusterSamples["arguments"] = "ARGS"
	for name, text := range clusterSamples {
		for _, list := range []bool{false, true} {
			text := sample(text, list)
			on := applyCluster(t, name, text, clusterEdits)
			if on == text {
				t.Errorf("%s: nothing was changed", name)
			}
			if again := applyCluster(t, name, on, clusterEdits); again != on {
				t.Errorf("%s: a second run changes:\n%s", name, cmp.Diff(on, again))
			}
			if off := applyCluster(t, name, on, clusterUndo); off != text {
				t.Errorf("%s: taken out again (-before +after):\n%s\nfrom\n%s", name, cmp.Diff(text, off), on)
			}
		}
	}
}

func applyCluster(t *testing.T, name, text string, edits []ClusterEdit) string {
	t.Helper()
	c, err := ParseClusterConfig(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Apply(edits...)
	if err != nil {
		t.Fatalf("%v\nin\n%s", err, text)
	}
	return string(out)
}

// TestClusterConfigText compares what is written, letter for letter.
func TestClusterConfigText(t *testing.T) {
	list := applyCluster(t, "list", sample("apiServer: {}\nZ", true), clusterEdits)
	want := `apiServer:
  extraArgs:
  - name: flag-path
    value: /etc/kubernetes/x.yaml
  - name: flag-age
    value: "30"
  extraVolumes:
  - name: x
    hostPath: /etc/kubernetes/x.yaml
    mountPath: /etc/kubernetes/x.yaml
    readOnly: true
    pathType: File
  - name: logs
    hostPath: /var/log/y/
    mountPath: /var/log/y/
    readOnly: false
    pathType: DirectoryOrCreate
` + v1beta4Head
	if d := cmp.Diff(want, list); d != "" {
		t.Errorf("a list (-want +got):\n%s", d)
	}
	m := applyCluster(t, "map", sample("ARGS", false), clusterEdits[:2])
	want = "apiServer:\n  extraArgs:\n    v: \"2\" # talk\n    # below\n    feature_gates: A=true\n" +
		"    flag-path: /etc/kubernetes/x.yaml\n    flag-age: \"30\"\n" + v1beta3Head
	if d := cmp.Diff(want, m); d != "" {
		t.Errorf("a map (-want +got):\n%s", d)
	}
}

// TestClusterConfigRepeats makes several of one argument one, and leaves those of
// another name alone.
func TestClusterConfigRepeats(t *testing.T) {
	before := "apiServer:\n  extraArgs:\n  - name: flag_age\n    value: \"1\"\n  - name: v\n    value: a\n  - name: flag-age\n    value: \"2\"\n  - name: v\n    value: b\n" + v1beta4Head
	want := "apiServer:\n  extraArgs:\n  - name: v\n    value: a\n  - name: flag-age\n    value: \"9\"\n  - name: v\n    value: b\n" + v1beta4Head
	if d := cmp.Diff(want, applyCluster(t, "list", before, []ClusterEdit{SetArg{"flag-age", "9"}})); d != "" {
		t.Errorf("a list (-want +got):\n%s", d)
	}
	before = "apiServer:\n  extraArgs:\n    flag-age: \"1\"\n    flag_age: '2'\n" + v1beta3Head
	want = "apiServer:\n  extraArgs:\n    flag_age: '9'\n" + v1beta3Head
	if d := cmp.Diff(want, applyCluster(t, "map", before, []ClusterEdit{SetArg{"flag-age", "9"}})); d != "" {
		t.Errorf("a map (-want +got):\n%s", d)
	}
}

// TestClusterConfigRefuses compares the whole refusal.
func TestClusterConfigRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"kind: ClusterConfiguration\n":                                     "f:1:1: apiVersion none: only kubeadm.k8s.io/v1beta3 and kubeadm.k8s.io/v1beta4 are known",
		"apiVersion: kubeadm.k8s.io/v1beta2\nkind: ClusterConfiguration\n": "f:1:13: apiVersion kubeadm.k8s.io/v1beta2: only kubeadm.k8s.io/v1beta3 and kubeadm.k8s.io/v1beta4 are known",
		"apiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\n":    "f:1:1: this is not a ClusterConfiguration",
		v1beta4Head + "---\na: 1\n":                                        "f:1:1: this is not a single YAML mapping, so it is not a ClusterConfiguration",
		v1beta4Head + "a: &x {}\n":                                         "f:3:4: the anchor &x is not supported here",
		v1beta4Head + "apiServer:\n":                                       "f:3:1: apiServer is not a mapping",
		v1beta4Head + "apiServer:\n  extraArgs:\n    v: \"1\"\n":           "f:5:5: extraArgs is not a list",
		v1beta3Head + "apiServer:\n  extraArgs:\n  - name: v\n":            "f:5:3: extraArgs is not a mapping",
		v1beta3Head + "apiServer:\n  extraArgs:\n    v: 2\n":               "f:5:5: this argument has no name, or a value that is not a string",
		v1beta4Head + "apiServer:\n  extraArgs:\n  - name: v\n":            "f:5:11: this argument has no name, or a value that is not a string",
		v1beta4Head + "apiServer: {}\napiServer: {}\n":                     "f:4:1: duplicate key \"apiServer\", first on line 3",
		v1beta4Head + "apiServer:\n  extraArgs: []\n  extraArgs: []\n":     "f:5:3: duplicate key \"extraArgs\", first on line 4",
		v1beta4Head + "apiServer: [\n":                                     "f:3:1: broken YAML: did not find expected node content",
		v1beta4Head + "apiServer:\n  extraVolumes: [a]\n":                  "f:4:18: this extra volume is not a mapping",
		"": "f: the file is empty",
	} {
		_, err := ParseClusterConfig("f", []byte(text))
		if err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

// TestClusterWithoutLastBreak has a key without a value, which the YAML parser
// sees on a line below the text's last.
func TestClusterWithoutLastBreak(t *testing.T) {
	for _, tail := range []string{"? a", "? a\r", "? a # b", "? \"a\""} {
		src := v1beta4Head + tail
		c, err := ParseClusterConfig("f", []byte(src))
		if err != nil {
			t.Fatalf("%q: %v", tail, err)
		}
		_, err = c.Apply(clusterEdits...)
		if want := "it is written in a way that cannot be edited safely"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", tail, err, want)
		}
	}
	docs, err := documents([]byte("a: b\n? c"))
	if err != nil || len(docs) != 1 {
		t.Fatalf("%v, %v", docs, err)
	}
	if absent := docs[0].Content[0].Content[3]; absent.Line != 2 || absent.Column != 4 {
		t.Errorf("the absent value is at %d:%d, want 2:4", absent.Line, absent.Column)
	}
}

// FuzzClusterConfig: whatever the text, an edit is refused or proven, a second
// run changes nothing, and no byte is lost that was not asked for: what was put
// in and taken out again means what it meant.
func FuzzClusterConfig(f *testing.F) {
	for _, text := range clusterSamples {
		f.Add([]byte(sample(text, false)))
		f.Add([]byte(sample(text, true)))
	}
	f.Add([]byte(v1beta4Head + "? a"))
	f.Fuzz(func(t *testing.T, src []byte) {
		c, err := ParseClusterConfig("f", src)
		if err != nil {
			return
		}
		on, err := c.Apply(clusterEdits...)
		if err != nil {
			return
		}
		d, err := ParseClusterConfig("f", on)
		if err != nil {
			t.Fatalf("the result is refused: %v\n%s", err, on)
		}
		if again, err := d.Apply(clusterEdits...); err != nil || !bytes.Equal(again, on) {
			t.Fatalf("a second run: %v\n%s", err, cmp.Diff(string(on), string(again)))
		}
		for _, e := range clusterUndo {
			if one, ok := e.(DropArg); ok && len(c.doc.named(one.Name)) > 0 {
				return // it was there before
			}
			if one, ok := e.(DropExtraVolume); ok && c.doc.volumes().v != nil && c.doc.volumes().find(member{"", "name", one.Name}) >= 0 {
				return
			}
		}
		off, err := d.Apply(clusterUndo...)
		if err != nil {
			return // refused
		}
		e, err := ParseClusterConfig("f", off)
		if err != nil || !sameCluster(c.tree, e.tree) {
			t.Fatalf("put in and taken out (%v):\n%s", err, cmp.Diff(string(src), string(off)))
		}
	})
}
