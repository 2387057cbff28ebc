package manifest

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// field is one key of a mapping that is to be written; value is a string, a
// bool or fields.
type field struct {
	key   string
	value any
}

// fields is a mapping in the order in which it is written.
type fields []field

// mountFields is a volume mount as it is written. readOnly is always spelled
// out: a reader should not have to know its default.
func mountFields(m corev1.VolumeMount) fields {
	return fields{{"mountPath", m.MountPath}, {"name", m.Name}, {"readOnly", m.ReadOnly}}
}

// volumeFields is a hostPath volume as it is written.
func volumeFields(v corev1.Volume) fields {
	host := fields{{"path", v.HostPath.Path}}
	if v.HostPath.Type != nil && *v.HostPath.Type != "" {
		host = append(host, field{"type", string(*v.HostPath.Type)})
	}
	return fields{{"name", v.Name}, {"hostPath", host}}
}

// tree is the same mapping as the decoder gives it.
func (fs fields) tree() map[string]any {
	m := map[string]any{}
	for _, f := range fs {
		if sub, ok := f.value.(fields); ok {
			m[f.key] = sub.tree()
		} else {
			m[f.key] = f.value
		}
	}
	return m
}

// blockLines writes v in block style; the lines behind the first are indented
// to be below its first character, those of a mapping in it deep more.
func blockLines(v any, deep int) []string {
	fs, ok := v.(fields)
	if !ok {
		return []string{scalarText(v)}
	}
	var lines []string
	for _, f := range fs {
		if sub, ok := f.value.(fields); ok {
			lines = append(lines, f.key+":")
			for _, l := range blockLines(sub, deep) {
				lines = append(lines, strings.Repeat(" ", deep)+l)
			}
			continue
		}
		lines = append(lines, f.key+": "+scalarText(f.value))
	}
	return lines
}

// scalarText is a string or a bool in block style.
func scalarText(v any) string {
	if s, ok := v.(string); ok {
		return quote(s)
	}
	return fmt.Sprint(v)
}

// flowText writes v in flow style. In JSON every string has double quotes;
// elsewhere a lone string is quoted like its neighbour.
func flowText(v any, json bool, neighbour yaml.Style) string {
	switch v := v.(type) {
	case fields:
		var parts []string
		for _, f := range v {
			key := f.key
			if json {
				key = doubleQuote(key)
			}
			parts = append(parts, key+": "+flowText(f.value, json, 0))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case string:
		if json {
			return doubleQuote(v)
		}
		return quoteAs(neighbour, v)
	}
	return fmt.Sprint(v)
}

// listLines writes items as a block list whose dashes are at column col
// (from 1).
func listLines(col int, item any, deep int) []string {
	pad := strings.Repeat(" ", col-1)
	lines := blockLines(item, deep)
	for i, l := range lines {
		if lines[i] = pad + "  " + l; i == 0 {
			lines[i] = pad + "- " + l
		}
	}
	return lines
}
