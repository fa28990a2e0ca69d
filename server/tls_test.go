package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	*testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{T: t, dir: t.TempDir()}
	a.cert = &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.cert, a.key = a.sign(a.cert, time.Hour)
	a.write("ca.pem", "CERTIFICATE", a.cert.Raw)
	return a
}

// sign makes a certificate of a template that is valid for so long; the authority's own, if it has none.
func (a *authority) sign(template *x509.Certificate, life time.Duration) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(life)
	parent, secret := a.cert, a.key
	if secret == nil {
		secret = key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), secret)
	if err != nil {
		a.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.Fatal(err)
	}
	return cert, key
}

// write stores a file and returns its name.
func (a *authority) write(name, kind string, der []byte) string {
	a.Helper()
	name = filepath.Join(a.dir, name)
	if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.Fatal(err)
	}
	return name
}

// issue stores a certificate for a host and its key, valid for so long.
func (a *authority) issue(host string, life time.Duration) (certFile, keyFile string) {
	a.Helper()
	template := &x509.Certificate{Subject: pkix.Name{CommonName: host}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	cert, key := a.sign(template, life)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.Fatal(err)
	}
	return a.write("cert.pem", "CERTIFICATE", cert.Raw), a.write("key.pem", "PRIVATE KEY", secret)
}

// pair is issue for a client.
func (a *authority) pair(life time.Duration) []tls.Certificate {
	a.Helper()
	c, err := tls.LoadX509KeyPair(a.issue("client", life))
	if err != nil {
		a.Fatal(err)
	}
	return []tls.Certificate{c}
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// journal is a log that tests read.
type journal struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.buf.String()
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

// startTLS serves TLS, besides what a server serves already.
func (r *running) startTLS(o TLSOptions) (t *TLS, address string) {
	r.Helper()
	o.Logger = r.log
	t, err := NewTLS(o)
	if err != nil {
		r.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.Serve(t.Listener(l)) }()
	r.Cleanup(func() {
		_ = r.Close()
		if err := <-served; err != nil {
			r.Error(err)
		}
	})
	return t, l.Addr().String()
}

// shake dials with TLS and makes a call; what fails is the error of either.
func shake(address string, config *tls.Config) (peer *x509.Certificate, err error) {
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: patience}, Config: config}
	c, err := d.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, "PING\r\n"); err != nil {
		return nil, err
	}
	reply := make([]byte, 7)
	if _, err := io.ReadFull(c, reply); err != nil {
		return nil, err
	}
	if string(reply) != "+PONG\r\n" {
		return nil, fmt.Errorf("the reply is %q", reply)
	}
	return c.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

func TestCertificatesAreCheckedOnBothSides(t *testing.T) {
	good, other := newAuthority(t, "good"), newAuthority(t, "other")
	valid, expired, foreign := good.pair(time.Hour), good.pair(-time.Hour), other.pair(time.Hour)
	insist := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &foreign[0], nil } // though nobody asks for one of its authority
	for name, c := range map[string]struct {
		auth   string
		host   string // that the server's certificate is for
		life   time.Duration
		client *tls.Config
		err    string // the client's; "": none
		log    string
	}{
		"a client with a certificate": {"yes", "127.0.0.1", time.Hour, &tls.Config{RootCAs: good.pool(), Certificates: valid}, "", ""},
		"a client without":            {"yes", "127.0.0.1", time.Hour, &tls.Config{RootCAs: good.pool()}, "certificate required", "client didn't provide a certificate"},
		"an old client without": {"yes", "127.0.0.1", time.Hour, &tls.Config{RootCAs: good.pool(), MaxVersion: tls.VersionTLS12}, "handshake failure",
			"client didn't provide a certificate"},
		"a client that expired":              {"yes", "127.0.0.1", time.Hour, &tls.Config{RootCAs: good.pool(), Certificates: expired}, "expired certificate", "certificate has expired"},
		"a client of another authority":      {"yes", "127.0.0.1", time.Hour, &tls.Config{RootCAs: good.pool(), GetClientCertificate: insist}, "unknown certificate authority", "unknown authority"},
		"none needed":                        {"no", "127.0.0.1", time.Hour, &tls.Config{RootCAs: good.pool()}, "", ""},
		"none needed and a wrong one":        {"no", "127.0.0.1", time.Hour, &tls.Config{RootCAs: good.pool(), Certificates: foreign}, "", ""},
		"an optional one":                    {"optional", "127.0.0.1", time.Hour, &tls.Config{RootCAs: good.pool(), Certificates: valid}, "", ""},
		"an optional one that is not there":  {"optional", "127.0.0.1", time.Hour, &tls.Config{RootCAs: good.pool()}, "", ""},
		"an optional one that is wrong":      {"optional", "127.0.0.1", time.Hour, &tls.Config{RootCAs: good.pool(), GetClientCertificate: insist}, "unknown certificate authority", "unknown authority"},
		"a server of another authority":      {"no", "127.0.0.1", time.Hour, &tls.Config{RootCAs: other.pool()}, "unknown authority", "remote error: tls: bad certificate"},
		"a server that expired":              {"no", "127.0.0.1", -time.Hour, &tls.Config{RootCAs: good.pool()}, "has expired", "remote error: tls: bad certificate"},
		"a server on another host":           {"no", "192.0.2.1", time.Hour, &tls.Config{RootCAs: good.pool()}, "valid for 192.0.2.1, not 127.0.0.1", "remote error: tls: bad certificate"},
		"a client too old":                   {"no", "127.0.0.1", time.Hour, &tls.Config{RootCAs: good.pool(), MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}, "protocol version", "unsupported versions"},
		"a client whose version is the last": {"no", "127.0.0.1", time.Hour, &tls.Config{RootCAs: good.pool(), MinVersion: tls.VersionTLS13}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			log := &journal{}
			r := start(t, nil, Options{Logger: log.logger(), Password: "secret word"})
			cert, key := good.issue(c.host, c.life)
			_, address := r.startTLS(TLSOptions{CertFile: cert, KeyFile: key, CAFile: filepath.Join(good.dir, "ca.pem"), ClientAuth: c.auth})
			r.dial().do("AUTH default \"secret word\"; CONFIG SET requirepass \"\"", "+OK +OK")
			_, err := shake(address, c.client)
			switch {
			case c.err == "" && err != nil:
				t.Error(err)
			case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
				t.Errorf("the client is told %v, want %q", err, c.err)
			}
			if c.log != "" {
				eventually(t, "the log tells", func() bool { return strings.Contains(log.String(), "TLS handshake failed") })
				if text := log.String(); !strings.Contains(text, c.log) || !strings.Contains(text, "address=127.0.0.1:") || strings.Contains(text, "secret") {
					t.Errorf("the log is %s", text)
				}
			} else if strings.Contains(log.String(), "failed") {
				t.Errorf("the log is %s", log)
			}
			if _, err := shake(address, &tls.Config{InsecureSkipVerify: true, Certificates: valid}); err != nil {
				t.Errorf("the next client: %v", err)
			}
		})
	}
}

func TestCertificatesAreReadAgain(t *testing.T) {
	a := newAuthority(t, "authority")
	cert, key := a.issue("one", time.Hour)
	log := &journal{}
	r := start(t, nil, Options{Logger: log.logger()})
	config, address := r.startTLS(TLSOptions{CertFile: cert, KeyFile: key})
	seen := func() string {
		t.Helper()
		peer, err := shake(address, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		return peer.Subject.CommonName
	}
	if name := seen(); name != "one" {
		t.Errorf("the first is for %s", name)
	}
	stays, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	w := newWire(t, stays)
	w.do("PING", "+PONG")
	a.issue("two", time.Hour)
	eventually(t, "the new one is seen", func() bool { return seen() == "two" })
	a.issue("three", time.Hour)
	if err := config.Reload(); err != nil {
		t.Error(err)
	}
	if name := seen(); name != "three" {
		t.Errorf("after Reload it is for %s", name)
	}
	if err := os.WriteFile(key, []byte("half a k"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := config.Reload(); err == nil || strings.Contains(err.Error(), "half") {
		t.Errorf("a file that holds no key: %v", err)
	}
	if name := seen(); name != "three" {
		t.Errorf("after a Reload that failed it is for %s", name)
	}
	a.issue("four", -time.Hour)
	eventually(t, "the next one is seen", func() bool { return seen() == "four" })
	w.do("PING", "+PONG")
	for _, word := range []string{"certificates were read again", "the certificate has expired"} {
		if !strings.Contains(log.String(), word) {
			t.Errorf("the log has no %q: %s", word, log)
		}
	}
}

func TestTLSThatCannotBeIsRefusedAtOnce(t *testing.T) {
	a := newAuthority(t, "authority")
	cert, key := a.issue("localhost", time.Hour)
	for want, o := range map[string]TLSOptions{
		"load certificate and key":                   {CertFile: "missing.pem", KeyFile: key},
		"client certificates need a file with":       {CertFile: cert, KeyFile: key, ClientAuth: "yes"},
		"is yes, no or optional, not \"perhaps\"":    {CertFile: cert, KeyFile: key, CAFile: cert, ClientAuth: "perhaps"},
		"load authorities: no certificate in " + key: {CertFile: cert, KeyFile: key, CAFile: key},
		"load authorities: open missing.pem":         {CertFile: cert, KeyFile: key, CAFile: "missing.pem"},
	} {
		if _, err := NewTLS(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
}

// secretive starts a server that speaks TLS and plain RESP.
func secretive(t *testing.T, o Options) (r *running, address string) {
	cert, key := newAuthority(t, "authority").issue("127.0.0.1", time.Hour)
	r = start(t, nil, o)
	_, address = r.startTLS(TLSOptions{CertFile: cert, KeyFile: key})
	return r, address
}

// halfOpen opens connections that never finish their handshake: some say nothing, some begin one.
func halfOpen(t *testing.T, address string, n int) (all []net.Conn) {
	for i := range n {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if i%2 == 1 {
			_, _ = c.Write([]byte{tlsRecord, 3, 1, 2, 0, 1}) // the beginning of a ClientHello
		}
		all = append(all, c)
	}
	return all
}

func TestAThousandHandshakesThatNeverEndDisturbNobody(t *testing.T) {
	log := &journal{}
	r, address := secretive(t, Options{Logger: log.logger(), MaxClients: 4, HandshakeTimeout: 2 * time.Second})
	w := r.dial()
	w.do("PING", "+PONG")
	before := heap()
	all := halfOpen(t, address, 1000)
	eventually(t, "they have all begun", func() bool { return r.accepted.Load() == 1001 })
	w.do("SET k v", "+OK")
	if _, err := shake(address, &tls.Config{InsecureSkipVerify: true}); err != nil {
		t.Errorf("another client of TLS: %v", err)
	}
	r.dial().do("GET k", "$1 v")
	if grown := heap() - before; grown > 40<<20 {
		t.Errorf("a thousand handshakes take %d MiB", grown>>20)
	}
	if n := r.hub.Len(); n > 3 {
		t.Errorf("%d clients are known, of whom two are any", n)
	}
	for _, c := range all {
		_ = c.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, c); err != nil && !strings.Contains(err.Error(), "reset") {
			t.Fatalf("it is not closed: %v", err)
		}
	}
	eventually(t, "all slots are free", func() bool { return len(r.handshakes.slots) == 0 })
	if text := log.String(); strings.Count(text, "TLS handshake failed") > 20 || !strings.Contains(text, "it took longer than 2s") {
		t.Errorf("the log is %s", text)
	}
	w.do("GET k", "$1 v")
}

// heap is what is in use, with stacks.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

func TestHandshakesGiveWayToThoseWhoWait(t *testing.T) {
	r, address := secretive(t, Options{Handshakes: 3, HandshakeTimeout: time.Hour})
	halfOpen(t, address, 5)
	if _, err := shake(address, &tls.Config{InsecureSkipVerify: true}); err != nil {
		t.Errorf("a client behind five that say nothing: %v", err)
	}
	if n := len(r.handshakes.slots); n > 3 {
		t.Errorf("%d handshakes go on", n)
	}
}

func TestHandshakesEndWithTheServer(t *testing.T) {
	r, address := secretive(t, Options{Handshakes: 2, HandshakeTimeout: time.Hour})
	halfOpen(t, address, 3)
	eventually(t, "they have begun", func() bool { return r.accepted.Load() == 3 })
	if err := r.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestWhoTakesOnePortForTheOtherIsToldSo(t *testing.T) {
	log := &journal{}
	r, address := secretive(t, Options{Logger: log.logger()})
	for _, first := range []string{"PING\r\nPING\r\n", "*1\r\n$4\r\nPING\r\n", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"} {
		r.turnedDownAt.Store(-int64(time.Hour))
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		w := newWire(t, c)
		w.send(first)
		w.expect(plainToTLS)
		w.ends()
		eventually(t, "the log tells", func() bool {
			return strings.Contains(log.String(), "the client does not speak TLS, which this listener does")
		})
		log.mu.Lock()
		log.buf.Reset()
		log.mu.Unlock()
	}
	if _, err := shake(r.address, &tls.Config{InsecureSkipVerify: true}); err == nil || !strings.Contains(err.Error(), "first record does not look like a TLS handshake") {
		t.Errorf("who speaks TLS to a plain port is told %v", err)
	}
	eventually(t, "the log tells", func() bool {
		return strings.Contains(log.String(), "the client speaks TLS, which this listener does not")
	})
	r.dial().do("PING", "+PONG")
}

func TestConfigTellsTheTwoPorts(t *testing.T) {
	r, address := secretive(t, Options{})
	port := func(address string) string {
		_, port, _ := net.SplitHostPort(address)
		return port
	}
	plain, secure := port(r.address), port(address)
	w := r.dial()
	w.do("CONFIG GET port", fmt.Sprintf("*2 $4 port $%d %s", len(plain), plain))
	eventually(t, "the listener is known", func() bool { return r.port(true) != 0 })
	w.do("CONFIG GET tls-port", fmt.Sprintf("*2 $8 tls-port $%d %s", len(secure), secure))
}
