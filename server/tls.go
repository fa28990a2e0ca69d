package server

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// TLSOptions say how TLS is spoken.
type TLSOptions struct {
	CertFile string // PEM: the certificate, then those between it and its authority
	KeyFile  string // PEM: its private key
	CAFile   string // PEM: the authorities of client certificates; default none

	// ClientAuth says whether clients must show a certificate of those authorities: "yes", "no", or "optional", which
	// refuses wrong ones. Default yes with CAFile, no without.
	ClientAuth string
	MinVersion uint16       // default tls.VersionTLS12
	Logger     *slog.Logger // is told when files were read again; default slog.Default
}

// TLS makes listeners speak TLS with certificates from files. Files that change are read again; connections that are there
// stay. It is safe for concurrent use.
type TLS struct {
	o      TLSOptions
	auth   tls.ClientAuthType
	config atomic.Pointer[tls.Config]
	looked atomic.Int64 // when the files were looked at last, in nanoseconds since start
	start  time.Time

	mu    sync.Mutex // guards what follows, and changes of config
	state string     // of the files when they were read last
}

// NewTLS reads the files.
func NewTLS(o TLSOptions) (*TLS, error) {
	if o.MinVersion == 0 {
		o.MinVersion = tls.VersionTLS12
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	t := &TLS{o: o, start: time.Now()}
	switch o.ClientAuth {
	case "":
		if o.CAFile != "" {
			t.auth = tls.RequireAndVerifyClientCert
		}
	case "yes":
		t.auth = tls.RequireAndVerifyClientCert
	case "optional":
		t.auth = tls.VerifyClientCertIfGiven
	case "no":
	default:
		return nil, fmt.Errorf("whether clients need certificates is yes, no or optional, not %q", o.ClientAuth)
	}
	if t.auth != tls.NoClientCert && o.CAFile == "" {
		return nil, errors.New("client certificates need a file with their authorities")
	}
	return t, t.Reload()
}

// Listener returns l as one whose clients speak TLS.
func (t *TLS) Listener(l net.Listener) net.Listener {
	return &secureListener{l, &tls.Config{
		MinVersion: t.o.MinVersion,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			t.follow()
			return t.config.Load(), nil
		},
	}}
}

// secureListener is a tls.NewListener that can be told from others.
type secureListener struct {
	net.Listener
	config *tls.Config
}

// Accept implements net.Listener. The handshake is still to come.
func (l *secureListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return tls.Server(c, l.config), nil
}

// Reload reads the files now. If it fails, what was read before is used on.
func (t *TLS) Reload() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.state = t.fileState()
	return t.read()
}

// lookAgain is how often the files are looked at, if there are clients who need them.
const lookAgain = time.Second

// follow reads files again that have changed.
func (t *TLS) follow() {
	now, before := int64(time.Since(t.start)), t.looked.Load()
	if now-before < int64(lookAgain) || !t.looked.CompareAndSwap(before, now) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	state := t.fileState()
	if state == t.state {
		return
	}
	t.state = state
	if err := t.read(); err != nil { // perhaps not all of them are written yet: that is one more change
		t.o.Logger.Warn("certificates have changed and cannot be used; those before serve on", "error", err)
	}
}

// fileState changes with the files.
func (t *TLS) fileState() (state string) {
	for _, name := range []string{t.o.CertFile, t.o.KeyFile, t.o.CAFile} {
		if info, err := os.Stat(name); err == nil {
			state += fmt.Sprint(info.ModTime().UnixNano(), " ", info.Size(), "\n")
		}
	}
	return state
}

// read makes a configuration of the files. mu is held.
func (t *TLS) read() error {
	cert, err := tls.LoadX509KeyPair(t.o.CertFile, t.o.KeyFile)
	if err != nil {
		return fmt.Errorf("load certificate and key: %w", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: t.o.MinVersion, ClientAuth: t.auth}
	if t.o.CAFile != "" {
		pem, err := os.ReadFile(t.o.CAFile)
		if err != nil {
			return fmt.Errorf("load authorities: %w", err)
		}
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("load authorities: no certificate in %s", t.o.CAFile)
		}
	}
	again := t.config.Swap(config) != nil
	log := t.o.Logger.With("file", t.o.CertFile, "expires", cert.Leaf.NotAfter)
	switch left := time.Until(cert.Leaf.NotAfter); {
	case left < 0:
		log.Warn("the certificate has expired")
	case again:
		log.Info("certificates were read again")
	}
	return nil
}
