package simnode

import (
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

// stand is a process that only has the name, and perhaps the arguments, of
// another: it notes every signal, and that the connection which it keeps to
// itself ends. Where its arguments name a port that is free, it listens there.
func stand() error {
	name := os.Getenv(envBystander)
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o666)
	if err != nil {
		return err
	}
	notes := log.New(file, "", 0)
	signals := make(chan os.Signal, 10)
	signal.Notify(signals) // all that can be caught
	go keepConnection(notes, bystanderPort())
	notes.Println("stands")
	for s := range signals {
		// The runtime sends itself SIGURG to pre-empt goroutines.
		if s != syscall.SIGURG {
			notes.Println("signal:", s)
		}
	}
	return nil
}

// bystanderPort is what --secure-port names.
func bystanderPort() int {
	for _, a := range os.Args {
		if v, ok := strings.CutPrefix(a, "--secure-port="); ok {
			port, _ := strconv.Atoi(v)
			return port
		}
	}
	return 0
}

// keepConnection connects to its own port and notes when that is cut.
func keepConnection(notes *log.Logger, port int) {
	l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
	if err != nil {
		return // the port is another's
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, err := conn.Read(make([]byte, 1))
				if err != nil && err != io.EOF {
					notes.Println("cut:", err)
				}
			}()
		}
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return
	}
	_, err = conn.Read(make([]byte, 1))
	notes.Println("cut:", err)
}
