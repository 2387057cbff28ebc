package manifest

import (
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"

	"auditpatch/internal/hint"

	"auditpatch/internal/lazyregexp"
)

// shells run their argument as a script: flags inside it cannot be told from
// the rest of the script.
var shells = map[string]bool{"sh": true, "bash": true, "ash": true, "dash": true, "busybox": true, "ksh": true, "zsh": true}

// program is how a container comes to run kube-apiserver.
type program struct {
	container int
	items     int // how many items of command and args it takes
	script    int // the item that is a script which starts it, -1 when none is
}

// findServer finds the one container that runs kube-apiserver, and how many
// items of its command and args are before the flags.
func findServer(pod *corev1.Pod, root *yaml.Node) (index, items int, err *Error) {
	var found, scripts []program
	for i := range pod.Spec.Containers {
		p, ok := serverProgram(&pod.Spec.Containers[i])
		p.container = i
		switch {
		case ok && p.script < 0:
			found = append(found, p)
		case ok:
			scripts = append(scripts, p)
		}
	}
	name := func(p program) string { return pod.Spec.Containers[p.container].Name }
	switch found = direct(found); {
	case len(found) == 1:
		return found[0].container, found[0].items, nil
	case len(found) > 1:
		return 0, 0, refuseNode(containerNode(root, found[1].container), "two containers run kube-apiserver: %q and %q", name(found[0]), name(found[1])).
			hint("keep one API server in the Pod")
	case len(scripts) > 0:
		at := findArgument(containerNode(root, scripts[0].container), scripts[0].script).node()
		return 0, 0, refuseNode(at, "container %q starts kube-apiserver from a shell script: its flags are inside a string", name(scripts[0])).
			hint("write the program and each flag as an item of command")
	}
	return 0, 0, noServer(pod, root)
}

// direct keeps the programs that are first in their command, when there are
// any: elsewhere the word may be another program's argument.
func direct(found []program) []program {
	var first []program
	for _, p := range found {
		if p.items == 1 {
			first = append(first, p)
		}
	}
	if len(first) > 0 {
		return first
	}
	return found
}

// noServer says what the Pod runs instead.
func noServer(pod *corev1.Pod, root *yaml.Node) *Error {
	var runs []string
	for _, c := range pod.Spec.Containers {
		if v := vector(&c); len(v) > 0 {
			runs = append(runs, v[0])
		}
	}
	reason := "no container of this Pod runs kube-apiserver"
	if len(runs) > 0 {
		reason += " (it runs " + strings.Join(runs, ", ") + ")"
	}
	err := refuseNode(containerNode(root, 0), "%s", reason)
	err.Hint = hint.Words("name the manifest of the API server with").Then(" ", hint.Switch("manifest"))
	return err
}

// containerNode is where container i is, or what comes nearest to it.
func containerNode(root *yaml.Node, i int) *yaml.Node {
	_, spec := child(root, "spec")
	if spec = dereference(spec); spec == nil || spec.Kind != yaml.MappingNode {
		return root
	}
	return entry(spec, "containers", i)
}

// vector is the whole command line that the manifest gives.
func vector(c *corev1.Container) []string {
	return append(append([]string{}, c.Command...), c.Args...)
}

// serverProgram tells whether c runs kube-apiserver, and how. Programs that
// start another one (go-runner, flock) may be in front.
func serverProgram(c *corev1.Container) (program, bool) {
	v := vector(c)
	for i, s := range v {
		switch base := path.Base(s); {
		case isScript(v, i):
			return program{script: i}, true
		case strings.HasPrefix(s, "-") || shells[path.Base(v[0])]:
			continue
		case base == "kube-apiserver":
			return program{items: i + 1, script: -1}, true
		case base == "hyperkube" && i+1 < len(v) && serverWord(v[i+1]):
			return program{items: i + 2, script: -1}, true
		}
	}
	return entrypoint(c, v)
}

// isScript tells whether item i is a script that starts the API server: text
// of several words, or anything that a shell is given.
func isScript(v []string, i int) bool {
	if !strings.Contains(v[i], "kube-apiserver") && !strings.Contains(v[i], "hyperkube") {
		return false
	}
	return shells[path.Base(v[0])] && i > 0 || !strings.HasPrefix(v[i], "-") && strings.ContainsAny(v[i], " \t\n")
}

// serverImage matches the last part of the API server's image name.
var serverImage = lazyregexp.New(`^kube-apiserver(-(amd64|arm|arm64|ppc64le|s390x))?([:@]|$)`)

// entrypoint handles a container that leaves the program to its image.
func entrypoint(c *corev1.Container, v []string) (program, bool) {
	image := path.Base(c.Image)
	switch {
	case len(c.Command) > 0 || len(v) == 0:
	case serverImage().MatchString(image) && strings.HasPrefix(v[0], "--"):
		return program{script: -1}, true
	case strings.HasPrefix(image, "hyperkube") && serverWord(v[0]):
		return program{items: 1, script: -1}, true
	}
	return program{}, false
}

// serverWord is hyperkube's name for the API server.
func serverWord(s string) bool { return s == "apiserver" || s == "kube-apiserver" }
