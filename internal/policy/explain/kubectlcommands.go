package explain

import (
	"fmt"
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
		"logs": (*kubectl).logs, "debug": (*kubectl).debug, "cordon": (*kubectl).cordon, "uncordon": (*kubectl).cordon,
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
	watch := k.flags.watch || k.flags.watchOnly
	if watch && len(objects) > 1 {
		return refusedByKubectl(k.command, "to watch more than one object or resource")
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
		k.send(verb, o, "")
		if watch {
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

// describe looks for what belongs to an object, which is known of a few resources.
func (k *kubectl) describe() error {
	objects, err := k.objects(k.args)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if o.group != "" || !containsWord("pods configmaps secrets", o.resource) {
			return unknowable("describe "+o.resource, "what belongs to the object")
		}
		if o.name == "" {
			if err := k.list(&o); err != nil {
				return err
			}
		}
		k.send("get", o, "")
		if o.resource != "secrets" {
			k.send("list", object{place: place{resource: "events"}, namespaced: true}, "the events of the object")
		}
	}
	return nil
}

// list lists objects, of which each is then asked for by a name that only the cluster
// knows.
func (k *kubectl) list(o *object) error {
	if k.flags.allNamespaces && o.namespaced {
		return unknowable(k.command+" -A", "the namespaces of what is listed")
	}
	selected := *o
	if err := k.selectName(&selected); err != nil {
		return err
	}
	k.send("list", selected, "")
	o.listed, o.name = true, selected.name
	if o.name == "" {
		o.name = unknownName
	}
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
			if err := k.list(&o); err != nil {
				return err
			}
			note = "one for each that was listed: kubectl sends no deletecollection"
		}
		k.send("delete", o, note)
		if k.flags.wait && k.flags.dryRun == "none" {
			k.send("get", o, "kubectl waits until it is gone")
			k.send("list", o, "only if it is not gone at once, and unless the watch begins with it")
			k.send("watch", o, "only if it is not gone at once")
		}
	}
	return nil
}

// creatable are what kubectl create makes without a file.
const creatable = "clusterrole clusterrolebinding configmap cm cronjob cj deployment deploy ingress ing job namespace ns poddisruptionbudget pdb " +
	"priorityclass pc quota resourcequota role rolebinding secret service svc serviceaccount sa token"

func (k *kubectl) create() error {
	if len(k.args) == 0 {
		return unknowable("create", "what is in the file")
	}
	kind, needs := k.args[0], 2
	if containsWord("secret service svc", kind) {
		needs = 3 // kubectl create secret generic NAME
	}
	switch {
	case !containsWord(creatable, kind):
		return refusedByKubectl("create", fmt.Sprintf("to make %q without a file", kind))
	case len(k.args) < needs:
		return hint.Errorf(hint.Flag("kubectl", "create "+strings.Join(k.args, " ")+" NAME"), "kubectl create: the name is missing")
	case kind == "token":
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
	switch {
	case len(k.args) == 0:
		return hint.New(hint.Flag("kubectl", "run web --image=nginx"), "kubectl run: the name is missing")
	case k.flags.image == "":
		return hint.New(hint.Flag("kubectl", "run "+k.args[0]+" --image=nginx"), "kubectl run: --image is missing")
	case k.flags.remove && !k.flags.attach:
		return refusedByKubectl("run", "--rm without -i or --attach")
	case k.flags.attach && k.flags.dryRun != "none":
		return refusedByKubectl("run", "--dry-run with -i or --attach")
	}
	made := []object{{place: place{resource: "pods"}, name: k.args[0], namespaced: true}}
	if k.flags.expose {
		made = append(made, object{place: place{resource: "services"}, name: k.args[0], namespaced: true})
	}
	for _, o := range made {
		k.send("create", o, "")
	}
	if k.flags.attach {
		k.attachTo(made[0])
	}
	for _, o := range made {
		if k.flags.remove {
			k.send("get", o, "for --rm, after the end")
			k.send("delete", o, "for --rm, after the end")
		}
	}
	return nil
}

// attachTo waits until a Pod runs, and attaches to it.
func (k *kubectl) attachTo(pod object) {
	k.send("list", pod, "until it runs, and unless the watch begins with it")
	k.send("watch", pod, "until it runs")
	k.upgrade(pod.sub("attach"), "1.30")
	k.send("get", pod.sub("log"), "only if it has ended already, or cannot be attached to")
}

// upgrade is a connection that begins with a GET by websocket since a version of
// kubectl, and with a POST before, or when that fails.
func (k *kubectl) upgrade(o object, since string) {
	k.send("get", o, "by websocket: kubectl "+since+" and later")
	k.send("create", o, "by SPDY: kubectl before "+since+", and later ones when the websocket fails")
}

// named are objects that need a name, or something that selects them.
func (k *kubectl) named(args []string) ([]object, error) {
	return k.namedOr(args, k.flags.all || k.flags.selector != "" || k.flags.fieldSelector != "")
}

// namedOr are objects that need a name, unless those of a resource are all meant.
func (k *kubectl) namedOr(args []string, all bool) ([]object, error) {
	objects, err := k.objects(args)
	if err != nil {
		return nil, err
	}
	for i := range objects {
		if objects[i].name != "" {
			continue
		}
		if !all {
			return nil, hint.Errorf(hint.Flag("kubectl", k.command+" "+strings.Join(k.args, " ")+" NAME"), "kubectl %s: the name is missing", k.command)
		}
		if err := k.list(&objects[i]); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

// fetch reads an object, unless a list has done so.
func (k *kubectl) fetch(o object) {
	if !o.listed {
		k.send("get", o, "")
	}
}

// change is what edit, patch, label, annotate and taint do: read, then patch.
func (k *kubectl) change() error {
	args := k.args
	if k.command == "label" || k.command == "annotate" || k.command == "taint" {
		args = withoutPairs(args)
	}
	if k.flags.local {
		return unknowable(k.command+" --local", "what is in the file")
	}
	objects, err := k.named(args)
	if err != nil {
		return err
	}
	for _, o := range objects {
		o = o.sub(k.flags.subresource)
		k.fetch(o)
		if !k.flags.list {
			k.send("patch", o, "")
		}
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
		k.fetch(o)
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
		return k.read(k.args[1:], true, "patch")
	case "status":
		return k.read(k.args[1:], true, "list", "watch")
	}
	return unknowable("rollout "+k.args[0], "what the cluster has")
}

// read gets each object first, and then sends requests with some verbs. all says that
// without a name, those of a resource are all meant.
func (k *kubectl) read(args []string, all bool, verbs ...string) error {
	objects, err := k.namedOr(args, all)
	if err != nil {
		return err
	}
	for _, o := range objects {
		k.fetch(o)
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
	what, args := k.args[0], withoutPairs(k.args[1:])
	switch {
	case k.flags.local:
		return unknowable("set --local", "what is in the file")
	case !containsWord("image env resources selector serviceaccount sa subject", what):
		return refusedByKubectl("set", fmt.Sprintf("%q", what))
	case what == "serviceaccount" || what == "sa":
		args = args[:len(args)-1] // the last is the account
	}
	all := k.flags.all || k.flags.selector != ""
	if k.flags.list {
		return k.read(args, all)
	}
	return k.read(args, all, "patch")
}

func (k *kubectl) expose() error {
	if err := k.read(k.args, false); err != nil {
		return err
	}
	k.send("create", object{place: place{resource: "services"}, namespaced: true}, "")
	return nil
}

func (k *kubectl) autoscale() error {
	if err := k.read(k.args, false); err != nil {
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

// stream is exec, attach and port-forward, whose websockets came in two releases.
func (k *kubectl) stream() error {
	pod, err := k.pod()
	if err != nil {
		return err
	}
	if k.command == "port-forward" {
		k.send("get", pod, "")
		k.upgrade(pod.sub("portforward"), "1.31")
		return nil
	}
	k.upgrade(pod.sub(k.command), "1.30")
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
	if len(k.args) == 0 {
		return hint.New(hint.Flag("kubectl", "debug web -it --image=busybox"), "kubectl debug: the Pod or the node is missing")
	}
	for _, word := range k.args {
		o, err := k.podOrTyped(word)
		switch {
		case err != nil:
			return err
		case o.name == "":
			return refusedByKubectl("debug", "an empty name")
		case o.group == "" && o.resource == "nodes":
			k.send("get", o, "")
			o = object{place: place{resource: "pods"}, name: unknownName, namespaced: true}
			k.send("create", o, "")
		case o.group == "" && o.resource == "pods":
			o = k.debugPod(o)
		default:
			return refusedByKubectl("debug", o.resource)
		}
		if k.flags.attach {
			k.attachTo(o)
		}
	}
	return nil
}

// debugPod adds a container to a Pod or to a copy of it, and returns the one that has it.
func (k *kubectl) debugPod(o object) object {
	k.send("get", o, "")
	if k.flags.copyTo == "" {
		k.send("patch", o.sub("ephemeralcontainers"), "")
		return o
	}
	made := o
	made.name = k.flags.copyTo
	k.send("create", made, "")
	if k.flags.replace {
		k.send("delete", o, "")
	}
	return made
}

func (k *kubectl) cordon() error {
	node := object{place: place{resource: "nodes"}}
	var nodes []object
	switch {
	case len(k.args) > 0 && k.flags.selector != "":
		return refusedByKubectl(k.command, "a name and a selector")
	case k.flags.selector != "":
		if err := k.list(&node); err != nil {
			return err
		}
		nodes = append(nodes, node)
	case len(k.args) == 0:
		return hint.Errorf(hint.Flag("kubectl", k.command+" node-1"), "kubectl %s: the node is missing", k.command)
	}
	for _, name := range k.args {
		if node.name = strings.TrimPrefix(strings.TrimPrefix(name, "nodes/"), "node/"); node.name == "" || strings.Contains(node.name, "/") {
			return refusedByKubectl(k.command, fmt.Sprintf("the name %q", name))
		}
		nodes = append(nodes, node)
	}
	for _, n := range nodes {
		k.fetch(n)
		k.send("patch", n, "unless the node is so already")
	}
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
	objects, err := k.objects(k.args)
	if err != nil {
		return err
	}
	o := objects[0]
	if len(objects) > 1 || o.group != "" || o.resource != "pods" && o.resource != "nodes" {
		return refusedByKubectl("top", "other than pods or nodes, and one name")
	}
	metrics := o
	metrics.group = metricsGroup
	verb := "list"
	if o.name != "" {
		verb = "get"
	}
	k.send(verb, metrics, "")
	if o.resource == "nodes" {
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
