package apiserver

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// keys is the certificate authority of a bed: of kube-apiserver, of its clients and of
// the kubelet. Its key signs service account tokens too.
type keys struct {
	dir  string
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

// makeKeys makes an authority and kube-apiserver's own certificate, as files.
func makeKeys(dir string) (*keys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	k := &keys{dir: dir, pool: x509.NewCertPool()}
	authority := template("bed", nil)
	authority.IsCA, authority.BasicConstraintsValid = true, true
	authority.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	pair, err := k.sign(authority)
	if err != nil {
		return nil, err
	}
	k.key, k.cert = pair.PrivateKey.(*ecdsa.PrivateKey), pair.Leaf
	k.pool.AddCert(k.cert)
	if err := k.write("ca", pair); err != nil {
		return nil, err
	}
	server, err := k.server()
	if err != nil {
		return nil, err
	}
	return k, k.write("server", server)
}

func (k *keys) path(name string) string { return filepath.Join(k.dir, name) }

// server is a certificate for whoever listens on loopback.
func (k *keys) server() (tls.Certificate, error) {
	t := template("kube-apiserver", nil)
	t.IPAddresses, t.DNSNames = []net.IP{net.IPv4(127, 0, 0, 1)}, []string{"localhost", "kubernetes.default.svc"}
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	return k.sign(t)
}

// client is the certificate of a user.
func (k *keys) client(u User) (tls.Certificate, error) {
	t := template(u.Name, u.Groups)
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	return k.sign(t)
}

func template(name string, groups []string) *x509.Certificate {
	now := time.Now()
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: name, Organization: groups},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(24 * time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
}

// sign makes a key and a certificate for it, which signs itself when there is no
// authority yet.
func (k *keys) sign(t *x509.Certificate) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	parent, signer := k.cert, k.key
	if parent == nil {
		parent, signer = t, key
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, key.Public(), signer)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate of %s: %w", t.Subject.CommonName, err)
	}
	leaf, err := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, err
}

// write makes NAME.crt and NAME.key.
func (k *keys) write(name string, pair tls.Certificate) error {
	der, err := x509.MarshalECPrivateKey(pair.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		return err
	}
	crt := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
	key := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	if err := os.WriteFile(k.path(name+".crt"), crt, 0o600); err != nil {
		return err
	}
	return os.WriteFile(k.path(name+".key"), key, 0o600)
}
