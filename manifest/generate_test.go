package manifest

import (
	"fmt"
	"math/rand"
	"regexp"
	"strings"
)

// generator writes Pods in random styles: block and flow, every kind of
// quotes, comments and blank lines where YAML allows them.
type generator struct {
	*rand.Rand
	seq, deep int // how far lists and mappings are indented
}

// pairs is a mapping in the order in which it is written.
type pairs []pair

type pair struct {
	key   string
	value any // string, bool, nil, []any or pairs
}

// pod is a random Pod with one API server.
func (g *generator) pod() pairs {
	volumes, mounts := g.volumes()
	spec := pairs{{"hostNetwork", true}, {"containers", g.containers(mounts)}, {"priorityClassName", "system-node-critical"}}
	spec = g.with(spec, "volumes", volumes)
	meta := pairs{{"name", "kube-apiserver"}, {"namespace", "kube-system"}}
	notes := pairs{}
	for i := range g.Intn(3) {
		notes = append(notes, pair{fmt.Sprintf("example.test/note-%d", i), g.word()})
	}
	meta = g.with(meta, "annotations", notes)
	all := pairs{{"apiVersion", "v1"}, {"kind", "Pod"}, {"metadata", g.shuffle(meta)}, {"spec", g.shuffle(spec)}}
	if g.Intn(2) == 0 {
		all = append(all, pair{"status", pairs{}})
	}
	return all
}

// with adds a collection; an empty one in any of the ways to be empty.
func (g *generator) with(m pairs, key string, v any) pairs {
	empty := false
	switch v := v.(type) {
	case []any:
		empty = len(v) == 0
	case pairs:
		empty = len(v) == 0
	}
	switch {
	case empty && g.Intn(2) == 0:
		return m
	case empty && g.Intn(2) == 0:
		v = nil
	}
	return append(m, pair{key, v})
}

func (g *generator) volumes() (volumes, mounts []any) {
	for i := range g.Intn(4) {
		name, path := fmt.Sprintf("v%d", i), fmt.Sprintf("/srv/data-%d", i)
		host := pairs{{"path", path}}
		if g.Intn(2) == 0 {
			host = append(host, pair{"type", "DirectoryOrCreate"})
		}
		volumes = append(volumes, g.shuffle(pairs{{"name", name}, {"hostPath", host}}))
		if g.Intn(4) > 0 {
			mounts = append(mounts, g.shuffle(pairs{{"name", name}, {"mountPath", path}, {"readOnly", true}}))
		}
	}
	return volumes, mounts
}

func (g *generator) containers(mounts []any) []any {
	var args []any
	command := []any{"kube-apiserver"}
	for i := range g.Intn(5) {
		word := []any{fmt.Sprintf("--flag-%d=%s", i, g.word())}
		if g.Intn(4) == 0 {
			word = []any{fmt.Sprintf("--flag_%d", i), g.word()}
		}
		if len(args) > 0 || g.Intn(4) == 0 {
			args = append(args, word...)
		} else {
			command = append(command, word...)
		}
	}
	server := pairs{{"name", "kube-apiserver"}, {"image", "registry.k8s.io/kube-apiserver:v1.36.0"}, {"command", command}}
	server = g.with(server, "args", args)
	server = g.with(server, "volumeMounts", mounts)
	list := []any{g.shuffle(server)}
	if g.Intn(4) == 0 {
		side := pairs{{"name", "side"}, {"image", "example.test/side:1"}, {"command", []any{"sleep", "1d"}}}
		list = append(list, g.shuffle(side))
		g.Shuffle(2, func(i, j int) { list[i], list[j] = list[j], list[i] })
	}
	return list
}

func (g *generator) shuffle(m pairs) pairs {
	if g.Intn(2) == 0 {
		g.Shuffle(len(m), func(i, j int) { m[i], m[j] = m[j], m[i] })
	}
	return m
}

// word is a value, often one that is hard to quote.
func (g *generator) word() string {
	words := []string{
		"x", "1", "true", "no", "a,b", "https://192.0.2.1:2379", "it's", `say "hi"`, "two words", "a 'b", `a "b`, "[x]", "{x: y}",
		"a: b", "a #b", "tail:", "žluť", "- x", "*a", "&a", "!a", "%a", "@a", "`a`", "|", ">", "~", "null", "0x1f", "1_0", "a\\b", "🦊",
		"a]b", "a}b", "", "-5", "a  b", "a\nb", "# x", "x,", "?", "a?b", "=", "<<",
	}
	return words[g.Intn(len(words))]
}

// text is a whole manifest.
func (g *generator) text() string {
	g.seq, g.deep = g.Intn(5), 1+g.Intn(4)
	head := []string{"", "---\n", "# comment\n", "%YAML 1.1\n---\n", "--- # first\n"}[g.Intn(5)]
	pod := g.pod()
	if g.Intn(12) == 0 {
		return "---\n" + g.flow(pod, 0, g.Intn(3) == 0) + "\n"
	}
	return head + g.block(pod, 0) + []string{"", "", "...\n", "---\n", "# end\n", "\n\n"}[g.Intn(6)]
}

// block writes a mapping or a list whose lines are indented by ind.
func (g *generator) block(v any, ind int) string {
	var b strings.Builder
	pad := strings.Repeat(" ", ind)
	switch v := v.(type) {
	case pairs:
		for _, p := range v {
			key := p.key
			if g.Intn(8) == 0 {
				key = []string{`"` + key + `"`, "'" + key + "'"}[g.Intn(2)]
			}
			b.WriteString(g.noise(ind) + pad + key + ":" + g.value(p.value, ind))
		}
	case []any:
		for _, item := range v {
			b.WriteString(g.noise(ind) + pad + g.item(item, ind))
		}
	}
	return b.String()
}

// item is a list item behind its indentation.
func (g *generator) item(v any, ind int) string {
	m, ok := v.(pairs)
	if !ok || g.Intn(6) == 0 && len(m) > 0 {
		if !ok || g.Intn(2) == 0 {
			return "-" + g.value(v, ind)
		}
		return "- " + g.flow(v, ind, g.Intn(3) == 0) + g.end()
	}
	if g.Intn(6) == 0 {
		return "-" + g.end() + g.block(v, ind+2+g.Intn(2))
	}
	wide := 1 + g.Intn(2)*g.Intn(3)
	lines := g.block(v, ind+1+wide)
	for first := strings.TrimLeft(lines, " \n"); strings.HasPrefix(first, "#"); first = strings.TrimLeft(lines, " \n") {
		_, lines, _ = strings.Cut(first, "\n")
	}
	return "-" + strings.Repeat(" ", wide) + strings.TrimLeft(lines, " \n")
}

// value is what stands behind "key:" or "-", which are indented by ind.
func (g *generator) value(v any, ind int) string {
	anchor := ""
	if g.Intn(20) == 0 {
		anchor = fmt.Sprintf(" &c%d", g.Intn(1000))
	}
	switch v := v.(type) {
	case nil:
		return []string{"", " null", " ~"}[g.Intn(3)] + g.end()
	case string:
		return g.scalar(v, ind)
	case pairs:
		if len(v) > 0 && g.Intn(6) > 0 {
			return anchor + g.end() + g.block(v, ind+g.deep)
		}
	case []any:
		if len(v) > 0 && g.Intn(4) > 0 {
			return anchor + g.end() + g.block(v, ind+g.seq)
		}
	}
	return anchor + " " + g.flow(v, ind, g.Intn(2) == 0) + g.end()
}

// end is the end of a line.
func (g *generator) end() string {
	return []string{"", "", "", "", "   ", "  # a comment", " # it's [x] {", "\t# tab"}[g.Intn(8)] + "\n"
}

// noise is a blank line or a comment above a line that is indented by ind.
func (g *generator) noise(ind int) string {
	switch g.Intn(16) {
	case 0:
		return "\n"
	case 1:
		return strings.Repeat(" ", g.Intn(ind+4)) + "# - note: [x\n"
	case 2:
		return strings.Repeat(" ", ind) + "# --flag=x\n"
	}
	return ""
}

// scalar is a string behind "key:" or "-".
func (g *generator) scalar(s string, ind int) string {
	inner := "\n" + strings.Repeat(" ", ind+1+g.Intn(3))
	switch g.Intn(12) {
	case 0:
		if s != "" && !strings.Contains(s, "\n") {
			return " " + []string{">-", "|-"}[g.Intn(2)] + inner + s + "\n"
		}
	case 1:
		return inner + g.inline(s, false) + g.end()
	case 2:
		return " !!str " + g.inline(s, false) + g.end()
	case 3:
		return fmt.Sprintf(" &a%d ", g.Intn(1000)) + g.inline(s, false) + g.end()
	case 4:
		if a, b, ok := strings.Cut(s, " "); ok && a != "" && b != "" && b[0] != ' ' {
			return ` "` + escape(a) + inner + escape(b) + `"` + g.end()
		}
	}
	return " " + g.inline(s, false) + g.end()
}

var (
	isPlain = regexp.MustCompile(`^(--)?[A-Za-z/][A-Za-z0-9/._=-]*$`)
	// roughPlain is all that may stand plain in block style.
	roughPlain = regexp.MustCompile(`^(--)?[A-Za-z/][^\n#]*[^\n#: ]$`)
	typed      = map[string]bool{"true": true, "no": true, "null": true, "y": true}
)

// inline is a string on one line.
func (g *generator) inline(s string, flow bool) string {
	plain := isPlain
	if !flow {
		plain = roughPlain
	}
	switch g.Intn(4) {
	case 0:
		if !strings.Contains(s, "\n") {
			return "'" + strings.ReplaceAll(s, "'", "''") + "'"
		}
	case 1, 2:
		if plain.MatchString(s) && !typed[s] && !strings.Contains(s, ": ") {
			return s
		}
	}
	return `"` + escape(s) + `"`
}

func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s)
}

// flow writes a value in flow style, on several lines if wide.
func (g *generator) flow(v any, ind int, wide bool) string {
	var entries []string
	brackets := "[]"
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return fmt.Sprint(v)
	case string:
		return g.inline(v, true)
	case []any:
		for _, item := range v {
			entries = append(entries, g.flow(item, ind+1, false))
		}
	case pairs:
		brackets = "{}"
		for _, p := range v {
			key := []string{p.key + ": ", p.key + ": ", `"` + p.key + `":`, "'" + p.key + "' : "}[g.Intn(4)]
			entries = append(entries, key+g.flow(p.value, ind+1, wide && g.Intn(2) == 0))
		}
	}
	gap := func() string {
		if !wide || g.Intn(4) == 0 {
			return strings.Repeat(" ", g.Intn(2))
		}
		comment := ""
		if g.Intn(4) == 0 {
			comment = " # c, [it's]" + strings.Repeat(" ", g.Intn(3))
		}
		return comment + "\n" + strings.Repeat(" ", ind+g.Intn(4))
	}
	var b strings.Builder
	b.WriteString(brackets[:1] + gap())
	for i, e := range entries {
		b.WriteString(e)
		if g.Intn(4) == 0 {
			b.WriteString(gap())
		}
		if i+1 < len(entries) || g.Intn(4) == 0 {
			b.WriteString("," + gap())
		}
	}
	return b.String() + gap() + brackets[1:]
}
