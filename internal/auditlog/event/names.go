package event

import "encoding/binary"

// The names that the scanner knows, as they stand before a value, in the order in which
// kube-apiserver writes them (k8s.io/apiserver/pkg/apis/audit/v1/types.go; annotations are a map,
// whose names encoding/json sorts). So what the next name is can be guessed, and compared at once.

// guesses is how many names are tried. Most events leave out two in a row, requestObject and
// responseObject; those of stage RequestReceived lack responseStatus too. After more, the name is
// looked up.
const guesses = 4

// name is one as it stands before a value, and the first eight bytes of it: those that mask has.
type name struct {
	text       string
	head, mask uint64
}

func names(all ...string) []name {
	out := make([]name, len(all))
	for k, n := range all {
		n = `"` + n + `":`
		var head, mask [8]byte
		for i := range copy(head[:], n) {
			mask[i] = 0xff
		}
		out[k] = name{n, binary.LittleEndian.Uint64(head[:]), binary.LittleEndian.Uint64(mask[:])}
	}
	return out
}

// begins says whether rest, which has eight bytes at least, begins with the name.
func (n *name) begins(rest []byte) bool {
	if binary.LittleEndian.Uint64(rest)&n.mask != n.head {
		return false
	}
	return len(n.text) <= 8 || len(rest) >= len(n.text) && string(rest[8:len(n.text)]) == n.text[8:]
}

// is says whether it is a name without its quotation marks.
func (n *name) is(text []byte) bool { return n.text[1:len(n.text)-2] == string(text) }

// Which field of an event it is.
const (
	fieldKind = iota
	fieldAPIVersion
	fieldLevel
	fieldAuditID
	fieldStage
	fieldRequestURI
	fieldVerb
	fieldUser
	fieldImpersonatedUser
	fieldSourceIPs
	fieldUserAgent
	fieldObjectRef
	fieldResponseStatus
	fieldRequestObject
	fieldResponseObject
	fieldRequestReceivedTimestamp
	fieldStageTimestamp
	fieldAnnotations
)

var eventFields = names(
	"kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb",
	"user", "impersonatedUser", "sourceIPs", "userAgent", "objectRef",
	"responseStatus", "requestObject", "responseObject", "requestReceivedTimestamp",
	"stageTimestamp", "annotations",
)

// Which field of a user it is.
const (
	subjectName = iota
	subjectUID
	subjectGroups
)

var subjectFields = names(
	"username", "uid", "groups",
)

// Which field of an objectRef it is.
const (
	objectResource = iota
	objectNamespace
	objectName
	objectUID
	objectAPIGroup
	objectAPIVersion
	objectVersion
	objectSubresource
)

var objectFields = names(
	"resource", "namespace", "name", "uid", "apiGroup", "apiVersion",
	"resourceVersion", "subresource",
)

// Which field of a responseStatus it is.
const (
	responseStatus = iota
	responseMessage
	responseReason
	responseCode
)

var responseFields = names(
	"status", "message", "reason", "code",
)

// Which annotation it is.
const (
	annotationDecision = iota
	annotationReason
)

var annotationFields = names(
	"authorization.k8s.io/decision", "authorization.k8s.io/reason",
)
