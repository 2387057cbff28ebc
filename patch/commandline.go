package patch

import (
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"auditpatch/manifest"
)

// RunsAs tells whether argv is what the kubelet makes of the command line: it
// expands $(VAR) (pkg/kubelet/container/helpers.go,
// ExpandContainerCommandAndArgs). A variable whose value the manifest does not
// say, such as the node's address, may be anything. What comes before
// kube-apiserver, as go-runner, is left out on both sides.
func (s Server) RunsAs(argv []string) bool {
	want, have := serverArgs(s.Command), serverArgs(argv)
	return slices.EqualFunc(want, have, func(a, b string) bool { return s.expand(a).matches(b) })
}

// Args are the arguments of kube-apiserver itself, as far as they can be
// expanded.
func (s Server) Args() []string {
	var out []string
	for _, a := range serverArgs(s.Command) {
		out = append(out, s.expand(a).String())
	}
	return out
}

// serverArgs are the arguments behind the program, which another program
// (go-runner) may start.
func serverArgs(command []string) []string {
	for i, a := range command {
		if path.Base(a) == "kube-apiserver" {
			return command[i+1:]
		}
	}
	return command
}

// environment is what a container's variables hold, by name. Where the value
// comes from elsewhere there is no entry.
func environment(c *corev1.Container) map[string]string {
	env := map[string]string{}
	for _, v := range c.Env {
		if v.ValueFrom != nil {
			delete(env, v.Name)
			continue
		}
		value := Server{Env: env}.expand(v.Value)
		if !value.known() {
			delete(env, v.Name)
			continue
		}
		env[v.Name] = value.String()
	}
	return env
}

// argument is an argument after its expansion: texts, with something unknown
// between each two of them.
type argument struct {
	texts []string
	raw   []string // what is in the manifest for the unknown
}

func (a argument) known() bool { return len(a.texts) == 1 }

// String is the argument with what is unknown as the manifest has it.
func (a argument) String() string {
	var b strings.Builder
	for i, text := range a.texts {
		b.WriteString(text)
		if i < len(a.raw) {
			b.WriteString(a.raw[i])
		}
	}
	return b.String()
}

// matches tells whether s is the argument, whatever the unknown parts are.
func (a argument) matches(s string) bool {
	s, ok := strings.CutPrefix(s, a.texts[0])
	if !ok || a.known() {
		return ok && s == ""
	}
	middle, last := a.texts[1:len(a.texts)-1], a.texts[len(a.texts)-1]
	for _, text := range middle {
		i := strings.Index(s, text)
		if i < 0 {
			return false
		}
		s = s[i+len(text):]
	}
	return strings.HasSuffix(s, last)
}

// expand follows third_party/forked/golang/expansion: $(VAR) is a variable, $$
// is $, and any other $ stands for itself.
func (s Server) expand(text string) argument {
	a := argument{texts: []string{""}}
	add := func(t string) { a.texts[len(a.texts)-1] += t }
	for {
		before, rest, found := strings.Cut(text, "$")
		add(before)
		name, after, closed := strings.Cut(strings.TrimPrefix(rest, "("), ")")
		switch {
		case !found:
			return a
		case strings.HasPrefix(rest, "$"):
			add("$")
			text = rest[1:]
		case strings.HasPrefix(rest, "(") && closed:
			if value, known := s.Env[name]; known {
				add(value)
			} else {
				a.raw, a.texts = append(a.raw, "$("+name+")"), append(a.texts, "")
			}
			text = after
		default:
			add("$")
			text = rest
		}
	}
}

// expandedFlag is the last value of one of kube-apiserver's flags, expanded; ok
// only when it is set and known.
func (s Server) expandedFlag(m *manifest.File, name string) (value string, ok bool) {
	f, ok := m.Flag(name)
	if !ok {
		return "", false
	}
	a := s.expand(f.Value)
	return a.String(), a.known()
}
