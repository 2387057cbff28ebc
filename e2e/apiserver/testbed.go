package apiserver

import (
	"os"
	"testing"
)

// ForTest starts a bed for one test, with the programs that the environment names, and stops it
// when the test ends. failed, if there is one, gets the bed's folder of a test that failed,
// before it is removed. target is what sets the environment, for the message.
func ForTest(t testing.TB, target string, failed func(dir string), users ...User) *Bed {
	t.Helper()
	programs := Programs{KubeAPIServer: os.Getenv("E2E_KUBE_APISERVER"), Etcd: os.Getenv("E2E_ETCD")}
	if programs.KubeAPIServer == "" || programs.Etcd == "" {
		t.Fatalf("E2E_KUBE_APISERVER and E2E_ETCD are not set: run the tests with make %s", target)
	}
	dir, err := os.MkdirTemp("", "bed") // t.TempDir's path is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	bed, err := Start(dir, programs, users)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := bed.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() && failed != nil {
			failed(dir)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return bed
}
