package simnode

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// staticPod is a Pod from a file, with the identity that the kubelet gives it.
type staticPod struct {
	*corev1.Pod
	File     string
	Identity string // its UID
}

// fullName names a Pod of which only one may run (pkg/kubelet/container,
// BuildPodFullName).
func (p *staticPod) fullName() string { return p.Name + "_" + p.Namespace }

// decodePod reads a file as a Pod (pkg/kubelet/config/common.go,
// tryDecodeSinglePod, and file.go, extractFromFile). Decoding is lenient: a
// field that no Pod has is dropped, and has no part in the identity.
func decodePod(data []byte, file, node string) (*staticPod, error) {
	if len(data) > 10<<20 {
		return nil, errors.New("file is too big")
	}
	p := &staticPod{Pod: &corev1.Pod{}, File: file}
	first := firstDocument(data)
	decode := func(data []byte) error { return yaml.Unmarshal(data, p.Pod) }
	if trimmed := bytes.TrimSpace(first); len(trimmed) > 0 && trimmed[0] == '{' {
		decode = func(data []byte) error { return json.Unmarshal(data, p.Pod) } // then YAML is not tried
	}
	if err := decode(first); err != nil {
		return nil, fmt.Errorf("couldn't parse as pod: %w", err)
	}
	if p.APIVersion != "v1" || p.Kind != "Pod" || p.Name == "" {
		return nil, errors.New("couldn't parse as pod: no v1 Pod with a name")
	}
	if err := validatePod(p.Pod); err != nil {
		return nil, fmt.Errorf("invalid pod: %w", err)
	}
	p.applyDefaults(file, node)
	return p, nil
}

// firstDocument is the only one that counts (apimachinery, yaml.YAMLToJSON).
func firstDocument(data []byte) []byte {
	text := strings.TrimPrefix(string(data), "---\n")
	first, _, _ := strings.Cut(text, "\n---\n")
	return []byte(first)
}

// applyDefaults gives the Pod its UID, name and annotations
// (pkg/kubelet/config/common.go, applyDefaults). The UID is a hash of the Pod as
// it was decoded, the node's name and the file's: comments have no part in it,
// annotations have.
func (p *staticPod) applyDefaults(file, node string) {
	p.Identity = string(p.UID)
	if p.Identity == "" {
		decoded, err := json.Marshal(p.Pod)
		if err != nil {
			panic(err) // it was decoded from JSON
		}
		hash := fnv.New128a()
		hash.Write(decoded)
		fmt.Fprintf(hash, "host:%sfile:%s", node, file)
		p.Identity = fmt.Sprintf("%x", hash.Sum(nil))
	}
	p.UID = "" // the mirror Pod gets one from the API server
	p.Name += "-" + strings.ToLower(node)
	if p.Namespace == "" {
		p.Namespace = "default"
	}
	p.Spec.NodeName = strings.ToLower(node)
	if p.Annotations == nil {
		p.Annotations = map[string]string{}
	}
	p.Annotations["kubernetes.io/config.hash"] = p.Identity
	p.Annotations["kubernetes.io/config.source"] = "file"
	if p.Spec.TerminationGracePeriodSeconds == nil {
		grace := int64(30) // pkg/apis/core/v1/defaults.go, SetDefaults_PodSpec
		p.Spec.TerminationGracePeriodSeconds = &grace
	}
}

// validatePod is as much of ValidatePodCreate (pkg/apis/core/validation) as
// catches what a faulty edit of mounts and volumes does.
func validatePod(p *corev1.Pod) error {
	volumes := map[string]bool{}
	for _, v := range p.Spec.Volumes {
		if volumes[v.Name] {
			return fmt.Errorf("spec.volumes: Duplicate value: %q", v.Name)
		}
		volumes[v.Name] = true
	}
	if len(p.Spec.Containers) == 0 {
		return errors.New("spec.containers: Required value")
	}
	for _, c := range p.Spec.Containers {
		if c.Name == "" || c.Image == "" {
			return errors.New("spec.containers: name and image are required")
		}
		mounts := map[string]bool{}
		for _, m := range c.VolumeMounts {
			switch {
			case !volumes[m.Name]:
				return fmt.Errorf("volumeMounts.name: Not found: %q", m.Name)
			case mounts[m.MountPath]:
				return fmt.Errorf("mountPath: Invalid value: %q: must be unique", m.MountPath)
			}
			mounts[m.MountPath] = true
		}
	}
	return nil
}

// runAs is the user of a container.
func runAs(p *corev1.Pod, c corev1.Container) (uid, gid int) {
	if s := p.Spec.SecurityContext; s != nil {
		uid, gid = number(s.RunAsUser, uid), number(s.RunAsGroup, gid)
	}
	if s := c.SecurityContext; s != nil {
		uid, gid = number(s.RunAsUser, uid), number(s.RunAsGroup, gid)
	}
	return uid, gid
}

func number(n *int64, otherwise int) int {
	if n == nil {
		return otherwise
	}
	return int(*n)
}

// commandLine is a container's argv and environment: $(NAME) is replaced by the
// variable where there is one, $$ is one $ (third_party/forked/golang/expansion).
func commandLine(c corev1.Container) (argv, env []string) {
	values := map[string]string{}
	for _, e := range c.Env {
		value := expand(e.Value, values)
		if f := e.ValueFrom; f != nil && f.FieldRef != nil && strings.HasSuffix(strings.ToLower(f.FieldRef.FieldPath), "ip") {
			value = NodeIP // status.hostIP, status.podIP
		}
		values[e.Name] = value
		env = append(env, e.Name+"="+value)
	}
	for _, a := range append(append([]string(nil), c.Command...), c.Args...) {
		argv = append(argv, expand(a, values))
	}
	return argv, env
}

func expand(text string, values map[string]string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		rest := text[i:]
		end := strings.IndexByte(rest, ')')
		switch {
		case strings.HasPrefix(rest, "$$"):
			out.WriteByte('$')
			i++
		case strings.HasPrefix(rest, "$(") && end > 0:
			if value, known := values[rest[2:end]]; known {
				out.WriteString(value)
			} else {
				out.WriteString(rest[:end+1])
			}
			i += end
		default:
			out.WriteByte(text[i])
		}
	}
	return out.String()
}
