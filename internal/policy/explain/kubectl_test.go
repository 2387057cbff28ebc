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
		"get pods --watch-only -A":                            "list pods in all namespaces; watch pods in all namespaces",
		"get nodes -o wide":                                   "list nodes",
		"get ns prod":                                         "get namespaces prod",
		"get deploy web --subresource=scale":                  "get deployments.apps/scale web in namespace default",
		"get --raw '/healthz?verbose'":                        "get /healthz",
		"get --raw /api/v1/namespaces/prod/pods":              "list pods in namespace prod",
		"delete pod web --wait=false":                         "delete pods web in namespace default",
		"delete pod web":                                      "delete pods web in namespace default; get pods web in namespace default; list pods web in namespace default; watch pods web in namespace default",
		"delete pod web --force":                              "delete pods web in namespace default; get pods web in namespace default; list pods web in namespace default; watch pods web in namespace default",
		"delete pod web --dry-run=server":                     "delete pods web in namespace default",
		"delete pods --all --force --wait=false":              "list pods in namespace default; delete pods NAME in namespace default",
		"create secret generic db --from-literal=a=b -n prod": "create secrets in namespace prod",
		"create ns x":                                         "create namespaces",
		"create token builder -n ci":                          "create serviceaccounts/token builder in namespace ci",
		"create deployment web --image=nginx":                 "create deployments.apps in namespace default",
		"run web --image nginx":                               "create pods in namespace default",
		"run web --image nginx --expose --port 80 -l a=b":     "create pods in namespace default; create services in namespace default",
		"run web --image nginx -it --rm -- sh":                "create pods in namespace default; list pods web in namespace default; watch pods web in namespace default; get pods/attach web in namespace default; create pods/attach web in namespace default; get pods/log web in namespace default; get pods web in namespace default; delete pods web in namespace default",
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
		"label pod web a=b --dry-run":                         "get pods web in namespace default",
		"label pod web --list":                                "get pods web in namespace default",
		"set env deploy/web --list":                           "get deployments.apps web in namespace default",
		"set sa deploy web x":                                 "get deployments.apps web in namespace default; patch deployments.apps web in namespace default",
		"patch deploy web --subresource=scale -p {}":          "get deployments.apps/scale web in namespace default; patch deployments.apps/scale web in namespace default",
		"scale deploy --all --replicas=1":                     "list deployments.apps in namespace default; patch deployments.apps/scale NAME in namespace default",
		"rollout restart deploy":                              "list deployments.apps in namespace default; patch deployments.apps NAME in namespace default",
		"rollout restart deploy -l a=b":                       "list deployments.apps in namespace default; patch deployments.apps NAME in namespace default",
		"cordon -l a=b":                                       "list nodes; patch nodes NAME",
		"port-forward svc/web 80":                             "get services web in namespace default; list pods in namespace default; get pods NAME in namespace default; get pods/portforward NAME in namespace default; create pods/portforward NAME in namespace default",
		"debug node/n1 --image=busybox":                       "get nodes n1; create pods in namespace default",
		"debug a b --image=busybox":                           "get pods a in namespace default; patch pods/ephemeralcontainers a in namespace default; get pods b in namespace default; patch pods/ephemeralcontainers b in namespace default",
		"debug a --copy-to b --replace --image=busybox":       "get pods a in namespace default; create pods in namespace default; delete pods a in namespace default",
		"get nodes.metrics.k8s.io":                            "list nodes.metrics.k8s.io",
		"get pods -n ''":                                      "list pods in namespace default",
		"-n logs patch deploy web -p {}":                      "get deployments.apps web in namespace logs; patch deployments.apps web in namespace logs",
		"-n logs logs -f web":                                 "get pods web in namespace logs; get pods/log web in namespace logs",
		"--namespace=patch logs -p web":                       "get pods web in namespace patch; get pods/log web in namespace patch",
		"get pods a -o=jsonpath={.items[*].metadata.name}":    "get pods a in namespace default",
		"get --raw /healthz?verbose":                          "get /healthz",
		"get secrets 'a$b' \"c d\"":                           "get secrets a$b in namespace default; get secrets c d in namespace default",
		"get secrets \\\n-A":                                  "list secrets in all namespaces",
		"taint node n1 a=b:NoSchedule":                        "get nodes n1; patch nodes n1",
		"rollout restart deploy web":                          "get deployments.apps web in namespace default; patch deployments.apps web in namespace default",
		"set image deploy/web web=nginx":                      "get deployments.apps web in namespace default; patch deployments.apps web in namespace default",
		"cordon n1":                                           "get nodes n1; patch nodes n1",
		"debug web -it --image=busybox":                       "get pods web in namespace default; patch pods/ephemeralcontainers web in namespace default; list pods web in namespace default; watch pods web in namespace default; get pods/attach web in namespace default; create pods/attach web in namespace default; get pods/log web in namespace default",
		"auth can-i delete pods":                              "create selfsubjectaccessreviews.authorization.k8s.io",
		"auth can-i --list":                                   "create selfsubjectrulesreviews.authorization.k8s.io",
		"auth whoami":                                         "create selfsubjectreviews.authentication.k8s.io",
		"certificate approve bob":                             "get certificatesigningrequests.certificates.k8s.io bob; update certificatesigningrequests.certificates.k8s.io/approval bob",
		"top nodes":                                           "list nodes.metrics.k8s.io; list nodes",
		"describe pod web":                                    "get pods web in namespace default; list events in namespace default",
		"expose deploy web --port=80":                         "get deployments.apps web in namespace default; create services in namespace default",
		"version":                                             "get /version",
		"api-resources":                                       "get /api; get /apis",
		"get all -n a":                                        "list pods in namespace a; list replicationcontrollers in namespace a; list services in namespace a; list daemonsets.apps in namespace a; list deployments.apps in namespace a; list replicasets.apps in namespace a; list statefulsets.apps in namespace a; list horizontalpodautoscalers.autoscaling in namespace a; list cronjobs.batch in namespace a; list jobs.batch in namespace a",
		"delete -n prod secret --field-selector metadata.name=db --wait=false": "list secrets db in namespace prod; delete secrets db in namespace prod",
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
		"get pods --no-such x":             "kubectl get: unknown flag: --no-such",
		"get 'pods":                        `"get 'pods": a quotation has no end`,
		"config view":                      "kubectl config: it sends no request",
		"create ns x --dry-run=client":     "kubectl create: it sends no request",
		"delete pods":                      "kubectl delete: the name is missing, or --all",
		"exec -it":                         "kubectl exec: the Pod is missing",
		"rollout undo deploy/web":          "kubectl rollout undo: which requests it sends depends on what the cluster has",
		"frobnicate":                       "which requests kubectl frobnicate sends is not known here",
		"get pods --field-selector 'a=b,'": "",
		"get secrets -A | grep token":      `the words of kubectl have '|', which only a shell understands`,
		"get secrets > x":                  `the words of kubectl have '>', which only a shell understands`,
		"get pods && get nodes":            `the words of kubectl have '&', which only a shell understands`,
		"get pods\nget nodes":              `the words of kubectl have '\n', which only a shell understands`,
		"get secret $X":                    `the words of kubectl have '$', which only a shell understands`,
		`get secret "$X"`:                  `the words of kubectl have '$', which only a shell understands`,
		"get secret `x`":                   "the words of kubectl have '`', which only a shell understands",
		"get secret a*":                    `the words of kubectl have '*', which only a shell understands`,
		"get pod/{a,b}":                    `the words of kubectl have '{', which only a shell understands`,
		"delete pod logs -f x":             "kubectl delete: which requests it sends depends on what is in the file",
		"-n logs create -f x.yaml":         "kubectl create: which requests it sends depends on what is in the file",
		"delete -k dir":                    "kubectl delete: which requests it sends depends on what is in the file",
		"-A get pods":                      "kubectl: unknown shorthand flag: 'A' in -A in front of the command, where only those stand that all commands have",
		"exec web -A":                      "kubectl exec: unknown shorthand flag: 'A' in -A",
		"edit pod web --dry-run":           "kubectl edit: unknown flag: --dry-run",
		"get pods web -A":                  "kubectl get: kubectl refuses a name, and all namespaces",
		"get pods web -l a=b":              "kubectl get: kubectl refuses a name and what selects objects",
		"get pods a b -w":                  "kubectl get: kubectl refuses to watch more than one object or resource",
		"get pods/web,svc/x":               `kubectl get: kubectl refuses "pods/web,svc/x" among words of the form TYPE/NAME`,
		"get pods/web svc":                 `kubectl get: kubectl refuses "svc" among words of the form TYPE/NAME`,
		"get pods web/x":                   `kubectl get: kubectl refuses the name "web/x"`,
		"delete pods --all -A":             "kubectl delete -A: which requests it sends depends on the namespaces of what is listed",
		"create pod":                       `kubectl create: kubectl refuses to make "pod" without a file`,
		"create secret generic":            "kubectl create: the name is missing",
		"drain n1":                         "kubectl drain: which requests it sends depends on what runs on the node",
		"describe deploy web":              "kubectl describe deployments: which requests it sends depends on what belongs to the object",
		"set image --local deploy/web a=b": "kubectl set --local: which requests it sends depends on what is in the file",
		"run web":                          "kubectl run: --image is missing",
		"run web --image x --rm":           "kubectl run: kubectl refuses --rm without -i or --attach",
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
