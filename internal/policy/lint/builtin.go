package lint

import (
	"slices"
	"strings"
	"sync"

	"github.com/xrash/smetrics"

	"auditpatch/internal/spelling"
)

// kindOfResource is a resource that kube-apiserver serves itself.
type kindOfResource struct {
	group, name  string
	aliases      []string // kind, singular and short names, in lower case: no request has them
	cluster      bool     // without a namespace
	subresources []string
}

// builtinText has a line for each resource: the group (- is the core group), the
// name, the kind, its short names, N or C for namespaced or cluster-scoped, and
// its subresources. It is what "kubectl api-resources" and the discovery of
// Kubernetes 1.24 to 1.37 show. Resources that come later are missing without
// harm: a name is called wrong only when a known one is nearly the same.
const builtinText = `
- bindings Binding - N -
- componentstatuses ComponentStatus cs C -
- configmaps ConfigMap cm N -
- endpoints Endpoints ep N -
- events Event ev N -
- limitranges LimitRange limits N -
- namespaces Namespace ns C finalize,status
- nodes Node no C proxy,status
- persistentvolumeclaims PersistentVolumeClaim pvc N status
- persistentvolumes PersistentVolume pv C status
- pods Pod po N attach,binding,ephemeralcontainers,eviction,exec,log,portforward,proxy,resize,status
- podtemplates PodTemplate - N -
- replicationcontrollers ReplicationController rc N scale,status
- resourcequotas ResourceQuota quota N status
- secrets Secret - N -
- serviceaccounts ServiceAccount sa N token
- services Service svc N proxy,status
admissionregistration.k8s.io mutatingadmissionpolicies MutatingAdmissionPolicy - C -
admissionregistration.k8s.io mutatingadmissionpolicybindings MutatingAdmissionPolicyBinding - C -
admissionregistration.k8s.io mutatingwebhookconfigurations MutatingWebhookConfiguration - C -
admissionregistration.k8s.io validatingadmissionpolicies ValidatingAdmissionPolicy - C status
admissionregistration.k8s.io validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding - C -
admissionregistration.k8s.io validatingwebhookconfigurations ValidatingWebhookConfiguration - C -
apiextensions.k8s.io customresourcedefinitions CustomResourceDefinition crd,crds C status
apiregistration.k8s.io apiservices APIService - C status
apps controllerrevisions ControllerRevision - N -
apps daemonsets DaemonSet ds N status
apps deployments Deployment deploy N scale,status
apps replicasets ReplicaSet rs N scale,status
apps statefulsets StatefulSet sts N scale,status
authentication.k8s.io selfsubjectreviews SelfSubjectReview - C -
authentication.k8s.io tokenreviews TokenReview - C -
authorization.k8s.io localsubjectaccessreviews LocalSubjectAccessReview - N -
authorization.k8s.io selfsubjectaccessreviews SelfSubjectAccessReview - C -
authorization.k8s.io selfsubjectrulesreviews SelfSubjectRulesReview - C -
authorization.k8s.io subjectaccessreviews SubjectAccessReview - C -
autoscaling horizontalpodautoscalers HorizontalPodAutoscaler hpa N status
batch cronjobs CronJob cj N status
batch jobs Job - N status
certificates.k8s.io certificatesigningrequests CertificateSigningRequest csr C approval,status
certificates.k8s.io clustertrustbundles ClusterTrustBundle - C -
coordination.k8s.io leases Lease - N -
discovery.k8s.io endpointslices EndpointSlice - N -
events.k8s.io events Event ev N -
flowcontrol.apiserver.k8s.io flowschemas FlowSchema - C status
flowcontrol.apiserver.k8s.io prioritylevelconfigurations PriorityLevelConfiguration - C status
networking.k8s.io ingressclasses IngressClass - C -
networking.k8s.io ingresses Ingress ing N status
networking.k8s.io ipaddresses IPAddress ip C -
networking.k8s.io networkpolicies NetworkPolicy netpol N -
networking.k8s.io servicecidrs ServiceCIDR - C status
node.k8s.io runtimeclasses RuntimeClass - C -
policy poddisruptionbudgets PodDisruptionBudget pdb N status
rbac.authorization.k8s.io clusterrolebindings ClusterRoleBinding - C -
rbac.authorization.k8s.io clusterroles ClusterRole - C -
rbac.authorization.k8s.io rolebindings RoleBinding - N -
rbac.authorization.k8s.io roles Role - N -
scheduling.k8s.io priorityclasses PriorityClass pc C -
storage.k8s.io csidrivers CSIDriver - C -
storage.k8s.io csinodes CSINode - C -
storage.k8s.io csistoragecapacities CSIStorageCapacity - N -
storage.k8s.io storageclasses StorageClass sc C -
storage.k8s.io volumeattachments VolumeAttachment - C status
`

// goneGroups are API groups that no supported kube-apiserver serves, with the
// release that dropped them and where their resources are now.
var goneGroups = map[string]string{
	"extensions":               "gone since Kubernetes 1.22; its resources are in apps, networking.k8s.io and policy",
	"auditregistration.k8s.io": "gone since Kubernetes 1.19",
	"settings.k8s.io":          "gone since Kubernetes 1.20",
}

// builtin is the table, parsed when it is first needed.
var builtin = sync.OnceValue(func() (all []kindOfResource) {
	for line := range strings.Lines(strings.TrimSpace(builtinText)) {
		f := strings.Fields(line)
		k := kindOfResource{group: either(f[0] == "-", "", f[0]), name: f[1], cluster: f[4] == "C"}
		k.aliases = append(k.aliases, strings.ToLower(f[2]))
		if f[3] != "-" {
			k.aliases = append(k.aliases, strings.Split(f[3], ",")...)
		}
		if f[5] != "-" {
			k.subresources = strings.Split(f[5], ",")
		}
		all = append(all, k)
	}
	return all
})

func either[T any](is bool, a, b T) T {
	if is {
		return a
	}
	return b
}

// known is a built-in resource of a group; nil for others. It takes any group for
// "*".
func known(group, name string) *kindOfResource {
	for i, k := range builtin() {
		if (k.group == group || group == "*") && k.name == name {
			return &builtin()[i]
		}
	}
	return nil
}

func isNamespaced(group, name string) bool {
	k := known(group, name)
	return k != nil && !k.cluster
}

// groupsOf are the groups that have a resource of this name.
func groupsOf(name string) (groups []string) {
	for _, k := range builtin() {
		if k.name == name {
			groups = append(groups, k.group)
		}
	}
	return groups
}

// isBuiltinGroup reports whether kube-apiserver serves the group itself, so that
// nobody else can add resources to it.
func isBuiltinGroup(group string) bool {
	return slices.ContainsFunc(builtin(), func(k kindOfResource) bool { return k.group == group })
}

// aliased is the resource in the group with a kind, singular or short name; nil
// when there is none.
func aliased(group, name string) *kindOfResource {
	for i, k := range builtin() {
		if (k.group == group || group == "*") && k.name != name && (k.name == strings.ToLower(name) || slices.Contains(k.aliases, strings.ToLower(name))) {
			return &builtin()[i]
		}
	}
	return nil
}

// misspelt is the resource in the group that was probably meant; "" for no idea.
func misspelt(group, name string) string {
	var names []string
	for _, k := range builtin() {
		if k.group == group {
			names = append(names, k.name)
		}
	}
	return nearly(name, names)
}

// nearly is the name that differs in a letter or two, or two swapped ones, and
// begins as the word does; "" for none. More may be something that is newer than
// the table.
func nearly(word string, names []string) string {
	near := spelling.Nearest(word, names)
	if slices.Contains(names, word) || near == "" || word == "" || near[0] != word[0] || smetrics.WagnerFischer(spelling.Plain(word), near, 1, 1, 1) > 2 {
		return ""
	}
	return near
}

// allSubresources are those of any resource.
var allSubresources = sync.OnceValue(func() (all []string) {
	for _, k := range builtin() {
		for _, sub := range k.subresources {
			if !slices.Contains(all, sub) {
				all = append(all, sub)
			}
		}
	}
	return all
})

// otherGroups are those of well-known parts of a cluster that are nearly the names of
// Kubernetes' own.
var otherGroups = []string{"metrics.k8s.io", "resource.k8s.io", "autoscaling.k8s.io", "audit.k8s.io", "imagepolicy.k8s.io", "storagemigration.k8s.io"}

// meantGroup is the group of Kubernetes that was meant, where it is none; certain
// tells that it cannot be anybody else's, who has to have a dot in the name.
func meantGroup(group string) (meant string, certain bool) {
	var names []string
	for _, k := range builtin() {
		if k.group == "" {
			continue
		}
		switch {
		case !strings.Contains(group, ".") && strings.HasPrefix(k.group, group+"."):
			return k.group, true
		case group == k.group+".k8s.io" && !slices.Contains(otherGroups, group):
			return k.group, false
		}
		if strings.Contains(group, ".") == strings.Contains(k.group, ".") {
			names = append(names, k.group)
		}
	}
	if group == "core.k8s.io" || group == "core.api.k8s.io" {
		return `""`, false
	}
	if slices.Contains(otherGroups, group) {
		return "", false
	}
	near := nearly(group, names)
	return near, near != "" && !strings.Contains(group, ".")
}
