package webhookconfig

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"

	"auditpatch/internal/hint"
	"auditpatch/patch/auditflags"

	"auditpatch/internal/lazyregexp"
)

// Config is what a plan must know of a kubeconfig for the audit webhook.
type Config struct {
	Server string // as PublicURL has it
	// Files are the absolute paths that the kubeconfig names. kube-apiserver opens
	// them, so they must be visible inside its container.
	Files []string
}

// Check reads a kubeconfig as kube-apiserver would, but more strictly,
// and follows current-context to its cluster and user. The messages start with
// name:line:col and repeat no credential.
func Check(name string, data []byte) (cfg Config, errs, warns []auditflags.Problem) {
	if name == "<stdin>" {
		return check(name, "FILE", data)
	}
	return check(name, name, data)
}

// CheckOnNode is Check for a file that lies on the node.
func CheckOnNode(path string, data []byte) (cfg Config, errs, warns []auditflags.Problem) {
	return check(path, hint.Path(path), data)
}

func check(name string, file any, data []byte) (cfg Config, errs, warns []auditflags.Problem) {
	r := &reader{name: name, file: file}
	if doc := r.parse(data); doc != nil {
		r.config(doc)
	}
	r.cfg.Server = PublicURL(r.cfg.Server)
	return r.cfg, r.errs, r.warns
}

type reader struct {
	name        string
	file        any // as hints have it
	cfg         Config
	errs, warns []auditflags.Problem
}

// fields is a YAML mapping, keys to values; keyed has the nodes of the keys.
type fields struct {
	node   *yaml.Node
	values map[string]*yaml.Node
	keyed  map[string]*yaml.Node
}

var (
	configFields  = []string{"apiVersion", "kind", "preferences", "clusters", "users", "contexts", "current-context", "extensions"}
	clusterFields = []string{"server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority",
		"certificate-authority-data", "proxy-url", "disable-compression", "extensions"}
	contextFields = []string{"cluster", "user", "namespace", "extensions"}
	userFields    = []string{"client-certificate", "client-certificate-data", "client-key", "client-key-data", "token", "tokenFile",
		"as", "as-uid", "as-groups", "as-user-extra", "username", "password", "auth-provider", "exec", "extensions"}
)

func (r *reader) at(n *yaml.Node) string {
	if n == nil || n.Line == 0 {
		return r.name
	}
	return fmt.Sprintf("%s:%d:%d", r.name, n.Line, n.Column)
}

func (r *reader) problem(n *yaml.Node, h hint.Hint, format string, a ...any) auditflags.Problem {
	return auditflags.Problem{Flags: []string{"webhook-config"}, Message: r.at(n) + ": " + fmt.Sprintf(format, a...), Hint: h}
}

// refuse is for what kube-apiserver cannot load either, fail for what it would load.
func (r *reader) refuse(n *yaml.Node, h hint.Hint, format string, a ...any) {
	p := r.problem(n, h, format, a...)
	p.Upstream = true
	r.errs = append(r.errs, p)
}

func (r *reader) fail(n *yaml.Node, h hint.Hint, format string, a ...any) {
	r.errs = append(r.errs, r.problem(n, h, format, a...))
}

// reject is for what kube-apiserver cannot load either under a condition.
func (r *reader) reject(upstream bool, n *yaml.Node, format string, a ...any) {
	r.fail(n, nil, format, a...)
	r.errs[len(r.errs)-1].Upstream = upstream
}

func (r *reader) warn(n *yaml.Node, h hint.Hint, format string, a ...any) {
	r.warns = append(r.warns, r.problem(n, h, format, a...))
}

var (
	yamlLine = lazyregexp.New(`^yaml: line ([0-9]+): `)
	// For what its grammar, not its scanner, does not like, the YAML package counts
	// lines from 0.
	yamlGrammar = lazyregexp.New(`^(did not find expected (<|node content|'-'|key|',')|found (duplicate|incompatible|undefined))`)
)

func (r *reader) parse(data []byte) *yaml.Node {
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		r.refuse(nil, nil, "empty")
		return nil
	} else if err != nil {
		r.syntax(err)
		return nil
	}
	if err := d.Decode(&second); err == nil {
		r.fail(&second, nil, "a second YAML document; kube-apiserver reads only the first")
		return nil
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err)
		return nil
	}
	return doc.Content[0]
}

// syntax passes the parser's reason on, but not the one that quotes the text: a
// password that starts with * is taken for an alias.
func (r *reader) syntax(err error) {
	reason, where := err.Error(), r.name
	if m := yamlLine().FindStringSubmatch(reason); m != nil {
		line, _ := strconv.Atoi(m[1])
		if reason = reason[len(m[0]):]; yamlGrammar().MatchString(reason) {
			line++
		}
		where = fmt.Sprintf("%s:%d", r.name, line)
	}
	reason = strings.TrimPrefix(reason, "yaml: ")
	if strings.Contains(reason, "anchor") {
		reason = "an alias (*) without its anchor (&); quote a value that starts with *"
	}
	r.errs = append(r.errs, auditflags.Problem{Flags: []string{"webhook-config"}, Message: where + ": " + reason, Upstream: true})
}

// mapping reads a YAML mapping; known is nil when any field will do.
func (r *reader) mapping(n *yaml.Node, what string, known []string) (fields, bool) {
	n = deref(n)
	f := fields{n, map[string]*yaml.Node{}, map[string]*yaml.Node{}}
	if isNull(n) {
		return f, true
	}
	if n.Kind != yaml.MappingNode {
		r.refuse(n, nil, "%s: not a mapping", what)
		return f, false
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := deref(n.Content[i]), deref(n.Content[i+1])
		switch {
		case key.Kind != yaml.ScalarNode || key.Tag == "!!merge":
			r.fail(key, nil, "%s: write the fields out, without << or a complex key", what)
			return f, false
		case f.keyed[key.Value] != nil:
			r.fail(key, nil, "%s: %s is given twice", what, key.Value)
			return f, false
		case known != nil && !slices.Contains(known, key.Value):
			r.warn(key, nil, "%s: unknown field %q; kube-apiserver ignores it", what, key.Value)
		}
		f.keyed[key.Value], f.values[key.Value] = key, value
	}
	return f, true
}

// deref follows an alias; an anchor cannot be on an alias, so once is enough.
func deref(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func present(f fields, key string) bool {
	n := f.values[key]
	return n != nil && !isNull(n) && n.Value != ""
}

// kube-apiserver's reader knows YAML 1.1, in which these are bools unless quoted.
var (
	oldBool = lazyregexp.New(`^([yYnN]|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$`)
	yes     = lazyregexp.New(`^(?i:y|yes|on|true)$`)
)

// text returns a field's string, "" where it is absent.
func (r *reader) text(f fields, key string) string {
	n := f.values[key]
	if n == nil || isNull(n) {
		return ""
	}
	bare := n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle|yaml.TaggedStyle) == 0
	switch tag := n.ShortTag(); {
	case n.Kind != yaml.ScalarNode || bare && oldBool().MatchString(n.Value):
		r.refuse(n, nil, "%s: not a string; quote it", key)
	case tag == "!!str" || bare && (tag == "!!timestamp" || tag == "!!merge"):
		return n.Value
	case tag == "!!binary" || !strings.HasPrefix(tag, "!!"):
		r.fail(n, nil, "%s: write the value without the tag %s", key, tag)
	default:
		r.refuse(n, nil, "%s: not a string; quote it", key)
	}
	return ""
}

func (r *reader) config(doc *yaml.Node) {
	f, ok := r.mapping(doc, "kubeconfig", configFields)
	if !ok {
		return
	}
	for _, is := range [][2]string{{"apiVersion", "v1"}, {"kind", "Config"}} {
		if key, want := is[0], is[1]; present(f, key) && f.values[key].Value != want {
			r.refuse(f.values[key], hint.Words("%s: %s", key, want), "not a kubeconfig: %s must be %s", key, want)
		}
	}
	context, used := r.current(f)
	clusters, users := r.named(f, "clusters", "cluster"), r.named(f, "users", "user")
	if !used || len(r.errs) > 0 {
		return
	}
	c, ok := r.mapping(context, "context", contextFields)
	if !ok {
		return
	}
	cluster, user := r.text(c, "cluster"), r.text(c, "user")
	secure := true
	if n, ok := clusters[cluster]; ok && cluster != "" {
		secure = r.cluster(n)
	} else {
		r.refuse(context, nil, "the context names a cluster that is not there: %q", cluster)
	}
	switch n, ok := users[user]; {
	case ok:
		r.user(n, secure)
	case user != "":
		// client-go goes on without credentials.
		r.fail(c.values["user"], nil, "the context names a user that is not there: %q; events would be posted without credentials", user)
	}
	if (len(clusters) > 1 || len(users) > 1) && len(r.errs) == 0 {
		r.warn(f.node, r.flatten(" --minify"), "holds clusters or users that current-context does not need; their credentials would lie on the node too")
	}
}

// flatten is the command that embeds the files and leaves out what is not used.
func (r *reader) flatten(also string) hint.Hint {
	return hint.Shell("kubectl config view --raw --flatten"+also+" --kubeconfig %s", r.file)
}

// current finds the context that current-context names.
func (r *reader) current(f fields) (*yaml.Node, bool) {
	contexts := r.named(f, "contexts", "context")
	before := len(r.errs)
	name := r.text(f, "current-context")
	if len(r.errs) > before {
		return nil, false
	}
	if name == "" {
		var only hint.Hint
		if len(contexts) == 1 {
			for name := range contexts {
				only = hint.Words("current-context: %q", name)
			}
		}
		r.refuse(f.node, only, "current-context is not set: kube-apiserver would find no server")
		return nil, false
	}
	context, ok := contexts[name]
	if !ok {
		r.refuse(f.values["current-context"], nil, "current-context %q: there is no context of that name", name)
	}
	return context, ok
}

// named reads a list of {name: N, field: {...}}.
func (r *reader) named(f fields, list, field string) map[string]*yaml.Node {
	all := map[string]*yaml.Node{}
	n := f.values[list]
	if n == nil || isNull(n) {
		return all
	}
	if n.Kind != yaml.SequenceNode {
		r.refuse(n, nil, "%s: not a list", list)
		return all
	}
	for _, item := range n.Content {
		entry, ok := r.mapping(item, list, []string{"name", field})
		if !ok {
			continue
		}
		name := r.text(entry, "name")
		if _, twice := all[name]; twice {
			r.refuse(entry.values["name"], nil, "%s: the name %q is given twice", list, name)
		}
		all[name] = entry.values[field]
		if all[name] == nil {
			all[name] = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: entry.node.Line, Column: entry.node.Column}
		}
	}
	return all
}

// cluster reports whether the server is asked over TLS: only then does
// client-go use certificates and credentials.
func (r *reader) cluster(n *yaml.Node) (secure bool) {
	f, ok := r.mapping(n, "cluster", clusterFields)
	if !ok {
		return false
	}
	secure = r.server(f)
	ca := r.credential(f, "certificate-authority")
	if skip := f.values["insecure-skip-tls-verify"]; skip != nil && yes().MatchString(skip.Value) {
		if ca != nil || present(f, "certificate-authority") {
			r.reject(secure, skip, "insecure-skip-tls-verify and certificate-authority exclude each other")
		}
		r.warn(skip, nil, "insecure-skip-tls-verify: anyone on the way can pose as the receiver; give certificate-authority-data instead")
	}
	if err := checkCA(ca); ca != nil && err != nil {
		none := !x509.NewCertPool().AppendCertsFromPEM(ca)
		r.reject(secure && none, f.values["certificate-authority-data"], "certificate-authority-data: %v", err)
	}
	return secure
}

// server reports whether the server is asked over TLS, true when it is not known.
func (r *reader) server(f fields) (secure bool) {
	where, before := f.values["server"], len(r.errs)
	if where == nil {
		where = f.node
	}
	if r.cfg.Server = r.text(f, "server"); len(r.errs) > before {
		return true
	}
	errs, warns := checkServer(r.cfg.Server, serverWords{"webhook-config", r.at(where) + ": server", func(url string) hint.Hint { return hint.Words("server: %s", url) }})
	for i := range errs {
		errs[i].Upstream = r.cfg.Server == ""
	}
	r.errs, r.warns = append(r.errs, errs...), append(r.warns, warns...)
	if proxy := r.text(f, "proxy-url"); proxy != "" {
		if u, err := url.Parse(proxy); err != nil || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme) {
			r.refuse(f.values["proxy-url"], nil, "proxy-url: not a URL that starts with http://, https:// or socks5://")
		}
	}
	return len(errs) > 0 || strings.HasPrefix(strings.ToLower(r.cfg.Server), "https:")
}

func (r *reader) user(n *yaml.Node, secure bool) {
	f, ok := r.mapping(n, "user", userFields)
	if !ok {
		return
	}
	for _, plugin := range []string{"exec", "auth-provider"} {
		if v := f.values[plugin]; v != nil && !isNull(v) {
			r.fail(f.keyed[plugin], nil, "%s: the kube-apiserver container has no program to run for credentials; use a client certificate or a token", plugin)
		}
	}
	cert, key := r.credential(f, "client-certificate"), r.credential(f, "client-key")
	hasCert := cert != nil || present(f, "client-certificate")
	hasKey := key != nil || present(f, "client-key")
	switch {
	case hasCert && !hasKey:
		r.refuse(f.node, nil, "the client certificate has no client-key or client-key-data")
	case hasKey && !hasCert:
		r.fail(f.node, nil, "the client key has no client-certificate or client-certificate-data")
	case cert != nil && key != nil:
		if err := checkPair(cert, key); err != nil {
			r.reject(secure, f.values["client-certificate-data"], "%v", err)
		}
	}
	token, password := r.text(f, "token"), r.text(f, "username")+r.text(f, "password")
	if token != "" && password != "" {
		r.refuse(f.node, nil, "both a token and a password: only one is allowed")
	}
	tokenFile := r.reference(f, "tokenFile")
	if !secure && (hasCert || token != "" || tokenFile || password != "") {
		r.warn(f.node, nil, "with plain http kube-apiserver posts without these credentials")
	}
}

// credential returns the bytes of FIELD-data, nil if they are not there, and
// takes note of the file that FIELD names.
func (r *reader) credential(f fields, field string) []byte {
	encoded := r.text(f, field+"-data")
	if r.reference(f, field) && encoded != "" {
		r.refuse(f.keyed[field], nil, "%s and %s-data exclude each other", field, field)
	}
	if encoded == "" {
		return nil
	}
	data, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		r.refuse(f.values[field+"-data"], r.flatten(""), "%s-data: not base64", field)
		return nil
	}
	return data
}

// reference takes note of a file that a field names, and reports whether it does.
func (r *reader) reference(f fields, field string) bool {
	file := r.text(f, field)
	if file == "" {
		return false
	}
	if !path.IsAbs(file) {
		r.fail(f.values[field], r.flatten(""), "%s: a relative path; it would be looked up beside the installed copy, inside the container", field)
		return true
	}
	r.cfg.Files = append(r.cfg.Files, file)
	r.warn(f.values[field], r.flatten(""), "%s: kube-apiserver must find %s inside its container; embedding it is safer", field, file)
	return true
}
