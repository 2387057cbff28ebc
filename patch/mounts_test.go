package patch_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/patch"
)

const manifestPath = "/etc/kubernetes/manifests/kube-apiserver.yaml"

// spoiled are leftovers of auditing in a manifest without its flags.
func spoiled(policyType, logType, more string) string {
	return pod("", policyMount+logMount+more, strings.NewReplacer("type: File", "type: "+policyType, "type: DirectoryOrCreate", "type: "+logType).Replace(volumes), "")
}

// TestReusedMounts says what becomes of mounts and volumes that are there
// already, and that disable gives back each of their bytes.
func TestReusedMounts(t *testing.T) {
	commented := strings.Replace(spoiled("File", "DirectoryOrCreate", ""), "name: audit-log\n", "name: audit-log\n      # keep\n      readOnly: yes   # why\n      mountPropagation: HostToContainer\n", 1)
	for _, tc := range []struct {
		name, manifest string
		want           []string // edits of mounts and volumes
		before         string   // what is remembered
	}{
		{"types that fit", spoiled("FileOrCreate", "Directory", ""), nil,
			"mount=%2Fetc%2Fkubernetes%2Faudit-policy.yaml mount=%2Fvar%2Flog%2Fkubernetes%2Faudit%2F volume=audit volume=audit-log"},
		{"types that do not", spoiled("DirectoryOrCreate", "File", ""), []string{"set type of volume audit to File", "set type of volume audit-log to DirectoryOrCreate"},
			"mount=%2Fetc%2Fkubernetes%2Faudit-policy.yaml mount=%2Fvar%2Flog%2Fkubernetes%2Faudit%2F type=audit%2FDirectoryOrCreate type=audit-log%2FFile volume=audit volume=audit-log"},
		{"a device", spoiled("CharDevice", "Socket", ""), []string{"set type of volume audit to File", "set type of volume audit-log to DirectoryOrCreate"},
			"mount=%2Fetc%2Fkubernetes%2Faudit-policy.yaml mount=%2Fvar%2Flog%2Fkubernetes%2Faudit%2F type=audit%2FCharDevice type=audit-log%2FSocket volume=audit volume=audit-log"},
		{"read-only, with all that it says", commented, []string{"make mount /var/log/kubernetes/audit/ writable"},
			"mount=%2Fetc%2Fkubernetes%2Faudit-policy.yaml mount=%2Fvar%2Flog%2Fkubernetes%2Faudit%2F readonly=%2Fvar%2Flog%2Fkubernetes%2Faudit%2F volume=audit volume=audit-log"},
		{"a folder around it", pod("", "    - {mountPath: /var/log/kubernetes, name: logs}\n", "  - {name: logs, hostPath: {path: /var/log/kubernetes, type: File}}\n", ""), []string{
			"add mount /etc/kubernetes/audit-policy.yaml of volume audit",
			"add volume audit of host path /etc/kubernetes/audit-policy.yaml",
			"set type of volume logs to DirectoryOrCreate",
		}, "type=logs%2FFile"},
		{"a subPath of a file", pod("", "    - {mountPath: /etc/kubernetes/audit-policy.yaml, name: conf, subPath: audit-policy.yaml}\n", "  - {name: conf, hostPath: {path: /etc/kubernetes/conf, type: File}}\n", ""), []string{
			"add mount /var/log/kubernetes/audit/ of volume audit-log",
			"set type of volume conf to DirectoryOrCreate",
			"add volume audit-log of host path /var/log/kubernetes/audit/",
		}, "mount=%2Fetc%2Fkubernetes%2Faudit-policy.yaml type=conf%2FFile volume=conf"},
		{"a volume that no mount uses, of the wrong type", pod("", "", strings.Replace(volumes, "type: File", "type: Socket", 1), ""), []string{
			"add mount /etc/kubernetes/audit-policy.yaml of volume audit-2",
			"add mount /var/log/kubernetes/audit/ of volume audit-log",
			"add volume audit-2 of host path /etc/kubernetes/audit-policy.yaml",
		}, "volume=audit-log"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			plan, err := patch.Enable(plain([]byte(tc.manifest)), patch.Options{Policy: anyPolicy})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range edits(plan) {
				if !strings.Contains(e, "flag") && !strings.Contains(e, "annotation") {
					got = append(got, e)
				}
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("edits (-want +got):\n%s", d)
			}
			if got := plan.After.Annotations[patch.PreexistingAnnotation]; got != tc.before {
				t.Errorf("before %s\nwant   %s", got, tc.before)
			}
			checkThereAndBack(t, tc.manifest, plan)
			again, err := patch.Enable(plain(after(t, plan)), patch.Options{Policy: anyPolicy})
			if err != nil || again.Restarts() {
				t.Errorf("a second enable changes the manifest: %v %v", edits(again), err)
			}
		})
	}
}

// TestTypesOfLoggingManifest: what is changed in place in a manifest that logs
// already is undone too, where the volume outlives disable.
func TestTypesOfLoggingManifest(t *testing.T) {
	flags := strings.Replace(allFlags, "/etc/kubernetes/audit-policy.yaml", "/etc/conf/policy.yaml", 1)
	src := func(flags, log, kind string) string {
		return pod(flags, "    - {mountPath: /etc/conf, name: conf, readOnly: true}\n"+log, "  - {name: conf, hostPath: {path: /srv/conf, type: "+kind+"}}\n"+logVolume(log), "")
	}
	on, err := patch.Enable(plain([]byte(src(flags, logMount, "File"))), patch.Options{Policy: anyPolicy})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"set type of volume conf to DirectoryOrCreate", "set annotation auditpatch/policy-sha256", "set annotation auditpatch/before=type=conf%2FFile"}
	if d := cmp.Diff(want, edits(on)); d != "" {
		t.Errorf("edits (-want +got):\n%s", d)
	}
	again, err := patch.Enable(plain(after(t, on)), patch.Options{Policy: anyPolicy})
	if err != nil || again.Restarts() {
		t.Errorf("a second enable: %v %v", edits(again), err)
	}
	off, err := patch.Disable(plain(after(t, on)), false)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(src("", "", "File"), string(after(t, off))); d != "" {
		t.Errorf("disable (-want +got):\n%s", d)
	}
}

// logVolume is the volume of the log's mount, if there is one.
func logVolume(mount string) string {
	if mount == "" {
		return ""
	}
	return volumes[strings.Index(volumes, "  - name: audit-log"):]
}

// TestMovedLog moves the log away from a mount that was there and read-only: it
// is read-only again at once, and disable still gives back every byte.
func TestMovedLog(t *testing.T) {
	src := strings.Replace(spoiled("File", "Directory", ""), "name: audit-log\n", "name: audit-log\n      readOnly: true\n", 1)
	on, err := patch.Enable(plain([]byte(src)), patch.Options{Policy: anyPolicy})
	if err != nil {
		t.Fatal(err)
	}
	moved, err := patch.Enable(plain(after(t, on)), patch.Options{Policy: anyPolicy, Flags: map[string]string{"audit-log-path": "/srv/audit/a.log"}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"set flag --audit-log-path=/srv/audit/a.log",
		"make mount /var/log/kubernetes/audit/ read-only",
		"add mount /srv/audit/ of volume audit-log-2",
		"add volume audit-log-2 of host path /srv/audit/",
	}
	if d := cmp.Diff(want, edits(moved)); d != "" {
		t.Errorf("edits (-want +got):\n%s", d)
	}
	off, err := patch.Disable(plain(after(t, moved)), false)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(src, string(after(t, off))); d != "" {
		t.Errorf("disable (-want +got):\n%s", d)
	}
}

// TestTypeThatCannotComeBack: on a node that runs, disable does not give a volume
// back the type with which the kubelet would make no container.
func TestTypeThatCannotComeBack(t *testing.T) {
	on, err := patch.Enable(plain([]byte(spoiled("Socket", "Directory", ""))), patch.Options{Policy: anyPolicy})
	if err != nil {
		t.Fatal(err)
	}
	s := plain(after(t, on))
	s.Kinds = map[string]string{
		"/etc/kubernetes/pki": patch.KindDirectory, "/etc/kubernetes/audit-policy.yaml": patch.KindFile, "/var/log/kubernetes/audit": patch.KindDirectory,
	}
	off, err := patch.Disable(s, false)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(spoiled("File", "Directory", ""), string(after(t, off))); d != "" {
		t.Errorf("disable (-want +got):\n%s", d)
	}
	want := `volume "audit" keeps the type File instead of its earlier type Socket: /etc/kubernetes/audit-policy.yaml is a file, but volume "audit" has the type Socket: the kubelet does not start the container with it`
	if len(off.Warnings) != 1 || off.Warnings[0].Message != want {
		t.Errorf("warnings %v\nwant %s", off.Warnings, want)
	}
}

// TestMountsRefused has the whole text of each refusal that is about mounts.
func TestMountsRefused(t *testing.T) {
	const covered = "    - {mountPath: /var/log/kubernetes, name: logs}\n"
	for _, tc := range []struct {
		name, manifest string
		flags          map[string]string
		want, hint     string
	}{
		{"a type that serves another mount too", spoiled("File", "File", "    - {mountPath: /other, name: audit-log}\n"), nil,
			manifestPath + `:29:5: --audit-log-path: volume "audit-log" has the type File, but a directory belongs at /var/log/kubernetes/audit/: the kubelet does not start the container with it`,
			`write "type: DirectoryOrCreate" for volume audit-log`},
		{"a type of a folder with other files", pod("    - --tls-cert-file=/var/log/kubernetes/x.crt\n", covered, "  - {name: logs, hostPath: {path: /var/log/kubernetes, type: File}}\n", ""), nil,
			manifestPath + `:23:5: --audit-log-path: volume "logs" has the type File, but a directory belongs at /var/log/kubernetes: the kubelet does not start the container with it`,
			`write "type: DirectoryOrCreate" for volume logs`},
		{"a subPath that is not known", pod("", "    - {mountPath: /var/log/kubernetes/audit, name: logs, subPathExpr: $(X)}\n", "  - {name: logs, hostPath: {path: /var/log/kubernetes}}\n", ""), nil,
			manifestPath + `:17:7: --audit-log-path: the mount /var/log/kubernetes/audit covers it with a subPathExpr, so its path on the node is not known`,
			"--audit-log-path=/var/log/kubernetes-audit/audit.log"},
		{"the usual place is read-only", pod("", "    - {mountPath: /var/log, name: logs, readOnly: true}\n", "  - {name: logs, hostPath: {path: /var/log}}\n", ""), nil,
			manifestPath + `:17:7: --audit-log-path: the mount /var/log covers it, and is read-only`,
			"--audit-log-path=/srv/audit/audit.log"},
		{"read-only and not for a log", pod("", "    - {mountPath: /srv/data, name: data, readOnly: true}\n", "  - {name: data, hostPath: {path: /srv/data}}\n", ""),
			map[string]string{"audit-log-path": "/srv/data/audit.log"},
			manifestPath + `:17:7: --audit-log-path: the mount /srv/data is read-only and serves something else, so it is not made writable`,
			"--audit-log-path=/var/log/kubernetes/audit/audit.log"},
		{"read-only with all below it", pod("", "    - {mountPath: /var/log/kubernetes/audit, name: logs, readOnly: true, recursiveReadOnly: Enabled}\n", "  - {name: logs, hostPath: {path: /var/log/kubernetes/audit}}\n", ""), nil,
			manifestPath + `:17:7: --audit-log-path: the mount /var/log/kubernetes/audit is read-only with all below it (recursiveReadOnly)`,
			"--audit-log-path=/var/log/kubernetes-audit/audit.log"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			refused(t, plain([]byte(tc.manifest)), patch.Options{Policy: anyPolicy, Flags: tc.flags}, tc.want, tc.hint)
		})
	}
}

// refused checks an Enable that must not be.
func refused(t *testing.T, s patch.State, opts patch.Options, want, hint string) {
	t.Helper()
	_, err := patch.Enable(s, opts)
	if err == nil || err.Error() != want {
		t.Fatalf("got  %v\nwant %s", err, want)
	}
	if pe, ok := err.(*patch.Error); !ok || pe.Hint.String() != hint {
		t.Errorf("hint %q\nwant %q", pe.Hint, hint)
	}
}

// TestUnmountable: with what the node has, the kubelet would make no container.
func TestUnmountable(t *testing.T) {
	s := plain([]byte(pod("", "", "", "")))
	s.Kinds = map[string]string{"/etc/kubernetes/pki": patch.KindFile}
	src := strings.Replace(string(s.Manifest.Data), "      path: /etc/kubernetes/pki\n", "      path: /etc/kubernetes/pki\n      type: Directory\n", 1)
	s.Manifest.Data = []byte(src)
	const fault = `:18:5: /etc/kubernetes/pki is a file, but volume "k8s-certs" has the type Directory: the kubelet does not start the container with it`
	refused(t, s, patch.Options{Policy: anyPolicy}, manifestPath+fault, `write "type: File" for volume k8s-certs`)
	s.Kinds["/etc/kubernetes/pki"] = ""
	refused(t, s, patch.Options{Policy: anyPolicy},
		manifestPath+`:18:5: /etc/kubernetes/pki is missing, but volume "k8s-certs" has the type Directory: the kubelet does not start the container without it`, "mkdir -p /etc/kubernetes/pki")
	s.Kinds["/etc/kubernetes/pki"] = patch.KindDirectory
	if _, err := patch.Enable(s, patch.Options{Policy: anyPolicy}); err != nil {
		t.Errorf("all is there: %v", err)
	}
}

// TestUnmountableOwn proposes what leads out: enable mends the volume of its own policy,
// and the log file has to be made.
func TestUnmountableOwn(t *testing.T) {
	nothing := func(string) string { return patch.KindNothing }
	for _, tc := range []struct{ volume, path, flags, hint string }{
		{"Directory", "/etc/kubernetes/audit-policy.yaml", "", "auditpatch enable"},
		{"File", "/var/log/kubernetes/audit/audit.log", "    - --audit-log-path=/var/log/kubernetes/audit/audit.log\n", "touch /var/log/kubernetes/audit/audit.log"},
		{"File", "/srv/other", "", "ls -ld /srv/other"},
	} {
		m := parsed(t, plain([]byte(pod(tc.flags, "    - {mountPath: "+tc.path+", name: own}\n", "  - {name: own, hostPath: {path: "+tc.path+", type: "+tc.volume+"}}\n", ""))))
		got := patch.Unmountable(m, nothing)
		if len(got) != 1 || got[0].Hint.String() != tc.hint {
			t.Errorf("%s: %+v, want the hint %s", tc.path, got, tc.hint)
		}
		if got := patch.Unmountable(m, func(string) string { return patch.KindToCome }); len(got) != 0 {
			t.Errorf("%s: of a node that does not run: %+v", tc.path, got)
		}
	}
}

// TestMountProblems lists what status and doctor say of mounts.
func TestMountProblems(t *testing.T) {
	on := func(policyType, logType, more string) string {
		return strings.Replace(spoiled(policyType, logType, more), "    image:", allFlags+"    image:", 1)
	}
	const policyFault = manifestPath + `:31:5: volume "audit" has the type DirectoryOrCreate, but a file belongs at /etc/kubernetes/audit-policy.yaml: the kubelet does not start the container with it`
	for _, tc := range []struct{ manifest, want string }{
		{on("File", "Directory", ""), ""},
		{on("DirectoryOrCreate", "Directory", ""), policyFault + " => auditpatch enable"},
		{on("File", "Socket", "    - {mountPath: /b, name: audit-log}\n"), manifestPath + `:34:5: volume "audit-log" has the type Socket, but a directory belongs at /var/log/kubernetes/audit/: the kubelet does not start the container with it => write "type: DirectoryOrCreate" for volume audit-log`},
		{on("File", "Directory", "      readOnly: true\n"), "the mount /var/log/kubernetes/audit/ of --audit-log-path is read-only => auditpatch enable"},
		{pod(allFlags, policyMount, volumes, ""), "no hostPath mount covers --audit-log-path=/var/log/kubernetes/audit/audit.log => auditpatch enable"},
	} {
		s := plain([]byte(tc.manifest))
		var got []string
		for _, p := range patch.MountProblems(parsed(t, s)) {
			got = append(got, p.Message+" => "+p.Hint.String())
		}
		if g := strings.Join(got, "\n"); g != tc.want {
			t.Errorf("got  %s\nwant %s", g, tc.want)
		}
	}
}
