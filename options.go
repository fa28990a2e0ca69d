package redbud

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/engine/redis"
	"github.com/redbud-go/redbud/internal/engine"
)

// Options say what a URL says, and more: a TLS configuration. The zero value is a private database in memory.
type Options struct {
	Engine string // memory, redis, valkey or keydb; default memory

	Name string // memory: the name that the database is shared by; default none, it is private

	Hosts    []string      // "host" or "host:port"; several for a cluster or sentinels; default localhost
	Port     int           // of the hosts that have none; default 6379, for sentinels 26379
	Socket   string        // path of a unix socket instead of Hosts; default none
	Username string        // default none, which is Redis's user "default"
	Password string        // default none
	DB       int           // default 0
	Cluster  bool          // the hosts are nodes of a cluster; default false
	Sentinel string        // the hosts are sentinels, and this is the master's name; default none
	TLS      *tls.Config   // default none: no TLS
	Protocol int           // version of RESP, 2 or 3; default 3
	PoolSize int           // most connections to a server; default 10 per processor
	Timeouts Timeouts      // default: each its own
	Retries  int           // how often a command whose connection was lost is sent again, though it may have run; default 0
	IdleTime time.Duration // how long a connection may be idle; default 30 minutes

	ClientName       string // what CLIENT LIST shows; default none
	SentinelUsername string // default none
	SentinelPassword string // default none
	AutoPipeline     bool   // gather the calls of concurrent callers into pipelines; default false
}

// Timeouts of connections to a server. Negative means none.
type Timeouts struct {
	Dial  time.Duration // default 5 seconds
	Read  time.Duration // default 5 seconds
	Write time.Duration // default Read
	Pool  time.Duration // to wait for a free connection; default Read and one second more
}

// New opens what the options say, as Open does.
func New(o Options) (*DB, error) {
	ctx := context.Background()
	switch strings.ToLower(o.Engine) {
	case "", "memory":
		e, err := engine.Open(ctx, "memory://"+o.Name)
		if err != nil {
			return nil, err
		}
		return newDB(e, o.DB), nil
	case "redis", "valkey", "keydb":
		u, err := o.universal()
		if err != nil {
			return nil, fmt.Errorf("options: %w", err)
		}
		e, err := redis.Open(ctx, u)
		if err != nil {
			return nil, fmt.Errorf("open %s at %s: %w", o.Engine, strings.Join(u.Addrs, ","), err)
		}
		return newDB(e, o.DB), nil
	}
	return nil, fmt.Errorf("options: unknown engine %q; known are memory, redis, valkey, keydb", o.Engine)
}

// universal are the options in go-redis's words.
func (o Options) universal() (*goredis.UniversalOptions, error) {
	switch {
	case o.Cluster && o.Sentinel != "":
		return nil, errors.New("a cluster has no sentinels: Cluster and Sentinel exclude each other")
	case o.Cluster && o.DB != 0:
		return nil, errors.New("a cluster has database 0 alone")
	case o.Socket != "" && (len(o.Hosts) > 0 || o.Cluster || o.Sentinel != ""):
		return nil, errors.New("a Socket is one server, without Hosts, Cluster or Sentinel")
	case len(o.Hosts) > 1 && !o.Cluster && o.Sentinel == "":
		return nil, errors.New("several Hosts need Cluster or Sentinel")
	}
	u := &goredis.UniversalOptions{
		Addrs:                 o.addrs(),
		DB:                    o.DB,
		Username:              o.Username,
		Password:              o.Password,
		IsClusterMode:         o.Cluster,
		MasterName:            o.Sentinel,
		SentinelUsername:      o.SentinelUsername,
		SentinelPassword:      o.SentinelPassword,
		TLSConfig:             o.TLS,
		Protocol:              o.Protocol,
		PoolSize:              o.PoolSize,
		DialTimeout:           o.Timeouts.Dial,
		ReadTimeout:           o.Timeouts.Read,
		WriteTimeout:          o.Timeouts.Write,
		PoolTimeout:           o.Timeouts.Pool,
		MaxRetries:            o.Retries,
		ConnMaxIdleTime:       o.IdleTime,
		ClientName:            o.ClientName,
		ContextTimeoutEnabled: true,
	}
	if o.AutoPipeline {
		u.AutoPipelineOptions = &goredis.AutoPipelineOptions{}
	}
	return u, nil
}

func (o Options) addrs() []string {
	if o.Socket != "" {
		return []string{o.Socket}
	}
	port := o.Port
	switch {
	case port != 0:
	case o.Sentinel != "":
		port = 26379
	default:
		port = 6379
	}
	hosts := o.Hosts
	if len(hosts) == 0 {
		hosts = []string{"localhost"}
	}
	addrs := make([]string, len(hosts))
	for i, h := range hosts {
		addrs[i] = h
		if _, _, err := net.SplitHostPort(h); err != nil {
			addrs[i] = net.JoinHostPort(strings.Trim(h, "[]"), strconv.Itoa(port))
		}
	}
	return addrs
}
