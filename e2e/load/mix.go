package load

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
)

// step is a request about one object, and what it comes to when it is done.
type step struct {
	verb  string
	code  int   // of its acknowledgement
	after state // of the object
}

func (s step) writes() bool { return s.verb != "get" }

// The share of requests that are about no object of the ledger, in percent.
const (
	listShare   = 5
	secretShare = 5
)

// slowOneIn is how many writes there are to a slow one, where slow ones are asked for.
const slowOneIn = 50

// choose picks a step for an object in a state: of 100 requests about objects some 45 are
// reads. A few are meant to be answered 404 or 409.
func choose(now state, dice int) step {
	next := state{exists: true, change: now.change + 1}
	if !now.exists {
		switch {
		case dice < 85:
			return step{"create", http.StatusCreated, next}
		case dice < 90:
			return step{"delete", http.StatusNotFound, now}
		}
		return step{"get", http.StatusNotFound, now}
	}
	switch {
	case dice < 20:
		return step{"update", http.StatusOK, next}
	case dice < 35:
		return step{"patch", http.StatusOK, next}
	case dice < 50:
		// The number of changes goes on, or a lost deletion would not show.
		return step{"delete", http.StatusOK, state{change: now.change}}
	case dice < 53:
		return step{"create", http.StatusConflict, now}
	}
	return step{"get", http.StatusOK, now}
}

// one makes a request of the mix over a lane.
func (l *Load) one(lane *lane) Request {
	// Requests under way when the load stops are answered, not given up.
	ctx := context.Background()
	switch dice := rand.IntN(100); {
	case dice < listShare:
		r, _ := lane.do(ctx, call{verb: "list", method: http.MethodGet, path: l.path("configmaps", "") + "?limit=10"})
		return r
	case dice < listShare+secretShare:
		r, _ := lane.do(ctx, call{verb: "get", method: http.MethodGet, path: l.path("secrets", secretName)})
		return r
	}
	o := l.ledger.take()
	if o == nil { // so many requests hang that they have all objects
		r, _ := lane.do(ctx, call{verb: "get", method: http.MethodGet, path: l.path("secrets", secretName)})
		return r
	}
	s := choose(o.now, rand.IntN(100))
	c := l.call(o, s)
	if l.options.Slow > 0 && c.body != "" && rand.IntN(slowOneIn) == 0 {
		c.pause = l.options.Slow
	}
	r, body := lane.do(ctx, c)
	l.ledger.finish(o, s, r, body)
	return r
}

// call is the request of a step.
func (l *Load) call(o *object, s step) call {
	c := call{verb: s.verb, path: l.path("configmaps", o.name)}
	data := map[string]string{"content": content(o.name, s.after.change)}
	switch s.verb {
	case "get":
		c.method = http.MethodGet
	case "delete":
		c.method = http.MethodDelete
	case "create":
		c.method, c.path = http.MethodPost, l.path("configmaps", "")
		c.contentType, c.body = "application/json", configMap(o.name, data)
	case "update":
		c.method = http.MethodPut
		c.contentType, c.body = "application/json", configMap(o.name, data)
	case "patch":
		c.method = http.MethodPatch
		c.contentType, c.body = "application/merge-patch+json", marshal(map[string]any{"data": data})
	}
	return c
}

// Label is on all objects of a load but its namespace.
const Label = "load"

const secretName = "load"

// prepare makes the namespace as every load finds it: with a Secret to read, and without
// what an earlier load left.
func (l *Load) prepare(ctx context.Context) error {
	secret := marshal(map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": labelled(secretName),
		"stringData": map[string]string{"key": "value"},
	})
	namespace := marshal(map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": l.options.Namespace},
	})
	for _, c := range []call{
		{method: http.MethodPost, path: "/api/v1/namespaces", body: namespace, contentType: "application/json"},
		{method: http.MethodPost, path: l.path("secrets", ""), body: secret, contentType: "application/json"},
		{method: http.MethodDelete, path: l.path("configmaps", "") + "?labelSelector=" + Label},
	} {
		if _, err := l.lanes[0].ask(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// Lost says which acknowledged writes are not in the API server, after Stop.
func (l *Load) Lost(ctx context.Context) ([]string, error) {
	found := map[string]string{}
	for next := ""; ; {
		path := l.path("configmaps", "") + "?limit=500&labelSelector=" + Label + "&continue=" + url.QueryEscape(next)
		body, err := l.lanes[0].ask(ctx, call{method: http.MethodGet, path: path})
		if err != nil {
			return nil, fmt.Errorf("list the load's objects: %w", err)
		}
		var list configMapList
		if err := json.Unmarshal(body, &list); err != nil {
			return nil, fmt.Errorf("list the load's objects: %w", err)
		}
		for _, item := range list.Items {
			found[item.Metadata.Name] = item.Data["content"]
		}
		if next = list.Metadata.Continue; next == "" {
			return l.ledger.lost(found), nil
		}
	}
}

// configMapList is what is read of a list.
type configMapList struct {
	Metadata struct{ Continue string }
	Items    []struct {
		Metadata struct{ Name string }
		Data     map[string]string
	}
}

func (l *Load) path(resource, name string) string {
	path := "/api/v1/namespaces/" + l.options.Namespace + "/" + resource
	if name != "" {
		path += "/" + name
	}
	return path
}

func configMap(name string, data map[string]string) string {
	return marshal(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": labelled(name),
		"data":     data,
	})
}

func labelled(name string) map[string]any {
	return map[string]any{"name": name, "labels": map[string]string{Label: ""}}
}

// marshal is for what is made of strings and maps here, which cannot fail.
func marshal(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}
