package simnode

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// apiSource is the kubelet's dealings with the API server: Pods from there,
// which it has synced with once since its start or not, and mirror Pods of its
// static ones.
type apiSource struct {
	kubeconfig, node string
	reached          atomic.Bool

	mu       sync.Mutex
	pods     []*staticPod // to be mirrored
	wanted   int          // counts how often they changed
	mirrored int          // which of these the API server has
}

func newAPISource(kubeconfig, node string) *apiSource {
	return &apiSource{kubeconfig: kubeconfig, node: strings.ToLower(node)}
}

// synced is sourcesReady.AllReady (pkg/kubelet/config/sources.go): it stays true
// when the API server goes away again.
func (a *apiSource) synced() bool { return a.reached.Load() }

// want says which static Pods there are.
func (a *apiSource) want(pods []*staticPod) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pods = pods
	a.wanted++
}

// run lists, watches and mirrors, whenever there is something new to be mirrored
// or the watch has ended.
func (a *apiSource) run() {
	watching := make(chan struct{}, 1)
	c, err := newClient(a.kubeconfig)
	for ; ; time.Sleep(paced(time.Second)) {
		if err != nil {
			c, err = newClient(a.kubeconfig)
			continue
		}
		a.mu.Lock()
		idle, wanted := a.mirrored == a.wanted && len(watching) > 0, a.wanted
		a.mu.Unlock()
		if idle {
			continue
		}
		var list struct{ Items []corev1.Pod }
		code, err := c.do(http.MethodGet, "/api/v1/pods", nil, &list)
		if err != nil || code != http.StatusOK {
			continue
		}
		a.reached.Store(true)
		if a.mirror(c, list.Items) {
			a.mu.Lock()
			a.mirrored = wanted
			a.mu.Unlock()
		}
		select {
		case watching <- struct{}{}:
			go func() { _ = c.watch("/api/v1/pods"); <-watching }()
		default: // there is one
		}
	}
}

// mirror makes the API server's Pods of this node those that the kubelet runs:
// the annotations tell which generation (pkg/kubelet/pod/mirror_client.go, and
// kubelet.go, tryReconcileMirrorPods).
func (a *apiSource) mirror(c *client, there []corev1.Pod) (ok bool) {
	ok = true
	a.mu.Lock()
	wanted := slices.Clone(a.pods)
	a.mu.Unlock()
	for _, pod := range there {
		if pod.Annotations[corev1.MirrorPodAnnotationKey] == "" || pod.Spec.NodeName != a.node {
			continue
		}
		same := func(p *staticPod) bool {
			return p.Name == pod.Name && p.Namespace == pod.Namespace && p.Identity == pod.Annotations[corev1.MirrorPodAnnotationKey]
		}
		if i := slices.IndexFunc(wanted, same); i >= 0 {
			wanted = slices.Delete(wanted, i, i+1)
			continue
		}
		_, err := c.do(http.MethodDelete, "/api/v1/namespaces/"+pod.Namespace+"/pods/"+pod.Name, nil, nil)
		ok = ok && err == nil
	}
	for _, p := range wanted {
		mirror := *p.Pod
		mirror.Annotations = maps.Clone(p.Annotations)
		mirror.Annotations[corev1.MirrorPodAnnotationKey] = p.Identity
		mirror.Status = corev1.PodStatus{Phase: corev1.PodRunning, HostIP: NodeIP, PodIP: NodeIP}
		code, err := c.do(http.MethodPost, "/api/v1/namespaces/"+p.Namespace+"/pods", &mirror, nil)
		ok = ok && err == nil && code == http.StatusCreated
	}
	return ok
}
