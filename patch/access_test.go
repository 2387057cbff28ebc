package patch_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/patch"
)

const (
	user998  = "  securityContext:\n    runAsUser: 998\n    runAsGroup: 997\n    supplementalGroups: [50]\n"
	policyAt = "/etc/kubernetes/audit-policy.yaml"
	logDirAt = "/var/log/kubernetes/audit"
	logAt    = logDirAt + "/audit.log"
)

// owned is a state with files of these modes and owners.
func owned(manifest string, files ...patch.File) patch.State {
	s := plain([]byte(manifest))
	for _, f := range files {
		f.Exists = true
		if f.Data == nil && !f.Dir {
			f.Data = anyPolicy.Data
		}
		s.Files[f.Path] = f
	}
	return s
}

// TestKeptFilesNobodyCanRead: what stays and cannot be used is refused.
func TestKeptFilesNobodyCanRead(t *testing.T) {
	const runs = " by the API server, which runs as user 998 "
	dir := patch.File{Path: logDirAt, Dir: true, Mode: 0o700, UID: 998}
	rootOnly := patch.File{Path: policyAt, Mode: 0o600}
	covered := "    - {mountPath: /etc/audit, name: conf}\n"
	confVolume := "  - {name: conf, hostPath: {path: /srv/conf}}\n"
	inside := map[string]string{"audit-policy-file": "/etc/audit/a/policy.yaml"}
	for _, tc := range []struct {
		name  string
		spec  string
		files []patch.File
		flags map[string]string
		want  string
		hint  string
	}{
		{"root's policy", user998, []patch.File{rootOnly}, nil, policyAt + " cannot be read" + runs + "(it is 0600 0:0)", "chown 998 " + policyAt},
		{"for everybody", user998, []patch.File{{Path: policyAt, Mode: 0o644}}, nil, "", ""},
		{"for the group", user998, []patch.File{{Path: policyAt, Mode: 0o640, GID: 997}}, nil, "", ""},
		{"for another group of the Pod", user998, []patch.File{{Path: policyAt, Mode: 0o640, GID: 50}}, nil, "", ""},
		{"for everybody but the group", user998, []patch.File{{Path: policyAt, Mode: 0o604, GID: 50}}, nil, policyAt + " cannot be read" + runs + "(it is 0604 0:50)", "chown 998 " + policyAt},
		{"its own, without a right to read", user998, []patch.File{{Path: policyAt, Mode: 0o200, UID: 998}}, nil, policyAt + " cannot be read" + runs + "(it is 0200 998:0)", "chmod u+r " + policyAt},
		{"as root", "", []patch.File{{Path: policyAt, Mode: 0o600, UID: 12}}, nil, "", ""},
		{"as root without capabilities", "    securityContext: {capabilities: {drop: [ALL]}}\n", []patch.File{{Path: policyAt, Mode: 0o600, UID: 12}}, nil,
			policyAt + " cannot be read by the API server, which runs as user 0 (it is 0600 12:0)", "chown 0 " + policyAt},
		{"as root who may read all", "    securityContext: {capabilities: {drop: [ALL], add: [CAP_DAC_READ_SEARCH]}}\n", []patch.File{{Path: policyAt, Mode: 0o600, UID: 12}}, nil, "", ""},
		{"as root with the one capability", "    securityContext: {capabilities: {drop: [ALL], add: [DAC_OVERRIDE]}}\n", []patch.File{{Path: policyAt, Mode: 0o600, UID: 12}}, nil, "", ""},
		{"a log folder that can be written and not listed", user998, []patch.File{{Path: policyAt, Mode: 0o644}, {Path: logDirAt, Dir: true, Mode: 0o703}}, nil,
			logDirAt + " cannot be written" + runs + "(it is 0703 0:0)", "chown 998:997 " + logDirAt},
		{"root's log", user998, []patch.File{{Path: policyAt, Mode: 0o644}, dir, {Path: logAt, Mode: 0o600}}, nil, logAt + " cannot be written" + runs + "(it is 0600 0:0)", "chown 998 " + logAt},
		{"a log that can be appended to and not read", user998, []patch.File{{Path: policyAt, Mode: 0o644}, dir, {Path: logAt, Mode: 0o200, UID: 998}}, nil,
			logAt + " cannot be written" + runs + "(it is 0200 998:0)", "chmod u+rw " + logAt},
		{"a log that is a directory", user998, []patch.File{{Path: policyAt, Mode: 0o644}, dir, {Path: logAt, Dir: true, Mode: 0o777}}, nil, logAt + " is a directory, not a log file", "mv " + logAt + " " + logAt + ".old"},
		{"a folder inside a mount", user998, []patch.File{{Path: "/srv/conf", Dir: true, Mode: 0o755}, {Path: "/srv/conf/a", Dir: true, Mode: 0o700}, {Path: "/srv/conf/a/policy.yaml", Mode: 0o644}}, inside,
			"/srv/conf/a cannot be passed" + runs + "(it is 0700 0:0)", "chmod o+x /srv/conf/a"},
		{"the folder of a mount", user998, []patch.File{{Path: "/srv/conf", Dir: true, Mode: 0o640, GID: 997}, {Path: "/srv/conf/a/policy.yaml", Mode: 0o644}}, inside,
			"/srv/conf cannot be passed" + runs + "(it is 0640 0:997)", "chmod g+x /srv/conf"},
		{"a folder above a mount does not matter", user998, []patch.File{{Path: "/srv", Dir: true, Mode: 0o700}, {Path: "/srv/conf", Dir: true, Mode: 0o755}, {Path: "/srv/conf/a/policy.yaml", Mode: 0o644}}, inside, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := owned(pod("", covered, confVolume, tc.spec), tc.files...)
			opts := patch.Options{Flags: tc.flags}
			if tc.want == "" {
				if _, err := patch.Enable(s, opts); err != nil {
					t.Error(err)
				}
				return
			}
			refused(t, s, opts, tc.want, tc.hint)
		})
	}
}

// TestOwnersGiven: what is written anew can be read, and nobody loses a right.
func TestOwnersGiven(t *testing.T) {
	for _, tc := range []struct {
		name string
		spec string
		old  patch.File
		want string
	}{
		{"root's", user998, patch.File{Mode: 0o600}, "0600 998:0, so that the API server can read it"},
		{"somebody's", user998, patch.File{Mode: 0o600, UID: 12, GID: 13}, "0640 12:997, so that the API server can read it"},
		{"somebody's, and a group's", user998, patch.File{Mode: 0o640, UID: 12, GID: 13}, "0640 998:13, so that the API server can read it"},
		{"its own, without a right to read", user998, patch.File{Mode: 0o200, UID: 998}, "0600 998:0, so that the API server can read it"},
		{"readable", user998, patch.File{Mode: 0o644, UID: 12, GID: 13}, ""},
		{"anybody's, as root", "", patch.File{Mode: 0o600, UID: 12, GID: 13}, ""},
	} {
		for _, same := range []bool{false, true} {
			old := tc.old
			old.Path, old.Data = policyAt, []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\n")
			if same {
				old.Data = anyPolicy.Data
			}
			plan, err := patch.Enable(owned(pod("", "", "", tc.spec), old), patch.Options{Policy: anyPolicy})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, c := range plan.Changes {
				if c.Path == policyAt {
					got = strings.TrimPrefix(strings.TrimPrefix(c.Why, "changed: test"), ", ")
					if numbers := fmt.Sprintf("%04o %d:%d", c.Mode, c.UID, c.GID); got != "" && !strings.HasPrefix(got, numbers) {
						t.Errorf("%s: %s, and the plan has %s", tc.name, got, numbers)
					}
				}
			}
			if got != tc.want {
				t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
			}
		}
	}
}

// TestLogForReaders: a log that is prepared for readers stays the API server's.
func TestLogForReaders(t *testing.T) {
	group := 4
	for _, tc := range []struct {
		mode uint32
		old  *patch.File
		want string
	}{
		{0, nil, "0640 998:4"},
		{0, &patch.File{Mode: 0o640, GID: 4}, "0640 998:4"},
		{0, &patch.File{Mode: 0o640, UID: 998, GID: 4}, ""},
		{0o666, &patch.File{Mode: 0o600, UID: 12}, "0666 12:4"},
		{0o440, nil, "--log-file-mode=0440: the API server, which runs as user 998, could not write the log"},
	} {
		s := owned(pod("", "", "", user998))
		if tc.old != nil {
			tc.old.Path, tc.old.Exists = logAt, true
			s.Files[logAt] = *tc.old
		}
		plan, err := patch.Enable(s, patch.Options{Policy: anyPolicy, LogGroup: &group, LogFileMode: tc.mode})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			for _, c := range plan.Changes {
				if c.Kind == patch.EnsureFile {
					got = fmt.Sprintf("%04o %d:%d", c.Mode, c.UID, c.GID)
				}
			}
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%v (-want +got):\n%s", tc.old, d)
		}
	}
}

// TestUserOfTheImage: files for a user whom nobody knows are not made.
func TestUserOfTheImage(t *testing.T) {
	spec := "  securityContext: {runAsNonRoot: true}\n"
	refused(t, plain([]byte(pod("", "", "", spec))), patch.Options{Policy: anyPolicy},
		manifestPath+": the Pod sets runAsNonRoot but no runAsUser, so it is not known which user has to read /var/log/kubernetes/audit", `write "runAsUser: UID" beside runAsNonRoot`)
	if _, err := patch.Enable(plain([]byte(pod("", "", "", strings.Replace(spec, "{", "{runAsUser: 5, ", 1)))), patch.Options{Policy: anyPolicy}); err != nil {
		t.Error(err)
	}
}
