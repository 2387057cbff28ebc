//go:build e2e

package policies

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/e2e/apiserver"
	"auditpatch/internal/policy"
	"auditpatch/presets"
)

// kubectlUser is who kubectl is. Nobody else is called so.
var kubectlUser = apiserver.User{Name: "canary-kubectl", Groups: []string{"system:masters"}, Token: "canary-kubectl-token"}

// bob may do nothing.
var bob = apiserver.User{Name: "bob", Groups: []string{"devs"}, Token: "bob-token"}

// TestCanaries stores, reads, changes and deletes objects with secret values under each
// preset, and looks for these values in all files of the audit log. First the same is
// done under a policy that records all there is, which must show the values: else
// nothing that follows would prove anything.
func TestCanaries(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	bed := start(t, bob, kubectlUser)
	furnish(t, bed)
	control, err := policy.Load("control", []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: RequestResponse}]\n"))
	if err != nil {
		t.Fatal(err)
	}
	report := &canaryReport{levels: map[string][]string{}}
	t.Run("control", func(t *testing.T) {
		r := try(t, bed, control, "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: RequestResponse}]\n")
		r.wantShown()
		report.add("control", r)
	})
	for _, preset := range presets.All() {
		t.Run(preset.Name, func(t *testing.T) {
			text, err := preset.Policy(nil)
			if err != nil {
				t.Fatal(err)
			}
			p, err := policy.Load(preset.Name, text)
			if err != nil {
				t.Fatal(err)
			}
			understands(t, p)
			r := try(t, bed, p, string(text))
			r.wantHidden(preset)
			report.add(preset.Name, r)
		})
	}
	t.Logf("\n%s", report)
	t.Logf("%d policies, %d requests and %d canaries each, %d events; %d canaries in logs that may have none; %.0f s",
		len(report.names), report.requests, report.canaries, report.events, report.leaks, time.Since(begun).Seconds())
}

// trial is all that is done under one policy.
type trial struct {
	*testing.T
	bed      *apiserver.Bed
	server   *apiserver.Server
	client   *apiserver.Client
	policy   *policy.Policy
	sent     []operation
	canaries map[string]canary // by name
	log      []byte
	events   []event
	shown    map[string][]event // by the name of the canary that they have
}

// operation is a request as it was sent.
type operation struct {
	name    string // its row in the report
	id      string // the Audit-ID
	request apiserver.Request
	canary  string // the name of the one that request or answer carries; empty for none
	unseen  string // why not even RequestResponse shows it
}

// canary is a value that nobody may find in a log.
type canary struct {
	value string
	forms [][]byte
}

func try(t *testing.T, bed *apiserver.Bed, p *policy.Policy, text string) *trial {
	t.Helper()
	r := &trial{T: t, bed: bed, policy: p, server: serve(t, bed, []byte(text)), canaries: map[string]canary{}, shown: map[string][]event{}}
	r.client = r.server.Client()
	defer r.client.Close()
	stopped := false
	defer func() {
		if !stopped { // the test failed: the next policy needs the bed
			_ = r.server.Stop()
		}
	}()
	r.objects()
	r.credentials()
	r.certificates()
	r.kubectl()
	stopped = true
	r.log = end(t, r.server)
	r.events = events(t, r.log)
	r.wantLevels()
	r.search()
	return r
}

// secret makes a canary. Its middle is letters and digits, which look the same in every
// kind of escaping; what is around them does not.
func (r *trial) secret(name string) string {
	return "<&\"\n" + r.plain(name) + "\né>"
}

// plain is a canary of nothing but lower case letters and digits.
func (r *trial) plain(name string) string {
	raw := make([]byte, 12)
	if _, err := rand.Read(raw); err != nil {
		r.Fatal(err)
	}
	return r.known(name, "c"+hex.EncodeToString(raw)[1:])
}

// known takes a value that was made elsewhere for a canary.
func (r *trial) known(name, value string) string {
	if _, twice := r.canaries[name]; twice {
		r.Fatalf("two canaries are called %s", name)
	}
	r.canaries[name] = canary{value: value, forms: formsOf(value)}
	return value
}

// formsOf are the texts by which a value is found whatever it is encoded with: as it is,
// in hexadecimal, in base64, and in base64 of base64 (a Secret's data in a log of
// base64). What base64 makes of a value depends on how many bytes stand before it;
// the first and last characters depend on the neighbours and are left out.
func formsOf(value string) [][]byte {
	forms := [][]byte{[]byte(value), []byte(hex.EncodeToString([]byte(value))), []byte(strings.ToUpper(hex.EncodeToString([]byte(value))))}
	for _, once := range shifted(value) {
		forms = append(forms, []byte(once))
		for _, twice := range shifted(once) {
			forms = append(forms, []byte(twice))
		}
	}
	return forms
}

// shifted is what base64 makes of a text at each of the three alignments, in both
// alphabets.
func shifted(text string) (out []string) {
	for before := range 3 {
		padded := strings.Repeat("x", before) + text
		padded = padded[:len(padded)/3*3]
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			encoded := encoding.EncodeToString([]byte(padded))
			encoded = encoded[(before*8+5)/6:]
			if !slices.Contains(out, encoded) {
				out = append(out, encoded)
			}
		}
	}
	return out
}

// in reports whether the text has the canary in any form.
func (c canary) in(text []byte) bool {
	return slices.ContainsFunc(c.forms, func(form []byte) bool { return bytes.Contains(text, form) })
}

// do sends one request of the trial and wants this status of it. The canary, if any, must
// really be in the request or in the answer; unseen says why a log cannot have it.
func (r *trial) do(name string, want int, canary, unseen string, q apiserver.Request) apiserver.Answer {
	r.Helper()
	op := operation{name: name, id: fmt.Sprintf("canary-%04d", len(r.sent)), canary: canary, unseen: unseen}
	header := map[string]string{"Audit-ID": op.id, "User-Agent": "canary"}
	maps.Copy(header, q.Header)
	q.Header = header
	op.request = q
	answer, err := r.client.Do(q)
	if err != nil || answer.Status != want {
		r.Fatalf("%s: %s %s: status %d, want %d (%v)\n%.600s", name, q.Method, q.Target, answer.Status, want, err, answer.Body)
	}
	if c := r.canaries[canary]; canary != "" && !c.in(q.Body) && !c.in(answer.Body) && !c.in([]byte(q.As.Token+q.Header["Authorization"])) {
		r.Fatalf("%s: the canary %s is neither in the request nor in the answer\n%.600s", name, canary, answer.Body)
	}
	r.sent = append(r.sent, op)
	return answer
}

// search finds the canaries in the events. It looks up each eight bytes of the log, since
// there are thousands of forms to look for.
func (r *trial) search() {
	type form struct {
		canary string
		text   []byte
	}
	forms := map[uint64][]form{}
	for name, c := range r.canaries {
		for _, text := range c.forms {
			start := binary.NativeEndian.Uint64(text)
			forms[start] = append(forms[start], form{name, text})
		}
	}
	for _, e := range r.events {
		for i := 0; i+8 <= len(e.line); i++ {
			for _, f := range forms[binary.NativeEndian.Uint64(e.line[i:])] {
				if bytes.HasPrefix(e.line[i:], f.text) && !r.has(f.canary, e) {
					r.shown[f.canary] = append(r.shown[f.canary], e)
				}
			}
		}
	}
}

// has reports whether the event is among those that show the canary.
func (r *trial) has(canary string, e event) bool {
	return slices.ContainsFunc(r.shown[canary], func(other event) bool { return other.AuditID == e.AuditID && other.Stage == e.Stage })
}

// where names the events that show a canary.
func (r *trial) where(canary string) string {
	var out []string
	for _, e := range r.shown[canary] {
		out = append(out, r.describe(e))
	}
	return strings.Join(slices.Compact(out), ", ")
}

// describe names an event by the operation that it belongs to.
func (r *trial) describe(e event) string {
	of := fmt.Sprintf("%s of %s", e.Verb, e.User.Username)
	for _, op := range r.sent {
		if op.id == string(e.AuditID) {
			of = op.name
		}
	}
	return fmt.Sprintf("%s (level %s)", of, e.Level)
}

// wantShown wants each canary in the event of each operation that carries it, but for
// those that no event can show.
func (r *trial) wantShown() {
	r.Helper()
	of := byID(r.events)
	for _, op := range r.sent {
		if op.canary == "" {
			continue
		}
		shown := slices.ContainsFunc(of[op.id], func(e event) bool { return r.has(op.canary, e) })
		if op.unseen == "" && !shown {
			r.Errorf("%s: at RequestResponse no event shows the canary %s", op.name, op.canary)
		}
		if op.unseen != "" && shown {
			r.Errorf("%s: %s, and yet an event shows the canary %s", op.name, op.unseen, op.canary)
		}
	}
	for _, name := range kubectlCanaries {
		if r.shown[name] == nil {
			r.Errorf("at RequestResponse no event shows the canary %s", name)
		}
	}
	for _, step := range kubectlSteps {
		if len(step.of(r.events)) == 0 {
			r.Errorf("kubectl has not made the request %s", step.name())
		}
	}
}

// Two kinds of canaries kube-apiserver itself puts into the message and the causes of its
// answer, and with them into every event that has a status: no level but None hides them.
const (
	refusedValue = "vaults refused by its schema"
	quotedObject = " quoted by a refused patch" // after the name of the kind
)

// isQuoted tells whether a canary is of these.
func isQuoted(name string) bool { return name == refusedValue || strings.HasSuffix(name, quotedObject) }

// wantQuoted wants such a canary to be nowhere in an event but in the answer's message and
// causes.
func (r *trial) wantQuoted(name string, mayLeak []string) {
	r.Helper()
	r.Logf("kube-apiserver's own message has the canary %s: %s", name, r.where(name))
	for _, e := range r.shown[name] {
		rest := e.Event.DeepCopy()
		if rest.ResponseStatus != nil {
			rest.ResponseStatus.Message, rest.ResponseStatus.Details = "", nil
		}
		text, err := json.Marshal(rest)
		if err != nil {
			r.Fatal(err)
		}
		if r.canaries[name].in(text) && !slices.Contains(mayLeak, kindOf(name)) {
			r.Errorf("the canary %s is not only in the answer's message: %s", name, r.describe(e))
		}
	}
}

// wantHidden wants no canary in the log but of the kinds that may leak by the preset's
// record; and if there are such kinds, at least one.
func (r *trial) wantHidden(preset presets.Preset) {
	r.Helper()
	var found []string
	for _, name := range slices.Sorted(maps.Keys(r.shown)) {
		if isQuoted(name) {
			r.wantQuoted(name, preset.MayLeak)
		} else {
			found = append(found, name)
		}
	}
	counts := map[string]int{}
	for _, name := range found {
		kind := kindOf(name)
		if !slices.Contains(preset.MayLeak, kind) {
			r.Errorf("the canary %s is in the log, and the record does not say that %s may leak: %s", name, kind, r.where(name))
		}
		counts[kind]++
	}
	if len(preset.MayLeak) == 0 {
		return
	}
	if len(found) == 0 {
		r.Errorf("the record says that %q may leak, and none of %d canaries is in the log", preset.MayLeak, len(r.canaries))
	}
	r.Logf("%s may leak %q; canaries in its log: %v", preset.Name, preset.MayLeak, counts)
}

// kindOf is the kind of object that has a canary, as presets.Sensitive calls it.
func kindOf(canary string) string {
	for _, k := range []struct{ kind, pattern string }{
		{"secrets", `^secrets |^kubectl .* Secret$|^bootstrap token|^token in a secret`},
		{"configmaps", `^configmaps |^kubectl .* ConfigMap$`},
		{"custom resources", `^vaults |^kubectl .* Vault$`},
		{"tokenreviews", `reviewed token|^service account token of 7200`},
		{"serviceaccounts/token", `^service account token of 3600`},
		{"certificatesigningrequests", `^certificate`},
	} {
		if regexp.MustCompile(k.pattern).MatchString(canary) {
			return k.kind
		}
	}
	return "credentials in headers"
}

// wantLevels wants each operation in the log at the level that the policy has for it.
func (r *trial) wantLevels() {
	r.Helper()
	of := byID(r.events)
	for _, op := range r.sent {
		want := string(r.policy.Evaluate(attributes(r.T, op.request)).Level)
		if got := levelOf(of[op.id]); got != want {
			r.Errorf("%s: level %s in the log, %s by the policy", op.name, got, want)
		}
	}
	for _, step := range kubectlSteps {
		want := string(r.policy.Evaluate(step.request().Attributes()).Level)
		if got := levelOf(step.of(r.events)); got != want {
			r.Errorf("kubectl: %s: level %s in the log, %s by the policy", step.name(), got, want)
		}
	}
}

// levelOf is the level of a request's events, None when there are none.
func levelOf(all []event) string {
	if len(all) == 0 {
		return string(auditv1.LevelNone)
	}
	return string(all[0].Level)
}

// kubectlStep is a request that kubectl makes of an object in its files. It has no Audit-ID of
// ours, so it is known by its user.
type kubectlStep struct{ verb, group, resource string }

// kubectlSteps are what kubectl makes of its commands in (*trial).kubectl.
var kubectlSteps = func() (out []kubectlStep) {
	for _, verb := range []string{"get", "create", "patch", "update", "delete"} {
		for _, resource := range []string{"secrets", "configmaps"} {
			out = append(out, kubectlStep{verb, "", resource})
		}
		out = append(out, kubectlStep{verb, "canary.example.com", "vaults"})
	}
	return out
}()

func (s kubectlStep) name() string { return s.verb + " " + s.resource }

// request is one in the words of policies. A create names no object in its URL.
func (s kubectlStep) request() policy.Request {
	r := policy.Request{User: kubectlUser.Name, Groups: append([]string{"system:authenticated"}, kubectlUser.Groups...),
		Verb: s.verb, Group: s.group, Version: "v1", Resource: s.resource, Namespace: prod, Name: "applied"}
	if s.verb == "create" {
		r.Name = ""
	}
	return r
}

// of are the events of such requests.
func (s kubectlStep) of(all []event) (out []event) {
	for _, e := range all {
		if e.User.Username == kubectlUser.Name && e.ObjectRef != nil && e.Verb == s.verb && e.ObjectRef.Resource == s.resource {
			out = append(out, e)
		}
	}
	return out
}

// kubectlCanaries are in files that kubectl applies.
var kubectlCanaries []string

// kubectl applies files, which puts them into an annotation, changes and deletes.
func (r *trial) kubectl() {
	kubectlCanaries = nil
	apply := func(step string, args ...string) {
		file := filepath.Join(r.server.Dir(), "objects.yaml")
		var items []object
		for _, kind := range []string{"Secret", "ConfigMap", "Vault"} {
			name := "kubectl " + step + " " + kind
			kubectlCanaries = append(kubectlCanaries, name)
			o := object{"apiVersion": "v1", "kind": kind, "metadata": object{"name": "applied", "namespace": prod}}
			switch value := r.secret(name); kind {
			case "Vault":
				o["apiVersion"], o["spec"] = "canary.example.com/v1", object{"password": value}
			case "Secret":
				o["stringData"] = object{"key": value}
			default:
				o["data"] = object{"key": value}
			}
			items = append(items, o)
		}
		list := object{"apiVersion": "v1", "kind": "List", "items": items}
		if err := os.WriteFile(file, list.bytes(), 0o600); err != nil {
			r.Fatal(err)
		}
		r.run(append(args, "-f", file)...)
	}
	apply("apply", "apply")
	apply("apply again", "apply")
	apply("apply --server-side", "apply", "--server-side", "--force-conflicts")
	apply("replace", "replace")
	r.run("delete", "secret,configmap,vault", "applied", "-n", prod, "--wait=false")
}

func (r *trial) run(args ...string) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	args = append(args, "--server="+r.server.URL(), "--certificate-authority="+r.bed.CAFile(), "--token="+kubectlUser.Token,
		"--cache-dir="+filepath.Join(filepath.Dir(r.server.Dir()), "kubectl-cache"))
	cmd := exec.CommandContext(ctx, os.Getenv("E2E_KUBECTL"), args...)
	cmd.Env = []string{"KUBECONFIG=" + os.DevNull, "HOME=" + r.server.Dir(), "PATH=/usr/bin:/bin"}
	if out, err := cmd.CombinedOutput(); err != nil {
		r.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// get is a request of the one who may do everything.
func get(target string, header ...string) apiserver.Request {
	return request(http.MethodGet, target, nil, header...)
}

// request has header fields as pairs of name and value.
func request(method, target string, body []byte, header ...string) apiserver.Request {
	q := apiserver.Request{As: apiserver.Admin, Method: method, Target: target, Body: body, Header: map[string]string{}}
	for i := 0; i+1 < len(header); i += 2 {
		q.Header[header[i]] = header[i+1]
	}
	return q
}
