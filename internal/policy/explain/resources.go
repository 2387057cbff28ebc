package explain

import (
	"slices"
	"strings"
)

// builtin is a resource that kube-apiserver serves itself.
type builtin struct {
	name       string // plural, as in URLs
	group      string
	kind       string
	short      string // short names, with blanks between
	namespaced bool
}

// builtins are the resources of Kubernetes 1.37 and older that people type, in the
// order in which kubectl resolves a name: the core group first. The names are those
// of kubectl api-resources.
var builtins = []builtin{
	{"bindings", "", "Binding", "", true},
	{"componentstatuses", "", "ComponentStatus", "cs", false},
	{"configmaps", "", "ConfigMap", "cm", true},
	{"endpoints", "", "Endpoints", "ep", true},
	{"events", "", "Event", "ev", true},
	{"limitranges", "", "LimitRange", "limits", true},
	{"namespaces", "", "Namespace", "ns", false},
	{"nodes", "", "Node", "no", false},
	{"persistentvolumeclaims", "", "PersistentVolumeClaim", "pvc", true},
	{"persistentvolumes", "", "PersistentVolume", "pv", false},
	{"pods", "", "Pod", "po", true},
	{"podtemplates", "", "PodTemplate", "", true},
	{"replicationcontrollers", "", "ReplicationController", "rc", true},
	{"resourcequotas", "", "ResourceQuota", "quota", true},
	{"secrets", "", "Secret", "", true},
	{"serviceaccounts", "", "ServiceAccount", "sa", true},
	{"services", "", "Service", "svc", true},
	{"mutatingadmissionpolicies", "admissionregistration.k8s.io", "MutatingAdmissionPolicy", "", false},
	{"mutatingadmissionpolicybindings", "admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding", "", false},
	{"mutatingwebhookconfigurations", "admissionregistration.k8s.io", "MutatingWebhookConfiguration", "", false},
	{"validatingadmissionpolicies", "admissionregistration.k8s.io", "ValidatingAdmissionPolicy", "", false},
	{"validatingadmissionpolicybindings", "admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding", "", false},
	{"validatingwebhookconfigurations", "admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "", false},
	{"customresourcedefinitions", "apiextensions.k8s.io", "CustomResourceDefinition", "crd crds", false},
	{"apiservices", "apiregistration.k8s.io", "APIService", "", false},
	{"controllerrevisions", "apps", "ControllerRevision", "", true},
	{"daemonsets", "apps", "DaemonSet", "ds", true},
	{"deployments", "apps", "Deployment", "deploy", true},
	{"replicasets", "apps", "ReplicaSet", "rs", true},
	{"statefulsets", "apps", "StatefulSet", "sts", true},
	{"selfsubjectreviews", "authentication.k8s.io", "SelfSubjectReview", "", false},
	{"tokenreviews", "authentication.k8s.io", "TokenReview", "", false},
	{"localsubjectaccessreviews", "authorization.k8s.io", "LocalSubjectAccessReview", "", true},
	{"selfsubjectaccessreviews", "authorization.k8s.io", "SelfSubjectAccessReview", "", false},
	{"selfsubjectrulesreviews", "authorization.k8s.io", "SelfSubjectRulesReview", "", false},
	{"subjectaccessreviews", "authorization.k8s.io", "SubjectAccessReview", "", false},
	{"horizontalpodautoscalers", "autoscaling", "HorizontalPodAutoscaler", "hpa", true},
	{"cronjobs", "batch", "CronJob", "cj", true},
	{"jobs", "batch", "Job", "", true},
	{"certificatesigningrequests", "certificates.k8s.io", "CertificateSigningRequest", "csr", false},
	{"clustertrustbundles", "certificates.k8s.io", "ClusterTrustBundle", "", false},
	{"leases", "coordination.k8s.io", "Lease", "", true},
	{"endpointslices", "discovery.k8s.io", "EndpointSlice", "", true},
	{"events", "events.k8s.io", "Event", "ev", true},
	{"flowschemas", "flowcontrol.apiserver.k8s.io", "FlowSchema", "", false},
	{"prioritylevelconfigurations", "flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", "", false},
	{"ingressclasses", "networking.k8s.io", "IngressClass", "", false},
	{"ingresses", "networking.k8s.io", "Ingress", "ing", true},
	{"ipaddresses", "networking.k8s.io", "IPAddress", "ip", false},
	{"networkpolicies", "networking.k8s.io", "NetworkPolicy", "netpol", true},
	{"servicecidrs", "networking.k8s.io", "ServiceCIDR", "", false},
	{"runtimeclasses", "node.k8s.io", "RuntimeClass", "", false},
	{"poddisruptionbudgets", "policy", "PodDisruptionBudget", "pdb", true},
	{"clusterrolebindings", "rbac.authorization.k8s.io", "ClusterRoleBinding", "", false},
	{"clusterroles", "rbac.authorization.k8s.io", "ClusterRole", "", false},
	{"rolebindings", "rbac.authorization.k8s.io", "RoleBinding", "", true},
	{"roles", "rbac.authorization.k8s.io", "Role", "", true},
	{"deviceclasses", "resource.k8s.io", "DeviceClass", "", false},
	{"resourceclaims", "resource.k8s.io", "ResourceClaim", "", true},
	{"resourceclaimtemplates", "resource.k8s.io", "ResourceClaimTemplate", "", true},
	{"resourceslices", "resource.k8s.io", "ResourceSlice", "", false},
	{"priorityclasses", "scheduling.k8s.io", "PriorityClass", "pc", false},
	{"csidrivers", "storage.k8s.io", "CSIDriver", "", false},
	{"csinodes", "storage.k8s.io", "CSINode", "", false},
	{"csistoragecapacities", "storage.k8s.io", "CSIStorageCapacity", "", true},
	{"storageclasses", "storage.k8s.io", "StorageClass", "sc", false},
	{"volumeattachments", "storage.k8s.io", "VolumeAttachment", "", false},
	{"volumeattributesclasses", "storage.k8s.io", "VolumeAttributesClass", "vac", false},
}

// subresources are those of built-in resources beside status, of Kubernetes 1.24 to 1.37.
var subresources = map[string]string{
	"pods":                       "attach binding ephemeralcontainers eviction exec log portforward proxy resize",
	"namespaces":                 "finalize",
	"nodes":                      "proxy",
	"services":                   "proxy",
	"serviceaccounts":            "token",
	"replicationcontrollers":     "scale",
	"deployments":                "scale",
	"replicasets":                "scale",
	"statefulsets":               "scale",
	"certificatesigningrequests": "approval",
}

// namespaced tells whether a resource lies in namespaces; one that is not built in is
// taken to.
func namespaced(group, resource string) bool {
	if group == metricsGroup {
		return resource != "nodes"
	}
	for _, b := range builtins {
		if b.name == resource && b.group == group {
			return b.namespaced
		}
	}
	return true
}

// metricsGroup is that of kubectl top, which most clusters have.
const metricsGroup = "metrics.k8s.io"

// builtinGroup tells whether kube-apiserver serves a group itself.
func builtinGroup(group string) bool {
	return slices.ContainsFunc(builtins, func(b builtin) bool { return b.group == group })
}

// resolve finds a built-in resource by any name that kubectl takes: plural, singular,
// kind and short name, whatever the case, with its group where that is given.
func resolve(name, group string, anyGroup bool) (builtin, bool) {
	lower := strings.ToLower(name)
	for _, b := range builtins {
		if !anyGroup && b.group != group {
			continue
		}
		if lower == b.name || lower == b.singular() || b.short != "" && containsWord(b.short, lower) {
			return b, true
		}
	}
	return builtin{}, false
}

func containsWord(words, word string) bool {
	for w := range strings.FieldsSeq(words) {
		if w == word {
			return true
		}
	}
	return false
}

// singular is what kubectl takes beside the plural.
func (b builtin) singular() string {
	return strings.ToLower(b.kind)
}
