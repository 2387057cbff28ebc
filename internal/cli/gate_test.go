package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

// TestFault gives a panic an exit status that does not claim that nothing changed.
func TestFault(t *testing.T) {
	g := &gate{}
	exit, err := g.supervise(context.Background(), func() int { panic("no such thing") })
	var f *fault
	if exit != exitNotRestored || !errors.As(err, &f) || err.Error() != "a fault of this program: no such thing" {
		t.Fatalf("exit status %d, %v", exit, err)
	}
	var out, said bytes.Buffer
	p := &program{Streams: Streams{Out: &out, Err: &said}, json: true, gate: g}
	if exit = p.cutShort(err, exit, false); exit != exitNotRestored {
		t.Errorf("exit status %d", exit)
	}
	var got failure
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || got.Status != 4 || !got.Changed || got.Error != f.Error() {
		t.Errorf("%s: %v", out.String(), err)
	}
	for _, want := range []string{"TestFault", "\nauditpatch: error: a fault of this program: no such thing\n", "\nauditpatch: hint: auditpatch status; and if a run died half way: auditpatch recover\n"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("no %q in\n%s", want, said.String())
		}
	}
	out.Reset()
	if exit := p.cutShort(f, exitNotRestored, true); exit != 1 || !strings.Contains(out.String(), `"rc": 4`) || !strings.Contains(out.String(), `"failed": true`) {
		t.Errorf("a task: exit status %d, %s", exit, out.String())
	}
}

// TestInterrupted ends what computes at once, and leaves a change to itself.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	never := make(chan int)
	g := &gate{}
	exit, err := g.supervise(ctx, func() int { cancel(); return <-never })
	if exit != exitRefused || err != errInterrupted || err.Error() != "interrupted; nothing was changed" {
		t.Errorf("exit status %d, %v", exit, err)
	}
	if err := g.enter(); err != errInterrupted {
		t.Errorf("a change begins after the interruption: %v", err)
	}

	ctx, cancel = context.WithCancel(context.Background())
	g = &gate{}
	exit, err = g.supervise(ctx, func() int {
		if err := g.enter(); err != nil {
			t.Error(err)
		}
		cancel()
		<-ctx.Done()
		return exitRolledBack
	})
	if exit != exitRolledBack || err != nil {
		t.Errorf("a change: exit status %d, %v", exit, err)
	}

	ctx, cancel = context.WithCancel(context.Background())
	g = &gate{}
	exit, err = g.supervise(ctx, func() int {
		if err := g.enter(); err != nil {
			t.Error(err)
		}
		cancel()
		g.leave()
		return <-never
	})
	if exit != exitRefused || err != errInterrupted {
		t.Errorf("after a change that was none: exit status %d, %v", exit, err)
	}
}

// TestEmptyValues gives every flag of every command that takes a value an empty
// one: a new flag is in.
func TestEmptyValues(t *testing.T) {
	tried := 0
	for _, c := range leaves("auditpatch", (&program{}).app().Commands) {
		for _, f := range c.manFlags() {
			if f.placeholder == "" || f.category == auditCategory {
				continue
			}
			name := strings.Split(f.names, ",")[0]
			for _, value := range []string{"", " \t"} {
				tried++
				var out, said bytes.Buffer
				exit := Main(context.Background(), append(strings.Fields(c.path), name+"="+value), Streams{In: strings.NewReader(""), Out: &out, Err: &said}, "test")
				if exit != exitRefused || !strings.Contains(said.String(), "hint: ") || out.Len() > 0 ||
					!strings.Contains(said.String(), "the value is empty") && !strings.Contains(said.String(), "invalid value") {
					t.Errorf("%s %s=%q: exit status %d\n%s%s", c.path, name, value, exit, said.String(), out.String())
				}
			}
		}
	}
	t.Logf("%d values", tried)
	if tried < 100 {
		t.Errorf("only %d values", tried)
	}
}

// TestEmptyArguments is the same for tasks of Ansible; null leaves an argument out.
func TestEmptyArguments(t *testing.T) {
	for _, args := range []string{`{"root":""}`, `{"root":" "}`, `{"state":"restored","to":""}`, `{"settings":{"root":""}}`, `{"preset":"pod-deletions","namespace":[""],"root":"/nowhere"}`, `{"timeout":""}`, `{"timeout":"-5s"}`} {
		var out, said bytes.Buffer
		p := &program{Streams: Streams{In: strings.NewReader(""), Out: &out, Err: &said}, gate: &gate{}}
		exit := p.runTask(context.Background(), []byte(args))
		var a answer
		if err := json.Unmarshal(out.Bytes(), &a); err != nil || exit != 1 || a.RC != exitRefused ||
			!strings.Contains(a.Msg, "the value is empty") && !strings.Contains(a.Msg, "not a duration") && !strings.Contains(a.Msg, "longer than none") {
			t.Errorf("%s: exit status %d, %v\n%s", args, exit, err, out.String())
		}
	}
}
