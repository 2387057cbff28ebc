package apiserver

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
)

// Kubelet answers as a kubelet does to kube-apiserver: a log's line, and for exec,
// attach and portforward the switch to another protocol, after which it hangs up.
type Kubelet struct {
	listener net.Listener
	server   *http.Server
}

// Port is where it listens, on 127.0.0.1.
func (k *Kubelet) Port() int { return k.listener.Addr().(*net.TCPAddr).Port }

func startKubelet(keys *keys) (*Kubelet, error) {
	pair, err := keys.server()
	if err != nil {
		return nil, err
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}})
	if err != nil {
		return nil, err
	}
	k := &Kubelet{listener: listener}
	k.server = &http.Server{Handler: http.HandlerFunc(serveKubelet), ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = k.server.Serve(listener) }() // it returns when closed
	return k, nil
}

func (k *Kubelet) close() error {
	err := k.server.Close()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func serveKubelet(w http.ResponseWriter, r *http.Request) {
	protocol := r.Header.Get("Upgrade")
	if !strings.HasPrefix(strings.ToLower(protocol), "spdy/") {
		_, _ = io.WriteString(w, "one line\n") // kube-apiserver may have gone
		return
	}
	conn, out, err := w.(http.Hijacker).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer := "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: " + protocol +
		"\r\nX-Stream-Protocol-Version: v4.channel.k8s.io\r\n\r\n"
	_, _ = out.WriteString(answer)
	_ = out.Flush()
	_ = conn.Close()
}
