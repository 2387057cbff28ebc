package page

import "testing"

func TestSame(t *testing.T) {
	for _, tc := range []struct {
		name, want, got string
		same            bool
	}{
		{"equal", "a\nb\n", "a\nb\n", true},
		{"another word", "a\nb\n", "a\nc\n", false},
		{"a line more", "a\n", "a\nb\n", false},
		{"a line fewer", "a\nb\n", "a\n", false},
		{"dots for no line", "a\n...\nb\n", "a\nb\n", true},
		{"dots for two lines", "a\n...\nb\n", "a\nx\ny\nb\n", true},
		{"dots at the end", "a\n...\n", "a\nx\n", true},
		{"another time", "backup 2026-11-22T19:04:20Z\n", "backup  2026-11-23T19:04:20Z-2\n", true},
		{"another number of rules", "16 rules\n", "17 rules\n", false},
		{"seconds count", "took 1.0 s\n", "took 2.0 s\n", false},
	} {
		if got := Same(tc.want, tc.got); got != tc.same {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

func TestInOrder(t *testing.T) {
	const shown = "policy  new\n...\nrestart  old kube-apiserver drained and ended  1.7 s\nready  6.4 s\nproof  event bacc61dc found in the log  6.4 s\naudit logging is on\n"
	for _, tc := range []struct{ name, got, missing string }{
		{"as shown", shown, ""},
		{"slower", "policy new\nwaiting\nrestart  old kube-apiserver ended  9.7 s\nready  60.4 s\nwaiting\nproof  event 00000000 found in the log 61.0 s\naudit logging is on\n", ""},
		{"a line is missing", "policy  new\nrestart  old kube-apiserver ended  9.7 s\nproof  event bacc61dc found in the log  6.4 s\naudit logging is on\n", "ready #"},
		{"another order", "ready 6.4 s\npolicy new\nrestart  old kube-apiserver ended  9.7 s\nproof  event bacc61dc found in the log  6.4 s\naudit logging is on\n", "ready #"},
		{"another end", shown + "and more\n", "audit logging is on"},
	} {
		missing, ok := InOrder(shown, tc.got)
		if missing != tc.missing || ok != (tc.missing == "") {
			t.Errorf("%s: %q is missing, want %q", tc.name, missing, tc.missing)
		}
	}
}

func TestSteps(t *testing.T) {
	blocks := Blocks("text\n```console run\n$ one\n1\n$ two\n```\n\n```sh e2e=x y\nls\n```\n")
	if len(blocks) != 2 || blocks[0].Check != "run" || blocks[1].Check != "e2e=x y" || blocks[1].Text != "ls\n" {
		t.Fatalf("%+v", blocks)
	}
	steps := blocks[0].Steps()
	if len(steps) != 2 || steps[0] != (Step{"one", "1\n"}) || steps[1] != (Step{"two", ""}) {
		t.Errorf("%+v", steps)
	}
}
