package redis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/testenv"
)

// certify writes a certificate for 127.0.0.1 that is its own authority, and its key.
func certify(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTLS(t *testing.T) {
	cert, key := certify(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().(*net.TCPAddr)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	testenv.Redis(t, "--tls-port", strconv.Itoa(addr.Port), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert)
	with := func(names ...string) string {
		q := url.Values{"dialer_retries": {"1"}}
		for i := 0; i < len(names); i += 2 {
			q.Set(names[i], names[i+1])
		}
		return "rediss://" + addr.String() + "?" + q.Encode()
	}
	for name, url := range map[string]string{
		"trusted":  with("ca_file", cert, "cert_file", cert, "key_file", key),
		"careless": with("skip_verify", "true", "cert_file", cert, "key_file", key),
	} {
		t.Run(name, func(t *testing.T) { expect(t, open(t, url), batch("PING"), "+PONG\r\n") })
	}
	for name, c := range map[string]struct{ url, want string }{
		"unknown authority":     {with("cert_file", cert, "key_file", key), "certificate"},
		"no client certificate": {with("ca_file", cert), "certificate"},
		"wrong name":            {with("ca_file", cert, "cert_file", cert, "key_file", key, "server_name", "other.example"), "other.example"},
		"no TLS":                {strings.Replace(with(), "rediss", "redis", 1), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := engine.Open(t.Context(), c.url); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
