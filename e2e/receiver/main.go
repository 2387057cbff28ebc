// Receiver takes audit events as the webhook backend of kube-apiserver posts them, and notes
// each in a file. It stands in for whoever does so in earnest: what it refuses, and with which
// status, is what Falco's k8saudit plugin refuses (plugins/k8saudit/pkg/k8saudit/source.go in
// falcosecurity/plugins). Unlike Falco it answers after it has noted the events, so that what
// was answered with 200 is in the file.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"time"
)

// options are the flags. Without a certificate it speaks plain HTTP.
type options struct {
	listen, path, out   string
	cert, key, clientCA string
	status              int
}

func main() {
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	var o options
	flag.StringVar(&o.listen, "listen", "127.0.0.1:9765", "`HOST:PORT`")
	flag.StringVar(&o.path, "path", "/k8s-audit", "the only `PATH` that takes events")
	flag.StringVar(&o.out, "out", "events.jsonl", "`FILE` that the events are appended to, one JSON object a line")
	flag.StringVar(&o.cert, "cert", "", "PEM `FILE` with the server's certificate")
	flag.StringVar(&o.key, "key", "", "PEM `FILE` with its key")
	flag.StringVar(&o.clientCA, "client-ca", "", "PEM `FILE` with the CA of the certificate that clients have to show")
	flag.IntVar(&o.status, "status", http.StatusOK, "answer everything with this `STATUS`; no event is noted unless it is 200")
	flag.Parse()
	if flag.NArg() > 0 {
		log.Fatalf("no arguments are expected: %q", flag.Args())
	}
	log.Fatal(run(o))
}

func run(o options) error {
	out, err := os.OpenFile(o.out, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	tlsConfig, err := o.tls()
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle(o.path, &receiver{out: out, status: o.status})
	server := &http.Server{Addr: o.listen, Handler: mux, TLSConfig: tlsConfig, ReadHeaderTimeout: 10 * time.Second}
	if tlsConfig == nil {
		return server.ListenAndServe()
	}
	return server.ListenAndServeTLS("", "")
}

// tls is nil for plain HTTP.
func (o options) tls() (*tls.Config, error) {
	if o.cert == "" {
		if o.clientCA != "" {
			return nil, errors.New("-client-ca goes with -cert and -key")
		}
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(o.cert, o.key)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{Certificates: []tls.Certificate{pair}}
	if o.clientCA == "" {
		return c, nil
	}
	pem, err := os.ReadFile(o.clientCA)
	if err != nil {
		return nil, err
	}
	c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !c.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: no certificate in PEM form", o.clientCA)
	}
	return c, nil
}
