// Package changes says what the requests of a log changed, as far as their events tell.
//
// [New] is the name to call first. [Seen.Of] takes one event after the other, in the
// order of time, and [Change.Text] makes lines for people of what it returns.
//
// A patch is in its event, an update has only the new object, and what was there before
// is in neither. So the last state of each object is kept, from the answers to earlier
// requests, as many as fit in the memory that New is given. Where the earlier state is
// not known, the change lists what was asked for.
//
// Left out are managedFields, resourceVersion, generation and what else the API server
// keeps in metadata, and the status unless the request is about that. Never told are the
// values in a Secret, in whatever field of it, and tokens that are asked for or reviewed: only that
// they were set or changed.
package changes

import (
	"bytes"
	"container/list"
	"fmt"
	"maps"
	"net/http"
	"strconv"

	"auditpatch/internal/auditlog/event"
)

// Fields are those that Of reads.
const Fields = event.WantLevel | event.WantAuditID | event.WantStage | event.WantRequestURI | event.WantVerb | event.WantObject | event.WantResponse | event.WantStamp | event.WantBodies

// Known says what is known of a change.
type Known string

// What the lines of a change are.
const (
	Difference Known = "difference" // to the state as it was last seen in the log
	Created    Known = "created"    // what the new object was asked to have, with the defaults of the API server
	Deleted    Known = "deleted"    // what the request said about how
	Asked      Known = "asked"      // what was asked for; what was there before is not known
	Refused    Known = "refused"    // what was asked for; nothing was changed
	DryRun     Known = "dry run"    // what was asked for; nothing was stored
	NotInLog   Known = "not in the log"
)

// Change is what one request changed.
type Change struct {
	Known Known `json:"known"`
	// Patch is what kind of patch the request had, "" for other verbs.
	Patch string `json:"patch,omitempty"`
	// Since is the event that has the earlier state, of a difference.
	Since *Earlier `json:"since,omitempty"`
	Lines []Line   `json:"lines"`
	Notes []string `json:"notes,omitempty"` // in words
}

// Earlier is where an earlier state was seen.
type Earlier struct {
	Time    string `json:"time"`
	AuditID string `json:"auditID"`
	// Between are changes since then of which the log does not have the object: what they
	// changed shows here as well.
	Between int `json:"between,omitempty"`
	// Exact says that the request named this state as the one that it replaces.
	Exact bool `json:"exact,omitempty"`
}

// Seen are the objects that were seen in a log.
type Seen struct{ objects objects }

// New keeps up to so many bytes of objects.
func New(most int64) *Seen {
	return &Seen{objects{most: most, byName: map[string]*list.Element{}, byUse: list.New()}}
}

// WantsFields are those that Wants reads.
const WantsFields = event.WantLevel | event.WantStage | event.WantVerb | event.WantObject

// Wants says whether Of learns something from an event.
func Wants(e *event.Event) bool {
	return string(e.Stage) == "ResponseComplete" && e.Object.Has &&
		(writes(e) || string(e.Verb) == "get" && string(e.Level) == "RequestResponse")
}

func writes(e *event.Event) bool {
	switch string(e.Verb) {
	case "create", "update", "patch", "delete", "deletecollection":
		return true
	}
	return false
}

// Of says what an event's request changed; false for an event that is about no change.
func (s *Seen) Of(e *event.Event) (Change, bool) {
	if !Wants(e) {
		return Change{}, false
	}
	sent, answer := object(e.RequestObject), stored(e.ResponseObject)
	if !e.Response.Has || e.Response.Code < 200 || e.Response.Code > 299 {
		answer = nil
	}
	if !writes(e) {
		s.learn(e, answer, e.ResponseObject)
		return Change{}, false
	}
	r := request{e, sent, answer}
	c := r.failed()
	switch {
	case c == nil:
		c = s.succeeded(r)
	case c.Known == Asked:
		s.aside(r)
		s.missed(r)
	}
	if c.Lines = hide(c.Lines, r.secrets()); c.Lines == nil {
		c.Lines = []Line{}
	}
	return *c, true
}

// request is an event with its bodies.
type request struct {
	*event.Event
	sent, answer map[string]any
}

func (r request) verb() string { return string(r.Verb) }

// asked lists what the request asked for.
func (r request) asked() []Line {
	switch r.verb() {
	case "patch":
		if r.sent != nil {
			return merged(nil, r.named(plain(r.sent, true)))
		}
		v, _ := decode(r.RequestObject)
		list, _ := v.([]any)
		return operations(list)
	case "delete", "deletecollection":
		return lines(Set, r.options())
	}
	if r.status() && r.sent["status"] != nil {
		return lines(Set, map[string]any{"status": r.sent["status"]}) // nothing else counts
	}
	return lines(Set, r.named(plain(r.sent, r.status())))
}

func (r request) status() bool { return string(r.Object.Subresource) == "status" }

// named is an object without what the event says of it anyway.
func (r request) named(o map[string]any) map[string]any {
	delete(o, "kind")
	delete(o, "apiVersion")
	if m, ok := o["metadata"].(map[string]any); ok {
		if m["name"] == string(r.Object.Name) {
			delete(m, "name")
		}
		if m["namespace"] == string(r.Object.Namespace) {
			delete(m, "namespace")
		}
		if len(m) == 0 {
			delete(o, "metadata")
		}
	}
	return o
}

// options are those of a deletion.
func (r request) options() map[string]any {
	o := maps.Clone(r.sent)
	delete(o, "kind")
	delete(o, "apiVersion")
	return o
}

// lines are those of an object as a whole.
func lines(op Op, o map[string]any) []Line {
	out := fields(nil, nil, o)
	for i := range out {
		out[i].Op = op
	}
	return out
}

// failed is a change that was none, or that the log does not have; nil for others.
func (r request) failed() *Change {
	level := string(r.Level)
	c := &Change{Known: Refused, Lines: r.asked()}
	if r.verb() == "patch" && len(r.RequestObject) > 0 {
		c.Patch = kindOfPatch(r.Event)
	}
	switch code := r.Response.Code; {
	case !r.Response.Has || code == 0:
		c.Known, c.Notes = Asked, []string{"the event has no answer: whether it was done is not in the log"}
	case code == http.StatusSwitchingProtocols:
		return &Change{Known: NotInLog, Notes: []string{"a connection was opened: what was done over it is not in the log"}}
	case code >= 500 || code >= 300 && r.verb() == "deletecollection":
		// A request may run into its timeout, or into one object of many, after it stored something.
		c.Known, c.Notes = Asked, []string{fmt.Sprintf("answered with %d: what of it was done is not in the log", code)}
	case code >= 300 || code < 200:
		c.Notes = []string{fmt.Sprintf("answered with %d: nothing was changed", code)}
	case r.dryRun():
		c.Known, c.Notes = DryRun, []string{"a dry run: nothing was stored"}
	default:
		return nil
	}
	if level == "Metadata" {
		c.Notes = append(c.Notes, "recorded at level Metadata: what was asked for is not in the log")
	}
	return c
}

// dryRun says whether the request asked for that. The API server takes the options of a
// deletion from the body, and looks at the query where there is no body; level Metadata does
// not say which.
func (r request) dryRun() bool {
	asked := func(options map[string]any) bool {
		list, _ := options["dryRun"].([]any)
		return len(list) > 0
	}
	deletes := r.verb() == "delete" || r.verb() == "deletecollection"
	switch {
	case deletes && (len(r.RequestObject) > 0 || string(r.Level) == "Metadata"):
		return asked(r.sent)
	case string(r.Object.Subresource) == "eviction":
		options, _ := r.sent["deleteOptions"].(map[string]any)
		if asked(options) {
			return true
		}
	}
	return query(r.Event).Has("dryRun")
}

// succeeded is what was changed.
func (s *Seen) succeeded(r request) *Change {
	before := s.objects.get(r.name())
	defer s.after(r)
	deletes := r.verb() == "delete" || r.verb() == "deletecollection"
	switch {
	case string(r.Level) == "Metadata":
		c := &Change{Known: NotInLog, Notes: []string{"recorded at level Metadata: what changed is not in the log"}}
		if deletes && query(r.Event).Has("dryRun") {
			c.Notes = append(c.Notes, "the URL asks for a dry run, which counts only if the request had no body")
		}
		return c
	case deletes:
		return r.deleted(before)
	case len(r.RequestObject) == 0 && r.answer == nil:
		return &Change{Known: NotInLog, Notes: []string{r.empty()}}
	case r.Response.Code == 201:
		return r.created()
	}
	c := &Change{Known: Asked, Lines: r.asked()}
	if r.verb() == "patch" && len(r.RequestObject) > 0 {
		c.Patch = kindOfPatch(r.Event)
	}
	after := r.after()
	if after == nil || before == nil {
		c.Notes = append(c.Notes, "what was there before is not in the log; this is what the request set")
		return c
	}
	then := object(before.body)
	if other(then, after) {
		c.Notes = append(c.Notes, "the object seen before was another one of this name, or version; this is what the request set")
		return c
	}
	if older(after, then) {
		c.Notes = append(c.Notes, "the object seen before is a later state: these requests ran at the same time; this is what the request set")
		return c
	}
	c.Known, c.Lines = Difference, difference(nil, plain(then, r.status()), plain(after, r.status()))
	c.Since = &Earlier{Time: stamp(before.at), AuditID: before.auditID, Between: before.between}
	if v := meta(r.sent, "resourceVersion"); v != "" && v == meta(then, "resourceVersion") {
		c.Since.Exact, c.Since.Between = true, 0
	}
	if r.answer == nil {
		c.Notes = append(c.Notes, "the log has what was sent and not what was stored: what the API server filled in shows as removed")
	}
	if len(c.Lines) == 0 {
		c.Notes = append(c.Notes, "nothing that is shown here was changed")
	}
	return c
}

// after is the object after the request: the answer, or of an update what was sent. Of what
// is sent to a subresource only a part counts.
func (r request) after() map[string]any {
	if r.answer == nil && r.verb() == "update" && string(r.Object.Subresource) == "" {
		return r.sent
	}
	return r.answer
}

// other says whether two objects cannot be compared.
func other(a, b map[string]any) bool {
	ua, ub := meta(a, "uid"), meta(b, "uid")
	return str(a["kind"]) != str(b["kind"]) || str(a["apiVersion"]) != str(b["apiVersion"]) || ua != "" && ub != "" && ua != ub
}

func stamp(t event.Time) string { return t.Go().Format("2006-01-02T15:04:05.000000Z") }

// empty says why there is no body.
func (r request) empty() string {
	if bytes.Contains(r.JSON, []byte(`"audit.k8s.io/truncated"`)) {
		return "the event was too large for --audit-log-truncate-max-event-size: what changed was cut from it"
	}
	return "the event has no body: what changed is not in the log"
}

func (r request) created() *Change {
	c := &Change{Known: Created, Lines: r.asked()}
	if string(r.Object.Subresource) != "" {
		c.Known = Asked
		return c
	}
	for i := range c.Lines {
		if c.Lines[i].Op == Set {
			c.Lines[i].Op = Added
		}
	}
	if r.verb() == "patch" {
		c.Patch = kindOfPatch(r.Event)
	}
	if name := meta(r.answer, "name"); name != "" && meta(r.sent, "name") == "" && r.verb() == "create" {
		c.Lines = append(c.Lines, Line{Op: Added, Path: Path{field("metadata"), field("name")}, To: name})
	}
	if len(c.Lines) == 0 {
		c.Notes = []string{r.empty()}
	}
	return c
}

func (r request) deleted(before *state) *Change {
	c := &Change{Known: Deleted, Lines: lines(Set, r.options())}
	if before != nil {
		c.Notes = append(c.Notes, "last seen in the log at "+stamp(before.at)+", event "+value(before.auditID))
	}
	if m, ok := r.answer["metadata"].(map[string]any); ok && m["deletionTimestamp"] != nil {
		note := "marked for deletion"
		if list, ok := m["finalizers"].([]any); ok && len(list) > 0 {
			note += ", which waits for the finalizers " + value(r.shown(list, "metadata", "finalizers"))
		}
		c.Notes = append(c.Notes, note)
	}
	if items, ok := r.answer["items"].([]any); ok {
		c.Notes = append(c.Notes, "deleted "+strconv.Itoa(len(items))+" objects: "+listed(items))
	}
	return c
}

// listed names objects.
func listed(items []any) string {
	var names []any
	for _, item := range items {
		o, _ := item.(map[string]any)
		names = append(names, meta(o, "name"))
	}
	return value(names)
}

// name is what the object is known by. A generated name stands in the answer.
func (r request) name() string {
	name, namespace := string(r.Object.Name), string(r.Object.Namespace)
	if name == "" {
		name = meta(r.answer, "name")
	}
	return nameOf(r.Event, name, namespace)
}

// after notes the state after a request.
func (s *Seen) after(r request) {
	s.aside(r)
	switch {
	case r.verb() == "deletecollection":
		// Which objects are gone is not known for certain; another UID will tell.
	case r.verb() == "delete" && string(r.Object.Subresource) == "":
		s.objects.drop(r.name())
	case r.answer != nil:
		s.learn(r.Event, r.answer, r.ResponseObject)
	case r.after() != nil:
		s.learn(r.Event, r.sent, r.RequestObject)
	default:
		s.missed(r)
	}
}

// aside notes that a request to a subresource, which is answered with another object, may have
// changed the object itself.
func (s *Seen) aside(r request) {
	if string(r.Object.Subresource) == "" {
		return
	}
	if main := s.objects.get(mainName(r)); main != nil && main.name != r.name() {
		main.between++
	}
}

// missed notes that an object may have changed, and that the log does not have it.
func (s *Seen) missed(r request) {
	if known := s.objects.get(r.name()); known != nil {
		known.between++
	}
}

func mainName(r request) string {
	e := *r.Event
	e.Object.Subresource = nil
	return nameOf(&e, string(r.Object.Name), string(r.Object.Namespace))
}

// learn keeps an object of which the event has the state. One whose name is not known is
// none that will be asked about.
func (s *Seen) learn(e *event.Event, o map[string]any, body []byte) {
	name := string(e.Object.Name)
	if name == "" {
		name = meta(o, "name")
	}
	if o == nil || name == "" || o["kind"] == nil {
		return
	}
	key := nameOf(e, name, string(e.Object.Namespace))
	if known := s.objects.get(key); known != nil && e.Stamp-known.at < overtaking && older(o, known.which) {
		return
	}
	s.objects.put(&state{name: key, which: which(o), body: bytes.Clone(body), at: e.Stamp, auditID: string(e.AuditID)})
}

// overtaking is how long after a state an older one may come: from the cache of another API
// server, or from a request that took long. Later than that, versions were set back.
const overtaking = event.Time(2 * 60 * 1_000_000)
