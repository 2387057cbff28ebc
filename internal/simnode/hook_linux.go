package simnode

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/yaml"
)

// hook posts events (k8s.io/apiserver/plugin/pkg/audit/webhook).
type hook struct {
	url, host string
	blocking  bool
	client    http.Client
	counts    *counters
	pending   sync.WaitGroup
}

func newHook(config, mode string, c *counters) (*hook, error) {
	data, err := os.ReadFile(config)
	if err != nil {
		return nil, err
	}
	var k struct {
		Clusters []struct {
			Cluster struct {
				Server string `json:"server"`
			} `json:"cluster"`
		} `json:"clusters"`
	}
	if err := yaml.Unmarshal(data, &k); err != nil || len(k.Clusters) == 0 {
		return nil, fmt.Errorf("invalid configuration: %v", err)
	}
	server := k.Clusters[0].Cluster.Server
	host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(server, "http://"), "https://"), "/")
	// k8s.io/apiserver/pkg/util/webhook, defaultRequestTimeout
	return &hook{url: server, host: host, blocking: mode != "batch", counts: c, client: http.Client{Timeout: paced(30 * time.Second)}}, nil
}

// post waits for the receiver in blocking mode.
func (h *hook) post(event []byte) {
	h.pending.Add(1)
	send := func() {
		defer h.pending.Done()
		body := fmt.Appendf(nil, `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[%s]}`, event)
		resp, err := h.client.Post(h.url, "application/json", bytes.NewReader(body))
		if err != nil {
			h.counts.posted(h.host, "<error>")
			return
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		h.counts.posted(h.host, fmt.Sprint(resp.StatusCode))
	}
	if h.blocking {
		send()
		return
	}
	go send()
}

func (h *hook) flush() { h.pending.Wait() }

// counters are those of /metrics that tell of webhooks (k8s.io/component-base/
// metrics/prometheus/restclient).
type counters struct {
	mu    sync.Mutex
	posts map[[2]string]int
}

func (c *counters) posted(host, code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.posts == nil {
		c.posts = map[[2]string]int{}
	}
	c.posts[[2]string{host, code}]++
}

func (c *counters) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out strings.Builder
	out.WriteString("# TYPE rest_client_requests_total counter\n")
	for k, n := range c.posts {
		fmt.Fprintf(&out, "rest_client_requests_total{code=%q,host=%q,method=\"POST\"} %d\n", k[1], k[0], n)
	}
	return out.String()
}
