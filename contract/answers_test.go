package contract

import (
	"fmt"
	"strings"
	"testing"

	"auditpatch/contract/page"
	"auditpatch/internal/answer/column"
	"auditpatch/internal/answer/count"
	"auditpatch/internal/auditlog/filter"
)

// TestAnswersTables compares the tables of docs/answers.md with what the program has.
func TestAnswersTables(t *testing.T) {
	var found *page.Page
	for _, p := range pages(t) {
		if strings.HasSuffix(p.Path, "docs/answers.md") {
			found = &p
		}
	}
	if found == nil {
		t.Fatal("there is no docs/answers.md")
	}
	compareTables(t, *found, map[string]string{"filters": filterTable(), "columns": columnTable(), "keys": keyTable()})
}

func filterTable() string {
	var b strings.Builder
	b.WriteString("| flag | |\n|---|---|\n")
	for _, f := range filter.Flags() {
		value, usage := "", f.Usage
		if parts := strings.Split(f.Usage, "`"); len(parts) == 3 {
			value, usage = " "+parts[1], strings.Join(parts, "")
		}
		if len(f.Known) > 0 {
			usage += ": " + strings.Join(f.Known, ", ")
		}
		fmt.Fprintf(&b, "| `--%s%s` | %s |\n", f.Name, value, strings.ReplaceAll(usage, "*", "\\*"))
	}
	return b.String()
}

func columnTable() string {
	var b strings.Builder
	b.WriteString("| column | type | |\n|---|---|---|\n")
	for _, c := range column.All() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.Name, map[bool]string{true: "number", false: "text"}[c.Number], c.Means)
	}
	return b.String()
}

func keyTable() string {
	var b strings.Builder
	b.WriteString("| key | |\n|---|---|\n")
	for _, k := range count.Keys() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", k.Name, k.Means)
	}
	return b.String()
}
