package patch

import (
	"slices"
	"strings"

	"auditpatch/internal/hint"
	"auditpatch/manifest"
)

// kubeadmAPI is a version of kubeadm's API, and which releases of kubeadm read it.
type kubeadmAPI struct {
	name  string
	since Version
	until Version // the first release that refuses it; zero: none yet
}

// kubeadmAPIs has those that can be written, the newest first. The releases were read in
// k8s.io/kubernetes cmd/kubeadm/app/util/config/common.go (validateSupportedVersion).
// 1.37 also has v1, which it reads only with --allow-experimental-api.
var kubeadmAPIs = []kubeadmAPI{
	{name: "v1beta4", since: Version{Major: 1, Minor: 31}},
	{name: "v1beta3", since: Version{Major: 1, Minor: 22}, until: Version{Major: 1, Minor: 37}},
}

// KubeadmAPIs returns the versions of kubeadm's API that can be exported and that the kubeadm
// of a release reads, the newest first. An unknown release is taken to read all of them.
func KubeadmAPIs(v Version) (names []string) {
	for _, api := range kubeadmAPIs {
		ended := api.until != (Version{}) && v.AtLeast(api.until)
		if !v.Before(api.since) && !ended {
			names = append(names, api.name)
		}
	}
	return names
}

// chooseKubeadmAPI returns the version of kubeadm's API for a manifest: the one that is
// asked for, or else the newest that the kubeadm of the manifest's release reads.
func chooseKubeadmAPI(m *manifest.File, asked string) (string, error) {
	release, all := Inspect(m).Version, KubeadmAPIs(Version{})
	readable := KubeadmAPIs(release)
	switch {
	case asked != "" && !slices.Contains(all, asked):
		slices.Sort(all)
		return "", refuse(hint.Flag("api-version", kubeadmAPIs[0].name), "--api-version %q: it must be %s", asked, strings.Join(all, " or "))
	case len(readable) == 0:
		return "", refuse(hint.Command("export kubeadm-patches"), "kubeadm %s, the release of the manifest's image, reads neither %s", release, strings.Join(all, " nor "))
	case asked == "":
		return readable[0], nil
	case !slices.Contains(readable, asked):
		return "", refuse(hint.Flag("api-version", readable[0]), "kubeadm %s, the release of the manifest's image, does not read %s", release, asked)
	}
	return asked, nil
}
