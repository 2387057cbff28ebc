package explain

import (
	"strings"

	"auditpatch/internal/hint"
)

// commands are those of kubectl whose requests are known.
var commands map[string]func(*kubectl) error

func init() {
	commands = map[string]func(*kubectl) error{
		"get": (*kubectl).get, "describe": (*kubectl).describe, "delete": (*kubectl).deletion, "create": (*kubectl).create, "run": (*kubectl).run,
		"edit": (*kubectl).change, "patch": (*kubectl).change, "label": (*kubectl).change, "annotate": (*kubectl).change, "taint": (*kubectl).change,
		"scale": (*kubectl).scale, "rollout": (*kubectl).rollout, "set": (*kubectl).set, "expose": (*kubectl).expose, "autoscale": (*kubectl).autoscale,
		"exec": (*kubectl).stream, "attach": (*kubectl).stream, "port-forward": (*kubectl).stream, "cp": (*kubectl).copy,
		"logs": (*kubectl).logs, "debug": (*kubectl).debug, "cordon": (*kubectl).cordon, "uncordon": (*kubectl).cordon, "drain": (*kubectl).drain,
		"auth": (*kubectl).auth, "certificate": (*kubectl).certificate, "top": (*kubectl).top, "events": (*kubectl).events,
		"version": (*kubectl).paths, "api-resources": (*kubectl).paths, "api-versions": (*kubectl).paths, "cluster-info": (*kubectl).clusterInfo,
	}
}

func (k *kubectl) get() error {
	if k.flags.raw != "" {
		s, err := FromURL("GET", k.flags.raw, k.who)
		k.sent = append(k.sent, s)
		return err
	}
	objects, err := k.objects(k.args)
	if err != nil {
		return err
	}
	for _, o := range objects {
		o.subresource = k.flags.subresource
		verb := "get"
		if o.name == "" {
			verb = "list"
			if err := k.selectName(&o); err != nil {
				return err
			}
		}
		if !k.flags.watchOnly {
			k.send(verb, o, "")
		}
		if k.flags.watch || k.flags.watchOnly {
			k.send("watch", o, "")
		}
	}
	return nil
}

// selectName gives a list the name that its field selector has.
func (k *kubectl) selectName(o *object) error {
	s := Sent{}
	s.Verb = "list"
	err := s.selected(k.flags.fieldSelector)
	o.name = s.Name
	return err
}

func (k *kubectl) describe() error {
	if err := k.get(); err != nil {
		return err
	}
	k.send("list", object{place: place{resource: "events"}, namespaced: true}, "the events of the object, for most resources")
	return nil
}

// unknownName stands for names that only the cluster knows.
const unknownName = "NAME"

func (k *kubectl) deletion() error {
	if k.flags.raw != "" {
		s, err := FromURL("DELETE", k.flags.raw, k.who)
		k.sent = append(k.sent, s)
		return err
	}
	objects, err := k.objects(k.args)
	if err != nil {
		return err
	}
	for _, o := range objects {
		note := ""
		if o.name == "" {
			if !k.flags.all && k.flags.selector == "" && k.flags.fieldSelector == "" {
				return hint.Errorf(hint.Flag("kubectl", "delete "+k.args[0]+" NAME"), "kubectl delete: the name is missing, or --all")
			}
			k.send("list", o, "")
			o.name, note = unknownName, "one for each that was listed, in its namespace: kubectl sends no deletecollection"
		}
		k.send("delete", o, note)
		if k.flags.wait && !k.flags.force {
			k.send("get", o, "kubectl waits until it is gone")
			k.send("watch", o, "only if it is not gone at once")
		}
	}
	return nil
}

func (k *kubectl) create() error {
	if k.flags.filename != "" || len(k.args) == 0 {
		return unknowable("create", "what is in the file")
	}
	kind := k.args[0]
	if kind == "token" {
		if len(k.args) < 2 {
			return hint.New(hint.Flag("kubectl", "create token default"), "kubectl create token: the service account is missing")
		}
		k.send("create", object{place: place{resource: "serviceaccounts", subresource: "token"}, name: k.args[1], namespaced: true}, "")
		return nil
	}
	o, err := typed(kind)
	if err != nil {
		return err
	}
	k.send("create", o, "")
	return nil
}

func (k *kubectl) run() error {
	k.send("create", object{place: place{resource: "pods"}, namespaced: true}, "")
	return nil
}

// named are objects that need a name.
func (k *kubectl) named(args []string) ([]object, error) {
	objects, err := k.objects(args)
	if err != nil {
		return nil, err
	}
	for i := range objects {
		if objects[i].name == "" && (k.flags.all || k.flags.selector != "") {
			k.send("list", objects[i], "")
			objects[i].name = unknownName
		}
		if objects[i].name == "" {
			return nil, hint.Errorf(hint.Flag("kubectl", k.command+" "+strings.Join(args, " ")+" NAME"), "kubectl %s: the name is missing", k.command)
		}
	}
	return objects, nil
}

// change is what edit, patch, label, annotate and taint do: read, then patch.
func (k *kubectl) change() error {
	args := k.args
	if k.command == "label" || k.command == "annotate" || k.command == "taint" {
		args = withoutPairs(args)
	}
	objects, err := k.named(args)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if o.name != unknownName {
			k.send("get", o, "")
		}
		k.send("patch", o.sub(k.flags.subresource), "")
	}
	return nil
}

// withoutPairs leaves out key=value, key- and key:effect, which follow the names.
func withoutPairs(args []string) (out []string) {
	for i, a := range args {
		if i > 0 && (strings.ContainsAny(a, "=:") || strings.HasSuffix(a, "-")) {
			continue
		}
		out = append(out, a)
	}
	return out
}

func (k *kubectl) scale() error {
	objects, err := k.named(k.args)
	if err != nil {
		return err
	}
	for _, o := range objects {
		k.send("get", o, "")
		if k.flags.currentReplicas != "" {
			k.send("get", o.sub("scale"), "")
			k.send("update", o.sub("scale"), "")
			continue
		}
		k.send("patch", o.sub("scale"), "")
	}
	return nil
}

func (k *kubectl) rollout() error {
	if len(k.args) < 2 {
		return hint.New(hint.Flag("kubectl", "rollout restart deployment/web"), "kubectl rollout: the object is missing")
	}
	switch k.args[0] {
	case "restart", "pause", "resume":
		return k.read(k.args[1:], "patch")
	case "status":
		return k.read(k.args[1:], "list", "watch")
	}
	return unknowable("rollout "+k.args[0], "what the cluster has")
}

// read gets each object first, and then sends requests with some verbs.
func (k *kubectl) read(args []string, verbs ...string) error {
	objects, err := k.named(args)
	if err != nil {
		return err
	}
	for _, o := range objects {
		k.send("get", o, "")
		for _, verb := range verbs {
			k.send(verb, o, "")
		}
	}
	return nil
}

func (k *kubectl) set() error {
	if len(k.args) < 2 {
		return hint.New(hint.Flag("kubectl", "set image deployment/web web=nginx"), "kubectl set: the object is missing")
	}
	return k.read(withoutPairs(k.args[1:]), "patch")
}

func (k *kubectl) expose() error {
	if err := k.read(k.args); err != nil {
		return err
	}
	k.send("create", object{place: place{resource: "services"}, namespaced: true}, "")
	return nil
}

func (k *kubectl) autoscale() error {
	if err := k.read(k.args); err != nil {
		return err
	}
	k.send("create", object{place: place{group: "autoscaling", resource: "horizontalpodautoscalers"}, namespaced: true}, "")
	return nil
}

// pod is the Pod that words mean, after the requests that find it.
func (k *kubectl) pod() (object, error) {
	objects, err := k.pods()
	if err != nil {
		return object{}, err
	}
	o := objects[0]
	if o.resource == "pods" && o.group == "" && o.name != "" {
		k.send("get", o, "")
		return o, nil
	}
	if o.name != "" {
		k.send("get", o, "")
	}
	pods := object{place: place{resource: "pods"}, namespaced: true}
	k.send("list", pods, "")
	pods.name = unknownName
	return pods, nil
}

// stream is exec, attach and port-forward. They use websockets, which begin with a
// GET, since kubectl 1.30 and 1.31, and POST before or when an upgrade fails.
func (k *kubectl) stream() error {
	pod, err := k.pod()
	if err != nil {
		return err
	}
	since := "1.30"
	sub := k.command
	if k.command == "port-forward" {
		since, sub = "1.31", "portforward"
	}
	k.send("get", pod.sub(sub), "by websocket: kubectl "+since+" and later")
	k.send("create", pod.sub(sub), "by SPDY: kubectl before "+since+", and later ones when the websocket fails")
	return nil
}

func (k *kubectl) copy() error {
	for _, a := range k.args {
		at, _, remote := strings.Cut(a, ":")
		if !remote {
			continue
		}
		if ns, name, ok := strings.Cut(at, "/"); ok {
			k.flags.namespace, at = ns, name
		}
		k.command, k.args = "exec", []string{at}
		return k.stream()
	}
	return hint.New(hint.Flag("kubectl", "cp web:/tmp/a a"), "kubectl cp: no path is in a Pod")
}

func (k *kubectl) logs() error {
	pod, err := k.pod()
	if err != nil {
		return err
	}
	k.send("get", pod.sub("log"), "")
	return nil
}

func (k *kubectl) debug() error {
	pod, err := k.pods()
	if err != nil {
		return err
	}
	o := pod[0]
	k.send("get", o, "")
	if o.resource != "pods" {
		k.send("create", object{place: place{resource: "pods"}, namespaced: true}, "")
		return nil
	}
	k.send("patch", o.sub("ephemeralcontainers"), "")
	return nil
}

// nodes are the nodes that words name.
func (k *kubectl) nodes() (out []object, err error) {
	for _, name := range k.args {
		out = append(out, object{place: place{resource: "nodes"}, name: strings.TrimPrefix(strings.TrimPrefix(name, "nodes/"), "node/")})
	}
	if len(out) == 0 {
		return nil, hint.Errorf(hint.Flag("kubectl", k.command+" node-1"), "kubectl %s: the node is missing", k.command)
	}
	return out, nil
}

func (k *kubectl) cordon() error {
	nodes, err := k.nodes()
	for _, n := range nodes {
		k.send("get", n, "")
		k.send("patch", n, "unless the node is so already")
	}
	return err
}

func (k *kubectl) drain() error {
	if err := k.cordon(); err != nil {
		return err
	}
	pods := object{place: place{resource: "pods"}, namespaced: true}
	all := *k
	all.flags.allNamespaces = true
	all.send("list", pods, "those on the node")
	k.sent = all.sent
	pods.name = unknownName
	k.send("create", pods.sub("eviction"), "one for each Pod, in its namespace")
	k.send("get", pods, "until each Pod is gone")
	return nil
}

func (k *kubectl) auth() error {
	review := func(group, resource string) {
		k.send("create", object{place: place{group: group, resource: resource}}, "")
	}
	verb := ""
	if len(k.args) > 0 {
		verb = k.args[0]
	}
	switch {
	case verb == "can-i" && k.flags.list:
		review("authorization.k8s.io", "selfsubjectrulesreviews")
	case verb == "can-i":
		review("authorization.k8s.io", "selfsubjectaccessreviews")
	case verb == "whoami":
		review("authentication.k8s.io", "selfsubjectreviews")
	default:
		return unknowable("auth "+verb, "what is in the file")
	}
	return nil
}

func (k *kubectl) certificate() error {
	if len(k.args) < 2 {
		return hint.New(hint.Flag("kubectl", "certificate approve NAME"), "kubectl certificate: the request is missing")
	}
	for _, name := range k.args[1:] {
		o := object{place: place{group: "certificates.k8s.io", resource: "certificatesigningrequests"}, name: name}
		k.send("get", o, "")
		k.send("update", o.sub("approval"), "")
	}
	return nil
}

func (k *kubectl) top() error {
	if len(k.args) == 0 {
		return hint.New(hint.Flag("kubectl", "top pods"), "kubectl top: pods or nodes?")
	}
	o, err := typed(k.args[0])
	if err != nil {
		return err
	}
	metrics := o
	metrics.group = "metrics.k8s.io"
	verb := "list"
	if len(k.args) > 1 {
		verb, metrics.name = "get", k.args[1]
	}
	k.send(verb, metrics, "")
	if o.resource == "nodes" {
		o.name = metrics.name
		k.send(verb, o, "")
	}
	return nil
}

func (k *kubectl) events() error {
	k.send("list", object{place: place{resource: "events"}, namespaced: true}, "")
	if k.flags.watch {
		k.send("watch", object{place: place{resource: "events"}, namespaced: true}, "")
	}
	return nil
}

func (k *kubectl) paths() error {
	paths := []string{"/api", "/apis"}
	if k.command == "version" {
		paths = []string{"/version"}
	}
	for _, path := range paths {
		s, err := FromURL("GET", path, k.who)
		if err != nil {
			return err
		}
		k.sent = append(k.sent, s)
	}
	return nil
}

func (k *kubectl) clusterInfo() error {
	if len(k.args) > 0 {
		return unknowable("cluster-info "+k.args[0], "what the cluster has")
	}
	k.flags.namespace = "kube-system"
	k.send("list", object{place: place{resource: "services"}, namespaced: true}, "")
	return nil
}
