package manifest

import (
	"bytes"
	"fmt"
	"math/rand"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestSetMountReadOnly changes a mount in place.
func TestSetMountReadOnly(t *testing.T) {
	writable, readOnly := SetMountReadOnly{"/a", false}, SetMountReadOnly{"/a", true}
	run(t, []editCase{
		{"to writable", "    - mountPath: /a # here\n      name: v\n      readOnly: true   # why\n", writable, "    - mountPath: /a # here\n      name: v\n      readOnly: false   # why\n"},
		{"to read-only", "    - mountPath: /a\n      name: v\n      readOnly: false\n", readOnly, "    - mountPath: /a\n      name: v\n      readOnly: true\n"},
		{"in the middle", "    - readOnly: true\n      mountPath: /a\n      mountPropagation: HostToContainer\n      name: v\n", writable, "    - readOnly: false\n      mountPath: /a\n      mountPropagation: HostToContainer\n      name: v\n"},
		{"another spelling", "    - {mountPath: /a, name: v, readOnly: TRUE}\n", writable, "    - {mountPath: /a, name: v, readOnly: FALSE}\n"},
		{"the old spelling", "    - {mountPath: /a, readOnly: yes, name: v}\n", writable, "    - {mountPath: /a, readOnly: no, name: v}\n"},
		{"on the next line", "    - mountPath: /a\n      readOnly:\n        true\n      name: v\n", writable, "    - mountPath: /a\n      readOnly:\n        false\n      name: v\n"},
		{"writable already", "    - mountPath: /a\n      name: v\n", writable, ""},
		{"writable by null", "    - mountPath: /a\n      readOnly: ~\n      name: v\n", writable, ""},
		{"read-only already", "    - mountPath: /a\n      name: v\n      readOnly: on\n", readOnly, ""},
		{"a new key", "    - mountPath: /a\n      name: v\n      # below\n", readOnly, "    - mountPath: /a\n      name: v\n      readOnly: true\n      # below\n"},
		{"a new key in flow", "    - {mountPath: /a, name: v}\n", readOnly, "    - {mountPath: /a, name: v, readOnly: true}\n"},
	}, func(s string) string {
		return pod("    command: [kube-apiserver]\n    volumeMounts:\n"+s, "  volumes:\n  - name: v\n    hostPath: {path: /v}\n", "")
	})
}

// TestSetVolumeType changes a volume in place.
func TestSetVolumeType(t *testing.T) {
	file := SetVolumeType{"v", corev1.HostPathFile}
	run(t, []editCase{
		{"plain", "  - name: v\n    hostPath:\n      type: DirectoryOrCreate # c\n      path: /v\n", file, "  - name: v\n    hostPath:\n      type: File # c\n      path: /v\n"},
		{"quoted", "  - name: v\n    hostPath: {path: /v, type: 'Socket'}\n", file, "  - name: v\n    hostPath: {path: /v, type: 'File'}\n"},
		{"empty", "  - name: v\n    hostPath: {path: /v, type: \"\"}\n", file, "  - name: v\n    hostPath: {path: /v, type: \"File\"}\n"},
		{"same", "  - name: v\n    hostPath: {path: /v, type: File}\n", file, ""},
		{"a new key", "  - hostPath:\n      path: /v\n    name: v\n", file, "  - hostPath:\n      path: /v\n      type: File\n    name: v\n"},
		{"no type as before", "  - hostPath:\n      path: /v\n    name: v\n", SetVolumeType{"v", ""}, ""},
	}, func(s string) string { return pod("    command: [kube-apiserver]\n", "  volumes:\n"+s, "") })
}

// TestSetRefuses has the whole text of each refusal.
func TestSetRefuses(t *testing.T) {
	src := "x: &m {mountPath: /a, name: v, readOnly: true}\n" +
		"y: &r {readOnly: true}\n" +
		pod("    command: [kube-apiserver]\n    volumeMounts:\n    - *m\n    - {<<: *r, mountPath: /b, name: v}\n    - {mountPath: /c, name: v, readOnly: &t true}\n",
			"  volumes:\n  - {name: v, hostPath: {path: /v}}\n  - {name: w, emptyDir: {}}\n", "")
	for _, tc := range []struct {
		edit Edit
		want string
	}{
		{SetMountReadOnly{"/a", false}, "f.yaml:13:7: this entry of volumeMounts is an alias (*m) for a mapping elsewhere"},
		{SetMountReadOnly{"/b", false}, "f.yaml:14:8: readOnly comes in through a merge key (<<) and is shared"},
		{SetMountReadOnly{"/c", false}, "f.yaml:15:42: readOnly of this mount cannot be changed in place"},
		{SetMountReadOnly{"/d", false}, "f.yaml:9:5: volumeMounts has no entry with the mountPath /d"},
		{SetVolumeType{"w", "File"}, `f.yaml:18:5: hostPath of volume "w" is not written out here`},
		{SetVolumeType{"z", "File"}, "f.yaml:8:3: volumes has no entry with the name z"},
		{SetVolumeType{"v", "Folder"}, `f.yaml: "Folder" is not a type of a hostPath volume`},
	} {
		_, err := parse(t, []byte(src)).Apply(tc.edit)
		if err == nil || err.Error() != tc.want {
			t.Errorf("%s:\ngot  %v\nwant %s", tc.edit, err, tc.want)
		}
	}
}

// TestSetThereAndBack makes edits in place on manifests of all styles, and undoes
// them: the bytes are the same again.
func TestSetThereAndBack(t *testing.T) {
	seen := 0
	try := func(name string, src []byte) {
		m, err := Parse("f.yaml", src)
		if err != nil {
			return
		}
		there, back := turnOver(m)
		if len(there) == 0 {
			return
		}
		out, err := m.Apply(there...)
		if err != nil {
			checkError(t, err)
			return
		}
		seen++
		checkResult(t, src, out, there)
		if got, err := parse(t, out).Apply(back...); err != nil || !bytes.Equal(got, src) {
			t.Errorf("%s: not the same bytes again: %v\n%s\n%s", name, err, src, got)
		}
	}
	for name, src := range fixtures(t) {
		try(name, src)
	}
	for i := range 80 {
		try(fmt.Sprint(i), []byte((&generator{Rand: rand.New(rand.NewSource(int64(i)))}).text()))
	}
	if seen < 40 {
		t.Errorf("only %d manifests were edited", seen)
	}
}

// turnOver turns over every mount and every typed volume, and says how to undo it.
func turnOver(m *File) (there, back []Edit) {
	for _, v := range m.Container().VolumeMounts {
		if v.ReadOnly {
			there = append(there, SetMountReadOnly{v.MountPath, false})
			back = append(back, SetMountReadOnly{v.MountPath, true})
		}
	}
	for _, v := range m.Pod().Spec.Volumes {
		if v.HostPath != nil && v.HostPath.Type != nil && *v.HostPath.Type != "" {
			there = append(there, SetVolumeType{v.Name, corev1.HostPathSocket})
			back = append(back, SetVolumeType{v.Name, *v.HostPath.Type})
		}
	}
	return there, back
}
