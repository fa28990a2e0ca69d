package server

import (
	"errors"
	"math"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redbud-go/redbud/internal/acl"
	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
)

// describe makes an embedded engine's CONFIG and INFO tell of the server. Other engines tell of their own.
func (s *Server) describe(e engine.Engine, password string) {
	host := embedded(e)
	if host == nil {
		return
	}
	host.Settings.Register(s.settings(password)...)
	s.untell = append(s.untell, host.Info.Register("server", func(f *command.Fields) error {
		port := s.port(false)
		if port == 0 {
			port = s.port(true)
		}
		f.Max("tcp_port", int64(port))
		return nil
	}), host.Info.Register("clients", s.infoClients), host.Info.Register("stats", func(f *command.Fields) error {
		f.Add("total_connections_received", s.accepted.Load())
		f.Add("rejected_connections", s.refused.Load())
		_, keys, copies, prefixes := s.hub.tracker.sizes()
		if f.First(s.users) {
			for _, r := range [...]struct {
				field  string
				reason acl.Reason
			}{{"auth", acl.Login}, {"cmd", acl.Command}, {"key", acl.Key}, {"channel", acl.Channel}} {
				f.Add("acl_access_denied_"+r.field, s.users.Log.Count(r.reason))
			}
		}
		f.Int("tracking_total_keys", int64(keys))
		f.Int("tracking_total_items", int64(copies))
		f.Int("tracking_total_prefixes", int64(prefixes))
		return nil
	}))
	host.Info.OnReset(func() {
		s.accepted.Store(0)
		s.refused.Store(0)
		s.users.Log.ResetCounts()
	})
}

// settings are the parameters of CONFIG that the server gives a meaning, with what they are now as defaults.
func (s *Server) settings(password string) []command.Setting {
	return []command.Setting{
		{Name: "requirepass", Default: password, Apply: func(v string) error {
			s.users.SetPassword(v)
			return nil
		}},
		{Name: "aclfile", Immutable: true, Get: s.users.File, Apply: func(string) error { return errors.New("the users are read before the parameters") }},
		{Name: "protected-mode", Kind: command.Bool, Default: yesNo(s.protected.Load()), Apply: func(v string) error {
			s.protected.Store(v == "yes")
			return nil
		}},
		numeric("maxclients", 1, math.MaxUint32, s.maxClients.Load(), s.maxClients.Store),
		numeric("timeout", 0, math.MaxInt32, s.timeout.Load()/int64(time.Second), func(n int64) { s.timeout.Store(n * int64(time.Second)) }),
		numeric("tcp-keepalive", 0, math.MaxInt32, max(s.keepAlive.Load(), 0)/int64(time.Second), func(n int64) { s.keepAlive.Store(n * int64(time.Second)) }),
		size("proto-max-bulk-len", s.maxBulk.Load(), defaultBulk, s.maxBulk.Store),
		size("client-query-buffer-limit", s.maxQuery.Load(), defaultQueue, s.maxQuery.Store),
		s.asItIs("port", "Unable to listen on this port: what the server listens on is decided at its start", func() string { return strconv.Itoa(s.port(false)) }),
		s.asItIs("tls-port", "Unable to listen on this port: what the server listens on is decided at its start", func() string { return strconv.Itoa(s.port(true)) }),
		s.asItIs("bind", "Failed to bind to specified addresses: what the server listens on is decided at its start", s.hosts),
		{Name: "unixsocket", Immutable: true, Get: func() string { return s.unixSocket() }},
	}
}

// asItIs is a setting that can only be set to what it is.
func (s *Server) asItIs(name, refusal string, get func() string) command.Setting {
	return command.Setting{Name: name, Get: get, Apply: func(value string) error {
		if value != get() {
			return errors.New(refusal)
		}
		return nil
	}}
}

// defaultBulk is the default of proto-max-bulk-len.
const defaultBulk = 512 << 20

func numeric(name string, low, high, now int64, apply func(int64)) command.Setting {
	return command.Setting{Name: name, Kind: command.Int, Default: strconv.FormatInt(now, 10), Min: low, Max: high, Apply: parsed(apply)}
}

// size is a setting of at least a megabyte, of which 0 means the default.
func size(name string, now, byDefault int64, apply func(int64)) command.Setting {
	if now == 0 {
		now = byDefault
	}
	return command.Setting{Name: name, Kind: command.Memory, Default: strconv.FormatInt(now, 10), Min: min(now, 1<<20), Max: math.MaxInt64, Apply: parsed(apply)}
}

// parsed is an Apply that takes a number.
func parsed(apply func(int64)) func(string) error {
	return func(v string) error {
		n, err := strconv.ParseInt(v, 10, 64)
		if err == nil {
			apply(n)
		}
		return err
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// addresses are those that the server listens at.
func (s *Server) addresses() []net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]net.Addr, len(s.listeners))
	for i, l := range s.listeners {
		list[i] = l.Addr()
	}
	return list
}

// port is that of the first TCP listener that speaks TLS, or does not; 0 if there is none.
func (s *Server) port(secure bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.listeners {
		_, speaks := l.(*secureListener)
		if tcp, ok := l.Addr().(*net.TCPAddr); ok && speaks == secure {
			return tcp.Port
		}
	}
	return 0
}

func (s *Server) hosts() string {
	var hosts []string
	for _, a := range s.addresses() {
		if tcp, ok := a.(*net.TCPAddr); ok {
			hosts = append(hosts, tcp.IP.String())
		}
	}
	return strings.Join(hosts, " ")
}

func (s *Server) unixSocket() string {
	for _, a := range s.addresses() {
		if unix, ok := a.(*net.UnixAddr); ok {
			return unix.Name
		}
	}
	return ""
}

func (s *Server) infoClients(f *command.Fields) error {
	var input, output int64
	clients := s.hub.all()
	for _, c := range clients {
		input, output = max(input, c.input.Load()), max(output, c.pending.Load())
	}
	if f.First(s.hub) {
		f.Add("connected_clients", int64(len(clients)))
	}
	f.Int("cluster_connections", 0)
	f.Add("maxclients", s.maxClients.Load())
	f.Max("client_recent_max_input_buffer", input)
	f.Max("client_recent_max_output_buffer", output)
	tracking, _, _, _ := s.hub.tracker.sizes()
	f.Int("tracking_clients", int64(tracking))
	f.Int("clients_in_timeout_table", 0)
	f.Int("total_blocking_keys", 0)
	f.Int("total_blocking_keys_on_nokey", 0)
	return nil
}
