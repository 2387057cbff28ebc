package clusterlock

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/proc"
)

// Peer is the API server of another control-plane node.
type Peer struct {
	Node    string // its name, "" when only the address is known
	Address string // HOST:PORT
}

func (p Peer) String() string {
	if p.Node == "" {
		return p.Address
	}
	return fmt.Sprintf("%s (%s)", p.Node, p.Address)
}

// Where the API servers of a cluster are listed: the mirror Pods of kubeadm's
// static Pods, which stay when one is unhealthy, and the endpoints of the Service
// kubernetes, which each API server that runs enters itself in
// (pkg/controlplane/reconcilers).
const (
	serverPods   = "/api/v1/namespaces/kube-system/pods?labelSelector=component%3Dkube-apiserver%2Ctier%3Dcontrol-plane"
	serverSlices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dkubernetes"
	// advertised is where kubeadm writes down --advertise-address and the port
	// (cmd/kubeadm/app/constants, KubeAPIServerAdvertiseAddressEndpointAnnotationKey).
	advertised = "kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint"
)

// peersOf lists the other API servers of the cluster. self is the own one; where
// the cluster does not name its node, the machine's name stands for that.
func peersOf(ctx context.Context, s *apiserver.Server) (peers []Peer, self Peer, err error) {
	if s.User == "" {
		return nil, Peer{}, &apiserver.ForbiddenError{Reason: s.NoCredentials().Error()}
	}
	var pods struct{ Items []corev1.Pod }
	if err := list(ctx, s, serverPods, &pods); err != nil {
		return nil, Peer{}, err
	}
	var endpoints endpointSliceList
	if err := list(ctx, s, serverSlices, &endpoints); err != nil {
		return nil, Peer{}, err
	}
	own, err := ownAddresses(s)
	if err != nil {
		return nil, Peer{}, err
	}
	self.Node, err = os.Hostname()
	if err != nil {
		return nil, Peer{}, fmt.Errorf("ask for the name of this machine: %w", err)
	}
	self.Address = net.JoinHostPort(s.Spec.Address, strconv.Itoa(s.Spec.Port))
	named := false
	for _, p := range slices.Concat(podPeers(pods.Items), endpoints.peers()) {
		known := func(q Peer) bool { return q.Address == p.Address }
		switch {
		case slices.Contains(own, p.Address):
			if !named {
				self, named = Peer{cmp.Or(p.Node, self.Node), p.Address}, p.Node != ""
			}
		case !slices.ContainsFunc(peers, known):
			peers = append(peers, p)
		}
	}
	return peers, self, nil
}

// list reads a list of objects.
func list(ctx context.Context, s *apiserver.Server, path string, into any) error {
	code, data, err := s.Call(ctx, http.MethodGet, path, "", nil)
	switch {
	case err != nil:
		return fmt.Errorf("ask %s for the cluster's API servers: %w", s.Base, err)
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return &apiserver.ForbiddenError{Reason: apiserver.Refusal(code, data)}
	case code != http.StatusOK:
		return fmt.Errorf("ask %s for the cluster's API servers: %s", s.Base, apiserver.Refusal(code, data))
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("ask %s for the cluster's API servers: %w", s.Base, err)
	}
	return nil
}

// podPeers are the API servers of mirror Pods.
func podPeers(pods []corev1.Pod) []Peer {
	var out []Peer
	for _, pod := range pods {
		address := pod.Annotations[advertised]
		if ip := cmp.Or(pod.Status.HostIP, pod.Status.PodIP); address == "" && ip != "" {
			address = net.JoinHostPort(ip, securePort(pod))
		}
		if address != "" {
			out = append(out, Peer{pod.Spec.NodeName, address})
		}
	}
	return out
}

// securePort is the port that a Pod's API server listens on.
func securePort(pod corev1.Pod) string {
	port := "6443"
	for _, c := range pod.Spec.Containers {
		port = cmp.Or(proc.Flag(slices.Concat(c.Command, c.Args), "secure-port"), port)
	}
	return port
}

// endpointSliceList is what is needed of a discovery.k8s.io/v1 EndpointSliceList;
// to link that package costs more than this.
type endpointSliceList struct {
	Items []struct {
		Endpoints []struct{ Addresses []string }
		Ports     []struct {
			Name string
			Port int
		}
	}
}

func (l endpointSliceList) peers() []Peer {
	var out []Peer
	for _, slice := range l.Items {
		for _, port := range slice.Ports {
			for _, e := range slice.Endpoints {
				for _, ip := range e.Addresses {
					out = append(out, Peer{Address: net.JoinHostPort(ip, strconv.Itoa(port.Port))})
				}
			}
		}
	}
	return out
}

// ownAddresses are all under which this machine's API server may be listed. The
// one that it advertises need not be one of the machine's, behind NAT.
func ownAddresses(s *apiserver.Server) ([]string, error) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list the addresses of this machine: %w", err)
	}
	port := strconv.Itoa(s.Spec.Port)
	out := []string{net.JoinHostPort(proc.Flag(s.Spec.Command, "advertise-address"), port)}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok {
			out = append(out, net.JoinHostPort(n.IP.String(), port))
		}
	}
	return out, nil
}
