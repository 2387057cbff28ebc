package simulate

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/difference"
	"auditpatch/internal/policy/explain"
	"auditpatch/internal/policy/requests"
)

// unknown finds what a replay cannot know.
type unknown struct {
	*replay
	found     *counter
	report    *Report
	filesOnly bool
}

func (u *unknown) sentences() (out []string) {
	if u.report.Log.All.Events == 0 {
		return nil
	}
	for _, s := range []string{u.untimed(), u.report.Gaps(), u.unrecorded(), u.ends(), u.derived(), u.estimated(), u.managed(), u.undecided(), u.merged()} {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// untimed says that there is no rate.
func (u *unknown) untimed() string {
	if u.report.Span() > 0 {
		return ""
	}
	return "the log has no two events at different times: how much is written in an hour is unknown, and how far back a log reaches"
}

// unrecorded says of which requests the log has nothing, though the new policy would write
// them: by a comparison with the policy that recorded it, or by a guess.
func (u *unknown) unrecorded() string {
	recorded := u.report.recorded(u.Current)
	if recorded == nil {
		return u.guess()
	}
	d, err := difference.Compare(recorded, u.New)
	if err != nil {
		return fmt.Sprintf("what %s has never recorded is unknown: %v", recorded.Name(), err)
	}
	gained := d.Of(difference.Gained)
	switch {
	case len(gained) == 0 && d.Exhaustive:
		return fmt.Sprintf("%s has recorded this log, and drops nothing that %s would write", recorded.Name(), u.New.Name())
	case len(gained) == 0:
		return fmt.Sprintf("%s has recorded this log; no request was found that it drops and %s writes, but not all kinds were looked at", recorded.Name(), u.New.Name())
	}
	var kinds []string
	for _, g := range gained {
		if words := explain.Describe(g.Request); !slices.Contains(kinds, words) {
			kinds = append(kinds, words)
		}
	}
	return fmt.Sprintf("%s has recorded this log, and drops requests that %s would write, of which nothing is counted, such as: %s; all kinds: auditpatch policy diff",
		recorded.Name(), u.New.Name(), some(kinds, 3))
}

// some are the first of a list.
func some(list []string, most int) string {
	if more := len(list) - most; more > 0 {
		return strings.Join(list[:most], ", ") + fmt.Sprintf(", and %d more", more)
	}
	return strings.Join(list, ", ")
}

// everywhere are requests that each cluster has all the time: where a log has none of
// them, its policy drops them.
var everywhere = []struct {
	words string
	like  policy.Request
	kinds []kind
}{
	{"renewals of leases", requests.On(requests.Kubelet, "update", "coordination.k8s.io", "leases", "kube-node-lease", "n1"),
		[]kind{{"leases.coordination.k8s.io", "update"}, {"leases.coordination.k8s.io", "patch"}}},
	{"health checks", requests.At(requests.Anonymous, "get", "/livez"), []kind{{"/livez", "get"}, {"/readyz", "get"}, {"/healthz", "get"}}},
	{"watches of pods", requests.On(requests.Scheduler, "watch", "", "pods", "", ""), []kind{{"pods", "watch"}}},
	{"nodes' own status", requests.On(requests.Kubelet, "patch", "", "nodes/status", "", "n1"), []kind{{"nodes/status", "patch"}, {"nodes/status", "update"}}},
	{"reads of configmaps by the control plane", requests.On(requests.ControllerManager, "list", "", "configmaps", "", ""),
		[]kind{{"configmaps", "list"}, {"configmaps", "watch"}, {"configmaps", "get"}}},
	{"tokens of service accounts", requests.On(requests.Kubelet, "create", "", "serviceaccounts/token", "prod", "default"), []kind{{"serviceaccounts/token", "create"}}},
	{"events", requests.On(requests.Kubelet, "create", "", "events", "prod", ""), []kind{{"events", "create"}, {"events.events.k8s.io", "create"}}},
}

// guess says what every cluster has, the new policy writes, and the log lacks.
func (u *unknown) guess() string {
	var lacks []string
	for _, e := range everywhere {
		seen := slices.ContainsFunc(e.kinds, func(k kind) bool { return u.found.seen[k] })
		d := u.New.Evaluate(e.like.Attributes())
		if !seen && d.Records(audit.StageResponseComplete) {
			lacks = append(lacks, e.words)
		}
	}
	text := "which policy recorded this log is unknown"
	if u.report.Otherwise > 0 {
		text = fmt.Sprintf("%s has not recorded this log, or not all of it: under it, %s would be otherwise; which policy has is unknown",
			u.Current.Name(), counted(u.report.Otherwise, "event"))
	} else if u.Current != nil {
		text = fmt.Sprintf("%s has not recorded this log: it would have written %s more; which policy has is unknown",
			u.Current.Name(), counted(u.report.Current.All.Derived, "event"))
	}
	text += ", so that what it never recorded is missing from the counts"
	if len(lacks) > 0 {
		return fmt.Sprintf("%s: by a guess, %s, which every cluster has, %s would write, and the log has none of", text, some(lacks, len(lacks)), u.New.Name())
	}
	return text + "; by a guess that is not much: of what every cluster has, the log has all that " + u.New.Name() + " would write"
}

// ends says that the log has no ends of requests.
func (u *unknown) ends() string {
	if u.found.ends > 0 {
		return ""
	}
	return "the log has no event of stage ResponseComplete: what would be written then is missing from the counts"
}

func (u *unknown) derived() string {
	n := u.report.New.All.Derived
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("the log lacks a stage that %s would write: %s of it are counted by the last event of their request", u.New.Name(), counted(n, "event"))
}

// estimated says what estimates of bodies rest on.
func (u *unknown) estimated() string {
	all := u.report.New.All
	switch {
	case u.found.guessed == 0:
		return ""
	case !u.filesOnly:
		return "bodies that the log has not are estimated by rough figures, since standard input is read but once: --log FILE learns from the log's own bodies"
	case all.Rough == 0:
		return fmt.Sprintf("bodies that the log has not are estimated by those of %s of the same resource and verb in it", counted(u.learned.events, "event"))
	case u.learned.events == 0:
		return "bodies that the log has not are estimated by rough figures, such as 4.5 KB for a pod: it has no events with bodies to learn from"
	}
	return fmt.Sprintf("bodies that the log has not are estimated by %s of the same resource and verb in it, and %d %% of the estimated bytes by rough figures, such as 4.5 KB for a pod",
		counted(u.learned.events, "event"), all.Rough*100/all.Estimated)
}

func (u *unknown) managed() string {
	if u.found.unmanaged == 0 {
		return ""
	}
	return fmt.Sprintf("%s of the log have a body without managed fields: if the policy that recorded them leaves these out, %s writes more than is counted",
		counted(u.found.unmanaged, "event"), u.New.Name())
}

func (u *unknown) undecided() string {
	if u.report.Undecided == 0 {
		return ""
	}
	return fmt.Sprintf("%s have neither verb nor URL, and are not counted", counted(u.report.Undecided, "event"))
}

func (u *unknown) merged() string {
	if u.report.Logs < 2 {
		return ""
	}
	return fmt.Sprintf("the events are those of %d logs together; history and disk are for the average of them", u.report.Logs)
}
