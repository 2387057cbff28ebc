package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"auditpatch/internal/wait"
)

const (
	kubeadmConfigPath = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"
	kubeadmConfigKey  = "ClusterConfiguration"
	// editTries is how often an edit is worked out again when somebody else was faster.
	editTries = 5
)

// retryEvery is how often an edit is tried again.
var retryEvery = wait.Scaled(100 * time.Millisecond)

// ErrNoKubeadmConfig says that the cluster was not made by kubeadm, or not by it
// alone.
var ErrNoKubeadmConfig = errors.New("the cluster has no ConfigMap kube-system/kubeadm-config with a ClusterConfiguration: kubeadm did not make it")

// configMap is as much of a ConfigMap as is read and written here.
type configMap struct {
	Metadata struct {
		ResourceVersion string `json:"resourceVersion"`
	} `json:"metadata"`
	Data map[string]string `json:"data"`
}

// KubeadmConfig reads the ClusterConfiguration that kubeadm keeps in the cluster.
func (s *Server) KubeadmConfig(ctx context.Context) ([]byte, error) {
	text, _, err := s.kubeadmConfig(ctx)
	return []byte(text), err
}

func (s *Server) kubeadmConfig(ctx context.Context) (text, version string, err error) {
	code, body, err := s.Call(ctx, http.MethodGet, kubeadmConfigPath, "", nil)
	if err != nil {
		return "", "", fmt.Errorf("read kube-system/kubeadm-config: %w", err)
	}
	var m configMap
	switch {
	case code == http.StatusNotFound:
		return "", "", ErrNoKubeadmConfig
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return "", "", &ForbiddenError{"read kube-system/kubeadm-config: " + Refusal(code, body)}
	case code != http.StatusOK:
		return "", "", fmt.Errorf("read kube-system/kubeadm-config: %s", Refusal(code, body))
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return "", "", fmt.Errorf("read kube-system/kubeadm-config: %w", err)
	}
	text, ok := m.Data[kubeadmConfigKey]
	if !ok {
		return "", "", ErrNoKubeadmConfig
	}
	return text, m.Metadata.ResourceVersion, nil
}

// EditKubeadmConfig writes what edit makes of the ClusterConfiguration, unless
// that is what stands there. The write names the version that was read, so that
// somebody else's edit in between is not lost: then edit is asked again.
func (s *Server) EditKubeadmConfig(ctx context.Context, edit func(text []byte) ([]byte, error)) (changed bool, err error) {
	for range editTries {
		text, version, err := s.kubeadmConfig(ctx)
		if err != nil {
			return false, err
		}
		edited, err := edit([]byte(text))
		if err != nil || string(edited) == text {
			return false, err
		}
		code, body, err := s.patchKubeadmConfig(ctx, version, string(edited))
		switch {
		case err != nil:
			return false, fmt.Errorf("write kube-system/kubeadm-config: %w", err)
		case code == http.StatusOK:
			return true, nil
		case code == http.StatusUnauthorized || code == http.StatusForbidden:
			return false, &ForbiddenError{"write kube-system/kubeadm-config: " + Refusal(code, body)}
		case code != http.StatusConflict:
			return false, fmt.Errorf("write kube-system/kubeadm-config: %s", Refusal(code, body))
		}
		select {
		case <-ctx.Done():
			return false, wait.ErrInterrupted
		case <-time.After(retryEvery):
		}
	}
	return false, fmt.Errorf("write kube-system/kubeadm-config: somebody else changed it %d times meanwhile", editTries)
}

// TryKubeadmConfig is EditKubeadmConfig without effect: it says whether the API
// server would let these credentials write. An admission webhook that cannot be tried
// is no refusal.
func (s *Server) TryKubeadmConfig(ctx context.Context, text []byte) error {
	_, version, err := s.kubeadmConfig(ctx)
	if err != nil {
		return err
	}
	code, body, err := s.patchKubeadmConfigAt(ctx, kubeadmConfigPath+"?dryRun=All", version, string(text))
	switch {
	case err != nil:
		return fmt.Errorf("write kube-system/kubeadm-config: %w", err)
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return &ForbiddenError{"write kube-system/kubeadm-config: " + Refusal(code, body)}
	case code == http.StatusOK, code == http.StatusConflict, code == http.StatusBadRequest && bytes.Contains(body, []byte("dry run")):
		return nil
	}
	return fmt.Errorf("write kube-system/kubeadm-config: %s", Refusal(code, body))
}

// patchKubeadmConfig is a merge patch (RFC 7386) that touches one key only.
func (s *Server) patchKubeadmConfig(ctx context.Context, version, text string) (code int, body []byte, err error) {
	return s.patchKubeadmConfigAt(ctx, kubeadmConfigPath, version, text)
}

func (s *Server) patchKubeadmConfigAt(ctx context.Context, path, version, text string) (code int, body []byte, err error) {
	patch := configMap{Data: map[string]string{kubeadmConfigKey: text}}
	patch.Metadata.ResourceVersion = version
	data, err := json.Marshal(patch)
	if err != nil {
		return 0, nil, err
	}
	return s.Call(ctx, http.MethodPatch, path, "application/merge-patch+json", data)
}
