package policy

import (
	"strings"

	"auditpatch/internal/lazyregexp"
)

// The messages about a policy quote it, so that one sees what is meant. A file
// that is something else may hold credentials: a kubeconfig that was given with
// the wrong flag, a key. Nothing of its text is repeated.

var (
	// policyMark is what a policy has, also one with faults.
	policyMark = lazyregexp.New(`audit\.k8s\.io|kind["']?\s*:\s*["']?Policy\b|(^|\n)\s*["']?rules["']?\s*:`)
	// credentialMark is what a policy has not.
	credentialMark = lazyregexp.New(`(^|[\s{,"'])(token|tokenFile|password|username|client-(key|certificate)(-data)?|auth-provider|exec|proxy-url|clusters|contexts|current-context|[a-z-]*secret|stringData)["']?\s*:|PRIVATE KEY-----|://[^/\s]*@`)
	// quotation is from the first quotation mark to the last.
	quotation = lazyregexp.New(`(?s)["'].*["']`)
	// kindName is the name of a kind, which is no secret.
	kindName = lazyregexp.New(`^kind "[A-Z][A-Za-z]{1,40}" is not Policy`)
)

// isForeign tells whether a text is anything but a policy.
func isForeign(text []byte) bool { return !policyMark().Match(text) || credentialMark().Match(text) }

// withoutQuotes are the findings about a text that is not to be repeated.
func withoutQuotes(findings []Finding) []Finding {
	for i := range findings {
		f := &findings[i]
		if !kindName().MatchString(f.Message) {
			f.Field, f.Message = "", quotation().ReplaceAllString(f.Message, "...")
		}
		if f.Hint != "" && !strings.HasPrefix(f.Hint, typeVersion) && f.Hint != `write "kind: Policy"` && quotation().MatchString(f.Hint) {
			f.Hint = typeVersion
		}
	}
	return findings
}
