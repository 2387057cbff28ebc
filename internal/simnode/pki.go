package simnode

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// PKI makes the certificates of a cluster, as kubeadm does
// (cmd/kubeadm/app/phases/certs). All nodes can share one.
type PKI struct {
	ca  *x509.Certificate
	key *ecdsa.PrivateKey
	CA  []byte // PEM
}

// Who are the users whose kubeconfigs kubeadm writes
// (cmd/kubeadm/app/phases/kubeconfig, getKubeConfigSpecs).
var (
	Admin      = User{"kubernetes-admin", "kubeadm:cluster-admins"}
	SuperAdmin = User{"kubernetes-super-admin", "system:masters"}
)

// User is whom a client certificate speaks for.
type User struct{ Name, Group string }

// NodeUser is the kubelet's.
func NodeUser(node string) User { return User{"system:node:" + node, "system:nodes"} }

// NewPKI makes a certificate authority.
func NewPKI() (*PKI, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "kubernetes"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &PKI{ca, key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, nil
}

// ServerCert is the API server's. 127.0.0.1 is not in it
// (cmd/kubeadm/app/util/pkiutil, GetAPIServerAltNames).
func (p *PKI) ServerCert(node string) (cert, key []byte, err error) {
	return p.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "kube-apiserver"},
		DNSNames:    []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", node},
		IPAddresses: []net.IP{net.ParseIP("10.96.0.1"), net.ParseIP(NodeIP)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		NotAfter:    time.Now().AddDate(1, 0, 0),
	})
}

// Kubeconfig is one with the certificate in it, which ends at an instant.
func (p *PKI) Kubeconfig(u User, ends time.Time) ([]byte, error) {
	cert, key, err := p.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: u.Name, Organization: []string{u.Group}},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		NotAfter:    ends,
	})
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, kubeconfigForm, base64.StdEncoding.EncodeToString(p.CA), NodeIP, u.Name, u.Name, u.Name,
		base64.StdEncoding.EncodeToString(cert), base64.StdEncoding.EncodeToString(key)), nil
}

const kubeconfigForm = `apiVersion: v1
kind: Config
clusters:
- cluster:
    certificate-authority-data: %s
    server: https://%s:6443
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: %s
  name: %s@kubernetes
current-context: %[4]s@kubernetes
preferences: {}
users:
- name: %[5]s
  user:
    client-certificate-data: %s
    client-key-data: %s
`

func (p *PKI) sign(c *x509.Certificate) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if c.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<62)); err != nil {
		return nil, nil, err
	}
	c.NotBefore = time.Now().AddDate(-1, 0, -1)
	c.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	der, err := x509.CreateCertificate(rand.Reader, c, p.ca, private.Public(), p.key)
	if err != nil {
		return nil, nil, err
	}
	bytes, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: bytes}), nil
}
