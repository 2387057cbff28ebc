package apiserver

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"auditpatch/internal/kubelet"
	"auditpatch/internal/node"
	"auditpatch/internal/standin"
	"auditpatch/patch"
)

// TestOwns has one process that is the static Pod's, and others that differ from
// it in one thing each.
func TestOwns(t *testing.T) {
	const static, api = "dd374e7bfbbc28103a27a99f078360e1", "0b5c1f6e-0d3c-4c39-9a0e-2f6a7f3b9c11"
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	host = strings.ToLower(host)
	type process struct {
		uid           int
		group, folder string
	}
	mine := process{0, "/kubepods/burstable/pod" + static + "/ab", "kube-system_kube-apiserver-cp_" + static}
	change := func(f func(p *process)) process { p := mine; f(&p); return p }
	for name, c := range map[string]struct {
		process
		want bool
	}{
		"the static Pod's":             {mine, true},
		"nested by the runtime":        {change(func(p *process) { p.group += "/container" }), true},
		"another user's":               {change(func(p *process) { p.uid = 1000 }), false},
		"in no Pod":                    {change(func(p *process) { p.group = "/system.slice/x.service" }), false},
		"in a container of Docker's":   {change(func(p *process) { p.group = "/docker/" + static }), false},
		"in a Pod of the API's":        {change(func(p *process) { p.group, p.folder = "/kubepods/pod"+api+"/ab", "kube-system_kube-apiserver-cp_"+api }), false},
		"in another static Pod":        {change(func(p *process) { p.folder = "kube-system_kube-apiserver-foo-cp_" + static }), false},
		"in a Pod of a longer name":    {change(func(p *process) { p.folder = "kube-system_kube-apiserver-cp-2_" + static }), false},
		"in a Pod of the host's name":  {change(func(p *process) { p.folder = "kube-system_kube-apiserver-" + host + "_" + static }), false},
		"in another namespace":         {change(func(p *process) { p.folder = "karmada_kube-apiserver-cp_" + static }), false},
		"without a log folder":         {change(func(p *process) { p.folder = "" }), false},
		"in a node that a Pod runs in": {change(func(p *process) { p.group = "/kubepods/pod" + static + "/ab/kubepods/pod" + api + "/cd" }), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if os.Geteuid() != 0 {
				t.Skip("log folders have to be root's")
			}
			m := standin.Tree{T: t, Root: t.TempDir()}
			for pid, argv := range map[int]string{7: "kube-apiserver\x00--flag=1\x00", 9: "kubelet\x00--hostname-override=cp\x00"} {
				m.Write(fmt.Sprintf("proc/%d/stat", pid), fmt.Sprintf("%d (x) S 1 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 9 0 70 1 1", pid))
				m.Write(fmt.Sprintf("proc/%d/cmdline", pid), argv)
			}
			m.Write("proc/7/status", fmt.Sprintf("Name:\tx\nUid:\t%d\t0\t0\t0\n", c.uid))
			m.Write("proc/9/status", "Name:\tx\nUid:\t0\t0\t0\t0\n")
			m.Write("proc/7/cgroup", "0::"+c.group+"\n")
			m.Write("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
			if c.folder != "" {
				m.Write("var/log/pods/"+c.folder+"/kube-apiserver/0.log", "")
			}
			pod := NewStaticPod(node.New(m.Root, ""), patch.Server{Namespace: "kube-system", Pod: "kube-apiserver"})
			ps, err := pod.Processes()
			if err != nil || (len(ps) == 1) != c.want {
				t.Errorf("%v, %v: want it to be the Pod's: %v", ps, err, c.want)
			}
		})
	}
}

// TestFindKubelet takes no other program of that name for it.
func TestFindKubelet(t *testing.T) {
	for name, c := range map[string]struct {
		uid   int
		group string
		args  string
		space string
		want  int
	}{
		"root's":                   {0, "/system.slice/kubelet.service", "--config=/x\x00", "pid:[1]", 9},
		"another user's":           {1000, "/user.slice", "--config=/x\x00", "pid:[1]", 0},
		"in a Pod":                 {0, "/kubepods/poddd374e7bfbbc28103a27a99f078360e1/ab", "--config=/x\x00", "pid:[1]", 0},
		"that tells its version":   {0, "/user.slice", "--version\x00", "pid:[1]", 0},
		"of a node in a container": {0, "/docker/ab/kubelet.slice", "--config=/x\x00", "pid:[2]", 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := standin.Tree{T: t, Root: t.TempDir()}
			for file, text := range map[string]string{
				"stat":    "9 (kubelet) S 1 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 9 0 90 1 1",
				"cmdline": "/usr/bin/kubelet\x00" + c.args,
				"status":  fmt.Sprintf("Uid:\t%d\t0\t0\t0\n", c.uid),
				"cgroup":  "0::" + c.group + "\n",
			} {
				m.Write("proc/9/"+file, text)
			}
			m.Write("proc/self/mountinfo", "")
			for dir, space := range map[string]string{"self": "pid:[1]", "9": c.space} {
				if err := os.Symlink(space, filepath.Join(m.Mkdir("proc/"+dir+"/ns"), "pid")); err != nil {
					t.Fatal(err)
				}
			}
			k, err := kubelet.Find(node.New(m.Root, ""))
			if err != nil || k.PID != c.want {
				t.Errorf("pid %d, %v; want %d", k.PID, err, c.want)
			}
		})
	}
}

// TestKubeletSettings reads what the kubelet was told, from flags, file and drop-ins,
// also while none runs.
func TestKubeletSettings(t *testing.T) {
	const file = "staticPodPath: /a/\npodLogsDir: /logs\n"
	for name, c := range map[string]struct {
		argv, drop string
		want       [2]string
	}{
		"file":     {"kubelet", "", [2]string{"/a", "/logs"}},
		"none":     {"", "", [2]string{"/a", "/logs"}},
		"flag":     {"kubelet\x00--pod-manifest-path=/b/", "", [2]string{"/b", "/logs"}},
		"drop-in":  {"kubelet\x00--config-dir=/drop", "podLogsDir: /other\n", [2]string{"/a", "/other"}},
		"no --dir": {"kubelet", "podLogsDir: /other\n", [2]string{"/a", "/logs"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := standin.Tree{T: t, Root: t.TempDir()}
			m.Mkdir("proc")
			m.Write("var/lib/kubelet/config.yaml", file)
			m.Write("drop/10-logs.conf", c.drop)
			m.Write("drop/20-logs.yaml", "podLogsDir: /wrong\n")
			if c.argv != "" {
				m.Start(9, strings.Split(c.argv, "\x00")...)
			}
			k, err := kubelet.Find(node.New(m.Root, ""))
			if got := [2]string{k.StaticPodPath, k.Logs()}; err != nil || k.Err != nil || got != c.want {
				t.Errorf("%v, %v, %v; want %v", got, err, k.Err, c.want)
			}
		})
	}
}
