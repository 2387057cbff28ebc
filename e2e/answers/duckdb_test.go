//go:build e2e

package answers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/internal/standin/auditevents"
)

// auditpatch runs the binary that make build has made.
func auditpatch(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(module("auditpatch"), args...)
	var out, bad bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &bad
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, bad.Bytes())
	}
	return out.Bytes()
}

// duckDB asks a real DuckDB.
func duckDB(t *testing.T, format string, a ...any) [][]any {
	t.Helper()
	folder := os.Getenv("E2E_DUCKDB")
	if folder == "" {
		t.Fatal("E2E_DUCKDB is not set: run the tests with make e2e-answers")
	}
	cmd := exec.Command("node", filepath.Join(folder, "duckdb.mjs"), fmt.Sprintf(format, a...))
	var bad bytes.Buffer
	cmd.Stderr = &bad
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", cmd.Args[2], err, bad.Bytes())
	}
	var rows [][]any
	if err := json.Unmarshal(out, &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// TestDuckDB puts what -o flat prints into DuckDB, and the log itself beside it. To the same
// question both have the same answer as auditpatch.
func TestDuckDB(t *testing.T) {
	dir := t.TempDir()
	log, flat := filepath.Join(dir, "audit.log"), filepath.Join(dir, "flat.jsonl")
	incident, err := os.ReadFile(module(incidentLog))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(log, append(incident, auditevents.New(7).Log(40e6)...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(flat, auditpatch(t, "events", "--all-stages", "--log", log, "-o", "flat"), 0o600); err != nil {
		t.Fatal(err)
	}
	raw := fmt.Sprintf("read_ndjson_objects('%s', maximum_object_size=16777216)", log)
	for key, column := range map[string]struct{ flat, raw string }{
		"user":      {`"user"`, "json->>'$.user.username'"},
		"verb":      {"verb", "json->>'$.verb'"},
		"namespace": {"namespace", "json->>'$.objectRef.namespace'"},
		"code":      {"code::VARCHAR", "json->>'$.responseStatus.code'"},
		"stage":     {"stage", "json->>'$.stage'"},
		"source-ip": {"source_ip", "json->>'$.sourceIPs[#-1]'"},
		"decision":  {"decision", "json->>'$.annotations.\"authorization.k8s.io/decision\"'"},
	} {
		var own struct {
			Top []struct {
				Values []struct {
					Value         string
					Events, Bytes int64
				}
			}
		}
		if err := json.Unmarshal(auditpatch(t, "events", "--all-stages", "--log", log, "--top", key, "--limit", "100000", "-o", "json"), &own); err != nil {
			t.Fatal(err)
		}
		counts := map[string][2]string{}
		for _, v := range own.Top[0].Values {
			counts[v.Value] = [2]string{fmt.Sprint(v.Events), fmt.Sprint(v.Bytes)}
		}
		if len(counts) < 2 {
			t.Errorf("%s: only %v", key, counts)
		}
		const ask = "SELECT coalesce(k, ''), count(*), sum(b)::BIGINT FROM (SELECT %s AS k, %s AS b FROM %s) GROUP BY 1"
		for name, rows := range map[string][][]any{
			"-o flat": duckDB(t, ask, column.flat, "bytes", "read_json('"+flat+"')"),
			"the log": duckDB(t, ask, column.raw, "strlen(json)", raw),
		} {
			got := map[string][2]string{}
			for _, r := range rows {
				got[fmt.Sprint(r[0])] = [2]string{fmt.Sprint(r[1]), fmt.Sprint(r[2])}
			}
			if diff := cmp.Diff(counts, got); diff != "" {
				t.Errorf("%s by %s (-auditpatch +DuckDB):\n%.2000s", name, key, diff)
			}
		}
		t.Logf("--top %s: %d values, the same in DuckDB from -o flat and from the log", key, len(counts))
	}
	failures(t, log, flat)
}

// failures asks for failed writes by the hour.
func failures(t *testing.T, log, flat string) {
	t.Helper()
	var own struct {
		Timeline struct {
			Bars []struct {
				From   string
				Events int64
			}
		}
	}
	if err := json.Unmarshal(auditpatch(t, "events", "--all-stages", "--log", log, "--failed", "--writes", "--timeline", "--every", "1m", "-o", "json"), &own); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, b := range own.Timeline.Bars {
		if b.Events > 0 {
			want[b.From[:16]] = fmt.Sprint(b.Events)
		}
	}
	got := map[string]string{}
	for _, r := range duckDB(t, `SELECT strftime(time::TIMESTAMP, '%%Y-%%m-%%dT%%H:%%M'), count(*) FROM read_json('%s') WHERE code >= 400
		AND verb IN ('create', 'update', 'patch', 'delete', 'deletecollection') GROUP BY 1`, flat) {
		got[fmt.Sprint(r[0])] = fmt.Sprint(r[1])
	}
	if diff := cmp.Diff(want, got); diff != "" || len(want) < 3 {
		t.Errorf("failed writes by the minute, %d bars (-auditpatch +DuckDB):\n%s", len(want), diff)
	}
	t.Logf("failed writes: %d minutes, the same in DuckDB", len(want))
}
