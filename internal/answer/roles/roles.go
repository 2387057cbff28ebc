// Package roles turns what users did into the RBAC roles that would have allowed it, and
// says what a role grants that nobody used.
//
// New is the name to call first: its [Collector] takes events and makes a [Set] of roles for
// each user, which prints itself as YAML. [ReadGranted] reads existing roles, and
// [Collector.Compare] says which of what they grant was used.
//
// The facts are those of kube-apiserver's own code: what its authorizer asks about a request
// (apiserver's pkg/endpoints/request and filters/authorization.go), what it asks beside that
// about impersonation, about requests that make an object by patch or update, about WebSockets,
// roles, bindings and certificates, and how a rule answers (pkg/apis/rbac/v1 and
// plugin/pkg/auth/authorizer/rbac of Kubernetes). Left out are permissions that a plugin asks
// for which kubeadm does not turn on (finalizers of owners), and those of parameters of
// admission policies.
package roles

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"auditpatch/internal/auditlog/event"
)

// Fields are what a Collector reads of events.
const Fields = event.WantAuditID | event.WantStage | event.WantVerb | event.WantUser | event.WantImpersonated | event.WantRequestURI | event.WantObject |
	event.WantResponse | event.WantReceived | event.WantStamp | event.WantAuthorization | event.WantBodies

// Names says when rules name objects.
type Names int

// With Auto, rules name objects where that lasts: see [Collector.Sets]. What one may become,
// give or sign (impersonate, escalate, bind, approve, sign, attest) is always named, if the log
// says it; Never names namespaces, too.
const (
	Auto Names = iota
	Always
	Never
	every // as the authorizer saw them, for Compare
)

// mostNames is how many names Auto puts into a rule.
const mostNames = 10

// mostGrants is how much a Collector keeps, so that a log cannot fill the memory.
const mostGrants = 200_000

// mostText is how many bytes of names and URLs it keeps: a client can make them long.
const mostText = 32 << 20

// ErrTooMany is about a log with more different requests than roles can be made of.
var ErrTooMany = errors.New("the events are about too many different objects")

// Options say what counts.
type Options struct {
	// Who says whose roles are made; nil takes everybody.
	Who           func(user string) bool
	IncludeDenied bool // also what RBAC refused
	Defaults      bool // also what everybody may do by Kubernetes' own roles
	Names         Names
	Together      bool   // one set for all users
	Subject       string // after whom that is named
}

// Grant is the smallest thing that RBAC can allow.
type Grant struct {
	Namespace       string // "" is everywhere, and what lies in no namespace
	Verb            string
	Group, Resource string // the resource with its subresource, such as pods/log
	Name            string // "" is any, and what needs no name
	URL             string // in place of group, resource and name
}

// Use is how often and when something was used.
type Use struct {
	Times int64
	Last  event.Time
}

func (u *Use) add(v Use) {
	u.Times += v.Times
	u.Last = max(u.Last, v.Last)
}

// Counts are the requests of a user, and those of them that made no role, by why.
type Counts struct {
	Requests int64 `json:"requests"` // that were allowed, and with IncludeDenied those that were refused
	Reads    int64 `json:"reads"`    // those of them that get, list or watch
	Defaults int64 `json:"defaults"` // that everybody may send
	Refused  int64 `json:"refused"`  // by RBAC
	// Later are refused with 403 although RBAC had allowed them, as by admission.
	Later   int64 `json:"refusedLater"`
	Unnamed int64 `json:"inexpressible"` // a rule that allows the request would allow more, as for a resource called *
	// Become are refused impersonations, of which the log does not say of whom.
	Become  int64      `json:"refusedImpersonations"`
	Unknown int64      `json:"unknown"` // that may have ended before the authorizer was asked
	First   event.Time `json:"-"`
	Last    event.Time `json:"-"`
	Masters bool       `json:"masters"` // the user is in system:masters
	Node    bool       `json:"node"`    // the user is a node, whom the Node authorizer allows more
	// Unproven are permissions to give or sign of which the log does not say for what they
	// were needed: they are in no role. Its fields are many for there are many ways to be left out.
	Unproven map[string]int64 `json:"unproven"`
}

// Collector takes events.
type Collector struct {
	options Options
	holders map[string]*holder
	begun   map[string]bool // audit IDs of long-running requests
	kept    int             // grants with their names, holders, and rights of made roles
	text    int             // bytes of their texts
}

// New makes a Collector of roles.
func New(o Options) *Collector {
	return &Collector{options: o, holders: map[string]*holder{}, begun: map[string]bool{}}
}

// holder is a user and what was done in that name.
type holder struct {
	name        string
	counts      Counts
	families    map[Grant]family
	escalations map[Grant]*escalation // by the permission
	rights      int                   // in all escalations, and namespaces
	created     map[string]Use        // namespaces
}

// family are the grants that differ in their names alone.
type family map[string]*Use

// Add takes an event. The error is [ErrTooMany].
func (c *Collector) Add(e *event.Event) error {
	if string(e.Stage) == "RequestReceived" {
		return nil // its answer is in another event
	}
	u := c.use(e)
	actor := e.User
	if e.Impersonated.Has {
		actor = e.Impersonated
		c.impersonation(e, u)
	}
	if h := c.holder(string(actor.Name)); h != nil {
		c.request(h, actor, e, u)
	}
	if c.kept > mostGrants || c.text > mostText {
		return ErrTooMany
	}
	return nil
}

// use counts each request once: one that runs long has an event when it begins and another one
// when it ends, if it has.
func (c *Collector) use(e *event.Event) Use {
	u := Use{1, when(e)}
	switch id := string(e.AuditID); {
	case string(e.Stage) == "ResponseStarted" && len(c.begun) < mostGrants:
		c.begun[id] = true
	case c.begun[id]:
		delete(c.begun, id)
		u.Times = 0
	}
	return u
}

// holder is nil for a user whom nobody asks about.
func (c *Collector) holder(user string) *holder {
	if user == "" || c.options.Who != nil && !c.options.Who(user) {
		return nil
	}
	key := user
	if c.options.Together {
		key = ""
	}
	h := c.holders[key]
	if h == nil {
		h = &holder{name: key, families: map[Grant]family{},
			escalations: map[Grant]*escalation{}, created: map[string]Use{}}
		h.counts.Unproven = map[string]int64{}
		c.holders[key] = h
		c.kept, c.text = c.kept+1, c.text+len(key)
	}
	return h
}

// request is what the actor of an event asked for.
func (c *Collector) request(h *holder, actor event.Subject, e *event.Event, u Use) {
	h.see(actor, u)
	asked := asked(e)
	switch verdict(e) {
	case noBecome:
		h.counts.Become += u.Times
		return
	case unknown:
		h.counts.Unknown += u.Times
		return
	case refused:
		h.counts.Refused += u.Times
		if c.options.IncludeDenied {
			c.keep(h, actor, c.lasting(asked, e), u)
		}
		return
	}
	if e.Response.Code == http.StatusForbidden {
		h.counts.Later += u.Times
	}
	c.keep(h, actor, c.lasting(asked, e), u)
	before := h.rights
	for _, g := range h.further(e, asked, u) {
		c.grant(h, g, u)
	}
	c.kept += h.rights - before
}

// lasting allows what was done to a namespace that is not there, or no longer, from outside: a
// role in it could not be applied, or would go with it.
func (c *Collector) lasting(asked Grant, e *event.Event) Grant {
	if c.options.Names != every && asked.ofNamespace() && asked.Namespace == asked.Name && (asked.Verb == "delete" || e.Response.Code == http.StatusNotFound) {
		asked.Namespace = ""
	}
	return asked
}

// see notes who the actor is.
func (h *holder) see(actor event.Subject, u Use) {
	if h.counts.First == 0 || u.Last < h.counts.First {
		h.counts.First = u.Last
	}
	h.counts.Last = max(h.counts.Last, u.Last)
	h.counts.Masters = h.counts.Masters || hasGroup(actor, "system:masters")
	h.counts.Node = h.counts.Node || hasGroup(actor, "system:nodes")
}

// keep counts a request and keeps what it needs.
func (c *Collector) keep(h *holder, actor event.Subject, asked Grant, u Use) {
	h.counts.Requests += u.Times
	if slices.Contains([]string{"get", "list", "watch"}, asked.Verb) && asked.URL == "" {
		h.counts.Reads += u.Times
	}
	switch {
	case !c.options.Defaults && everybody(actor, asked):
		h.counts.Defaults += u.Times
	case !asked.expressible():
		h.counts.Unnamed += u.Times
	default:
		c.grant(h, asked, u)
	}
}

// when is the time of an event.
func when(e *event.Event) event.Time {
	if e.Stamp != 0 {
		return e.Stamp
	}
	return e.Received
}

// grant keeps a grant.
func (c *Collector) grant(h *holder, g Grant, u Use) {
	if !g.expressible() {
		return
	}
	name := g.Name
	g.Name = ""
	if c.options.Names != every && g.ofNamespace() && name == g.Namespace {
		name = "" // no other namespace lies in this namespace
	}
	if c.options.Names == Never && !g.personal() && !g.ofNamespace() {
		name = ""
	}
	f := h.families[g]
	if f == nil {
		f = family{}
		h.families[g] = f
		c.text += len(g.Namespace) + len(g.Verb) + len(g.Group) + len(g.Resource) + len(g.URL)
	}
	before := len(f)
	if c.options.Names == every {
		f.count(name, u)
	} else {
		f.add(name, u)
	}
	if c.options.Names == Auto && len(f) > mostNames && !g.personal() {
		f.merge()
	}
	if added := len(f) - before; added > 0 {
		c.text += len(name)
	}
	c.kept += len(f) - before
}

// add counts a use; any name covers all.
func (f family) add(name string, u Use) {
	if name == "" && f[""] == nil {
		f.merge()
	}
	if f[""] != nil {
		name = ""
	}
	f.count(name, u)
}

func (f family) count(name string, u Use) {
	if f[name] == nil {
		f[name] = &Use{}
	}
	f[name].add(u)
}

// merge makes any name of the names.
func (f family) merge() {
	all := &Use{}
	for name, u := range f {
		all.add(*u)
		delete(f, name)
	}
	f[""] = all
}

// base is the resource without its subresource.
func (g Grant) base() string {
	base, _, _ := strings.Cut(g.Resource, "/")
	return base
}

// ofNamespace is about a Namespace itself.
func (g Grant) ofNamespace() bool { return g.Group == "" && g.base() == "namespaces" }

// personal is a grant whose name says whom one may become, or what one may give or sign.
func (g Grant) personal() bool {
	return g.Verb == "impersonate" || strings.HasPrefix(g.Verb, "impersonate:") || slices.Contains([]string{"escalate", "bind", "approve", "sign", "attest"}, g.Verb)
}

// verbs are in the order in which people write them; others follow by the alphabet.
var verbs = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}

func compareVerbs(a, b string) int {
	rank := func(v string) int {
		if i := slices.Index(verbs, v); i >= 0 {
			return i
		}
		return len(verbs)
	}
	if d := rank(a) - rank(b); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}
