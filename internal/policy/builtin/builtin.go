// Package builtin has the resources that kube-apiserver serves itself: All has the facts,
// Find one of them.
package builtin

import (
	"strings"
	"sync"
)

// Resource is a resource that kube-apiserver serves itself.
type Resource struct {
	Group        string // "" is the core group
	Name         string // plural, as in URLs and policies
	Kind         string
	Short        []string // short names, in lower case
	Namespaced   bool
	Subresources []string
}

// text has a line for each resource: the group (- is the core group), the name, the
// kind, its short names, N or C for namespaced or cluster-scoped, and its subresources.
// It is what "kubectl api-resources" and the discovery of Kubernetes 1.24 to 1.37 show,
// in the order in which kubectl resolves a name: the core group first. Resources that
// come later are missing.
const text = `
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
resource.k8s.io deviceclasses DeviceClass - C -
resource.k8s.io resourceclaims ResourceClaim - N status
resource.k8s.io resourceclaimtemplates ResourceClaimTemplate - N -
resource.k8s.io resourceslices ResourceSlice - C -
scheduling.k8s.io priorityclasses PriorityClass pc C -
storage.k8s.io csidrivers CSIDriver - C -
storage.k8s.io csinodes CSINode - C -
storage.k8s.io csistoragecapacities CSIStorageCapacity - N -
storage.k8s.io storageclasses StorageClass sc C -
storage.k8s.io volumeattachments VolumeAttachment - C status
storage.k8s.io volumeattributesclasses VolumeAttributesClass vac C -
`

// All are the resources, not to be changed.
var All = sync.OnceValue(func() (all []Resource) {
	list := func(field string) []string {
		if field == "-" {
			return nil
		}
		return strings.Split(field, ",")
	}
	for line := range strings.Lines(strings.TrimSpace(text)) {
		f := strings.Fields(line)
		all = append(all, Resource{Group: strings.TrimPrefix(f[0], "-"), Name: f[1], Kind: f[2], Short: list(f[3]), Namespaced: f[4] == "N", Subresources: list(f[5])})
	}
	return all
})

// key is how a resource is found.
type key struct{ group, name string }

var found = sync.OnceValue(func() map[key]*Resource {
	out := map[key]*Resource{}
	for i, r := range All() {
		out[key{r.Group, r.Name}] = &All()[i]
	}
	return out
})

// Find is the resource of a group with a name, nil for others.
func Find(group, name string) *Resource { return found()[key{group, name}] }

var byScope = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{}
	for _, r := range All() {
		out[r.Name] = out[r.Name] || r.Namespaced
	}
	return out
})

// ClusterScoped tells whether resources of this name, in whichever group, have no
// namespace.
func ClusterScoped(name string) bool {
	namespaced, known := byScope()[name]
	return known && !namespaced
}

var groups = sync.OnceValue(func() map[string]bool {
	out := map[string]bool{}
	for _, r := range All() {
		out[r.Group] = true
	}
	return out
})

// HasGroup tells whether kube-apiserver serves a group itself, so that nobody else can
// add resources to it.
func HasGroup(group string) bool { return groups()[group] }

// Singular is what kubectl takes beside the plural.
func (r Resource) Singular() string {
	return strings.ToLower(r.Kind)
}
