package patch

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestRunsAs(t *testing.T) {
	t.Parallel()
	env := environment(&corev1.Container{Env: []corev1.EnvVar{
		{Name: "PORT", Value: "6443"},
		{Name: "URL", Value: "https://etcd:$(PORT)"},
		{Name: "HOST_IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.hostIP"}}},
		{Name: "BEHIND", Value: "a$(HOST_IP)"},
	}})
	for name, c := range map[string]struct {
		arg, ran string
		want     bool
	}{
		"plain":                        {"--v=2", "--v=2", true},
		"other":                        {"--v=2", "--v=3", false},
		"longer":                       {"--v=2", "--v=22", false},
		"known":                        {"--secure-port=$(PORT)", "--secure-port=6443", true},
		"known, not expanded":          {"--secure-port=$(PORT)", "--secure-port=$(PORT)", false},
		"in another":                   {"--etcd-servers=$(URL)", "--etcd-servers=https://etcd:6443", true},
		"unknown":                      {"--advertise-address=$(HOST_IP)", "--advertise-address=192.0.2.1", true},
		"unknown, other flag":          {"--advertise-address=$(HOST_IP)", "--bind-address=192.0.2.1", false},
		"unknown in another":           {"--x=$(BEHIND)", "--x=a192.0.2.1", true},
		"unknown in the middle":        {"--x=$(HOST_IP):1,$(HOST_IP):2", "--x=192.0.2.1:1,192.0.2.1:2", true},
		"unknown in the middle, other": {"--x=$(HOST_IP):1,$(HOST_IP):2", "--x=192.0.2.1:1,192.0.2.1:3", false},
		"no such variable":             {"--x=$(NONE)", "--x=$(NONE)", true},
		"doubled":                      {"--x=$$(PORT)", "--x=$(PORT)", true},
		"doubled twice":                {"--x=$$$$", "--x=$$", true},
		"alone":                        {"--x=$", "--x=$", true},
		"not closed":                   {"--x=$(PORT", "--x=$(PORT", true},
		"no bracket":                   {"--x=$PORT", "--x=$PORT", true},
		"empty name":                   {"--x=$()", "--x=", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := Server{Command: []string{"kube-apiserver", c.arg}, Env: env}
			if got := s.RunsAs([]string{"/usr/local/bin/kube-apiserver", c.ran}); got != c.want {
				t.Errorf("%q as %q: %v", c.arg, c.ran, got)
			}
		})
	}
}

func TestRunsAsBehindAnotherProgram(t *testing.T) {
	t.Parallel()
	s := Server{Command: []string{"/go-runner", "--log-file=/x", "/usr/local/bin/kube-apiserver", "--v=1"}}
	if !s.RunsAs([]string{"kube-apiserver", "--v=1"}) {
		t.Error("the program that another one has started is not known")
	}
	if s.RunsAs([]string{"kube-apiserver", "--v=1", "--v=2"}) {
		t.Error("one argument more does no harm")
	}
}
