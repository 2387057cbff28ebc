//go:build e2e

package policies

import (
	"encoding/base64"
	"net/http"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"

	"auditpatch/e2e/apiserver"
)

const (
	asJSON      = "application/json"
	asYAML      = "application/yaml"
	asProtobuf  = "application/vnd.kubernetes.protobuf"
	asTable     = "application/json;as=Table;v=v1;g=meta.k8s.io"
	mergePatch  = "application/merge-patch+json"
	strategic   = "application/strategic-merge-patch+json"
	jsonPatch   = "application/json-patch+json"
	applyPatch  = "application/apply-patch+yaml"
	lastApplied = "kubectl.kubernetes.io/last-applied-configuration"
)

// Why a log has nothing of a canary even at RequestResponse.
const (
	noBodies = "a watch has no bodies in the log"
	notRead  = "the body is refused before it is an object"
	inHeader = "headers are not logged"
)

// kind is a kind of object with a field for a secret.
type kind struct {
	name       string
	collection string // path
	version    string
	kind       string
	field      func(value string) object // the fields that hold the value, as in a manifest
	pointer    string                    // JSON pointer to the value
	decoded    func(value string) string // what stands there for a value
	message    func(meta metav1.ObjectMeta, value string) runtime.Object
	custom     bool // no protobuf and no strategic merge patch
}

func same(value string) string { return value }

// kinds are what secrets are kept in.
func kinds() []kind {
	data := func(value string) object { return object{"data": object{"key": value}} }
	configMap := kind{
		name: "configmaps", collection: "/api/v1/namespaces/prod/configmaps", version: "v1", kind: "ConfigMap",
		field: data, pointer: "/data/key", decoded: same,
		message: func(meta metav1.ObjectMeta, value string) runtime.Object {
			return &corev1.ConfigMap{ObjectMeta: meta, Data: map[string]string{"key": value}}
		},
	}
	system := configMap
	system.name, system.collection = "configmaps of kube-system", "/api/v1/namespaces/kube-system/configmaps"
	return []kind{
		{
			name: "secrets", collection: "/api/v1/namespaces/prod/secrets", version: "v1", kind: "Secret",
			field:   func(value string) object { return object{"stringData": object{"key": value}} },
			pointer: "/data/key", decoded: encoded,
			message: func(meta metav1.ObjectMeta, value string) runtime.Object {
				return &corev1.Secret{ObjectMeta: meta, Data: map[string][]byte{"key": []byte(value)}}
			},
		},
		configMap, system,
		{
			name: "vaults", collection: vaults, version: "canary.example.com/v1", kind: "Vault", custom: true,
			field:   func(value string) object { return object{"spec": object{"password": value}} },
			pointer: "/spec/password", decoded: same,
		},
	}
}

// encoded is the value as a Secret's data has it.
func encoded(value string) string { return base64.StdEncoding.EncodeToString([]byte(value)) }

// manifest is an object of the kind.
func (k kind) manifest(name, value string) object {
	o := k.field(value)
	o["apiVersion"], o["kind"], o["metadata"] = k.version, k.kind, object{"name": name, "labels": object{"canary": name}}
	return o
}

// protobuf is the same as clients written in Go send it.
func (k kind) protobuf(r *trial, name, value string) []byte {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		r.Fatal(err)
	}
	o := k.message(metav1.ObjectMeta{Name: name, Labels: map[string]string{"canary": name}}, value)
	o.GetObjectKind().SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind(k.kind))
	text, err := runtime.Encode(protobuf.NewSerializer(scheme, scheme), o)
	if err != nil {
		r.Fatal(err)
	}
	return text
}

// objects does all that can be done to an object of each kind.
func (r *trial) objects() {
	for _, k := range kinds() {
		o := objectTrial{trial: r, kind: k}
		o.creates()
		o.reads()
		o.watches()
		o.updates()
		o.patches()
		o.applies()
		o.deletes()
		o.refusals()
	}
}

// objectTrial is a trial with one kind of object.
type objectTrial struct {
	*trial
	kind
}

// path is that of one object.
func (o objectTrial) path(name string) string { return o.collection + "/" + name }

// send writes a value of its own, and names its canary after the operation.
func (o objectTrial) send(operation string, want int, method, target, media string, body func(value string) []byte) {
	o.Helper()
	name := o.name + " " + operation
	value := o.secret(name)
	o.do(name, want, name, "", request(method, target, body(value), "Content-Type", media, "Accept", asJSON))
}

// json is a body that has the object in full.
func (o objectTrial) json(name string) func(string) []byte {
	return func(value string) []byte { return o.manifest(name, value).bytes() }
}

// patch is a body that has the field alone.
func (o objectTrial) patch(value string) []byte { return o.field(value).bytes() }

// stored creates an object for operations that carry what is stored already, and returns
// the canary's name.
func (o objectTrial) stored(name string, more ...func(object)) string {
	o.Helper()
	canary := o.kind.name + " stored as " + name
	body := o.manifest(name, o.secret(canary))
	for _, change := range more {
		change(body)
	}
	o.do(o.kind.name+" create", http.StatusCreated, canary, "", request(http.MethodPost, o.collection, body.bytes(), "Content-Type", asJSON))
	return canary
}

func (o objectTrial) creates() {
	post := func(operation, query, media string, body func(string) []byte) {
		o.Helper()
		o.send("create: "+operation, http.StatusCreated, http.MethodPost, o.collection+query, media, body)
	}
	post("JSON", "?fieldManager=kubectl-create&fieldValidation=Strict", asJSON, o.json("a1"))
	post("YAML", "", asYAML, o.json("a2")) // JSON is YAML
	if !o.custom {
		post("protobuf", "", asProtobuf, func(value string) []byte { return o.protobuf(o.trial, "a3", value) })
	}
	post("dry run", "?dryRun=All&fieldValidation=Strict", asJSON, o.json("a4"))
	post("generated name", "?fieldValidation=Warn", asJSON, func(value string) []byte {
		m := o.manifest("a5", value)
		m["metadata"] = object{"generateName": "a5-", "labels": object{"canary": "a5"}}
		return m.bytes()
	})
	post("unknown field", "?fieldValidation=Warn", asJSON, func(value string) []byte {
		m := o.manifest("a6", value)
		m["unknown"] = "field"
		return m.bytes()
	})
}

func (o objectTrial) reads() {
	canary := o.stored("read")
	read := func(operation, target, accept string) {
		o.Helper()
		o.do(o.name+" "+operation, http.StatusOK, canary, "", get(target, "Accept", accept))
	}
	selected := "?fieldSelector=metadata.name%3Dread"
	all := strings.Replace(o.collection, "/namespaces/prod", "", 1)
	all = strings.Replace(all, "/namespaces/kube-system", "", 1)
	read("get: JSON", o.path("read"), asJSON)
	read("get: YAML", o.path("read"), asYAML)
	read("get: table", o.path("read")+"?includeObject=Object", asTable)
	read("list: JSON", o.collection, asJSON)
	read("list: table", o.collection+"?includeObject=Object", asTable)
	read("list: by name", o.collection+selected, asJSON)
	read("list: all namespaces", all+selected, asJSON)
	read("list: pages", o.collection+selected+"&limit=500", asJSON)
	if !o.custom {
		read("get: protobuf", o.path("read"), asProtobuf)
		read("list: protobuf", o.collection, asProtobuf)
	}
}

func (o objectTrial) watches() {
	canary := o.stored("watched")
	form := o.decoded(o.canaries[canary].value)
	if o.kind.kind == "Secret" {
		form = `"key":"`
	}
	watch := func(operation, target, accept string) {
		o.Helper()
		q := get(target, "Accept", accept)
		q.Until = form
		o.do(o.name+" "+operation, http.StatusOK, canary, noBodies, q)
	}
	selected := "?fieldSelector=metadata.name%3Dwatched&timeoutSeconds=30"
	watch("watch: JSON", o.collection+selected+"&watch=true", asJSON)
	watch("watch: table", o.collection+selected+"&watch=1&includeObject=Object", asTable)
	// Some minor releases have this switched off, and refuse it.
	first := o.collection + selected + "&watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
	q := get(first)
	q.Hold = true
	if answer, err := o.client.Do(q); err != nil || answer.Status != http.StatusUnprocessableEntity {
		watch("watch: list first", first, asJSON)
	}
	if !o.custom {
		old := strings.Replace(o.path("watched"), "/api/v1/", "/api/v1/watch/", 1)
		watch("watch: old path", old+"?timeoutSeconds=30", asJSON)
	}
}

func (o objectTrial) updates() {
	o.stored("updated")
	put := func(operation, query string) {
		o.Helper()
		o.send("update: "+operation, http.StatusOK, http.MethodPut, o.path("updated")+query, asJSON, func(value string) []byte {
			m := o.manifest("updated", value)
			if o.custom { // its version must be named
				m["metadata"].(object)["resourceVersion"] = o.resourceVersion("updated")
			}
			return m.bytes()
		})
	}
	put("JSON", "?fieldManager=canary")
	put("dry run", "?dryRun=All")
}

func (o objectTrial) patches() {
	o.stored("patched")
	patch := func(operation, query, media string, body func(string) []byte) {
		o.Helper()
		o.send("patch: "+operation, http.StatusOK, http.MethodPatch, o.path("patched")+query, media, body)
	}
	patch("merge", "?fieldManager=kubectl-patch", mergePatch, o.patch)
	if !o.custom {
		patch("strategic", "", strategic, o.patch)
	}
	replace := func(value string) []byte {
		return []byte("[" + string(object{"op": "replace", "path": o.pointer, "value": o.decoded(value)}.bytes()) + "]")
	}
	patch("JSON", "", jsonPatch, replace)
	patch("dry run", "?dryRun=All&fieldValidation=Strict", mergePatch, o.patch)
	patch("last applied", "?fieldManager=kubectl-client-side-apply", mergePatch, func(value string) []byte {
		applied := string(o.manifest("patched", value).bytes())
		return object{"metadata": object{"annotations": object{lastApplied: applied}}}.bytes()
	})
	canary := o.name + " patch: last applied"
	o.do(o.name+" get: last applied", http.StatusOK, canary, "", get(o.path("patched"), "Accept", asJSON))
	o.do(o.name+" get: metadata alone", http.StatusOK, canary, "",
		get(o.path("patched"), "Accept", "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"))
}

func (o objectTrial) applies() {
	apply := func(operation string, want int, query string) {
		o.Helper()
		o.send("apply: "+operation, want, http.MethodPatch, o.path("applied-by-server")+query, applyPatch, o.json("applied-by-server"))
	}
	apply("create", http.StatusCreated, "?fieldManager=first")
	apply("update", http.StatusOK, "?fieldManager=first&force=true")
	apply("conflict", http.StatusConflict, "?fieldManager=second")
	apply("force", http.StatusOK, "?fieldManager=second&force=true")
	apply("dry run", http.StatusOK, "?fieldManager=second&force=true&dryRun=All")
}

func (o objectTrial) deletes() {
	o.stored("deleted")
	options := object{"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
	o.do(o.name+" delete", http.StatusOK, "", "", request(http.MethodDelete, o.path("deleted"), options.bytes(), "Content-Type", asJSON))
	// With a finalizer the answer is the object that waits for it.
	canary := o.stored("held", func(m object) { m["metadata"].(object)["finalizers"] = []string{"canary.example.com/hold"} })
	o.do(o.name+" delete: finalizer", http.StatusOK, canary, "", request(http.MethodDelete, o.path("held"), nil))
	o.do(o.name+" patch: finalizer", http.StatusOK, canary, "",
		request(http.MethodPatch, o.path("held"), []byte(`{"metadata":{"finalizers":null}}`), "Content-Type", mergePatch))
	canary = o.stored("collected")
	o.do(o.name+" deletecollection: dry run", http.StatusOK, canary, "",
		request(http.MethodDelete, o.collection+"?dryRun=All&labelSelector=canary%3Dcollected", nil))
	o.do(o.name+" deletecollection", http.StatusOK, canary, "",
		request(http.MethodDelete, o.collection+"?labelSelector=canary%3Dcollected", options.bytes(), "Content-Type", asJSON))
	o.do(o.name+" deletecollection: rest", http.StatusOK, "", "", request(http.MethodDelete, o.collection+"?labelSelector=canary", nil))
}

// refusals carry canaries in requests that are refused at different points.
func (o objectTrial) refusals() {
	o.stored("kept")
	refused := func(operation string, want int, unseen string, q apiserver.Request, body func(value string) []byte) {
		o.Helper()
		name := o.name + " refused: " + operation
		q.Body = body(o.secret(name))
		o.do(name, want, name, unseen, q)
	}
	post := request(http.MethodPost, o.collection, nil, "Content-Type", asJSON)
	refused("it exists", http.StatusConflict, "", post, o.json("kept"))
	refused("bad name", http.StatusUnprocessableEntity, "", post, o.json("Bad_Name"))
	refused("broken JSON", http.StatusBadRequest, notRead, post, func(value string) []byte {
		return append(o.manifest("b1", value).bytes(), "}}"...)
	})
	broken := request(http.MethodPost, o.collection, nil, "Content-Type", asYAML)
	refused("broken YAML", http.StatusBadRequest, notRead, broken, func(value string) []byte {
		return append([]byte("a: [\n"), o.manifest("b2", value).bytes()...)
	})
	strict := request(http.MethodPost, o.collection+"?fieldValidation=Strict", nil, "Content-Type", asJSON)
	refused("unknown field", http.StatusBadRequest, notRead, strict, func(value string) []byte {
		m := o.manifest("b3", value)
		m["unknown"] = object{"deep": value}
		return m.bytes()
	})
	other := request(http.MethodPost, o.collection, nil, "Content-Type", "text/plain")
	refused("media type", http.StatusUnsupportedMediaType, notRead, other, o.json("b4"))
	missing := request(http.MethodPatch, o.path("missing"), nil, "Content-Type", mergePatch)
	refused("patch of what is not there", http.StatusNotFound, "", missing, o.patch)
	post.As = bob
	refused("forbidden", http.StatusForbidden, notRead, post, o.json("b5"))
	post.As = apiserver.User{Token: "no-such-token"}
	refused("unauthorized", http.StatusUnauthorized, notRead, post, o.json("b6"))
	o.do(o.name+" delete", http.StatusOK, "", "", request(http.MethodDelete, o.path("kept"), nil))
	if !o.custom {
		o.quoted()
	} else {
		value := o.secret(refusedValue)
		m := o.manifest("b7", value)
		m["spec"] = object{"code": value}
		o.do(o.name+" refused: by its schema", http.StatusUnprocessableEntity, refusedValue, "",
			request(http.MethodPost, o.collection, m.bytes(), "Content-Type", asJSON))
	}
}

// quoted has an object quoted by the answer to a patch after which it would not be valid.
func (o objectTrial) quoted() {
	canary := o.name + quotedObject
	body := o.manifest("quoted", o.secret(canary)).bytes()
	o.do(o.name+" create", http.StatusCreated, canary, "", request(http.MethodPost, o.collection, body, "Content-Type", asJSON))
	number := object{"data": object{"number": 1}}.bytes()
	o.do(o.name+" refused: patch with a number", http.StatusUnprocessableEntity, canary, "",
		request(http.MethodPatch, o.path("quoted"), number, "Content-Type", mergePatch))
	o.do(o.name+" delete", http.StatusOK, "", "", request(http.MethodDelete, o.path("quoted"), nil))
}
