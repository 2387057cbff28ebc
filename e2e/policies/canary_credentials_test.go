//go:build e2e

package policies

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"auditpatch/e2e/apiserver"
)

// field reads a value out of a JSON answer.
func (r *trial) text(answer apiserver.Answer, path ...string) string {
	r.Helper()
	var value any
	if err := json.Unmarshal(answer.Body, &value); err != nil {
		r.Fatalf("%v: %.300s", err, answer.Body)
	}
	for _, name := range path {
		m, _ := value.(map[string]any)
		value = m[name]
	}
	text, ok := value.(string)
	if !ok {
		r.Fatalf("no %s in %.300s", strings.Join(path, "."), answer.Body)
	}
	return text
}

// resourceVersion asks for an object's, not as an operation of the trial.
func (o objectTrial) resourceVersion(name string) string {
	o.Helper()
	answer, err := o.client.Do(get(o.path(name)))
	if err != nil {
		o.Fatal(err)
	}
	return o.text(answer, "metadata", "resourceVersion")
}

// post creates an object that has the canary.
func (r *trial) post(name, target string, want int, canary string, body object) apiserver.Answer {
	r.Helper()
	return r.do(name, want, canary, "", request(http.MethodPost, target, body.bytes(), "Content-Type", asJSON))
}

// credentials asks for tokens, has them reviewed and logs in with them.
func (r *trial) credentials() {
	const account = "/api/v1/namespaces/prod/serviceaccounts/builder"
	const reviews = "/apis/authentication.k8s.io/v1/tokenreviews"
	token := func(seconds int) string {
		name := fmt.Sprintf("service account token of %d seconds", seconds)
		ask := object{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": object{"expirationSeconds": seconds}}
		// The token is known only from the answer, so the request goes first without a name for it.
		answer := r.post("serviceaccounts/token create", account+"/token", http.StatusCreated, "", ask)
		token := r.text(answer, "status", "token")
		r.known(name, token[strings.LastIndex(token, ".")+1:]) // the signature
		r.sent[len(r.sent)-1].canary = name
		return token
	}
	used := token(3600)

	review := func(token string) object {
		return object{"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": object{"token": token}}
	}
	r.post("tokenreviews create: good token", reviews, http.StatusCreated, "service account token of 7200 seconds", review(token(7200)))
	r.post("tokenreviews create: other token", reviews, http.StatusCreated, "reviewed token", review(r.plain("reviewed token")))
	r.post("tokenreviews create: dry run", reviews+"?dryRun=All", http.StatusCreated, "dry reviewed token", review(r.plain("dry reviewed token")))
	bearer := get("/api/v1/namespaces/prod/configmaps")
	bearer.As = apiserver.User{Name: "system:serviceaccount:prod:builder", Token: used}
	r.do("service account token used", http.StatusForbidden, "service account token of 3600 seconds", inHeader, bearer)
	bearer.As = apiserver.User{Token: r.plain("wrong bearer token")}
	r.do("wrong bearer token used", http.StatusUnauthorized, "wrong bearer token", inHeader, bearer)
	basic := get("/api/v1/namespaces/prod/configmaps")
	basic.As = apiserver.User{}
	basic.Header["Authorization"] = "Basic " + base64.StdEncoding.EncodeToString([]byte("bob:"+r.plain("basic password")))
	r.do("basic password used", http.StatusForbidden, "basic password", inHeader, basic)
	r.bootstrapToken()
	r.accountSecret()
}

// bootstrapToken makes one as kubeadm token create does, joins with it and reads it.
func (r *trial) bootstrapToken() {
	const secrets = "/api/v1/namespaces/kube-system/secrets"
	id, secret := r.plain("bootstrap token id")[:6], r.plain("bootstrap token")[:16]
	delete(r.canaries, "bootstrap token id") // it is public
	delete(r.canaries, "bootstrap token")
	r.known("bootstrap token", secret)
	name := "bootstrap-token-" + id
	body := object{"apiVersion": "v1", "kind": "Secret", "metadata": object{"name": name}, "type": "bootstrap.kubernetes.io/token",
		"stringData": object{"token-id": id, "token-secret": secret, "usage-bootstrap-authentication": "true", "usage-bootstrap-signing": "true"}}
	r.post("bootstrap token create", secrets, http.StatusCreated, "bootstrap token", body)
	r.do("bootstrap token get", http.StatusOK, "bootstrap token", "", get(secrets+"/"+name))
	r.do("bootstrap token list", http.StatusOK, "bootstrap token", "", get(secrets))
	join := get("/api/v1/namespaces/kube-public/configmaps/cluster-info")
	join.As = apiserver.User{Name: "system:bootstrap:" + id, Groups: []string{"system:bootstrappers"}, Token: id + "." + secret}
	for range 100 { // kube-apiserver learns of it by a watch
		if answer, err := r.client.Do(join); err != nil || answer.Status != http.StatusUnauthorized {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	r.do("bootstrap token used", http.StatusForbidden, "bootstrap token", inHeader, join)
	r.do("bootstrap token patch", http.StatusOK, "bootstrap token", "",
		request(http.MethodPatch, secrets+"/"+name, []byte(`{"stringData":{"usage-bootstrap-signing":"false"}}`), "Content-Type", mergePatch))
	r.do("bootstrap token delete", http.StatusOK, "", "", request(http.MethodDelete, secrets+"/"+name, nil))
}

// accountSecret is a service account's token of the old kind, in a Secret.
func (r *trial) accountSecret() {
	const secrets = "/api/v1/namespaces/prod/secrets"
	body := object{"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
		"metadata":   object{"name": "builder-token", "annotations": object{"kubernetes.io/service-account.name": "builder"}},
		"stringData": object{"token": r.plain("token in a secret")}}
	r.post("token in a secret create", secrets, http.StatusCreated, "token in a secret", body)
	r.do("token in a secret get", http.StatusOK, "token in a secret", "", get(secrets+"/builder-token"))
	r.do("token in a secret delete", http.StatusOK, "", "", request(http.MethodDelete, secrets+"/builder-token", nil))
}

// certificates asks for a certificate, approves it, signs it and throws it away.
func (r *trial) certificates() {
	const requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		r.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: r.plain("certificate request")}}, key)
	if err != nil {
		r.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
	r.asPEM("certificate request", text)
	body := object{"apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": object{"name": "canary"},
		"spec": object{"request": text, "signerName": "example.com/canary", "usages": []string{"client auth"}}}
	const row = "certificatesigningrequests "
	const wants = "certificate request"
	r.post(row+"create: dry run", requests+"?dryRun=All", http.StatusCreated, wants, body)
	r.post(row+"create", requests, http.StatusCreated, wants, body)
	r.do(row+"get", http.StatusOK, wants, "", get(requests+"/canary"))
	r.do(row+"list", http.StatusOK, wants, "", get(requests))
	watch := get(requests + "?watch=true&timeoutSeconds=30")
	watch.Until = base64.StdEncoding.EncodeToString(text)[:200]
	r.do(row+"watch", http.StatusOK, wants, noBodies, watch)
	approved := object{"status": object{"conditions": []object{{"type": "Approved", "status": "True", "reason": "canary", "message": "canary"}}}}
	r.do(row+"patch: approval", http.StatusOK, wants, "",
		request(http.MethodPatch, requests+"/canary/approval", approved.bytes(), "Content-Type", mergePatch))
	issued := r.issue(key)
	r.do(row+"patch: status", http.StatusOK, "certificate", "",
		request(http.MethodPatch, requests+"/canary/status", object{"status": object{"certificate": issued}}.bytes(), "Content-Type", mergePatch))
	r.do(row+"patch: annotation", http.StatusOK, wants, "",
		request(http.MethodPatch, requests+"/canary", []byte(`{"metadata":{"annotations":{"a":"b"}}}`), "Content-Type", mergePatch))
	r.do(row+"deletecollection", http.StatusOK, "certificate", "", request(http.MethodDelete, requests, nil))
}

// issue signs a certificate with its own key, which is enough for the API.
func (r *trial) issue(key *ecdsa.PrivateKey) []byte {
	subject := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: r.plain("certificate")}}
	der, err := x509.CreateCertificate(rand.Reader, subject, subject, key.Public(), key)
	if err != nil {
		r.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	r.asPEM("certificate", text)
	return text
}

// asPEM adds lines of a PEM text to the forms of a canary that stands in it: base64 in
// base64 is cut by the line ends of the inner one.
func (r *trial) asPEM(name string, text []byte) {
	c := r.canaries[name]
	lines := strings.Split(string(text), "\n")
	for _, line := range lines[1 : len(lines)-2] {
		if len(line) == 64 {
			c.forms = append(c.forms, formsOf(line)...)
		}
	}
	r.canaries[name] = c
}
