// Balancer stands in for the load balancer of a kind cluster with several control planes
// where the Envoy image cannot be pulled. It reads the two files that kind v0.33 writes for
// Envoy and passes TCP connections on, in turn, to the API servers that answer /healthz.
package main

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"regexp"
	"sync/atomic"
	"time"
)

const (
	listenerFile = "/home/envoy/lds.yaml"
	backendsFile = "/home/envoy/cds.yaml"
)

// socketAddress is the only part of Envoy's configuration that matters here.
var socketAddress = regexp.MustCompile(`(?m)address:\s*"?([\w.:-]+)"?\s*\n\s*port_value:\s*(\d+)`)

func main() {
	listen := addresses(listenerFile)
	for ; len(listen) == 0; listen = addresses(listenerFile) { // kind writes it after our start
		time.Sleep(200 * time.Millisecond)
	}
	listener, err := net.Listen("tcp", listen[0])
	if err != nil {
		log.Fatal(err)
	}
	var b balancer
	go b.check()
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go b.serve(conn)
	}
}

// addresses are the HOST:PORT pairs of a file, none while it is absent.
func addresses(file string) []string {
	text, _ := os.ReadFile(file)
	var found []string
	for _, m := range socketAddress.FindAllSubmatch(text, -1) {
		found = append(found, net.JoinHostPort(string(m[1]), string(m[2])))
	}
	return found
}

type balancer struct {
	healthy atomic.Pointer[[]string]
	turn    atomic.Uint64
}

// check asks every backend for its health, each second.
func (b *balancer) check() {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // as kind tells Envoy
	}}
	for ; ; time.Sleep(time.Second) {
		var up []string
		for _, address := range addresses(backendsFile) {
			answer, err := client.Get("https://" + address + "/healthz")
			if err != nil {
				continue
			}
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				up = append(up, address)
			}
		}
		b.healthy.Store(&up)
	}
}

// serve passes a connection on to the first healthy backend that accepts it.
func (b *balancer) serve(client net.Conn) {
	defer client.Close()
	healthy := b.healthy.Load()
	if healthy == nil {
		return
	}
	first := int(b.turn.Add(1) % 1024)
	for i := range *healthy {
		server, err := net.DialTimeout("tcp", (*healthy)[(first+i)%len(*healthy)], 250*time.Millisecond)
		if err != nil {
			continue
		}
		join(client.(*net.TCPConn), server.(*net.TCPConn))
		return
	}
}

// pass copies until from has said all, and tells to. Either side may break off at any
// time, and the other one then learns it as the end.
func pass(to, from *net.TCPConn) {
	_, _ = io.Copy(to, from)
	_ = to.CloseWrite()
}

// join copies both ways until both sides are done.
func join(client, server *net.TCPConn) {
	defer server.Close()
	done := make(chan struct{})
	go func() {
		pass(server, client)
		close(done)
	}()
	pass(client, server)
	<-done
}
