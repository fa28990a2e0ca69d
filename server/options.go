// Package server is the RESP front of an engine: it listens, keeps a session for each connection, and runs what
// they ask for as batches. Pipe is a connection without a socket, for clients in the same process.
package server

import (
	"context"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redbud-go/redbud/internal/acl"
	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// Options of a Server. A Pipe takes Hub, Users, Version, Databases and Limits from them.
type Options struct {
	Password    string        // of the user default, whom AUTH asks for it; default none
	Users       *acl.Users    // who may do what; default those of Hub, of whom there is at first one, default, who may do everything
	MaxClients  int           // connections served at once; default 10000
	Timeout     time.Duration // a connection that is silent for longer is closed; default never
	KeepAlive   time.Duration // how long a TCP peer may be silent before it is probed; default 5 minutes, negative never
	Unprotected bool          // without a password, serve peers of other machines too; default false
	Version     string        // the version of Redis that HELLO tells; default command.RedisVersion
	Databases   int           // what SELECT can choose from; default 16
	Limits      resp.Limits   // what a peer may make a connection hold
	Logger      *slog.Logger  // default slog.Default
	Shutdown    func(bool)    // begins to end the program, at once if true or when calls that run have ended; default: SHUTDOWN is refused
	Hub         *Hub          // where the clients are known; default a hub of its own

	// Handshakes of TLS: how many go on at once, default 1024, and how long each may take, default 10 seconds.
	Handshakes       int
	HandshakeTimeout time.Duration
}

const (
	defaultMaxClients = 10000
	defaultKeepAlive  = 5 * time.Minute
	defaultDatabases  = 16
)

// front is what the sessions of one Server, or the session of a pipe, stand on.
type front struct {
	engine    engine.Engine
	hub       *Hub
	shutdown  func(now bool) // nil: the program ends by itself
	log       *slog.Logger
	version   string
	databases int
	users     *acl.Users
	trusted   bool          // nobody has to authenticate
	info      *command.Info // nil: the engine keeps no statistics of ours
	maxBulk   atomic.Int64  // as in resp.Limits
	maxQuery  atomic.Int64
	settings  *command.Settings            // nil: the engine has none of ours
	limits    atomic.Pointer[bufferLimits] // as settings had them last

	host  *command.Engine // the embedded engine; nil: the engine forwards
	whole bool            // the engine shows all that the host has

	full   func(context.Context) bool        // whether memory is short: nothing is queued then
	denies func(row *command.Command) string // the refusal of what cannot run now

	// The end of a pause that holds a call back, nil for none, and waiting for it. paused is nil where the engine forwards.
	paused  func(row *command.Command, call engine.Call) <-chan struct{}
	outlive func(ctx context.Context, over <-chan struct{}) error

	// forwards is set for engines that may know commands which the table does not: those are queued in MULTI on
	// trust.
	forwards bool
	failedAt atomic.Int64 // when a failure of the engine was last logged, in the hub's time
}

func (f *front) init(e engine.Engine, o *Options) {
	f.engine = e
	f.hub = o.Hub
	if f.hub == nil {
		f.hub = NewHub()
	}
	f.users = o.Users
	if f.users == nil {
		f.users = f.hub.users
	}
	f.shutdown = o.Shutdown
	f.log = o.Logger
	if f.log == nil {
		f.log = slog.Default()
	}
	f.version = o.Version
	if f.version == "" {
		f.version = command.RedisVersion
	}
	f.databases = o.Databases
	if f.databases == 0 {
		f.databases = defaultDatabases
	}
	f.maxBulk.Store(int64(o.Limits.Bulk))
	f.maxQuery.Store(int64(o.Limits.QueryBuffer))
	f.failedAt.Store(-int64(time.Hour))
	if host := embedded(e); host != nil {
		_, part := e.(interface{ Part() })
		f.host, f.whole = host, !part
		f.info, f.settings, f.full, f.denies = host.Info, host.Settings, host.Full, host.Denies
		f.paused, f.outlive = host.Holds, host.Outlast
		f.hub.tracker.limit(func() int { return int(host.Settings.Int("tracking-table-max-keys")) })
	} else {
		f.forwards, f.full = true, func(context.Context) bool { return false }
		f.denies = func(*command.Command) string { return "" }
	}
}

// embedded is the command.Engine in an engine; nil for one that forwards.
func embedded(e engine.Engine) *command.Engine {
	if host, ok := e.(interface{ Embedded() *command.Engine }); ok {
		return host.Embedded()
	}
	return nil
}

// bufferLimit is how much may pile up for a client that does not read: bytes, and bytes that may stay so for seconds.
// 0 is no limit.
type bufferLimit struct{ hard, soft, seconds int64 }

// bufferLimits is client-output-buffer-limit.
type bufferLimits struct {
	version                 int64 // of the settings
	normal, pubsub, replica bufferLimit
}

const bufferLimitName = "client-output-buffer-limit"

// defaultBufferLimits are those of Redis.
var defaultBufferLimits = bufferLimits{pubsub: bufferLimit{32 << 20, 8 << 20, 60}, replica: bufferLimit{256 << 20, 64 << 20, 60}}

// bufferLimit is the limit of clients of a kind.
func (f *front) bufferLimit(kind string) bufferLimit {
	limits := &defaultBufferLimits
	if f.settings != nil {
		version := f.settings.Version()
		if limits = f.limits.Load(); limits == nil || limits.version != version {
			limits = &bufferLimits{version: version}
			for words := strings.Fields(f.settings.String(bufferLimitName)); len(words) >= 4; words = words[4:] {
				of := &limits.normal
				switch words[0] {
				case pubsubType:
					of = &limits.pubsub
				case followType, "replica":
					of = &limits.replica
				}
				of.hard, _ = command.ParseMemory(words[1]) // CONFIG has checked the numbers
				of.soft, _ = command.ParseMemory(words[2])
				of.seconds, _ = strconv.ParseInt(words[3], 10, 64)
			}
			f.limits.Store(limits)
		}
	}
	switch kind {
	case pubsubType:
		return limits.pubsub
	case followType:
		return limits.replica
	}
	return limits.normal
}
