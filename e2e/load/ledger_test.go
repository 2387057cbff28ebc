package load

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLedger tells the ledger what happened to one object and asks what it must be like.
func TestLedger(t *testing.T) {
	const name = "object-00000"
	type did struct {
		dice  int // for choose
		class Class
		code  int
		body  string
	}
	created := did{0, Acknowledged, 201, content(name, 1)}
	updated := did{0, Acknowledged, 200, content(name, 2)}
	for _, test := range []struct {
		name  string
		did   []did
		found map[string]string
		want  []string
	}{
		{"nothing done", nil, nil, nil},
		{"created", []did{created}, map[string]string{name: name + "/1."}, nil},
		{"a creation lost", []did{created}, nil,
			[]string{name + " was acknowledged to be at change 1 and is not there"}},
		{"an update lost", []did{created, updated}, map[string]string{name: name + "/1."},
			[]string{name + ` was acknowledged to be at change 2 and is there with content "object-00000/1."`}},
		{"a deletion lost", []did{created, {40, Acknowledged, 200, ""}}, map[string]string{name: name + "/1."},
			[]string{name + ` was acknowledged to be gone and is there with content "object-00000/1."`}},
		{"a creation refused", []did{{0, Refused, 0, ""}}, nil, nil},
		{"a refused creation took place", []did{{0, Refused, 0, ""}}, map[string]string{name: name + "/1."},
			[]string{name + ` was acknowledged to be gone and is there with content "object-00000/1."`}},
		{"a cut creation did not take place", []did{{0, Cut, 0, ""}}, nil, nil},
		{"a cut creation took place", []did{{0, Cut, 0, ""}}, map[string]string{name: name + "/1."}, nil},
		{"a cut update did not take place", []did{created, {0, TimedOut, 0, ""}}, map[string]string{name: name + "/1."}, nil},
		{"a cut update took place", []did{created, {0, TimedOut, 0, ""}}, map[string]string{name: name + "/2."}, nil},
		{"a cut update does not delete", []did{created, {0, Broken, 504, ""}}, nil,
			[]string{name + " was acknowledged to be at change 1 and is not there"}},
		{"a read finds nothing", []did{created, {99, Acknowledged, 404, ""}}, map[string]string{name: name + "/1."},
			[]string{"get of " + name + ", which is at change 1, was answered 404, want 200"}},
		{"a read finds what was before", []did{created, updated, {99, Acknowledged, 200, content(name, 1)}}, map[string]string{name: name + "/2."},
			[]string{"get of " + name + ` was answered with other content than "object-00000/2.": object-00000/1.`}},
		{"a cut read leaves no doubt", []did{created, {99, Cut, 0, ""}, updated}, map[string]string{name: name + "/2."}, nil},
		{"conflicts change nothing", []did{created, {50, Acknowledged, 409, ""}}, map[string]string{name: name + "/1."}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newLedger(1)
			for _, d := range test.did {
				o := g.take()
				g.finish(o, choose(o.now, d.dice), Request{Class: d.class, Code: d.code}, []byte(d.body))
			}
			if diff := cmp.Diff(test.want, g.lost(test.found)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestLedgerGivesUpDoubtfulObjects wants an object to be left alone once its state is not
// known, and another to take its place.
func TestLedgerGivesUpDoubtfulObjects(t *testing.T) {
	g := newLedger(1)
	first := g.take()
	if g.take() != nil {
		t.Fatal("an object was given out twice")
	}
	g.finish(first, choose(first.now, 0), Request{Class: Cut}, nil)
	if second := g.take(); second == nil || second == first {
		t.Fatalf("after a doubt about %v it gives out %v", first, second)
	}
}
