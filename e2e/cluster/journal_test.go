package cluster

import (
	"testing"
	"time"
)

// journal is from a node: its kubelet starts, sees a changed manifest, is told of mirror
// pods by the API, and sees another pod's manifest change.
const journal = `100.000001 n kubelet[630]: I1122 19:11:11.942074     630 kubelet.go:2709] "SyncLoop ADD" source="file" pods=["kube-system/etcd-n","kube-system/kube-apiserver-n"]
200.500000 n kubelet[630]: I1122 19:11:18.886522     630 kubelet.go:2719] "SyncLoop REMOVE" source="file" pods=["kube-system/kube-apiserver-n"]
200.500000 n kubelet[630]: I1122 19:11:18.886633     630 kubelet.go:2709] "SyncLoop ADD" source="file" pods=["kube-system/kube-apiserver-n"]
240.633456 n kubelet[630]: I1122 19:12:06.633300     630 kubelet.go:2719] "SyncLoop REMOVE" source="api" pods=["kube-system/kube-apiserver-n"]
300.000000 n kubelet[630]: I1122 19:13:06.633300     630 kubelet.go:2719] "SyncLoop REMOVE" source="file" pods=["kube-system/kube-scheduler-n"]
300.000000 n kubelet[630]: I1122 19:13:06.633300     630 kubelet.go:2719] "SyncLoop UPDATE" source="file" pods=["kube-system/kube-apiserver-n2"]
`

func TestCountUpdates(t *testing.T) {
	for _, test := range []struct {
		name     string
		from, to time.Time
		want     Updates
	}{
		{"all", time.Unix(0, 0), time.Unix(400, 0), Updates{Add: 2, Remove: 1}},
		{"after the kubelet's start", time.Unix(100, 2000), time.Unix(400, 0), Updates{Add: 1, Remove: 1}},
		{"both ends count", time.Unix(200, 5e8), time.Unix(200, 5e8), Updates{Add: 1, Remove: 1}},
		{"before the change", time.Unix(101, 0), time.Unix(200, 499e6), Updates{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := countUpdates(journal, "kube-system/kube-apiserver-n", test.from, test.to); got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
}
