package simnode

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// worker is one Pod on its way (pkg/kubelet/pod_workers.go, podSyncStatus).
type worker struct {
	pod         *staticPod
	allowed     bool      // no other Pod of this name is in the way
	volumes     bool      // they are mounted
	terminating bool      // its containers are to end
	terminated  bool      // and have ended; the name is free
	again       bool      // it is wanted again since
	due         time.Time // of the next try, zero for none
	mountAt     time.Time // of the next look at its volumes
	mountTries  int
	restarts    map[string]*restart
}

// restart is the back-off of one container.
type restart struct {
	count int
	next  time.Duration // before the next start; 0: at once
	at    time.Time     // of that start; zero while the container runs
	last  string        // ID of the container that was started last
}

func newWorker(p *staticPod) *worker {
	return &worker{pod: p, restarts: map[string]*restart{}}
}

func (w *worker) uid() string { return w.pod.Identity }

// syncDue is HandlePodSyncs for the Pods whose time has come.
func (k *kubelet) syncDue(now time.Time) {
	for _, w := range k.workers {
		if !w.due.IsZero() && now.After(w.due) {
			k.sync(w, now)
		}
	}
}

// sync brings a Pod one step on (kubelet.go, SyncPod).
func (k *kubelet) sync(w *worker, now time.Time) {
	w.due = time.Time{}
	if w.terminating || w.terminated {
		return
	}
	if !w.allowed {
		if w.allowed = k.allowStart(w); !w.allowed {
			// Nobody wakes it when the other has ended.
			w.due = now.Add(paced(jitter(backOffPeriod)))
			return
		}
	}
	if !w.volumes && !k.mount(w, now) {
		return
	}
	for _, c := range w.pod.Spec.Containers {
		if w.restarts[c.Name] == nil {
			k.first(w, c)
		}
	}
}

// jitter is what workQueue adds (workerBackOffPeriodJitterFactor, 0.5).
func jitter(d time.Duration) time.Duration { return d + rand.N(d/2) }

// allowStart lets one Pod of a full name start: the one that has, or the first
// in the queue (pod_workers.go, allowStaticPodStart).
func (k *kubelet) allowStart(w *worker) bool {
	name := w.pod.fullName()
	if uid, started := k.started[name]; started {
		return uid == w.uid()
	}
	queue := slices.DeleteFunc(k.waiting[name], func(uid string) bool {
		other := k.workers[uid]
		return other == nil || other.terminating || other.terminated
	})
	if len(queue) > 0 && queue[0] != w.uid() {
		k.waiting[name] = queue
		return false
	}
	if len(queue) > 0 {
		queue = queue[1:]
	}
	k.waiting[name], k.started[name] = queue, w.uid()
	return true
}

// first starts a container, or takes one over that a kubelet before this one has
// started.
func (k *kubelet) first(w *worker, c corev1.Container) {
	r := &restart{}
	w.restarts[c.Name] = r
	for _, there := range k.list() {
		if there.PodUID == w.uid() && there.Name == c.Name && there.Restart >= r.count {
			r.count, r.last = there.Restart, there.ID
		}
	}
	if r.last == "" {
		k.start(w, c, r)
	}
}

// start is startContainer (pkg/kubelet/kuberuntime/kuberuntime_container.go).
func (k *kubelet) start(w *worker, c corev1.Container, r *restart) {
	argv, env := commandLine(c)
	uid, gid := runAs(w.pod.Pod, c)
	spec := ContainerSpec{
		PodUID: w.uid(), Namespace: w.pod.Namespace, Pod: w.pod.Name, Name: c.Name, Restart: r.count,
		Argv: argv, Env: env, UID: uid, GID: gid, Group: podGroup(w.uid(), k.systemd),
		Mounts: binds(w.pod.Pod, c), Log: filepath.Join(k.logDir(w.pod), c.Name, fmt.Sprintf("%d.log", r.count)),
	}
	r.at = time.Time{}
	if err := k.runtime.Call("Runtime.Run", spec, &r.last); err != nil {
		k.log.Println("start", c.Name, err)
		r.at = time.Now().Add(paced(backOffPeriod))
	}
}

// The crash back-off (pkg/kubelet/kubelet.go, backOffPeriod and MaxCrashLoopBackOff).
const (
	crashBackOff    = 10 * time.Second
	maxCrashBackOff = 5 * time.Minute
)

// restartEnded starts containers again that have ended: at once the first time,
// then after 10 s, 20 s, ... (kuberuntime_manager.go, doBackOff).
func (k *kubelet) restartEnded(w *worker, now time.Time) {
	for _, c := range w.pod.Spec.Containers {
		r := w.restarts[c.Name]
		if r == nil {
			continue
		}
		if r.at.IsZero() && k.endedContainer(r.last) {
			r.at = now.Add(paced(r.next))
			r.next = min(max(2*r.next, crashBackOff), maxCrashBackOff)
		}
		if !r.at.IsZero() && !now.Before(r.at) {
			r.count++
			k.start(w, c, r)
		}
	}
}

func (k *kubelet) endedContainer(id string) bool {
	return slices.ContainsFunc(k.containers, func(c Container) bool { return c.ID == id && !c.Running })
}

// terminate ends a Pod's containers: SIGTERM, and SIGKILL after the Pod's grace
// period. One that was not allowed to start is forgotten at once
// (pod_workers.go, UpdatePod and cleanupUnstartedPod).
func (k *kubelet) terminate(uid string) {
	w := k.workers[uid]
	switch {
	case w == nil || w.terminating || w.terminated:
		return
	case !w.allowed:
		delete(k.workers, uid)
		return
	}
	w.terminating, w.due = true, time.Time{}
	grace := time.Duration(*w.pod.Spec.TerminationGracePeriodSeconds) * time.Second
	for _, c := range k.list() {
		if c.PodUID == uid && c.Running {
			k.end(c, grace)
		}
	}
}

// complete is SyncTerminatedPod and completeTerminated: volumes and control
// groups go, then the full name is free.
func (k *kubelet) complete(w *worker) {
	_ = os.RemoveAll(filepath.Join("/var/lib/kubelet/pods", w.uid()))
	k.removeGroup(w.uid())
	k.call("Forget", w.uid())
	w.terminated = true
	if k.started[w.pod.fullName()] == w.uid() {
		delete(k.started, w.pod.fullName())
	}
}
