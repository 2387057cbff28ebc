package apiserver

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// requestTimeout is for one answer; nothing here takes a second on an idle machine.
const requestTimeout = 60 * time.Second

// idleTimeout is after how long a connection is not used again: kube-apiserver closes one
// after 90 s, and a request must not be sent twice.
const idleTimeout = 30 * time.Second

// Request is a request as it goes over the wire. Target is sent as it is, since
// odd paths are of interest here.
type Request struct {
	As     User
	Method string
	Target string            // path and query
	Header map[string]string // beside Host, Authorization and Content-Length
	Body   []byte

	// Until reads the body only up to this text, and drops the connection: for
	// answers without an end, as of a watch. Hold reads nothing of the body at all.
	Until string
	Hold  bool
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Client sends one request after the other over one connection for each certificate,
// with HTTP/1.1. kube-apiserver reads the next request of a connection only when all of
// the one before is done, the events of the audit log included.
type Client struct {
	server      *Server
	connections map[string]*connection // by the user's name for a certificate, else ""
}

type connection struct {
	*tls.Conn
	in   *bufio.Reader
	last time.Time // when it was last used
}

// Client returns a client without connections.
func (s *Server) Client() *Client {
	return &Client{server: s, connections: map[string]*connection{}}
}

// Close drops the connections.
func (c *Client) Close() {
	for key := range c.connections {
		c.drop(key)
	}
}

// drop closes without a word: the other side may have closed already.
func (c *Client) drop(key string) {
	if conn := c.connections[key]; conn != nil {
		_ = conn.Close()
		delete(c.connections, key)
	}
}

// Do sends a request and reads the answer.
func (c *Client) Do(r Request) (Answer, error) {
	key := ""
	if r.As.Certificate {
		key = r.As.Name
	}
	answer, err := c.exchange(key, r)
	if err != nil {
		c.drop(key)
		return answer, fmt.Errorf("%s %.200s: %w", r.Method, r.Target, err)
	}
	return answer, nil
}

func (c *Client) exchange(key string, r Request) (Answer, error) {
	conn, err := c.connect(key, r.As)
	if err != nil {
		return Answer{}, err
	}
	if err := conn.SetDeadline(time.Now().Add(requestTimeout)); err != nil {
		return Answer{}, err
	}
	if _, err := conn.Write(r.wire(c.server.address)); err != nil {
		return Answer{}, err
	}
	response, err := http.ReadResponse(conn.in, &http.Request{Method: r.Method})
	if err != nil {
		return Answer{}, err
	}
	answer := Answer{Status: response.StatusCode, Header: response.Header}
	switch {
	case response.StatusCode == http.StatusSwitchingProtocols || r.Hold:
		c.drop(key)
		return answer, nil
	case r.Until != "":
		defer c.drop(key)
		answer.Body, err = readUntil(response.Body, r.Until)
		return answer, err
	}
	answer.Body, err = io.ReadAll(response.Body)
	if response.Close || response.ProtoMinor == 0 {
		c.drop(key)
	}
	return answer, err
}

// connect returns the open connection, or a new one.
func (c *Client) connect(key string, u User) (*connection, error) {
	if conn := c.connections[key]; conn != nil {
		if time.Since(conn.last) < idleTimeout {
			conn.last = time.Now()
			return conn, nil
		}
		c.drop(key)
	}
	config := &tls.Config{RootCAs: c.server.bed.keys.pool, NextProtos: []string{"http/1.1"}}
	if u.Certificate {
		pair, err := c.server.bed.keys.client(u)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	raw, err := tls.Dial("tcp", c.server.address, config)
	if err != nil {
		return nil, err
	}
	c.connections[key] = &connection{Conn: raw, in: bufio.NewReader(raw), last: time.Now()}
	return c.connections[key], nil
}

// wire is the request's text.
func (r Request) wire(host string) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, r.Target, host)
	if r.As.Token != "" {
		fmt.Fprintf(&b, "Authorization: Bearer %s\r\n", r.As.Token)
	}
	for name, value := range r.Header {
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	if len(r.Body) > 0 || strings.HasPrefix(r.Method, "P") {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.Body))
	}
	b.WriteString("\r\n")
	b.Write(r.Body)
	return b.Bytes()
}

// readUntil reads until the text has come. An end before it is an error.
func readUntil(in io.Reader, text string) ([]byte, error) {
	var all []byte
	buffer := make([]byte, 64<<10)
	for {
		n, err := in.Read(buffer)
		all = append(all, buffer[:n]...)
		if bytes.Contains(all, []byte(text)) {
			return all, nil
		}
		if err != nil {
			return all, fmt.Errorf("the answer ended before %.100q came: %w, %.500q", text, err, all)
		}
	}
}
