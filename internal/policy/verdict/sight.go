package verdict

import (
	"maps"
	"slices"
	"strings"
)

// sight is what a checker sees of a flag: it knows nothing of how kube-apiserver reads
// its command line, where the last of several counts, "_" is "-", and a value may be an
// item of its own.
type sight struct {
	value string
	seen  bool
	// why it is not what kube-apiserver sees, or does not do.
	why string
	// beyond says that no flag of enable changes it: the manifest is written otherwise.
	beyond bool
}

// items are the command line's, in command and in args.
func (in Input) items() (command, args []string) {
	if len(in.Command) > 0 {
		return in.Command, in.Args
	}
	for _, name := range slices.Sorted(maps.Keys(in.Flags)) {
		command = append(command, "--"+name+"="+in.Flags[name])
	}
	return command, nil
}

// place is one place where the command line has a flag by the name that checkers know.
type place struct {
	value string
	apart bool // the value is an item of its own
}

func places(items []string, flag string) (out []place) {
	for i, item := range items {
		rest, found := strings.CutPrefix(item, "--"+flag)
		value, joined := strings.CutPrefix(rest, "=")
		switch {
		case !found || !joined && rest != "":
		case joined:
			out = append(out, place{value, false})
		case i+1 < len(items) && !strings.HasPrefix(items[i+1], "-"):
			out = append(out, place{items[i+1], true})
		default:
			out = append(out, place{"", true})
		}
	}
	return out
}

// look is what the check's checker sees of its flag. Sources, by their code in 2026:
// kube-bench check/test.go (findValue), Kubescape's rule for maxage (get_flag_value),
// KICS' library k8s.rego (hasFlagEqualOrGreaterThanValue), checkov's
// ApiServerAuditLog*.py, Trivy's command_has_flag; STIG asks people to grep.
func (c check) look(in Input) sight {
	command, args := in.items()
	first, second := places(command, c.flag), places(args, c.flag)
	all := slices.Concat(first, second)
	passes := func(p place) bool { return c.fault(p.value) == "" }
	fails := func(p place) bool { return !passes(p) }
	is := func(p place, why string) sight { return sight{value: p.value, seen: true, why: why, beyond: why != ""} }
	switch joined := func(p place) bool { return !p.apart }; {
	case len(all) == 0:
		return sight{why: "not found as the manifest writes it", beyond: true}
	case c.checker == "checkov" && len(first) == 0:
		return sight{why: "checkov does not look into args", beyond: true}
	case c.checker == "checkov" && first[0].apart && c.least > 0:
		return sight{value: first[0].value, why: "checkov stops with an error at a value that is an item of its own", beyond: true}
	case c.checker == "checkov":
		return is(first[0], several(first, "checkov reads the first"))
	case c.checker == "CIS":
		return is(all[0], several(all, "kube-bench reads the first"))
	case c.checker == "KICS" && c.least > 0:
		if first = only(first, joined); len(first) == 0 {
			first = only(second, joined)
		}
		if len(first) == 0 {
			return sight{value: all[0].value, why: "KICS wants the value in the same item as the flag", beyond: true}
		}
		return is(pick(first, passes), several(first, "KICS wants one that passes"))
	case c.checker == "Kubescape" || c.checker == "STIG":
		return is(pick(all, fails), several(all, "to "+c.checker+" each of them counts"))
	}
	return is(all[0], "")
}

// several says why it matters that a flag stands more than once.
func several(found []place, why string) string {
	if len(found) < 2 {
		return ""
	}
	return "the manifest has the flag more than once, and " + why
}

func only(list []place, is func(place) bool) (out []place) {
	for _, p := range list {
		if is(p) {
			out = append(out, p)
		}
	}
	return out
}

// pick is the first that is so, else the last.
func pick(list []place, is func(place) bool) place {
	if i := slices.IndexFunc(list, is); i >= 0 {
		return list[i]
	}
	return list[len(list)-1]
}
