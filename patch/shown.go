package patch

import (
	"bytes"
	"errors"
	"io"
	"path"
	"slices"
	"strings"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/kustomize/kyaml/yaml"
	sigsyaml "sigs.k8s.io/yaml"

	"auditpatch/manifest"
)

// shows tells whether what a change does to a file's text may be printed: only
// where both texts are known to hold no credentials. What is not known is not
// shown, so that a webhook's config stays hidden wherever it is, whether or not
// it is still configured, and when it is damaged.
func (p *Plan) shows(c Change, s State) bool {
	if c.Kind != WriteFile && c.Kind != RemoveFile {
		return false
	}
	for _, secret := range slices.Concat(p.WebhookConfigs(), s.WebhookConfigs, []string{DefaultWebhookPath}) {
		if at := path.Clean(secret); at == path.Clean(c.Path) || at == c.Old.Real {
			return false
		}
	}
	harmless := IsPolicy
	if c.Path == p.Manifest {
		harmless = isPod
	}
	return (!c.Old.Exists || harmless(c.Old.Data)) && (c.Kind == RemoveFile || harmless(c.Data))
}

// WebhookConfigs are the paths of the webhook's config on the node, before and
// after.
func (p *Plan) WebhookConfigs() []string {
	var out []string
	for _, l := range []*Location{p.Before.Webhook, p.After.Webhook} {
		if l.Covered() && !slices.Contains(out, path.Clean(l.Host)) {
			out = append(out, path.Clean(l.Host))
		}
	}
	return out
}

// isPod tells whether a text is a static Pod. It is the user's own manifest, with
// whatever is in its flags and environment.
func isPod(text []byte) bool {
	_, _, ok := manifest.PodName(text)
	return ok
}

// IsPolicy tells whether a text is an audit policy and nothing else: no field
// that a policy does not have, and no second document. Its comments are not
// looked at. An empty text is as harmless.
func IsPolicy(text []byte) (is bool) {
	// The YAML parsers are made for files that their owner wrote.
	defer func() {
		if recover() != nil {
			is = false
		}
	}()
	var documents []yaml.Node
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var n yaml.Node
		err := d.Decode(&n)
		if errors.Is(err, io.EOF) {
			break
		}
		if documents = append(documents, n); err != nil || len(documents) > 1 {
			return false
		}
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return true
	}
	var policy auditv1.Policy
	err := sigsyaml.UnmarshalStrict(text, &policy)
	return err == nil && policy.Kind == "Policy" && strings.HasPrefix(policy.APIVersion, "audit.k8s.io/")
}
