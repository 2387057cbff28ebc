package patch

import (
	"fmt"

	"auditpatch/manifest"
)

// Interim is the planned manifest with one more annotation. Written first, and
// followed by the planned manifest itself when the old Pod is completely gone,
// it gives the Pod another identity: the kubelet then starts it at once. The
// manifest alone would wait 10 to 15 s more, since a static Pod that could not
// start next to its predecessor is tried again only after a back-off
// (pkg/kubelet/pod_workers.go, workerBackOffPeriod). change is different for each
// change, so that no leftover of an earlier one makes them the same.
func (p *Plan) Interim(change string) ([]byte, error) {
	text, ok := p.Text(p.Manifest)
	if !ok {
		return nil, fmt.Errorf("the plan does not write %s", p.Manifest)
	}
	m, err := manifest.Parse(p.Manifest, text)
	if err != nil {
		return nil, err
	}
	return m.Apply(manifest.SetAnnotation{Key: RestartAnnotation, Value: change})
}

// WithoutInterim takes the passing annotation out of a manifest that someone
// else has made of an interim one. had tells whether it was there.
func WithoutInterim(name string, text []byte) (out []byte, had bool, err error) {
	m, err := manifest.Parse(name, text)
	if err != nil {
		return nil, false, err
	}
	if _, had = m.Pod().Annotations[RestartAnnotation]; !had {
		return text, false, nil
	}
	out, err = m.Apply(manifest.DropAnnotation{Key: RestartAnnotation})
	return out, true, err
}

// Read is what the text of a manifest configures.
func Read(name string, text []byte) (Settings, error) {
	m, err := manifest.Parse(name, text)
	if err != nil {
		return Settings{}, err
	}
	return Inspect(m), nil
}
