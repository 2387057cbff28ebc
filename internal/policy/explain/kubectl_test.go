package explain

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/internal/hint"
)

func TestFromKubectl(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{
		"get secrets -A":                                      "list secrets in all namespaces",
		"get secret -n prod db":                               "get secrets db in namespace prod",
		"kubectl get po,deploy":                               "list pods in namespace default; list deployments.apps in namespace default",
		"get pod/web svc/x -n a":                              "get pods web in namespace a; get services x in namespace a",
		"get pods web api":                                    "get pods web in namespace default; get pods api in namespace default",
		"get Deployment.v1.apps web":                          "get deployments.apps web in namespace default",
		"get widgets.example.com -nprod":                      "list widgets.example.com in namespace prod",
		"get pods --field-selector metadata.name=web -A":      "list pods web in all namespaces",
		"get pods -w":                                         "list pods in namespace default; watch pods in namespace default",
		"get pods --watch-only -A":                            "watch pods in all namespaces",
		"get nodes -o wide":                                   "list nodes",
		"get ns prod":                                         "get namespaces prod",
		"get deploy web --subresource=scale":                  "get deployments.apps/scale web in namespace default",
		"get --raw '/healthz?verbose'":                        "get /healthz",
		"get --raw /api/v1/namespaces/prod/pods":              "list pods in namespace prod",
		"delete pod web --wait=false":                         "delete pods web in namespace default",
		"delete pod web":                                      "delete pods web in namespace default; get pods web in namespace default; watch pods web in namespace default",
		"delete pods --all --force":                           "list pods in namespace default; delete pods NAME in namespace default",
		"create secret generic db --from-literal=a=b -n prod": "create secrets in namespace prod",
		"create ns x":                                         "create namespaces",
		"create token builder -n ci":                          "create serviceaccounts/token builder in namespace ci",
		"create deployment web --image=nginx":                 "create deployments.apps in namespace default",
		"run web --image nginx -it --rm -- sh":                "create pods in namespace default",
		"exec -n prod web -- sh -c 'ls -A'":                   "get pods web in namespace prod; get pods/exec web in namespace prod; create pods/exec web in namespace prod",
		"exec -it deploy/web -- sh":                           "get deployments.apps web in namespace default; list pods in namespace default; get pods/exec NAME in namespace default; create pods/exec NAME in namespace default",
		"attach web":                                          "get pods web in namespace default; get pods/attach web in namespace default; create pods/attach web in namespace default",
		"port-forward pod/web 8080:80":                        "get pods web in namespace default; get pods/portforward web in namespace default; create pods/portforward web in namespace default",
		"cp prod/web:/etc/passwd ./p":                         "get pods web in namespace prod; get pods/exec web in namespace prod; create pods/exec web in namespace prod",
		"logs -f -p web":                                      "get pods web in namespace default; get pods/log web in namespace default",
		"logs -l app=web -n prod":                             "list pods in namespace prod; get pods/log NAME in namespace prod",
		"scale deploy/web --replicas=3":                       "get deployments.apps web in namespace default; patch deployments.apps/scale web in namespace default",
		"scale deploy/web --replicas 3 --current-replicas 2":  "get deployments.apps web in namespace default; get deployments.apps/scale web in namespace default; update deployments.apps/scale web in namespace default",
		"label pod web a=b c-":                                "get pods web in namespace default; patch pods web in namespace default",
		"patch svc x -p '{\"spec\":{}}'":                      "get services x in namespace default; patch services x in namespace default",
		"edit configmap a":                                    "get configmaps a in namespace default; patch configmaps a in namespace default",
		"edit configmap a --dry-run=client":                   "get configmaps a in namespace default",
		"taint node n1 a=b:NoSchedule":                        "get nodes n1; patch nodes n1",
		"rollout restart deploy web":                          "get deployments.apps web in namespace default; patch deployments.apps web in namespace default",
		"set image deploy/web web=nginx":                      "get deployments.apps web in namespace default; patch deployments.apps web in namespace default",
		"cordon n1":                                           "get nodes n1; patch nodes n1",
		"drain n1 --ignore-daemonsets":                        "get nodes n1; patch nodes n1; list pods in all namespaces; create pods/eviction NAME in namespace default; get pods NAME in namespace default",
		"debug web -it --image=busybox":                       "get pods web in namespace default; patch pods/ephemeralcontainers web in namespace default",
		"auth can-i delete pods":                              "create selfsubjectaccessreviews.authorization.k8s.io",
		"auth can-i --list":                                   "create selfsubjectrulesreviews.authorization.k8s.io",
		"auth whoami":                                         "create selfsubjectreviews.authentication.k8s.io",
		"certificate approve bob":                             "get certificatesigningrequests.certificates.k8s.io bob; update certificatesigningrequests.certificates.k8s.io/approval bob",
		"top nodes":                                           "list nodes.metrics.k8s.io in all namespaces; list nodes",
		"describe pod web":                                    "get pods web in namespace default; list events in namespace default",
		"expose deploy web --port=80":                         "get deployments.apps web in namespace default; create services in namespace default",
		"version":                                             "get /version",
		"api-resources":                                       "get /api; get /apis",
		"get all -n a":                                        "list pods in namespace a; list replicationcontrollers in namespace a; list services in namespace a; list daemonsets.apps in namespace a; list deployments.apps in namespace a; list replicasets.apps in namespace a; list statefulsets.apps in namespace a; list horizontalpodautoscalers.autoscaling in namespace a; list cronjobs.batch in namespace a; list jobs.batch in namespace a",
		"delete -n prod secret --field-selector metadata.name=db --wait=false": "list secrets in namespace prod; delete secrets NAME in namespace prod",
	} {
		sent, err := FromKubectl(words, Who{User: "alice"})
		if err != nil {
			t.Errorf("%s: %v", words, err)
			continue
		}
		var got []string
		for _, s := range sent {
			got = append(got, Describe(s.Request))
		}
		if diff := cmp.Diff(strings.Split(want, "; "), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", words, diff)
		}
	}
}

// TestFromKubectlRefuses wants a reason and something to type for what cannot be known.
func TestFromKubectlRefuses(t *testing.T) {
	t.Parallel()
	for words, want := range map[string]string{
		"":                                 "the words of kubectl are missing",
		"apply -f x.yaml":                  "kubectl apply: which requests it sends depends on what is in the file, and whether the objects exist",
		"create -f x.yaml":                 "kubectl create: which requests it sends depends on what is in the file",
		"delete -f x.yaml":                 "kubectl delete: which requests it sends depends on what is in the file",
		"delte pods":                       `kubectl has no command "delte"`,
		"get":                              "kubectl get: the resource is missing",
		"get widgets":                      `"widgets" is no built-in resource`,
		"get pdos":                         `"pdos" is no built-in resource`,
		"get pods --no-such x":             "kubectl: unknown flag: --no-such",
		"get 'pods":                        `"get 'pods": a quotation has no end`,
		"config view":                      "kubectl config: it sends no request",
		"create ns x --dry-run=client":     "kubectl create: it sends no request",
		"delete pods":                      "kubectl delete: the name is missing, or --all",
		"exec -it":                         "kubectl exec: the Pod is missing",
		"rollout undo deploy/web":          "kubectl rollout undo: which requests it sends depends on what the cluster has",
		"frobnicate":                       "which requests kubectl frobnicate sends is not known here",
		"get pods --field-selector 'a=b,'": "",
	} {
		_, err := FromKubectl(words, Who{User: "alice"})
		switch {
		case want == "":
			continue // only that it does not panic
		case err == nil || err.Error() != want:
			t.Errorf("%s: got %v, want %s", words, err, want)
		case len(hint.Of(err)) == 0:
			t.Errorf("%s: there is nothing to type", words)
		}
	}
}

func FuzzFromKubectl(f *testing.F) {
	for _, s := range []string{"get pods -A", "exec web -- sh", "delete pod/web -n a", "get --raw /a%zz", "'", "get , ", "get /", "logs -f", "cp : :", "top .", "--", "get pods/a/b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, words string) {
		sent, err := FromKubectl(words, Who{User: "alice"})
		if (err == nil) == (len(sent) == 0) {
			t.Errorf("%d requests, error %v", len(sent), err)
		}
		for _, s := range sent {
			if s.Verb == "" || s.Resource == "" && s.Path == "" {
				t.Errorf("%q is no request: %+v", words, s)
			}
		}
	})
}
