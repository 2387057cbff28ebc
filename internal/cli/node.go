package cli

import (
	"slices"
	"strings"

	"auditpatch/internal/hint"
	"auditpatch/internal/typed"
)

// NodeOf is what a command line says of the node that it works on, for the commands
// that hints have. It reads words, and no flags of a command, so that it knows the node
// also when the command line cannot be read to its end. The manifest of an export is
// not that of a node.
func NodeOf(words []string) hint.Node {
	if len(words) > 1 && words[1] == "export" {
		return nil
	}
	said := map[string]string{}
	for i, w := range words {
		name, value, joined := strings.Cut(strings.TrimLeft(w, "-"), "=")
		name = strings.ReplaceAll(name, "_", "-")
		if !strings.HasPrefix(w, "-") || !slices.Contains(hint.NodeFlags, name) {
			continue
		}
		if !joined && i+1 < len(words) {
			value = words[i+1]
		}
		said[name] = value
	}
	if said["manifest"] == DefaultManifest {
		delete(said, "manifest")
	}
	if said["state-dir"] == defaultStateDir {
		delete(said, "state-dir")
	}
	var n hint.Node
	for _, name := range hint.NodeFlags {
		if value := said[name]; strings.TrimSpace(value) != "" && !IsText(value) {
			n = append(n, hint.Option{Name: name, Value: typed.Public(value), Form: hint.Apart})
		}
	}
	return n
}
