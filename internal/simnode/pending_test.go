//go:build linux

package simnode

// pending are scenarios of faults that are known and not mended yet: name -> why.
// Whoever mends one takes its name out.
var pending = map[string]string{
	"hosted API server":            foreignWhy,
	"hosted API server, same port": foreignWhy,
	"hosted API server, systemd":   foreignWhy,
	"another static Pod":           foreignWhy,
	"bare process, root":           foreignWhy,
	"bare process, nobody":         foreignWhy,
	"container of docker":          foreignWhy,
	"somebody's kubelet":           "any process called kubelet is taken for it",

	"kubelet restarts after the interim write":                          kubeletWhy,
	"kubelet restarts while the old one drains":                         kubeletWhy,
	"kubelet restarts when the old one is gone":                         kubeletWhy,
	"kubelet restarts after the final write":                            kubeletWhy,
	"kubelet restarts when the new one starts":                          kubeletWhy,
	"kubelet restarts in a rollback, when the new one starts":           kubeletWhy,
	"kubelet restarts in a rollback, when the new one has died":         kubeletWhy,
	"kubelet restarts in a rollback, when the new Pod is removed":       kubeletWhy,
	"kubelet restarts in a rollback, when the earlier manifest is back": kubeletWhy,
	"kubelet restarts in a rollback, when the earlier Pod is added":     kubeletWhy,
	"kubelet restarts in a rollback, when the earlier one starts":       kubeletWhy,
	"sed -i after the interim write":                                    "our passing annotation stays in their manifest",
	"leftover annotation":                                               "the interim manifest equals the one that is there",
	"Puppet writes the old manifest back":                               "not noticed",
	"restore after another's change":                                    "puts their image back too",
	"symlinked manifest":                                                "the link's target is changed, which the kubelet notices at its next list only",
	"variables in arguments":                                            "compared as they are written",
	"HTTPS_PROXY":                                                       "used for the node's own address",
	"expired admin.conf":                                                "401 is not followed by the next credentials",
	"all credentials expired":                                           "not said",
	"--root / on the live node":                                         "skips lock, health and wait",
	"empty --root":                                                      "taken for the live host",
	"manifest with a UID":                                               "waited for in vain",
	"policy volume for a directory":                                     typeWhy,
	"log volume for a file":                                             typeWhy,
	"a directory where the policy belongs":                              "refused",
	"legacy log format":                                                 "the proof looks for JSON only",
	"crun":                                                              crunWhy,
	"cgroup v2, systemd, crun":                                          crunWhy,
	"webhook hangs in blocking mode":                                    "no test event is posted first",
	"last words come late":                                              "the log of a container that has just ended is empty for a moment, and hides the one before",
	"port taken by one that hangs":                                      "a request that hangs stops the wait for 5 s: deaths and last words are missed",
}

const (
	foreignWhy = "processes are known by their name and arguments alone"
	kubeletWhy = "the manifest is written under a kubelet that is not ready"
	typeWhy    = "a volume of the wrong type is used"
	crunWhy    = "the Pod of a nested control group is not found"
)

// pendingDirectory is true while a rollback can leave an empty directory where
// the policy was: the new file is removed while a container that mounts it is
// being started once more.
const pendingDirectory = true
