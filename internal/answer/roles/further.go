package roles

import (
	"net/http"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/json"

	"auditpatch/internal/auditlog/event"
)

// object is what matters here of an object in an event.
type object struct {
	Rules           []rbacv1.PolicyRule `json:"rules"`
	AggregationRule *struct{}           `json:"aggregationRule"`
	RoleRef         rbacv1.RoleRef      `json:"roleRef"`
	Spec            struct {
		SignerName string `json:"signerName"`
	} `json:"spec"`
	Status struct {
		Certificate any   `json:"certificate"`
		Conditions  []any `json:"conditions"`
	} `json:"status"`
}

// body reads a body; ok is false where the log has none.
func body(text []byte) (o object, ok bool) {
	return o, len(text) > 0 && json.UnmarshalCaseSensitivePreserveInts(text, &o) == nil
}

// further are the permissions that kube-apiserver wants for a request beside the one for its
// verb: here those that the log shows to have been there.
func (h *holder) further(e *event.Event, g Grant, used Use) (out []Grant) {
	verb := g.Verb
	switch {
	case (verb == "patch" || verb == "update") && e.Response.Code == http.StatusCreated:
		g.Verb = "create" // the object was not there
		out = append(out, g)
	case verb == "get" && g.Group == "" && slices.Contains([]string{"pods/exec", "pods/attach", "pods/portforward"}, g.Resource):
		// WebSockets begin with GET. From 1.35 on they need create as well, which gives no
		// more than get does.
		g.Verb = "create"
		return append(out, g)
	case verb == "create" && g.Group == "" && g.Resource == "namespaces" && e.Response.Code == http.StatusCreated:
		u, known := h.created[string(e.Object.Name)]
		if !known {
			h.rights++
		}
		u.add(used)
		h.created[string(e.Object.Name)] = u
	}
	if e.Response.Code/100 != 2 || verb != "create" && verb != "update" && verb != "patch" {
		return out
	}
	g.Verb = verb
	switch g.Group {
	case rbacv1.GroupName:
		out = append(out, h.giving(e, g, used)...)
	case "certificates.k8s.io":
		out = append(out, h.signing(e, g)...)
	}
	return out
}

// whole is the object as it was stored, or as it was sent.
func whole(e *event.Event) (object, bool) {
	if string(e.Verb) != "patch" {
		if o, ok := body(e.RequestObject); ok {
			return o, true
		}
	}
	return body(e.ResponseObject)
}

// giving is what is asked of whoever makes a role or a binding.
func (h *holder) giving(e *event.Event, g Grant, used Use) []Grant {
	o, ok := whole(e)
	switch g.Resource {
	case "roles", "clusterroles":
		if !ok {
			h.counts.Unproven["escalate on "+g.Resource+", or the rights that the roles give"]++
			return nil
		}
		h.escalation(g, o, used)
	case "rolebindings", "clusterrolebindings":
		if !ok {
			h.counts.Unproven["bind on the roles that "+g.Resource+" name, or the rights that these give"]++
			return nil
		}
		kind := map[string]string{"Role": "roles", "ClusterRole": "clusterroles"}[o.RoleRef.Kind]
		if kind == "" || o.RoleRef.Name == "" {
			return nil
		}
		return []Grant{{Namespace: g.Namespace, Verb: "bind", Group: rbacv1.GroupName, Resource: kind, Name: o.RoleRef.Name}}
	}
	return nil
}

// mostEscalation is how many different rights of made roles are kept; more count as all.
const mostEscalation = 5000

var everything = Grant{Verb: "*", Group: "*", Resource: "*"}

// escalation is what roles grant that a user made, all under one permission to do so.
type escalation struct {
	rights map[Grant]bool
	use    Use
}

// escalation keeps what a role gives: whether its maker has that is known at the end.
func (h *holder) escalation(g Grant, o object, used Use) {
	g.Verb = "escalate"
	if len(o.Rules) == 0 && o.AggregationRule == nil || !g.expressible() {
		return
	}
	made := h.escalations[g]
	if made == nil {
		made = &escalation{rights: map[Grant]bool{}}
		h.escalations[g] = made
	}
	made.use.add(used)
	if o.AggregationRule != nil {
		made.rights[everything] = true // whoever aggregates needs all rights
	}
	for _, rule := range o.Rules {
		for given := range grantsOf(rule, g.Namespace) {
			if made.rights[everything] {
				return
			}
			if !made.rights[given] {
				h.rights++
			}
			if made.rights[given] = true; len(made.rights) == mostEscalation {
				made.rights = map[Grant]bool{everything: true}
			}
		}
	}
}

// signing is what is asked of whoever approves or signs a certificate request, or stores
// certificates that are to be trusted.
func (h *holder) signing(e *event.Event, g Grant) []Grant {
	var verb string
	sent, ok := body(e.RequestObject)
	switch {
	case g.Resource == "certificatesigningrequests/approval" && g.Verb != "create":
		verb = "approve"
	case g.Resource == "certificatesigningrequests/status" && g.Verb != "create":
		if ok && (sent.Status.Certificate == nil || sent.Status.Certificate == "") && len(sent.Status.Conditions) == 0 {
			return nil
		}
		verb = "sign"
	case g.Resource == "clustertrustbundles":
		verb = "attest"
	default:
		return nil
	}
	if o, ok := whole(e); ok {
		if o.Spec.SignerName == "" {
			return nil
		}
		return []Grant{{Verb: verb, Group: g.Group, Resource: "signers", Name: o.Spec.SignerName}}
	}
	h.counts.Unproven[verb+" on signers"]++
	return nil
}

// impersonation is what whoever logged in needs to act as another. A refused one is counted
// with the request.
func (c *Collector) impersonation(e *event.Event, u Use) {
	h := c.holder(string(e.User.Name))
	if h == nil {
		return
	}
	h.see(e.User, u)
	h.counts.Requests += u.Times
	for _, g := range becoming(e) {
		// A group or a value that is empty: without names, a rule would allow all of them.
		nobody := g.Name == "" && g.personal() && c.options.Names != every
		if g.expressible() && !nobody {
			c.grant(h, g, u)
		} else {
			h.counts.Unnamed += u.Times
		}
	}
}

// becoming are the permissions for an impersonation that was granted. From 1.36 on the event
// has the constraint under which it was, such as impersonate:user-info.
func becoming(e *event.Event) (out []Grant) {
	var more struct {
		ImpersonatedUser struct {
			Groups []string            `json:"groups"`
			Extra  map[string][]string `json:"extra"`
		} `json:"impersonatedUser"`
		AuthenticationMetadata struct {
			ImpersonationConstraint string `json:"impersonationConstraint"`
		} `json:"authenticationMetadata"`
	}
	// An event that Parse could read is JSON; a list that is none counts as empty.
	_ = json.UnmarshalCaseSensitivePreserveInts(e.JSON, &more)
	b := becomer{verb: "impersonate", user: string(e.Impersonated.Name)}
	if constraint := more.AuthenticationMetadata.ImpersonationConstraint; constraint != "" {
		b.verb, b.group = constraint, authentication
		on := asked(e)
		on.Verb = "impersonate-on:" + strings.TrimPrefix(constraint, "impersonate:") + ":" + on.Verb
		out = append(out, on)
	}
	out = append(out, b.name())
	for _, group := range b.groups(more.ImpersonatedUser.Groups) {
		out = append(out, Grant{Verb: b.verb, Group: b.group, Resource: "groups", Name: group})
	}
	if uid := string(e.Impersonated.UID); uid != "" {
		out = append(out, Grant{Verb: b.verb, Group: authentication, Resource: "uids", Name: uid})
	}
	for key, values := range more.ImpersonatedUser.Extra {
		for _, value := range values {
			out = append(out, Grant{Verb: b.verb, Group: authentication, Resource: "userextras/" + key, Name: value})
		}
	}
	return out
}

const authentication = "authentication.k8s.io"

// becomer is an impersonation.
type becomer struct{ verb, group, user string }

// name is the permission for the user's name.
func (b becomer) name() Grant {
	g := Grant{Verb: b.verb, Group: b.group, Resource: "users", Name: b.user}
	if namespace, name, ok := account(b.user); ok {
		g.Namespace, g.Resource, g.Name = namespace, "serviceaccounts", name
	}
	if node, ok := strings.CutPrefix(b.user, "system:node:"); ok && b.group != "" {
		g.Resource, g.Name = "nodes", node
		if b.verb == "impersonate:associated-node" {
			g.Name = "*" // it is asked so for whatever node
		}
	}
	return g
}

// groups are those that were asked for. kube-apiserver adds system:authenticated at the end,
// and gives service accounts and nodes their groups when no others are asked for.
func (b becomer) groups(all []string) []string {
	added := "system:authenticated"
	if b.user == "system:anonymous" {
		added = "system:unauthenticated"
	}
	if n := len(all); n > 0 && all[n-1] == added {
		all = all[:n-1]
	}
	if namespace, _, ok := account(b.user); ok && slices.Equal(all, []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace}) {
		return nil
	}
	if b.group != "" && b.verb != "impersonate:user-info" {
		return nil
	}
	return all
}

// account is a service account's name in parts.
func account(user string) (namespace, name string, ok bool) {
	rest, ok := strings.CutPrefix(user, "system:serviceaccount:")
	if !ok {
		return "", "", false
	}
	namespace, name, ok = strings.Cut(rest, ":")
	return namespace, name, ok && label().MatchString(namespace) && accountName().MatchString(name)
}
