package simnode

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"sigs.k8s.io/yaml"
)

// client speaks to the API server as the kubelet and the controllers do.
type client struct {
	http *http.Client
	base string
}

// newClient reads a kubeconfig with its certificate in it.
func newClient(name string) (*client, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var config struct {
		Clusters []struct {
			Cluster struct {
				CA     []byte `json:"certificate-authority-data"`
				Server string `json:"server"`
			} `json:"cluster"`
		} `json:"clusters"`
		Users []struct {
			User struct {
				Cert []byte `json:"client-certificate-data"`
				Key  []byte `json:"client-key-data"`
			} `json:"user"`
		} `json:"users"`
	}
	if err := yaml.Unmarshal(data, &config); err != nil {
		return nil, err
	}
	if len(config.Clusters) != 1 || len(config.Users) != 1 {
		return nil, errors.New(name + ": not one cluster and one user")
	}
	pair, err := tls.X509KeyPair(config.Users[0].User.Cert, config.Users[0].User.Key)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(config.Clusters[0].Cluster.CA)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}}
	return &client{&http.Client{Transport: transport}, config.Clusters[0].Cluster.Server}, nil
}

// do sends a request and decodes the answer.
func (c *client) do(method, path string, body, into any) (code int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), paced(10*time.Second))
	defer cancel()
	var data []byte
	if body != nil {
		if data, err = json.Marshal(body); err != nil {
			return 0, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(data))
	if err != nil {
		return 0, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if into != nil && resp.StatusCode == http.StatusOK {
		return resp.StatusCode, json.NewDecoder(resp.Body).Decode(into)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// watch holds a watch until it ends.
func (c *client) watch(path string) error {
	resp, err := c.http.Get(c.base + path + "?watch=true")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("watch %s: %s", path, resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

// watchAlways is what controller-manager and scheduler do to an API server:
// their watches are open as long as it lets them.
func watchAlways(c *client) {
	for ; ; time.Sleep(paced(time.Second)) {
		if err := c.watch("/api/v1/nodes"); err != nil {
			c.http.CloseIdleConnections()
		}
	}
}
