package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/internal/spelling"
)

// FromKubectl are the requests that kubectl sends for its words, such as "get secrets
// -A" or "exec -n prod web -- sh", as read from k8s.io/kubectl 0.30 to 0.37. Words whose
// requests depend on a file or on what the cluster has are refused. The discovery
// requests that kubectl makes when its cache is old are left out.
func FromKubectl(words string, who Who) ([]Sent, error) {
	args, err := split(words)
	if err != nil {
		return nil, err
	}
	if len(args) > 0 && args[0] == "kubectl" {
		args = args[1:]
	}
	if len(args) == 0 {
		return nil, hint.New(hint.Flag("kubectl", "get pods"), "the words of kubectl are missing")
	}
	k := &kubectl{who: who}
	if err := k.parse(args); err != nil {
		return nil, err
	}
	run, known := commands[k.command]
	if !known {
		return nil, unknownCommand(k.command)
	}
	if err := run(k); err != nil {
		return nil, err
	}
	if len(k.sent) == 0 {
		return nil, hint.Errorf(hint.Words("leave --dry-run out"), "kubectl %s: it sends no request", k.command)
	}
	return k.sent, nil
}

// kubectl is one command line of it.
type kubectl struct {
	who     Who
	command string
	args    []string // behind the command, before --
	flags   kubectlFlags
	sent    []Sent
}

// kubectlFlags are those that decide about requests: as many fields as there are.
type kubectlFlags struct {
	namespace, filename, selector, fieldSelector, raw, subresource, dryRun, as, currentReplicas string
	allNamespaces, all, watch, watchOnly, list, force, wait                                     bool
}

// parse reads flags wherever they stand.
func (k *kubectl) parse(args []string) error {
	set := pflag.NewFlagSet("kubectl", pflag.ContinueOnError)
	set.Usage = func() {}
	f := &k.flags
	set.StringVarP(&f.namespace, "namespace", "n", "default", "")
	set.StringVarP(&f.selector, "selector", "l", "", "")
	set.StringVar(&f.fieldSelector, "field-selector", "", "")
	set.StringVar(&f.raw, "raw", "", "")
	set.StringVar(&f.subresource, "subresource", "", "")
	set.StringVar(&f.dryRun, "dry-run", "none", "")
	set.Lookup("dry-run").NoOptDefVal = "client"
	set.StringVar(&f.as, "as", "", "")
	set.StringVar(&f.currentReplicas, "current-replicas", "", "")
	set.BoolVarP(&f.allNamespaces, "all-namespaces", "A", false, "")
	set.BoolVar(&f.all, "all", false, "")
	set.BoolVarP(&f.watch, "watch", "w", false, "")
	set.BoolVar(&f.watchOnly, "watch-only", false, "")
	set.BoolVar(&f.list, "list", false, "")
	set.BoolVar(&f.force, "force", false, "")
	set.BoolVar(&f.wait, "wait", true, "")
	harmless(set)
	f.letters(set, slices.Contains(args, "logs"))
	if err := set.Parse(args); err != nil {
		return hint.Errorf(hint.Words("leave that flag out if it decides nothing, or name the request with --verb and --resource"), "kubectl: %v", err)
	}
	rest := set.Args()
	if dash := set.ArgsLenAtDash(); dash >= 0 {
		rest = rest[:dash]
	}
	if len(rest) == 0 {
		return hint.New(hint.Flag("kubectl", "get pods"), "the command of kubectl is missing")
	}
	k.command, k.args = rest[0], rest[1:]
	return nil
}

// harmless are the flags of kubectl that decide nothing here.
func harmless(set *pflag.FlagSet) {
	for _, name := range []string{"context", "cluster", "user", "kubeconfig", "server", "token", "request-timeout", "as-group", "as-uid", "type", "image", "replicas",
		"tail", "since", "since-time", "limit-bytes", "grace-period", "timeout", "sort-by", "template", "chunk-size", "for", "port", "target-port",
		"from-literal", "from-file", "from-env-file", "cert", "key", "docker-server", "docker-username", "docker-password", "clusterrole", "role", "serviceaccount",
		"group", "verb", "resource", "resource-name", "duration", "audience", "schedule", "rule", "field-manager", "cascade", "target", "profile", "patch-file",
		"restart", "labels", "env", "name", "min", "max", "cpu", "pod-selector", "max-log-requests", "address", "pod-running-timeout", "validate"} {
		set.String(name, "", "")
	}
	set.Lookup("cascade").NoOptDefVal, set.Lookup("validate").NoOptDefVal = "background", "strict"
	set.StringP("output", "o", "", "")
	set.StringP("container", "c", "", "")
	set.StringP("label-columns", "L", "", "")
	for _, name := range []string{"no-headers", "show-labels", "show-kind", "ignore-not-found", "overwrite", "timestamps", "prefix", "all-containers", "ignore-daemonsets",
		"delete-emptydir-data", "disable-eviction", "server-side", "force-conflicts", "now", "rm", "insecure-skip-tls-verify", "show-managed-fields",
		"record", "expose", "save-config", "local", "containers", "output-watch-events", "show-events", "share-processes"} {
		set.Bool(name, false, "")
	}
	set.BoolP("stdin", "i", false, "")
	set.BoolP("tty", "t", false, "")
	set.BoolP("quiet", "q", false, "")
	set.BoolP("recursive", "R", false, "")
	set.StringP("kustomize", "k", "", "")
	set.IntP("v", "v", 0, "")
}

// letters are the flags that mean something else with logs.
func (f *kubectlFlags) letters(set *pflag.FlagSet, logs bool) {
	if logs {
		set.BoolP("previous", "p", false, "")
		set.BoolP("follow", "f", false, "")
		return
	}
	set.StringP("patch", "p", "", "")
	set.StringVarP(&f.filename, "filename", "f", "", "")
}

// split cuts a line into words as a shell does, without what only a shell can know.
func split(line string) (words []string, err error) {
	var word strings.Builder
	quote, inWord := rune(0), false
	escaped := false
	for _, r := range line {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inWord = r, true
		case strings.ContainsRune(" \t\r\n", r):
			if inWord {
				words, inWord = append(words, word.String()), false
				word.Reset()
			}
		default:
			word.WriteRune(r)
			inWord = true
		}
	}
	if quote != 0 || escaped {
		return nil, hint.Errorf(hint.Words("close the quotation"), "%q: a quotation has no end", line)
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}

// object is a resource that words name, with the name of one object or none.
type object struct {
	place
	name       string
	namespaced bool
}

// objects reads TYPE[,TYPE] [NAME...] and TYPE/NAME...; names come as one object each.
func (k *kubectl) objects(args []string) (out []object, err error) {
	if k.flags.filename != "" {
		return nil, unknowable(k.command, "what is in the file")
	}
	if len(args) == 0 {
		return nil, hint.Errorf(hint.Flag("kubectl", k.command+" pods"), "kubectl %s: the resource is missing", k.command)
	}
	if strings.Contains(args[0], "/") {
		for _, word := range args {
			resource, name, _ := strings.Cut(word, "/")
			o, err := typed(resource)
			if err != nil {
				return nil, err
			}
			o.name = name
			out = append(out, o)
		}
		return out, nil
	}
	for t := range strings.SplitSeq(args[0], ",") {
		if t == "all" {
			out = append(out, everyday()...)
			continue
		}
		o, err := typed(t)
		if err != nil {
			return nil, err
		}
		if len(args) == 1 {
			out = append(out, o)
		}
		for _, name := range args[1:] {
			o.name = name
			out = append(out, o)
		}
	}
	return out, nil
}

func typed(resource string) (object, error) {
	p, err := parseResource(resource)
	if err != nil {
		return object{}, err
	}
	return object{place: p, namespaced: namespaced(p.group, p.resource)}, nil
}

// everyday are the resources of the category "all".
func everyday() (out []object) {
	for _, name := range []string{"pods", "replicationcontrollers", "services", "daemonsets.apps", "deployments.apps", "replicasets.apps",
		"statefulsets.apps", "horizontalpodautoscalers.autoscaling", "cronjobs.batch", "jobs.batch"} {
		if o, err := typed(name); err == nil {
			out = append(out, o)
		}
	}
	return out
}

// pods are objects of which a word without a type is the name of a Pod.
func (k *kubectl) pods() ([]object, error) {
	if len(k.args) == 0 && k.flags.selector == "" {
		return nil, hint.Errorf(hint.Flag("kubectl", k.command+" web"), "kubectl %s: the Pod is missing", k.command)
	}
	if len(k.args) > 0 && strings.Contains(k.args[0], "/") {
		return k.objects(k.args[:1])
	}
	pod := object{place: place{resource: "pods"}, namespaced: true}
	if len(k.args) > 0 {
		pod.name = k.args[0]
	}
	return []object{pod}, nil
}

// send adds a request. A request with a verb that changes something is left out when
// kubectl only prints what it would do.
func (k *kubectl) send(verb string, o object, note string) {
	if k.flags.dryRun == "client" && sendsObject(verb) {
		return
	}
	s := Sent{Request: k.who.request(), Note: note}
	s.Verb, s.Group, s.Version = verb, o.group, o.version
	s.Resource, s.Subresource, s.Name = o.resource, o.subresource, o.name
	everywhere := k.flags.allNamespaces && (o.name == "" || verb == "list" || verb == "watch")
	if o.namespaced && !everywhere {
		s.Namespace = k.flags.namespace
	}
	if verb == "create" && o.subresource == "" {
		s.Name = ""
	}
	if k.flags.as != "" && s.Note == "" {
		s.Note = "of --as nothing is evaluated: it is the user who has logged in that counts"
	}
	if !slices.ContainsFunc(k.sent, func(b Sent) bool { return same(b.Request, s.Request) }) {
		k.sent = append(k.sent, s)
	}
}

func same(a, b policy.Request) bool {
	a.Groups, b.Groups = nil, nil
	return fmt.Sprint(a) == fmt.Sprint(b)
}

// sub is an object's subresource.
func (o object) sub(name string) object {
	o.subresource = name
	return o
}

func unknowable(command, why string) error {
	return hint.Errorf(hint.Words("name the requests with --verb and --resource; kubectl %s ... -v 6 shows those of a run", command),
		"kubectl %s: which requests it sends depends on %s", command, why)
}

func unknownCommand(name string) error {
	if why, ok := dependent[name]; ok {
		return unknowable(name, why)
	}
	if slices.Contains(silent, name) {
		return hint.Errorf(hint.Flag("kubectl", "get pods"), "kubectl %s: it sends no request", name)
	}
	var names []string
	for n := range commands {
		names = append(names, n)
	}
	slices.Sort(names)
	if best := spelling.Nearest(name, names); best != "" {
		return hint.Errorf(hint.Flag("kubectl", best+" ..."), "kubectl has no command %q", name)
	}
	return hint.Errorf(hint.Words("name the requests with --verb and --resource"), "which requests kubectl %s sends is not known here", name)
}

// dependent commands send what cannot be known from their words.
var dependent = map[string]string{
	"apply": "what is in the file, and whether the objects exist", "replace": "what is in the file, and whether the objects exist",
	"diff": "what is in the file, and whether the objects exist", "wait": "what the cluster has",
	"proxy": "what is asked of it", "kustomize": "the folder", "alpha": "the version of kubectl",
}

// silent commands send nothing.
var silent = []string{"config", "completion", "options", "plugin", "help"}
