package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/redbud-go/redbud/internal/acl"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/server"
)

// serveOptions are the flags of serve.
type serveOptions struct {
	listen                    []string
	tlsCert, tlsKey, clientCA string
	tlsAuth, tlsMin           string
	password, aclFile         string
	users                     []string
	unprotected               bool
	maxClients                int
	idle, drain               time.Duration
	logLevel, logFormat       string
	set                       []string
	debug                     string
}

func serveCommand(s streams) *cobra.Command {
	var o serveOptions
	c := &cobra.Command{
		Use:   "serve [URL]",
		Short: "Serve an engine to Redis clients",
		Long: `Serves the engine that URL names to every Redis client, in RESP2 and RESP3; in front of a real Redis it is a proxy.
Without URL it serves memory://, a keyspace that lives as long as the process.

It logs to standard error, as text on a terminal and as JSON otherwise. SIGTERM and SIGINT let the commands that run
finish, for up to --drain-timeout; a second signal ends it at once. Certificates whose files change are read again, on
SIGHUP at once; connections stay.`,
		Example: `  redbud serve
  redbud serve --listen 127.0.0.1:7000 --listen unix:/run/redbud.sock
  REDBUD_PASSWORD=secret redbud serve --listen :6379 --tls-cert cert.pem --tls-key key.pem
  redbud serve --listen 127.0.0.1:6379 --listen tls::6380 --tls-cert cert.pem --tls-key key.pem --tls-client-ca ca.pem
  redbud serve --listen :6380 redis+sentinel://h1:26379,h2:26379/mymaster`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeURL,
		RunE: func(c *cobra.Command, args []string) error {
			url := "memory://"
			if len(args) == 1 {
				url = args[0]
			}
			if !c.Flags().Changed("password") {
				o.password = os.Getenv("REDBUD_PASSWORD")
			}
			return serve(c.Context(), s, &o, url)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&o.listen, "listen", []string{"127.0.0.1:6379"}, "`address` to listen on, host:port, tls:host:port or unix:/path; may be repeated")
	f.StringVar(&o.tlsCert, "tls-cert", "", "`file` with the certificate: listeners of tls: speak TLS, or all of TCP if there are none")
	f.StringVar(&o.tlsKey, "tls-key", "", "`file` with the certificate's key")
	f.StringVar(&o.clientCA, "tls-client-ca", "", "`file` with the authorities of client certificates, which are required then")
	f.StringVar(&o.tlsAuth, "tls-auth-clients", "", "whether clients need certificates: yes, no or `optional`; default yes with --tls-client-ca")
	f.StringVar(&o.tlsMin, "tls-min-version", "1.2", "lowest `version` of TLS, 1.2 or 1.3")
	f.StringVar(&o.password, "password", "", "password of the user default; others see flags, so better in $REDBUD_PASSWORD")
	f.StringVar(&o.aclFile, "acl-file", "", "`file` with the users, which ACL LOAD and ACL SAVE use")
	f.StringArrayVar(&o.users, "user", nil, "a user: `name`, then ACL rules, with spaces between; may be repeated")
	f.BoolVar(&o.unprotected, "unprotected", false, "without a password, serve clients on other machines too")
	f.IntVar(&o.maxClients, "maxclients", 10000, "connections at a time")
	f.DurationVar(&o.idle, "timeout", 0, "close connections idle for so long; 0 never")
	f.DurationVar(&o.drain, "drain-timeout", 10*time.Second, "how long running commands may take to finish at the end")
	f.StringVar(&o.debug, "enable-debug-command", "", "who may call the words of DEBUG that hold up or change the server: no, `local` or yes")
	f.StringArrayVar(&o.set, "set", nil, "`name=value` of a parameter of CONFIG, also of one that CONFIG SET refuses; may be repeated")
	f.StringVar(&o.logLevel, "log-level", "info", "debug, info, warn or error")
	f.StringVar(&o.logFormat, "log-format", "auto", "text, json, or auto: text on a terminal")
	return c
}

// serve is redbud serve.
func serve(ctx context.Context, s streams, o *serveOptions, url string) (err error) {
	log, err := newLogger(s.err, o.logLevel, o.logFormat)
	if err != nil {
		return err
	}
	secure, err := o.tls(log)
	if err != nil {
		return err
	}
	users, err := o.accounts()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	e, err := engine.Open(ctx, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	listeners, err := listenAll(o.listen, secure)
	if err != nil {
		return err
	}
	ended := make(chan bool, 1) // by SHUTDOWN: whether at once
	srv := server.New(e, server.Options{
		Shutdown: func(now bool) {
			select {
			case ended <- now:
			default: // another was first
			}
		},
		Password:    o.password,
		Users:       users,
		MaxClients:  o.maxClients,
		Timeout:     o.idle,
		Unprotected: o.unprotected,
		Logger:      log,
	})
	if err := configure(srv, o); err != nil {
		return errors.Join(err, closeAll(listeners))
	}
	scheme, _, _ := strings.Cut(url, ":") // the rest may hold a password
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { failed <- srv.Serve(l.Listener) }()
		log.Info("listening", "address", l.Addr().String(), "network", l.Addr().Network(), "tls", l.secure, "engine", scheme)
	}
	if secure != nil {
		defer reloadOnHangup(secure, log)()
	}
	select {
	case err = <-failed:
		err = fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	case now := <-ended:
		if now {
			o.drain = 0
		}
	}
	stop() // from here on a signal ends the process
	return errors.Join(err, shutdown(srv, log, o.drain))
}

// configure sets what --set and --enable-debug-command ask for.
func configure(srv *server.Server, o *serveOptions) error {
	for _, pair := range o.set {
		name, value, ok := strings.Cut(pair, "=")
		if !ok {
			return fmt.Errorf("--set %s: it takes name=value", pair)
		}
		if err := srv.Configure(name, value); err != nil {
			return fmt.Errorf("--set %s: %w", name, err)
		}
	}
	if o.debug == "" {
		return nil
	}
	if err := srv.Configure("enable-debug-command", o.debug); err != nil {
		return fmt.Errorf("--enable-debug-command: %w", err)
	}
	return nil
}

// shutdown lets what runs finish, for a while.
func shutdown(srv *server.Server, log *slog.Logger, patience time.Duration) error {
	log.Info("draining", "timeout", patience.String())
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		return fmt.Errorf("drain: %w", err)
	}
	log.Info("stopped")
	return nil
}

// accounts are the users that the flags tell of.
func (o *serveOptions) accounts() (*acl.Users, error) {
	users := acl.New()
	all := slices.Contains(o.set, "acl-pubsub-default=allchannels")
	if o.aclFile != "" && (len(o.users) > 0 || o.password != "") {
		return nil, errors.New("with --acl-file all users and their passwords stand in the file: neither --user nor --password nor $REDBUD_PASSWORD goes with it")
	}
	for _, user := range o.users {
		if err := users.Declare(strings.Fields(user), all); err != nil {
			return nil, fmt.Errorf("--user: %w", err)
		}
	}
	if o.aclFile != "" {
		if err := users.Open(o.aclFile, all); err != nil {
			return nil, fmt.Errorf("--acl-file: %w", err)
		}
	}
	return users, nil
}
