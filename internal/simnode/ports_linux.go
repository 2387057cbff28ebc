package simnode

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"
)

// Port is a port of the machine that the test has taken.
type Port struct {
	Address string
	// Do is what happens with connections: "hang" accepts and says nothing, "close"
	// closes them, else it is a status for every HTTP request.
	Do string
}

// Listen takes a port, and waits for it when somebody has it.
func (m *Machine) Listen(p Port, _ *None) error {
	for {
		l, err := net.Listen("tcp", p.Address)
		if err == nil {
			go receive(l, p.Do)
			m.mu.Lock()
			m.ports[p.Address] = l
			m.mu.Unlock()
			return nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
		time.Sleep(time.Millisecond)
	}
}

// Release gives a port back.
func (m *Machine) Release(address string, _ *None) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ports[address].Close()
}

// receive is somebody on a port: for webhooks, or only in the way.
func receive(l net.Listener, do string) {
	if status, err := strconv.Atoi(do); err == nil {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.WriteHeader(status)
		}))
		return
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		if do == "close" {
			conn.Close()
		} else {
			time.AfterFunc(time.Minute, func() { conn.Close() })
		}
	}
}
