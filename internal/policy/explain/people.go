package explain

import (
	"slices"
	"strings"
)

// people remembers who was read in events: the text of a user is most often one that
// was there before.
type people struct {
	known      map[string]*homonyms // by the beginning of their texts
	identities map[string]*identity
}

// identity is a user with groups, as policies know it.
type identity struct {
	user   string
	groups []string // not to be changed
}

// person is the text of an identity, with what else events have about it.
type person struct {
	text string
	*identity
}

// homonyms have the same name. A service account has one for each of its tokens.
type homonyms struct {
	list [mostHomonyms]person
	next int // to be replaced
}

const (
	mostHomonyms = 4
	// mostPeople are known, none with a text longer than longText; there are about as
	// many as Pods and people.
	mostPeople = 1000
	// nameFirst begins users as kube-apiserver writes them.
	nameFirst = `{"username":"`
)

func newPeople() people {
	return people{known: map[string]*homonyms{}, identities: map[string]*identity{}}
}

// find is the person whose text begins a text, nil for nobody that is known. As it is a
// whole object, no other can begin so.
func (p people) find(text string) *person {
	h := p.known[nameIn(text)]
	if h == nil {
		return nil
	}
	for i := range h.list {
		if known := &h.list[i]; known.text != "" && strings.HasPrefix(text, known.text) {
			return known
		}
	}
	return nil
}

// nameIn is the name in the text of a user as it stands there, "" when it is not first.
func nameIn(text string) string {
	rest, ok := strings.CutPrefix(text, nameFirst)
	if !ok {
		return ""
	}
	return rest[:max(0, strings.IndexByte(rest, '"'))]
}

// add remembers the text of a user, which has a name and groups. It is nil where there
// are too many.
func (p people) add(text, user string, groups []string) *identity {
	name := nameIn(text)
	if name == "" || len(text) > longText {
		return nil
	}
	h := p.known[name]
	if h == nil && len(p.known) == mostPeople {
		return nil
	}
	who := p.identity(user, groups)
	if who == nil {
		return nil
	}
	text = strings.Clone(text)
	if h == nil {
		h = &homonyms{}
		p.known[nameIn(text)] = h
	}
	h.list[h.next] = person{text, who}
	h.next = (h.next + 1) % mostHomonyms
	return who
}

// identity is the one of a user with groups, the same each time.
func (p people) identity(user string, groups []string) *identity {
	key := user + "\x00" + strings.Join(groups, "\x00")
	known, ok := p.identities[key]
	switch {
	case ok && known.user == user && slices.Equal(known.groups, groups):
		return known
	case ok, len(p.identities) == mostPeople:
		return nil // ok: a name has the separator in it
	}
	own := &identity{user: strings.Clone(user), groups: make([]string, len(groups))}
	for i, g := range groups {
		own.groups[i] = strings.Clone(g)
	}
	p.identities[key] = own
	return own
}
