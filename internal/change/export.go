package change

import (
	"auditpatch/internal/policy/verdict"
	"auditpatch/manifest"
	"auditpatch/patch"
	"auditpatch/presets"
)

// Export is the manifest that Enable with these settings would make of another one,
// or, without that, of one as kubeadm writes it. adjust may change what was worked
// out of the settings; nil changes nothing.
func Export(s Settings, from *Input, adjust func(*patch.Options) error) (*manifest.File, patch.Options, []patch.Problem, error) {
	none := patch.Options{}
	state, err := exportState(from)
	if err != nil {
		return nil, none, nil, err
	}
	opts, warnings, err := s.options(state)
	if err != nil {
		return nil, none, nil, err
	}
	if opts.Policy == nil && patch.Inspect(state.Parsed).Policy == nil {
		if opts.Policy, _, err = Preset(presets.Default, nil, patch.Inspect(state.Parsed).Version); err != nil {
			return nil, none, nil, err
		}
	}
	if adjust != nil {
		if err := adjust(&opts); err != nil {
			return nil, none, nil, err
		}
	}
	plan, err := patch.Enable(state, opts)
	if err != nil {
		return nil, none, nil, err
	}
	m, err := plan.Settled()
	return m, opts, verdict.Add(append(plan.Warnings, warnings...), Judgeable(plan.After)), err
}

// exportState is the manifest that an export begins with.
func exportState(from *Input) (s patch.State, err error) {
	s = patch.State{Manifest: patch.StandIn("/etc/kubernetes/manifests/kube-apiserver.yaml"), Offline: true}
	if from != nil {
		s.Manifest = patch.File{Path: from.Name, Exists: true, Data: from.Data}
	}
	s.Parsed, err = manifest.Parse(s.Manifest.Path, s.Manifest.Data)
	return s, err
}
