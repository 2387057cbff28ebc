package simnode

import (
	"cmp"
	"fmt"
	"log"
	"maps"
	"math/rand/v2"
	"net/rpc"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"
)

// The kubelet's periods (pkg/kubelet/kubelet.go).
const (
	plegRelistPeriod   = time.Second      // genericPlegRelistPeriod
	workQueuePeriod    = time.Second      // syncLoop's syncTicker
	housekeepingPeriod = 2 * time.Second  // housekeepingPeriod
	backOffPeriod      = 10 * time.Second // of a Pod that could not be synced, with up to half as much on top
)

// kubelet is the part of a kubelet that runs static Pods. Everything but the
// directory and the API server is done by one goroutine, [kubelet.loop].
type kubelet struct {
	node    string // its name
	dir     string // staticPodPath
	runtime *rpc.Client
	systemd bool
	log     *log.Logger
	source  *source
	api     *apiSource

	// pods is what the source says now, by UID (pkg/kubelet/pod, the manager).
	pods map[string]*staticPod
	// workers are Pods that were begun and are not forgotten, by UID
	// (pod_workers.go, podSyncStatuses).
	workers map[string]*worker
	// started and waiting keep Pods of the same full name apart
	// (startedStaticPodsByFullname, waitingToStartStaticPodsByFullname).
	started map[string]string
	waiting map[string][]string

	containers []Container // as of the last look
}

// runKubelet reads its flags and runs.
func runKubelet() error {
	k := &kubelet{pods: map[string]*staticPod{}, workers: map[string]*worker{}, started: map[string]string{}, waiting: map[string][]string{}}
	host, err := os.Hostname()
	if err != nil {
		return err
	}
	config, kubeconfig, override := "", "/etc/kubernetes/kubelet.conf", ""
	for _, a := range os.Args[1:] {
		name, value, _ := strings.Cut(a, "=")
		switch name {
		case "--config":
			config = value
		case "--kubeconfig":
			kubeconfig = value
		case "--hostname-override":
			override = value
		default:
			return fmt.Errorf("unknown flag: %s", name)
		}
	}
	k.node = cmp.Or(override, host)
	if err := k.configure(config); err != nil {
		return err
	}
	if k.runtime, err = rpc.Dial("unix", runtimeSocket); err != nil {
		return err
	}
	if err := k.runtime.Call("Runtime.Systemd", None{}, &k.systemd); err != nil {
		return err
	}
	file, err := os.OpenFile("/var/log/kubelet.log", os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	k.log = log.New(file, "", 0)
	k.note(KubeletStarted, "", fmt.Sprint(os.Getpid()))
	k.source, k.api = newSource(k.dir, k.node, k.note), newAPISource(kubeconfig, k.node)
	go func() {
		if err := k.source.run(); err != nil {
			k.note(InvalidFile, "", err.Error())
		}
	}()
	go k.api.run()
	k.loop()
	return nil
}

func (k *kubelet) configure(name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	var config struct {
		StaticPodPath string `json:"staticPodPath"`
	}
	if err := yaml.Unmarshal(data, &config); err != nil {
		return err
	}
	k.dir = config.StaticPodPath
	return nil
}

// loop is syncLoop: sources, the work queue, the look at the containers (PLEG)
// and housekeeping, each with a phase of its own.
func (k *kubelet) loop() {
	look, work, clean, mount := every(plegRelistPeriod), every(workQueuePeriod), every(housekeepingPeriod), every(reconcilePeriod)
	for {
		select {
		case pods := <-k.source.out:
			k.merge(pods)
		case <-work.C:
			k.syncDue(time.Now())
		case <-mount.C:
			k.mountDue(time.Now())
		case <-look.C:
			k.look(time.Now())
		case <-clean.C:
			k.housekeeping()
		}
	}
}

// every ticks with that period, at some time after now.
func every(period time.Duration) *time.Ticker {
	time.Sleep(rand.N(paced(period) / 4))
	return time.NewTicker(paced(period))
}

// merge compares what the source says with what it said: a Pod that is gone is
// removed, then a new one is added (pkg/kubelet/config/config.go, merge). A
// changed Pod is both.
func (k *kubelet) merge(now []*staticPod) {
	current := map[string]*staticPod{}
	for _, p := range now {
		current[p.Identity] = p
	}
	for uid, p := range k.pods {
		if current[uid] == nil {
			k.remove(uid, p)
		}
	}
	for uid, p := range current {
		if k.pods[uid] == nil {
			k.add(p)
		}
	}
	k.api.want(now)
}

// remove is HandlePodRemoves and deletePod (pkg/kubelet/kubelet.go): as long as
// the API server has not been reached since the kubelet's start, a Pod that is
// gone is forgotten, but not ended.
func (k *kubelet) remove(uid string, p *staticPod) {
	delete(k.pods, uid)
	k.note(PodRemoved, uid, p.File)
	if !k.api.synced() {
		k.note(RemoveSkipped, uid, "skipping delete because sources aren't ready yet")
		return
	}
	k.terminate(uid)
}

// add is HandlePodAdditions. A Pod that is just ending, as it is when an earlier
// manifest comes back, is begun again when it has ended (pod_workers.go,
// UpdatePod, restartRequested).
func (k *kubelet) add(p *staticPod) {
	uid := p.Identity
	k.pods[uid] = p
	k.note(PodAdded, uid, fmt.Sprint(p.File, " ", slices.Sorted(maps.Keys(p.Annotations))))
	if w := k.workers[uid]; w != nil {
		w.pod, w.again = p, w.terminating || w.terminated
		return
	}
	k.begin(p)
}

func (k *kubelet) begin(p *staticPod) {
	k.workers[p.Identity] = newWorker(p)
	k.waiting[p.fullName()] = append(k.waiting[p.fullName()], p.Identity)
	k.sync(k.workers[p.Identity], time.Now())
}

// look is the PLEG's relist and what follows from it: containers that have ended
// are started again, and a Pod without any is completely ended.
func (k *kubelet) look(now time.Time) {
	k.list()
	for _, w := range k.workers {
		switch {
		case w.terminated:
		case w.terminating && !k.runs(w.uid()):
			k.complete(w)
		case !w.terminating && w.volumes:
			k.restartEnded(w, now)
		}
	}
}

// list asks the runtime, and remembers.
func (k *kubelet) list() []Container {
	k.containers = nil
	if err := k.runtime.Call("Runtime.List", None{}, &k.containers); err != nil {
		k.log.Println("list", err)
	}
	return k.containers
}

// runs tells whether a Pod has a container that runs, as of the last look.
func (k *kubelet) runs(uid string) bool {
	for _, c := range k.containers {
		if c.PodUID == uid && c.Running {
			return true
		}
	}
	return false
}

// housekeeping is HandlePodCleanups (pkg/kubelet/kubelet_pods.go). It needs all
// sources: with the API server unknown, what it does not know might be wanted.
func (k *kubelet) housekeeping() {
	if !k.api.synced() {
		return
	}
	for uid, w := range k.workers {
		switch {
		case w.terminated:
			delete(k.workers, uid)
			_ = os.RemoveAll(k.logDir(w.pod))
			if w.again && k.pods[uid] != nil {
				k.begin(k.pods[uid])
			}
		case w.terminating && !k.runs(uid):
			k.removeGroup(uid) // cleanupOrphanedPodCgroups may be faster than the look
		case !w.terminating && k.pods[uid] == nil:
			k.terminate(uid)
		}
	}
	k.endOrphans()
}

// endOrphans ends containers whose Pod a kubelet before this one has begun, and
// which nobody wants any more.
func (k *kubelet) endOrphans() {
	for _, c := range k.containers {
		if k.workers[c.PodUID] != nil {
			continue
		}
		if c.Running {
			k.end(c, 30*time.Second)
		} else if !k.runs(c.PodUID) {
			k.call("Forget", c.PodUID)
			k.removeGroup(c.PodUID)
			_ = os.RemoveAll(filepath.Dir(filepath.Dir(c.Log)))
		}
	}
}

func (k *kubelet) call(method string, argument any) {
	if err := k.runtime.Call("Runtime."+method, argument, &None{}); err != nil {
		k.log.Println(method, err)
	}
}

func (k *kubelet) end(c Container, grace time.Duration) {
	k.call("End", Stop{c.ID, paced(grace)})
}

func (k *kubelet) removeGroup(uid string) {
	for _, root := range groupRoots() {
		_ = removeGroups(filepath.Join(root, podGroup(uid, k.systemd)))
	}
}

// note writes the kubelet's log, and tells the test.
func (k *kubelet) note(kind, uid, text string) {
	k.log.Printf("%s %s pod=%q %s", time.Now().Format("15:04:05.000"), kind, uid, text)
	k.call("Note", Event{Kind: kind, Pod: uid, Text: text})
}

// logDir is where a Pod's logs are (pkg/kubelet/kuberuntime/helpers.go,
// BuildPodLogsDirectory).
func (k *kubelet) logDir(p *staticPod) string {
	return filepath.Join("/var/log/pods", p.Namespace+"_"+p.Name+"_"+p.Identity)
}
