package rollout

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
	"strings"

	corev1 "k8s.io/api/core/v1"
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

// ForbiddenError says that the credentials of this node do not open what is
// needed, or that there are none.
type ForbiddenError struct{ Reason string }

func (e *ForbiddenError) Error() string { return e.Reason }

// Peers lists the other API servers of the cluster. self is the own one; where
// the cluster does not name its node, the machine's name stands for that.
func (s *Server) Peers(ctx context.Context) (peers []Peer, self Peer, err error) {
	if s.User == "" {
		return nil, Peer{}, &ForbiddenError{s.NoCredentials().Error()}
	}
	var pods struct{ Items []corev1.Pod }
	if err := s.list(ctx, serverPods, &pods); err != nil {
		return nil, Peer{}, err
	}
	var endpoints endpointSliceList
	if err := s.list(ctx, serverSlices, &endpoints); err != nil {
		return nil, Peer{}, err
	}
	own, err := s.ownAddresses()
	if err != nil {
		return nil, Peer{}, err
	}
	self.Node, err = os.Hostname()
	if err != nil {
		return nil, Peer{}, fmt.Errorf("ask for the name of this machine: %w", err)
	}
	self.Address = net.JoinHostPort(s.spec.Address, strconv.Itoa(s.spec.Port))
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
func (s *Server) list(ctx context.Context, path string, into any) error {
	code, data, err := s.call(ctx, http.MethodGet, path, "", nil)
	switch {
	case err != nil:
		return fmt.Errorf("ask %s for the cluster's API servers: %w", s.base, err)
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return &ForbiddenError{refusal(code, data)}
	case code != http.StatusOK:
		return fmt.Errorf("ask %s for the cluster's API servers: %s", s.base, refusal(code, data))
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("ask %s for the cluster's API servers: %w", s.base, err)
	}
	return nil
}

// refusal is what the API server says about a request that it did not fulfil.
func refusal(code int, data []byte) string {
	var status struct{ Message string }
	if json.Unmarshal(data, &status) != nil || status.Message == "" {
		return fmt.Sprintf("the API server says %d", code)
	}
	return fmt.Sprintf("the API server says %d: %s", code, status.Message)
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
		port = cmp.Or(lastValue(slices.Concat(c.Command, c.Args), "--secure-port"), port)
	}
	return port
}

// lastValue is the value of a flag in a command line, "" without one.
func lastValue(command []string, flag string) (value string) {
	for _, a := range command {
		if v, ok := strings.CutPrefix(a, flag+"="); ok {
			value = v
		}
	}
	return value
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
func (s *Server) ownAddresses() ([]string, error) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("list the addresses of this machine: %w", err)
	}
	port := strconv.Itoa(s.spec.Port)
	out := []string{net.JoinHostPort(lastValue(s.spec.Command, "--advertise-address"), port)}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok {
			out = append(out, net.JoinHostPort(n.IP.String(), port))
		}
	}
	return out, nil
}

// at is the same, of another API server.
func (s *Server) at(base string) *Server {
	other := *s
	other.base = base
	return &other
}
