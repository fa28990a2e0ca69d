package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/redbud-go/redbud/server"
)

// tlsVersions are what --tls-min-version takes.
var tlsVersions = map[string]uint16{"1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}

// tls is what the flags say of TLS; nil for none.
func (o *serveOptions) tls(log *slog.Logger) (*server.TLS, error) {
	if (o.tlsCert == "") != (o.tlsKey == "") {
		return nil, errors.New("--tls-cert and --tls-key belong together")
	}
	if o.tlsCert == "" {
		if o.clientCA != "" || o.tlsAuth != "" {
			return nil, errors.New("--tls-client-ca and --tls-auth-clients need --tls-cert and --tls-key")
		}
		return nil, nil
	}
	version, ok := tlsVersions[o.tlsMin]
	if !ok {
		return nil, fmt.Errorf("--tls-min-version %s: it is 1.2 or 1.3", o.tlsMin)
	}
	t, err := server.NewTLS(server.TLSOptions{CertFile: o.tlsCert, KeyFile: o.tlsKey, CAFile: o.clientCA, ClientAuth: o.tlsAuth, MinVersion: version, Logger: log})
	if err != nil {
		return nil, fmt.Errorf("TLS: %w", err)
	}
	return t, nil
}

// reloadOnHangup reads certificates again on SIGHUP, until stop is called.
func reloadOnHangup(t *server.TLS, log *slog.Logger) (stop func()) {
	hangups, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(hangups, syscall.SIGHUP)
	go func() {
		defer close(done)
		for range hangups {
			if err := t.Reload(); err != nil {
				log.Error("certificates cannot be used; those before serve on", "error", err)
			}
		}
	}()
	return func() {
		signal.Stop(hangups)
		close(hangups)
		<-done
	}
}

const tlsPrefix = "tls:"

// listenAll listens on all addresses or none. With t those that begin with tls: speak TLS, or all of TCP if none does.
func listenAll(addresses []string, t *server.TLS) ([]listener, error) {
	chosen := false
	for _, address := range addresses {
		chosen = chosen || strings.HasPrefix(address, tlsPrefix)
	}
	if chosen && t == nil {
		return nil, errors.New("--listen " + tlsPrefix + "… needs --tls-cert and --tls-key")
	}
	var listeners []listener
	for _, address := range addresses {
		address, secure := strings.CutPrefix(address, tlsPrefix)
		l, err := listen(address)
		if err != nil {
			_ = closeAll(listeners) // the first error is the one to tell
			return nil, err
		}
		secure = secure || t != nil && !chosen && l.Addr().Network() == "tcp"
		if secure {
			l = t.Listener(l)
		}
		listeners = append(listeners, listener{l, secure})
	}
	return listeners, nil
}

// listener is one of --listen.
type listener struct {
	net.Listener
	secure bool // it speaks TLS
}

func closeAll(listeners []listener) (err error) {
	for _, l := range listeners {
		err = errors.Join(err, l.Close())
	}
	return err
}

// listen listens on host:port or unix:/path.
func listen(address string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(address, "unix:")
	network, where := "tcp", address
	if isUnix {
		network, where = "unix", path
		removeStale(path)
	}
	l, err := net.Listen(network, where)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("listen on %s: the address is in use by another program; --listen chooses another", address)
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return l, nil
}

// removeStale removes a socket that a program left behind: a socket that nobody answers at. Whatever else goes wrong
// with it, listening will tell.
func removeStale(path string) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return
	}
	if conn, err := net.Dial("unix", path); err == nil {
		_ = conn.Close()
	} else if errors.Is(err, syscall.ECONNREFUSED) {
		_ = os.Remove(path)
	}
}
