package roles

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// roleNames names the roles of a user: those that are bound everywhere or in one namespace
// by the empty namespace, a ClusterRole for several by the first of these. given is a name
// that was asked for, "" for one after the user, or where all users are together, after the
// subject.
//
// No two users, subjects and namespaces have the same name, whoever chose them: kubectl apply
// would give one the rights of the other. Names of users keep their colons, and a namespace,
// which has none, stands before them. What a name cannot have is replaced, and a hash of what it
// was stands where other names have none.
func roleNames(given, user, subject string) func(namespace string) string {
	return func(namespace string) string {
		switch {
		case given != "" && namespace != "":
			return given + ":" + namespace
		case given != "":
			return given
		}
		lead, whose := "auditpatch", user
		if user == "" {
			lead, whose = "auditpatch-to", subject
		}
		name := strings.Map(nameRune, whose)
		if name != whose {
			lead += "-" + hash(whose)
		}
		return lead + inNamespace(namespace) + ":" + name
	}
}

// nameRune is what stands for a character in the name of a role.
func nameRune(r rune) rune {
	if r == '/' || r == '%' || !plainRune(r) {
		return '-'
	}
	return r
}

// inNamespace stands behind the first word of a name. A namespace is a label: grants in
// others are not expressible.
func inNamespace(namespace string) string {
	if namespace == "" {
		return ""
	}
	return "." + namespace
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:8])
}
