package explain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"auditpatch/internal/hint"
	"auditpatch/internal/spelling"
)

// FromKubectl are the requests that kubectl sends for its words, such as "get secrets
// -A" or "exec -n prod web -- sh", as read from k8s.io/kubectl 0.30 to 0.37, and as those of
// 1.34 and 1.37 send them (TestKubectlItself). Words whose
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
	k := &kubectl{who: who, known: map[sentKey]bool{}}
	if err := k.parse(args); err != nil {
		return nil, err
	}
	if err := commands[k.command](k); err != nil {
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
	known   map[sentKey]bool // those in sent
}

// kubectlFlags are those that decide about requests: as many fields as there are.
type kubectlFlags struct {
	namespace, filename, kustomize, selector, fieldSelector, raw, subresource, dryRun, as, currentReplicas, copyTo, image string
	allNamespaces, all, watch, watchOnly, list, wait, local, stdin, attach, remove, expose, replace                       bool
}

// parse finds the command, before which only flags stand that all commands have, and
// then reads those of the command wherever they stand. Some letters mean one thing with
// one command, and another with the next.
func (k *kubectl) parse(args []string) error {
	k.flags.namespace = "default"
	global := newFlags()
	global.SetInterspersed(false)
	k.flags.global(global)
	if err := global.Parse(args); err != nil {
		return hint.Errorf(hint.Flag("kubectl", "get pods -A"), "kubectl: %v in front of the command, where only those stand that all commands have", err)
	}
	if args = global.Args(); len(args) == 0 {
		return hint.New(hint.Flag("kubectl", "get pods"), "the command of kubectl is missing")
	}
	k.command = args[0]
	if commands[k.command] == nil {
		return unknownCommand(k.command)
	}
	set := newFlags()
	k.flags.global(set)
	k.flags.deciding(set, k.command)
	harmless(set, k.command)
	if err := set.Parse(args[1:]); err != nil {
		return hint.Errorf(hint.Words("leave that flag out if it decides nothing, or name the request with --verb and --resource"), "kubectl %s: %v", k.command, err)
	}
	k.args = set.Args()
	if dash := set.ArgsLenAtDash(); dash >= 0 {
		k.args = k.args[:dash]
	}
	if k.flags.namespace == "" {
		k.flags.namespace = "default" // as if it were not given
	}
	if k.flags.filename != "" || k.flags.kustomize != "" {
		return unknowable(k.command, "what is in the file")
	}
	if f := set.Lookup("attach"); f != nil && !f.Changed {
		k.flags.attach = k.flags.stdin
	}
	return nil
}

func newFlags() *pflag.FlagSet {
	set := pflag.NewFlagSet("kubectl", pflag.ContinueOnError)
	set.Usage = func() {}
	return set
}

// global are the flags that stand with all commands.
func (f *kubectlFlags) global(set *pflag.FlagSet) {
	set.StringVarP(&f.namespace, "namespace", "n", f.namespace, "")
	set.StringVar(&f.as, "as", f.as, "")
	for _, name := range []string{"context", "cluster", "user", "kubeconfig", "token", "request-timeout", "as-group", "as-uid", "cache-dir",
		"certificate-authority", "client-certificate", "client-key", "tls-server-name", "log-flush-frequency"} {
		set.String(name, "", "")
	}
	set.StringP("server", "s", "", "")
	set.Bool("insecure-skip-tls-verify", false, "")
	set.Bool("match-server-version", false, "")
	set.Bool("warnings-as-errors", false, "")
	set.IntP("v", "v", 0, "")
}

// deciding are the flags of a command that decide about its requests, those of kubectl
// 0.37: one that a command has not is refused, as kubectl does.
func (f *kubectlFlags) deciding(set *pflag.FlagSet, command string) {
	has := func(commands string) bool { return containsWord(commands, command) }
	text := func(to *string, name, letter, commands string) {
		if has(commands) {
			set.StringVarP(to, name, letter, "", "")
		}
	}
	on := func(to *bool, name, letter, commands string) {
		if has(commands) {
			set.BoolVarP(to, name, letter, false, "")
		}
	}
	text(&f.selector, "selector", "l", "get describe delete label annotate taint scale rollout set logs cordon uncordon top")
	text(&f.fieldSelector, "field-selector", "", "get delete label annotate top")
	text(&f.raw, "raw", "", "get delete")
	text(&f.subresource, "subresource", "", "get edit patch")
	text(&f.currentReplicas, "current-replicas", "", "scale")
	text(&f.copyTo, "copy-to", "", "debug")
	text(&f.image, "image", "", "run debug create set")
	text(&f.filename, "filename", "f", "get describe delete create edit patch label annotate scale rollout set expose autoscale exec debug certificate")
	text(&f.kustomize, "kustomize", "k", "get describe delete create edit patch label annotate scale rollout set expose autoscale certificate")
	on(&f.allNamespaces, "all-namespaces", "A", "get describe delete label annotate events top auth cluster-info")
	on(&f.all, "all", "", "delete label annotate taint scale set")
	on(&f.watch, "watch", "w", "get events")
	on(&f.watchOnly, "watch-only", "", "get")
	on(&f.list, "list", "", "label annotate set auth")
	on(&f.local, "local", "", "label annotate patch set")
	on(&f.stdin, "stdin", "i", "run debug exec attach")
	on(&f.attach, "attach", "", "run debug")
	on(&f.remove, "rm", "", "run")
	on(&f.expose, "expose", "", "run")
	on(&f.replace, "replace", "", "debug")
	if has("delete") {
		set.BoolVar(&f.wait, "wait", true, "")
	}
	if has("create delete run patch label annotate taint scale expose autoscale set cordon uncordon") {
		set.StringVar(&f.dryRun, "dry-run", "none", "")
		set.Lookup("dry-run").NoOptDefVal = "client"
	}
}

// harmless are the flags of kubectl that decide nothing here.
func harmless(set *pflag.FlagSet, command string) {
	for _, name := range []string{"as-group", "type", "replicas",
		"tail", "since", "since-time", "limit-bytes", "grace-period", "sort-by", "template", "chunk-size", "for", "port", "target-port",
		"from-literal", "from-file", "from-env-file", "cert", "key", "docker-server", "docker-username", "docker-password", "clusterrole", "role", "serviceaccount",
		"group", "verb", "resource", "resource-name", "duration", "audience", "schedule", "rule", "field-manager", "cascade", "target", "profile", "patch-file",
		"restart", "image-pull-policy", "tcp", "node-port", "external-name", "clusterip", "hard", "scopes", "min-available", "max-unavailable", "value", "preemption-policy", "description", "from", "class", "default-backend", "annotation", "aggregation-rule", "non-resource-url", "user", "docker-email", "bound-object-kind", "bound-object-name", "bound-object-uid",
		"limits", "requests", "env", "name", "min", "max", "cpu", "pod-selector", "max-log-requests", "address", "pod-running-timeout", "validate"} {
		if set.Lookup(name) == nil {
			set.String(name, "", "")
		}
	}
	if command != "scale" { // which asks again and again within it
		set.String("timeout", "", "")
	}
	set.Lookup("cascade").NoOptDefVal, set.Lookup("validate").NoOptDefVal = "background", "strict"
	set.StringP("output", "o", "", "")
	set.StringP("container", "c", "", "")
	set.StringP("label-columns", "L", "", "")
	for _, name := range []string{"no-headers", "show-labels", "show-kind", "ignore-not-found", "overwrite", "timestamps", "prefix", "all-containers",
		"force", "now", "show-managed-fields", "save-config", "containers", "output-watch-events", "share-processes"} {
		set.Bool(name, false, "")
	}
	switch command {
	case "logs":
		set.BoolP("previous", "p", false, "")
		set.BoolP("follow", "f", false, "")
	case "patch":
		set.StringP("patch", "p", "", "")
	case "run":
		set.StringP("labels", "l", "", "")
	}
	set.BoolP("tty", "t", false, "")
	set.BoolP("quiet", "q", false, "")
	set.BoolP("recursive", "R", false, "")
}

// split cuts a line into words as a shell does. What only a shell can know is refused:
// pipes, redirections, variables and patterns would become names.
func split(line string) ([]string, error) {
	var c cutter
	for _, r := range line {
		if err := c.read(r); err != nil {
			return nil, err
		}
	}
	if c.quote != 0 || c.escaped {
		return nil, hint.Errorf(hint.Words("close the quotation"), "%q: a quotation has no end", line)
	}
	if err := c.end(); err != nil {
		return nil, err
	}
	return c.words, nil
}

// cutter cuts words out of a line.
type cutter struct {
	words   []string
	word    strings.Builder
	in      bool // a word has begun
	quote   rune // that is open; 0 for none
	escaped bool
	pattern rune // unquoted in this word, and perhaps of a pattern; 0 for none
}

const (
	operators = "|&;<>()$`\n" // unquoted, they are never a word's
	patterns  = "*?[{"
)

func (c *cutter) read(r rune) error {
	switch {
	case c.escaped:
		if c.escaped = false; r == '\n' {
			return nil // the line goes on
		}
		if c.quote == '"' && !strings.ContainsRune("\"\\$`", r) {
			c.word.WriteByte('\\')
		}
		c.word.WriteRune(r)
		c.in = true
	case r == '\\' && c.quote != '\'':
		c.escaped = true
	case c.quote != 0 && r == c.quote:
		c.quote = 0
	case c.quote == '"' && (r == '$' || r == '`'):
		return shellSign(r)
	case c.quote != 0:
		c.word.WriteRune(r)
	case r == '\'' || r == '"':
		c.quote, c.in = r, true
	case strings.ContainsRune(" \t\r", r):
		return c.end()
	case strings.ContainsRune(operators, r), !c.in && (r == '#' || r == '~'):
		return shellSign(r)
	default:
		if strings.ContainsRune(patterns, r) && (r != '{' || c.pattern == 0) {
			c.pattern = r
		}
		c.word.WriteRune(r)
		c.in = true
	}
	return nil
}

// end ends the word, if one has begun. A pattern that hardly fits a file stays as it is:
// the value of a flag, and a path of a URL.
func (c *cutter) end() error {
	if !c.in {
		return nil
	}
	word, pattern := c.word.String(), c.pattern
	c.words = append(c.words, word)
	c.in, c.pattern = false, 0
	c.word.Reset()
	if pattern == '{' && !strings.Contains(word, ",") && !strings.Contains(word, "..") {
		return nil // a shell leaves it as it is
	}
	if pattern != 0 && !strings.Contains(word, "=") && !strings.HasPrefix(word, "/") {
		return shellSign(pattern)
	}
	return nil
}

func shellSign(r rune) error {
	return hint.Errorf(hint.Words("put it in quotation marks if it belongs to a word, or leave it out with what follows"),
		"the words of kubectl have %q, which only a shell understands", r)
}

// object is a resource that words name, with the name of one object or none.
type object struct {
	place
	name       string
	namespaced bool
	listed     bool // kubectl has it from a list
}

// objects reads TYPE[,TYPE] [NAME...] and TYPE/NAME...; names come as one object each.
func (k *kubectl) objects(args []string) (out []object, err error) {
	if len(args) == 0 {
		return nil, hint.Errorf(hint.Flag("kubectl", k.command+" pods"), "kubectl %s: the resource is missing", k.command)
	}
	if strings.Contains(args[0], "/") {
		out, err = k.slashed(args)
	} else {
		out, err = k.spaced(args)
	}
	if err != nil {
		return nil, err
	}
	selects := k.flags.selector != "" || k.flags.fieldSelector != "" || k.flags.all
	for _, o := range out {
		switch {
		case o.name == "":
		case selects:
			return nil, refusedByKubectl(k.command, "a name and what selects objects")
		case k.flags.allNamespaces && o.namespaced:
			return nil, refusedByKubectl(k.command, "a name, and all namespaces")
		}
	}
	return out, nil
}

// slashed are TYPE/NAME...
func (k *kubectl) slashed(args []string) (out []object, err error) {
	for _, word := range args {
		resource, name, ok := strings.Cut(word, "/")
		if !ok || name == "" || strings.Contains(name, "/") || strings.Contains(resource, ",") {
			return nil, refusedByKubectl(k.command, fmt.Sprintf("%q among words of the form TYPE/NAME", word))
		}
		o, err := typed(resource)
		if err != nil {
			return nil, err
		}
		o.name = name
		out = append(out, o)
	}
	return out, nil
}

// spaced are TYPE[,TYPE] [NAME...].
func (k *kubectl) spaced(args []string) (out []object, err error) {
	for _, name := range args[1:] {
		if name == "" || strings.Contains(name, "/") {
			return nil, refusedByKubectl(k.command, fmt.Sprintf("the name %q", name))
		}
	}
	for t := range strings.SplitSeq(args[0], ",") {
		if t == "all" {
			if len(args) > 1 {
				return nil, refusedByKubectl(k.command, "a name of all resources")
			}
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

func refusedByKubectl(command, what string) error {
	return hint.Errorf(hint.Words("write it as kubectl takes it, or name the request with --verb and --resource"), "kubectl %s: kubectl refuses %s", command, what)
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
	switch {
	case len(k.args) == 0 && k.flags.selector == "" || len(k.args) > 0 && k.args[0] == "":
		return nil, hint.Errorf(hint.Flag("kubectl", k.command+" web"), "kubectl %s: the Pod is missing", k.command)
	case len(k.args) == 0:
		return []object{{place: place{resource: "pods"}, namespaced: true}}, nil
	case k.flags.selector != "":
		return nil, refusedByKubectl(k.command, "a name and a selector")
	}
	o, err := k.podOrTyped(k.args[0])
	return []object{o}, err
}

// podOrTyped is a Pod by its name, or TYPE/NAME.
func (k *kubectl) podOrTyped(word string) (object, error) {
	if !strings.Contains(word, "/") {
		return object{place: place{resource: "pods"}, name: word, namespaced: true}, nil
	}
	objects, err := k.slashed([]string{word})
	if err != nil {
		return object{}, err
	}
	return objects[0], nil
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
	key := sentKey{s.Verb, s.Group, s.Version, s.Resource, s.Subresource, s.Namespace, s.Name}
	if !k.known[key] {
		k.known[key] = true
		k.sent = append(k.sent, s)
	}
}

// sentKey is what tells requests for resources of one user apart.
type sentKey struct{ verb, group, version, resource, subresource, namespace, name string }

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
	"diff": "what is in the file, and whether the objects exist", "wait": "what the cluster has", "drain": "what runs on the node",
	"proxy": "what is asked of it", "kustomize": "the folder", "alpha": "the version of kubectl",
}

// silent commands send nothing.
var silent = []string{"config", "completion", "options", "plugin", "help"}
