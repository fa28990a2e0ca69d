package engine

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Opener opens the engine that a URL names. Its scheme is one that the opener was registered for.
type Opener func(ctx context.Context, u *url.URL) (Engine, error)

var registry struct {
	sync.RWMutex // guards schemes
	schemes      map[string]Opener
	inTx         map[string]TxOpener
}

// Register makes the schemes known to Open. Engine packages call it from init, so that importing an engine
// by name is all it takes to have its schemes. It panics when a scheme is taken: two packages claim one name.
func Register(open Opener, schemes ...string) {
	registry.Lock()
	defer registry.Unlock()
	if registry.schemes == nil {
		registry.schemes = map[string]Opener{}
	}
	for _, s := range schemes {
		if _, taken := registry.schemes[s]; taken {
			panic("engine: scheme " + s + " is registered twice")
		}
		registry.schemes[s] = open
	}
}

// TxOpener opens the engine inside a transaction that the program has begun and is going to end, as a driver has it.
type TxOpener func(ctx context.Context, tx any) (Engine, error)

// RegisterTx makes the schemes, which are registered, known to OpenTx.
func RegisterTx(open TxOpener, schemes ...string) {
	registry.Lock()
	defer registry.Unlock()
	if registry.inTx == nil {
		registry.inTx = map[string]TxOpener{}
	}
	for _, s := range schemes {
		if _, taken := registry.inTx[s]; taken {
			panic("engine: scheme " + s + " is registered twice for transactions")
		}
		registry.inTx[s] = open
	}
}

// OpenTx opens the engine of a scheme inside a transaction.
func OpenTx(ctx context.Context, scheme string, tx any) (Engine, error) {
	registry.RLock()
	open := registry.inTx[strings.ToLower(scheme)]
	known := slices.Sorted(maps.Keys(registry.inTx))
	registry.RUnlock()
	if open == nil {
		return nil, fmt.Errorf("no imported engine opens a transaction of %q; known are %s, of those packages engine/sqlite, engine/postgres and engine/mysql that are imported", scheme, strings.Join(known, ", "))
	}
	return open(ctx, tx)
}

// Schemes are the registered schemes in alphabetical order.
func Schemes() []string {
	registry.RLock()
	defer registry.RUnlock()
	names := make([]string, 0, len(registry.schemes))
	for s := range registry.schemes {
		names = append(names, s)
	}
	slices.Sort(names)
	return names
}

// Open opens the engine that rawURL names. A scheme is matched without regard to case.
func Open(ctx context.Context, rawURL string) (Engine, error) {
	scheme, _, found := strings.Cut(rawURL, ":")
	if !found {
		return nil, fmt.Errorf("open %q: not a URL; it starts with one of %s", redact(rawURL), strings.Join(Schemes(), ", "))
	}
	registry.RLock()
	open := registry.schemes[strings.ToLower(scheme)]
	registry.RUnlock()
	if open == nil {
		return nil, fmt.Errorf("open %s: unknown scheme %q; known are %s", redact(rawURL), scheme, strings.Join(Schemes(), ", "))
	}
	u, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	e, err := open(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", redacted(u), err)
	}
	return e, nil
}

// redacted is the URL without its passwords, of which parameters can be some too.
func redacted(u *url.URL) string {
	query := u.Query()
	hidden := false
	for name := range query {
		if strings.Contains(name, "password") {
			query.Set(name, "xxxxx")
			hidden = true
		}
	}
	if hidden {
		c := *u
		c.RawQuery = query.Encode()
		u = &c
	}
	return u.Redacted()
}

// parseURL is url.Parse for hosts that are lists (redis+cluster://h1:1,h2:2), which url.Parse takes for a
// bad port. Such a list comes back whole in Host.
func parseURL(rawURL string) (*url.URL, error) {
	prefix, rest, isHost := strings.Cut(rawURL, "://")
	if isHost {
		authority := rest
		if i := strings.IndexAny(rest, "/?#"); i >= 0 {
			authority = rest[:i]
		}
		userinfo, hosts := "", authority
		if i := strings.LastIndexByte(authority, '@'); i >= 0 {
			userinfo, hosts = authority[:i+1], authority[i+1:]
		}
		if strings.Contains(hosts, ",") {
			u, err := parseURL(prefix + "://" + userinfo + "hosts" + rest[len(authority):])
			if err != nil {
				return nil, err
			}
			u.Host = hosts
			return u, nil
		}
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		// url.Error quotes the whole URL, password and all.
		return nil, fmt.Errorf("open %s: %w", redact(rawURL), err.(*url.Error).Err)
	}
	return u, nil
}

// redact hides the user information and the parameters of what may not even be a URL.
func redact(rawURL string) string {
	rawURL, _, _ = strings.Cut(rawURL, "?")
	at := strings.LastIndexByte(rawURL, '@')
	if at < 0 {
		return rawURL
	}
	if i := strings.Index(rawURL, "://"); i >= 0 && i < at {
		return rawURL[:i+3] + "…" + rawURL[at:]
	}
	return "…" + rawURL[at:]
}
