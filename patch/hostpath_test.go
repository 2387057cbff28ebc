package patch_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/manifest"
	"auditpatch/patch"
)

func parsed(t *testing.T, s patch.State) *manifest.File {
	t.Helper()
	m, err := manifest.Parse(s.Manifest.Path, s.Manifest.Data)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestHostPaths lists what the kubelet mounts, and only that.
func TestHostPaths(t *testing.T) {
	src := pod("", policyMount, volumes+"  - name: tmp\n    emptyDir: {}\n  - name: sock\n    hostPath: {path: /run/x.sock, type: Socket}\n",
		"  initContainers:\n  - name: first\n    image: example.test/x:1\n    volumeMounts: [{name: sock, mountPath: /x}, {name: tmp, mountPath: /tmp}]\n")
	got := patch.HostPaths(parsed(t, plain([]byte(src))))
	want := []patch.HostPath{
		{Path: "/etc/kubernetes/pki", Volume: "k8s-certs"},
		{Path: "/etc/kubernetes/audit-policy.yaml", Type: "File", Volume: "audit"},
		{Path: "/run/x.sock", Type: "Socket", Volume: "sock"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestFault goes through every type and everything that may lie there: a column
// for nothing, directory, file, socket, character and block device, pipe.
func TestFault(t *testing.T) {
	kinds := []string{patch.KindNothing, patch.KindDirectory, patch.KindFile, patch.KindSocket, patch.KindCharDevice, patch.KindBlockDevice, patch.KindOther}
	for kind, mounts := range map[string]string{
		"": "+++++++", "DirectoryOrCreate": "++-----", "Directory": "-+-----", "FileOrCreate": "+-+----", "File": "--+----",
		"Socket": "---+---", "CharDevice": "----+--", "BlockDevice": "-----+-", "Folder": "-------",
	} {
		got := ""
		for _, k := range kinds {
			if (patch.HostPath{Path: "/x", Type: kind, Volume: "v"}).Fault(k) == "" {
				got += "+"
			} else {
				got += "-"
			}
		}
		if got != mounts {
			t.Errorf("%-18s %s, want %s", kind, got, mounts)
		}
	}
	for _, tc := range []struct{ kind, typ, want string }{
		{"", "File", `/x is missing, but volume "v" has the type File: the kubelet does not start the container without it`},
		{patch.KindDirectory, "File", `/x is a directory, but volume "v" has the type File: the kubelet does not start the container with it`},
		{patch.KindOther, "File", `/x is neither file nor directory, but volume "v" has the type File: the kubelet does not start the container with it`},
		{patch.KindFile, "Folder", `volume "v" has the type Folder, which the kubelet does not know`},
	} {
		if got := (patch.HostPath{Path: "/x", Type: tc.typ, Volume: "v"}).Fault(tc.kind); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
}
