// Package httpcache keeps the responses of an http.Handler in a cache, on any engine: a shared cache of RFC 9111 in front of a handler.
//
//	m, err := httpcache.New(client, httpcache.Options{TTL: time.Minute})
//	err = http.ListenAndServe(":8080", m.Wrap(handler))
//
// What the handler says in Cache-Control, Expires and Vary is what happens. docs/cache.md has the rules.
package httpcache

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/cache"
)

// ErrURL is the error of a URL that has no scheme, no host, or makes no sense.
var ErrURL = errors.New("httpcache: bad URL")

// Options of a Middleware.
type Options struct {
	// The Prefix is "http:" by default. What does not decode is a miss, whatever BadValues says.
	cache.Options

	Name string // of this cache in Cache-Status, a token; default "redbud"

	TTL                  time.Duration // how long a response is fresh that does not say it; default 0: such are not stored
	StaleWhileRevalidate time.Duration // how long it is served after that while a new one is made, if it does not say it; default 0
	StaleIfError         time.Duration // how long it is served after that in place of an error 500, 502, 503 or 504, if it does not say it; default 0

	MaxBody     int // bytes of a body that is stored, and buffered; default 1 MiB
	MaxVariants int // how many responses of a URL are kept for different values of what Vary names; default 32
	Refreshes   int // how many responses that nobody waits for may be made at once in this process; default 8

	// SetCookie stores responses with Set-Cookie, so that everybody gets the same cookie. Default false: they are not stored.
	SetCookie bool
	// IgnoreReload ignores no-cache, max-age and min-fresh of requests, by which anybody may have the handler called. Default false.
	IgnoreReload bool
	// FailClosed answers 503 when the engine does not answer. Default false: the handler answers, as if there were no cache.
	FailClosed bool

	// Normalize changes the URL by which responses are found, but not the one that the handler sees: SortQuery is one. It must not depend on
	// anything else. Default nil: the URL as it is.
	Normalize func(*url.URL)
	// Tags are what the response to a request is purged by with PurgeTags, besides its URL: at most 63 of 1 to 1022 bytes. Default none.
	Tags func(*http.Request) []string
	// Report is told of what nobody else is: errors of the engine that keep a response from being found, stored or purged, and panics of the handler
	// while it makes what nobody waits for. It is called by many goroutines at once. Default nobody.
	Report func(error)

	Now func() time.Time // the clock that says what is fresh; default time.Now
}

// Middleware keeps responses of handlers. It is safe for concurrent use, by any number of processes.
type Middleware struct {
	o     Options
	c     *cache.Cache[record]
	seed  maphash.Seed
	loose [1024]atomic.Uint64 // hashes of URLs whose last response was not stored: nobody waits for their next one

	landings atomic.Int64 // of flights

	end   context.CancelFunc // ends the context of refreshes, which is
	ended context.Context

	mu         sync.Mutex // guards what follows, and flights until they are done
	flights    map[string]*flight
	refreshing int
	closed     bool
	running    sync.WaitGroup // of refreshes
}

// New returns a middleware on a client. Nothing is sent. Close it.
func New(client redis.UniversalClient, o Options) (*Middleware, error) {
	for name, d := range map[string]time.Duration{"TTL": o.TTL, "StaleWhileRevalidate": o.StaleWhileRevalidate, "StaleIfError": o.StaleIfError} {
		if d < 0 {
			return nil, fmt.Errorf("%w: %s is %v", cache.ErrOptions, name, d)
		}
	}
	for name, n := range map[string]*int{"MaxBody": &o.MaxBody, "MaxVariants": &o.MaxVariants, "Refreshes": &o.Refreshes} {
		if *n < 0 {
			return nil, fmt.Errorf("%w: %s is %d", cache.ErrOptions, name, *n)
		}
		if *n == 0 {
			*n = map[string]int{"MaxBody": 1 << 20, "MaxVariants": 32, "Refreshes": 8}[name]
		}
	}
	if o.Prefix == "" {
		o.Prefix = "http:"
	}
	if o.Name == "" {
		o.Name = "redbud"
	}
	if !isToken(o.Name) {
		return nil, fmt.Errorf("%w: the name %q is no token", cache.ErrOptions, o.Name)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Report == nil {
		o.Report = func(error) {}
	}
	o.BadValues = true
	if o.Codec != nil {
		if _, err := o.Codec.Append(nil, record{}); err != nil {
			return nil, fmt.Errorf("%w: %w", cache.ErrOptions, err)
		}
	}
	c, err := cache.New[record](client, o.Options)
	if err != nil {
		return nil, err
	}
	m := &Middleware{o: o, c: c, seed: maphash.MakeSeed(), flights: map[string]*flight{}}
	m.ended, m.end = context.WithCancel(context.Background())
	return m, nil
}

// Wrap returns a handler that answers with what next has answered, where that is allowed. Several handlers may be wrapped if no URL belongs to two.
func (m *Middleware) Wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case safe[r.Method] && (r.Method != http.MethodGet && r.Method != http.MethodHead):
			m.note(w, "fwd=method")
			next.ServeHTTP(w, r)
		case !safe[r.Method]:
			m.change(w, r, next)
		case passes(r):
			m.note(w, "fwd=bypass")
			next.ServeHTTP(w, r)
		default:
			m.answer(w, r, next)
		}
	})
}

// safe are the methods that change nothing.
var safe = map[string]bool{"GET": true, "HEAD": true, "OPTIONS": true, "TRACE": true, "CONNECT": true, "PROPFIND": true, "QUERY": true, "REPORT": true, "SEARCH": true}

// passes tells whether a request is not ours: those for a part, for another protocol, with a body, or with conditions that only the handler knows.
func passes(r *http.Request) bool {
	for _, name := range []string{"Range", "Upgrade", "If-Match", "If-Unmodified-Since"} {
		if r.Header.Get(name) != "" {
			return true
		}
	}
	_, never := parseControl(r.Header["Cache-Control"])["no-store"]
	return never || r.ContentLength != 0 || r.URL.Opaque != "" || r.Host == ""
}

// note adds what happened to Cache-Status.
func (m *Middleware) note(w http.ResponseWriter, what string) {
	w.Header().Add("Cache-Status", m.o.Name+"; "+what)
}

// asked is a GET or HEAD.
type asked struct {
	*http.Request
	header http.Header // as it was, whatever a handler does to it
	key    string
	wants  wants
}

// answer answers a GET or HEAD.
func (m *Middleware) answer(w http.ResponseWriter, r *http.Request, next http.Handler) {
	q := &asked{r, r.Header, m.key(target(r)), m.wants(r)}
	for tries := 1; ; tries++ {
		landings := m.landings.Load()
		f, err := m.look(r.Context(), q)
		if err != nil {
			m.unknown(w, r, next, err)
			return
		}
		now := m.now()
		use := f.rec.use(now, q.wants)
		if use >= stale {
			if use == stale {
				m.refresh(q, next, f)
			}
			m.hit(w, q, f.rec)
			return
		}
		why := f.forwarded(now)
		switch {
		case q.wants.cached:
			m.refuse(w, http.StatusGatewayTimeout, why+`; detail="only-if-cached"`)
			return
		case r.Method == http.MethodHead:
			m.note(w, why)
			next.ServeHTTP(w, r)
			return
		}
		q.header = r.Header.Clone()
		l := &load{m: m, q: q, found: f, why: why}
		if use == spare {
			l.spare = f.rec
		}
		if tries > 3 || q.wants.reload || m.isLoose(q.key) {
			l.run(w, next)
			return
		}
		if m.share(w, next, l, landings) {
			return
		}
	}
}

// share answers together with all who want the same response, and tells whether it has. Since it was looked for, flights may have landed.
func (m *Middleware) share(w http.ResponseWriter, next http.Handler, l *load, landings int64) bool {
	q := l.q
	fl, lead, late := m.board(l.found.flight(q))
	if lead {
		l.flight = fl
		if m.landings.Load() != landings {
			if f, err := m.look(q.Context(), q); err == nil && f.rec.use(m.now(), q.wants) == fresh {
				m.land(fl, kept, f.rec, f.names)
				m.hit(w, q, f.rec)
				return true
			}
		}
		l.run(w, next)
		return true
	}
	select {
	case <-fl.done:
	case <-q.Context().Done():
		m.refuse(w, http.StatusServiceUnavailable, l.why+"; collapsed")
		return true
	}
	switch {
	case fl.end == failed && l.spare != nil:
		m.reply(w, q, l.spare, "fwd=stale; collapsed")
	case fl.end == lost, fl.end == kept && (late || fl.rec.Variant != variantOf(fl.names, q.header)):
		return false
	case fl.end == kept && fl.rec.use(m.now(), q.wants) >= stale:
		m.reply(w, q, fl.rec, l.why+"; collapsed")
	default:
		l.run(w, next)
	}
	return true
}

// hit answers with what was found. What is fresh has a ttl of at least a second.
func (m *Middleware) hit(w http.ResponseWriter, q *asked, rec *record) {
	left := rec.left(m.now())
	if left > 0 {
		left += 999
	}
	m.reply(w, q, rec, fmt.Sprintf("hit; ttl=%d", left/1000))
}

// refuse answers with an error of our own.
func (m *Middleware) refuse(w http.ResponseWriter, status int, what string) {
	w.Header().Set("Cache-Control", "no-store")
	m.note(w, what)
	http.Error(w, http.StatusText(status), status)
}

// unknown answers when the engine does not say what there is.
func (m *Middleware) unknown(w http.ResponseWriter, r *http.Request, next http.Handler, err error) {
	m.report(r.Context(), "look up", err)
	if m.o.FailClosed || r.Context().Err() != nil {
		m.refuse(w, http.StatusServiceUnavailable, `fwd=bypass; detail="engine"`)
		return
	}
	m.note(w, `fwd=bypass; detail="engine"`)
	next.ServeHTTP(w, r)
}

// report reports an error of the engine. That the client has gone is none.
func (m *Middleware) report(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		m.o.Report(fmt.Errorf("httpcache: %s: %w", what, err))
	}
}

// change has a request answered that may change something, and purges what it may have changed before the client knows of its success.
func (m *Middleware) change(w http.ResponseWriter, r *http.Request, next http.Handler) {
	at := target(r)
	t := &tap{ResponseWriter: w}
	t.header = func(status int) int {
		m.note(w, "fwd=method")
		if status >= 400 {
			return status
		}
		tags := []string{urlTag + m.key(at)}
		for _, name := range []string{"Location", "Content-Location"} {
			if to, err := at.Parse(w.Header().Get(name)); err == nil && strings.EqualFold(to.Host, at.Host) {
				to.Scheme = at.Scheme // what ends TLS before us may have changed it
				tags = append(tags, urlTag+m.key(to))
			}
		}
		// The client may have gone: what has changed has changed.
		ctx := context.WithoutCancel(r.Context())
		m.report(ctx, "purge", m.c.PurgeTags(ctx, tags...))
		return status
	}
	next.ServeHTTP(t, r)
	t.finish()
}

// Purge makes all responses to GET and HEAD of these URLs misses, those too that are being made. URLs are absolute; Normalize is applied to them.
// Once it has returned, no request that begins then gets one of them, in any process.
func (m *Middleware) Purge(ctx context.Context, urls ...string) error {
	tags := make([]string, len(urls))
	for i, text := range urls {
		u, err := url.Parse(text)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrURL, err)
		}
		if u.Scheme == "" || u.Host == "" {
			return fmt.Errorf("%w: %q is not absolute", ErrURL, text)
		}
		tags[i] = urlTag + m.key(u)
	}
	return m.c.PurgeTags(ctx, tags...)
}

// PurgeTags is Purge for all responses to whose requests Options.Tags has given one of these tags.
func (m *Middleware) PurgeTags(ctx context.Context, tags ...string) error {
	return m.c.PurgeTags(ctx, prefixed(tags)...)
}

// The tags of a cache.Cache: of URLs, and of users.
const (
	urlTag  = "u:"
	userTag = "t:"
)

func prefixed(tags []string) []string {
	all := make([]string, len(tags))
	for i, tag := range tags {
		if tag != "" { // which is refused
			all[i] = userTag + tag
		}
	}
	return all
}

// Close lets no response be made any more that nobody waits for, and waits for those that are being made. When ctx ends first, it ends theirs and
// returns its error. Handlers that are wrapped go on, and the client stays open.
func (m *Middleware) Close(ctx context.Context) error {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	done := make(chan struct{})
	go func() {
		m.running.Wait()
		close(done)
	}()
	defer m.end()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// flight is a response that is being made, and those who wait for it.
type flight struct {
	at      string
	settles bool          // its purges have been looked for: who comes now may have come after another
	done    chan struct{} // closed when there are
	end     ending
	rec     *record  // if it was kept
	names   []string // what its Variant is made of
}

// ending is how a flight ended for those who wait for it.
type ending int

const (
	lost   ending = iota // nothing came of it: they try again
	open                 // what comes is not to be waited for: each asks the handler
	failed               // the handler has answered 500, 502, 503 or 504: likewise, unless they have something stale
	kept                 // they get it
)

// board joins a flight, or begins it. Who joins it late must not have what it brings, but look for it anew.
func (m *Middleware) board(at string) (fl *flight, lead, late bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if fl = m.flights[at]; fl != nil {
		return fl, false, fl.settles
	}
	fl = &flight{at: at, done: make(chan struct{})}
	m.flights[at] = fl
	return fl, true, false
}

// settle says that a flight is about to land.
func (m *Middleware) settle(fl *flight) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if fl != nil {
		fl.settles = true
	}
}

// land ends a flight. Only the first time counts; nil is none.
func (m *Middleware) land(fl *flight, end ending, rec *record, names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if fl == nil || m.flights[fl.at] != fl {
		return
	}
	delete(m.flights, fl.at)
	m.landings.Add(1)
	fl.end, fl.rec, fl.names = end, rec, names
	close(fl.done)
}

// refresh has a response made that nobody waits for, unless it is being made, or too many are.
func (m *Middleware) refresh(q *asked, next http.Handler, f found) {
	m.mu.Lock()
	full := m.closed || m.refreshing >= m.o.Refreshes || m.flights[f.flight(q)] != nil
	if !full {
		m.refreshing++
		m.running.Add(1)
	}
	m.mu.Unlock()
	if full {
		return
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(q.Context()))
	stop := context.AfterFunc(m.ended, cancel)
	r := q.Clone(ctx) // now: who asked may change it once it is answered
	r.Method, r.Body = http.MethodGet, http.NoBody
	again := &asked{r, r.Header.Clone(), q.key, q.wants}
	go func() {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				m.o.Report(fmt.Errorf("httpcache: refresh: %w: %v\n%s", cache.ErrPanic, p, debug.Stack()))
			}
			stop()
			cancel()
			m.mu.Lock()
			m.refreshing--
			m.mu.Unlock()
			m.running.Done()
		}()
		if fl, lead, _ := m.board(f.flight(q)); lead {
			l := &load{m: m, q: again, found: f, flight: fl}
			l.run(nowhere(http.Header{}), next)
		}
	}()
}

// nowhere is the client of a refresh.
type nowhere http.Header

func (n nowhere) Header() http.Header         { return http.Header(n) }
func (n nowhere) Write(p []byte) (int, error) { return len(p), nil }
func (n nowhere) WriteHeader(int)             {}

// hash is what isLoose and setLoose know a URL by.
func (m *Middleware) hash(key string) (place *atomic.Uint64, sum uint64) {
	sum = maphash.String(m.seed, key) | 1 // not 0, which is nobody
	return &m.loose[sum>>32%uint64(len(m.loose))], sum
}

func (m *Middleware) isLoose(key string) bool {
	place, sum := m.hash(key)
	return place.Load() == sum
}

func (m *Middleware) setLoose(key string, loose bool) {
	place, sum := m.hash(key)
	if loose {
		place.Store(sum)
	} else {
		place.CompareAndSwap(sum, 0)
	}
}

func (m *Middleware) now() int64 { return m.o.Now().UnixMilli() }
