package httpcache_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud"
	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/cache/codec"
	"github.com/redbud-go/redbud/cache/httpcache"
	"github.com/redbud-go/redbud/internal/kittest"
	"github.com/redbud-go/redbud/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func Example() {
	ctx := context.Background()
	db, err := redbud.Open(ctx, "memory://") // or redis://…, sqlite:///…
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	m, err := httpcache.New(db, httpcache.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close(ctx)

	site := m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("rendering", r.URL)
		w.Header().Set("Cache-Control", "max-age=60, stale-while-revalidate=600")
		fmt.Fprint(w, "hello")
	}))
	get := func() {
		w := httptest.NewRecorder()
		site.ServeHTTP(w, httptest.NewRequest("GET", "http://example.com/greeting", nil))
		status, _, _ := strings.Cut(w.Header().Get("Cache-Status"), "; ttl=")
		fmt.Println(w.Body, "-", status)
	}
	get()
	get()
	if err := m.Purge(ctx, "http://example.com/greeting"); err != nil {
		log.Fatal(err)
	}
	get()
	// Output:
	// rendering http://example.com/greeting
	// hello - redbud; fwd=uri-miss
	// hello - redbud; hit
	// rendering http://example.com/greeting
	// hello - redbud; fwd=uri-miss
}

func ExampleSortQuery() {
	u, err := url.Parse("http://example.com/?b=2&utm_source=letter&a=1")
	if err != nil {
		log.Fatal(err)
	}
	httpcache.SortQuery("utm_source")(u)
	fmt.Println(u)
	// Output: http://example.com/?a=1&b=2
}

// site is a handler behind a cache, whose clock stands still until it is moved.
type site struct {
	t     *testing.T
	m     *httpcache.Middleware
	h     http.Handler
	calls atomic.Int64
	ms    atomic.Int64

	mu      sync.Mutex // guards reports
	reports []error
}

var epoch = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func (s *site) now() time.Time       { return time.UnixMilli(s.ms.Load()) }
func (s *site) move(d time.Duration) { s.ms.Add(d.Milliseconds()) }

// open returns a site that is closed with the test. Reports fail the test unless they are taken.
func open(t *testing.T, client redis.UniversalClient, o httpcache.Options, h http.HandlerFunc) *site {
	t.Helper()
	s := &site{t: t}
	s.ms.Store(epoch.UnixMilli())
	if o.Now == nil {
		o.Now = s.now
	}
	o.Report = func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.reports = append(s.reports, err)
	}
	m, err := httpcache.New(client, o)
	if err != nil {
		t.Fatal(err)
	}
	s.m = m
	s.h = m.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		h(w, r)
	}))
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if reports := s.reported(); len(reports) > 0 {
			t.Errorf("reported: %v", reports)
		}
	})
	return s
}

// reported takes what was reported.
func (s *site) reported() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.reports
	s.reports = nil
	return all
}

// do makes a request. Headers are "Name: value".
func (s *site) do(method, target string, headers ...string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, request(method, target, headers...))
	return w
}

func (s *site) get(target string, headers ...string) *httptest.ResponseRecorder {
	return s.do("GET", target, headers...)
}

func request(method, target string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

// says returns a handler with these headers and a body.
func says(body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			w.Header().Add(name, value)
		}
		_, _ = io.WriteString(w, body)
	}
}

// is checks a response: its status, its body and what its Cache-Status begins with.
func (s *site) is(what string, w *httptest.ResponseRecorder, status int, body, cached string) {
	s.t.Helper()
	if got := w.Header().Get("Cache-Status"); w.Code != status || w.Body.String() != body || !strings.HasPrefix(got, "redbud; "+cached) {
		s.t.Errorf("%s: %d %q, %q; not %d %q, %q", what, w.Code, w.Body, got, status, body, cached)
	}
}

// called checks how often the handler was called since it was asked.
func (s *site) called(what string, n int64) {
	s.t.Helper()
	if got := s.calls.Swap(0); got != n {
		s.t.Errorf("%s: the handler was called %d times, not %d", what, got, n)
	}
}

func memory(t *testing.T) *redbud.DB { return kittest.Open(t, "memory://") }

// RFC 9111 § 3: what may be stored; § 3.5: authorization; § 4.2.2: heuristics.
func TestOnlyWhatMayBeStoredIs(t *testing.T) {
	db := memory(t)
	const hit = ""
	ttl := httpcache.Options{TTL: time.Minute}
	for i, c := range []struct {
		name    string
		o       httpcache.Options
		status  int
		request []string
		header  []string
		why     string // it is not stored
	}{
		{"max-age", httpcache.Options{}, 200, nil, []string{"Cache-Control: max-age=60"}, hit},
		{"s-maxage", httpcache.Options{}, 200, nil, []string{"Cache-Control: s-maxage=60, max-age=0"}, hit},
		{"Expires", httpcache.Options{}, 200, nil, []string{"Expires: Fri, 02 Jan 2026 03:05:05 GMT"}, hit},
		{"Expires against Date", httpcache.Options{}, 200, nil, []string{"Expires: Fri, 02 Jan 2026 03:04:05 GMT", "Date: Fri, 02 Jan 2026 03:04:05 GMT"}, "expired"},
		{"Expires that is none", ttl, 200, nil, []string{"Expires: 0"}, "expired"},
		{"max-age over Expires", httpcache.Options{}, 200, nil, []string{"Cache-Control: max-age=60", "Expires: 0"}, hit},
		{"max-age that is none", ttl, 200, nil, []string{"Cache-Control: max-age=soon"}, "expired"},
		{"max-age of nothing", ttl, 200, nil, []string{"Cache-Control: max-age=0"}, "expired"},
		{"an age that is over", httpcache.Options{}, 200, nil, []string{"Cache-Control: max-age=60", "Age: 60"}, "expired"},
		{"a date that is over", httpcache.Options{}, 200, nil, []string{"Cache-Control: max-age=60", "Date: Fri, 02 Jan 2026 03:03:05 GMT"}, "expired"},
		{"no time", httpcache.Options{}, 200, nil, nil, "no time"},
		{"public without a time", httpcache.Options{}, 200, nil, []string{"Cache-Control: public"}, "no time"},
		{"a time by option", ttl, 200, nil, nil, hit},
		{"no-store", ttl, 200, nil, []string{"Cache-Control: max-age=60", "Cache-Control: No-Store"}, "cache-control"},
		{"no-cache", ttl, 200, nil, []string{"Cache-Control: max-age=60, no-cache"}, "cache-control"},
		{"private", ttl, 200, nil, []string{"Cache-Control: max-age=60, private"}, "cache-control"},
		{"private for a field", ttl, 200, nil, []string{`Cache-Control: max-age=60, private="set-cookie, x"`}, "cache-control"},
		{"no-store in a quoted text", httpcache.Options{}, 200, nil, []string{`Cache-Control: max-age=60, x="a, no-store"`}, hit},
		{"Set-Cookie", ttl, 200, nil, []string{"Set-Cookie: a=b"}, "set-cookie"},
		{"Set-Cookie by option", httpcache.Options{TTL: time.Minute, SetCookie: true}, 200, nil, []string{"Set-Cookie: a=b"}, hit},
		{"Authorization", ttl, 200, []string{"Authorization: Basic x"}, nil, "authorization"},
		{"Authorization and public", ttl, 200, []string{"Authorization: Basic x"}, []string{"Cache-Control: public"}, hit},
		{"Authorization and s-maxage", httpcache.Options{}, 200, []string{"Authorization: Basic x"}, []string{"Cache-Control: s-maxage=60"}, hit},
		{"Authorization and must-revalidate", httpcache.Options{}, 200, []string{"Authorization: Basic x"}, []string{"Cache-Control: max-age=60, must-revalidate"}, hit},
		{"Vary: *", ttl, 200, nil, []string{"Vary: Accept, *"}, "vary"},
		{"too many names in Vary", ttl, 200, nil, []string{"Vary: a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"}, "vary"},
		{"a trailer", ttl, 200, nil, []string{"Trailer: X-Sum"}, "trailer"},
		{"not found", ttl, 404, nil, nil, hit},
		{"moved", ttl, 301, nil, []string{"Location: /x"}, hit},
		{"no content", ttl, 204, nil, nil, hit},
		{"found elsewhere", ttl, 302, nil, []string{"Location: /x"}, "no time"},
		{"found elsewhere for a time", httpcache.Options{}, 302, nil, []string{"Location: /x", "Cache-Control: max-age=60"}, hit},
		{"forbidden", ttl, 403, nil, nil, "no time"},
		{"a status nobody knows", httpcache.Options{}, 299, nil, []string{"Cache-Control: max-age=60"}, hit},
		{"a status that has to be understood", httpcache.Options{}, 299, nil, []string{"Cache-Control: max-age=60, must-understand"}, "status"},
		{"an error", ttl, 500, nil, []string{"Cache-Control: max-age=60"}, "status"},
		{"not implemented", ttl, 501, nil, nil, hit},
		{"a part that nobody asked for", ttl, 206, nil, []string{"Cache-Control: max-age=60"}, "status"},
		{"not modified, which nobody asked for", ttl, 304, nil, []string{"Cache-Control: max-age=60"}, "status"},
		{"an answer for a client that reloads", ttl, 200, []string{"Cache-Control: no-cache"}, nil, hit},
	} {
		body := "body"
		if c.status == 204 || c.status == 304 {
			body = ""
		}
		s := open(t, db, c.o, func(w http.ResponseWriter, r *http.Request) {
			says("", c.header...)(noWrite{w}, r)
			w.WriteHeader(c.status)
			if body != "" {
				_, _ = io.WriteString(w, body)
			}
		})
		target := fmt.Sprintf("http://example.com/%d", i)
		want := "fwd=uri-miss"
		if c.why != hit {
			want += fmt.Sprintf("; detail=%q", c.why)
		}
		s.is(c.name, s.get(target, c.request...), c.status, body, want)
		again := s.get(target)
		if c.why == hit {
			s.is(c.name+", again", again, c.status, body, "hit; ttl=60")
			for _, h := range c.header {
				name, value, _ := strings.Cut(h, ": ")
				if !slices.Contains(again.Header()[name], value) {
					t.Errorf("%s: %q is not served again", c.name, h)
				}
			}
		}
		s.called(c.name, map[bool]int64{true: 1, false: 2}[c.why == hit])
	}
}

// noWrite keeps a handler from sending a header.
type noWrite struct{ http.ResponseWriter }

func (noWrite) Write(p []byte) (int, error) { return len(p), nil }

// RFC 9111 § 5.2.1: what requests say; and which are not ours at all.
func TestRequestsGetWhatTheyWant(t *testing.T) {
	db := memory(t)
	for i, c := range []struct {
		name    string
		o       httpcache.Options
		header  string // of the response, whose Cache-Control it is
		request string
		status  int
		want    string
		stored  string // what who asks without any header gets then
	}{
		{"nothing", httpcache.Options{}, "max-age=60", "X: y", 200, "hit; ttl=50", "hit; ttl=50"},
		{"no-cache", httpcache.Options{}, "max-age=60", "Cache-Control: no-cache", 200, "fwd=request", "hit; ttl=60"},
		{"no-cache, which is ignored", httpcache.Options{IgnoreReload: true}, "max-age=60", "Cache-Control: no-cache", 200, "hit; ttl=50", "hit; ttl=50"},
		{"max-age=0", httpcache.Options{}, "max-age=60", "Cache-Control: max-age=0", 200, "fwd=request", "hit; ttl=60"},
		{"a max-age that is enough", httpcache.Options{}, "max-age=60", "Cache-Control: max-age=10", 200, "hit; ttl=50", "hit; ttl=50"},
		{"a max-age that is not", httpcache.Options{}, "max-age=60", "Cache-Control: max-age=9", 200, "fwd=request", "hit; ttl=60"},
		{"a min-fresh that is there", httpcache.Options{}, "max-age=60", "Cache-Control: min-fresh=50", 200, "hit; ttl=50", "hit; ttl=50"},
		{"a min-fresh that is not", httpcache.Options{}, "max-age=60", "Cache-Control: min-fresh=51", 200, "fwd=request", "hit; ttl=60"},
		{"min-fresh of what is stale", httpcache.Options{}, "max-age=5, stale-while-revalidate=60", "Cache-Control: min-fresh=1", 200, "fwd=stale", "hit; ttl=5"},
		{"max-stale, which is not obeyed", httpcache.Options{}, "max-age=10", "Cache-Control: max-stale=100", 200, "fwd=", "hit; ttl=10"},
		{"no-store", httpcache.Options{}, "max-age=60", "Cache-Control: no-store", 200, "fwd=bypass", "hit; ttl=50"},
		{"only-if-cached", httpcache.Options{}, "max-age=60", "Cache-Control: only-if-cached", 200, "hit; ttl=50", "hit; ttl=50"},
		{"only-if-cached, and it is not", httpcache.Options{}, "no-store", "Cache-Control: only-if-cached", 504, `fwd=uri-miss; detail="only-if-cached"`, "fwd=uri-miss"},
		{"authorization", httpcache.Options{}, "max-age=60", "Authorization: Basic x", 200, "fwd=request", "hit; ttl=50"},
		{"authorization, of what is public", httpcache.Options{}, "max-age=60, public", "Authorization: Basic x", 200, "hit; ttl=50", "hit; ttl=50"},
		{"a range", httpcache.Options{}, "max-age=60", "Range: bytes=0-1", 200, "fwd=bypass", "hit; ttl=50"},
		{"a condition for writers", httpcache.Options{}, "max-age=60", `If-Match: "a"`, 200, "fwd=bypass", "hit; ttl=50"},
		{"another protocol", httpcache.Options{}, "max-age=60", "Upgrade: websocket", 200, "fwd=bypass", "hit; ttl=50"},
	} {
		s := open(t, db, c.o, says("body", "Cache-Control: "+c.header))
		target := fmt.Sprintf("http://example.com/want/%d", i)
		s.get(target)
		s.move(10 * time.Second)
		w := s.get(target, c.request)
		body := "body"
		if c.status == 504 {
			body = "Gateway Timeout\n"
		}
		s.is(c.name, w, c.status, body, c.want)
		s.is(c.name+", then nothing", s.get(target), 200, "body", c.stored)
	}
	s := open(t, db, httpcache.Options{TTL: time.Minute}, says("body"))
	for _, method := range []string{"OPTIONS", "TRACE", "PROPFIND"} {
		s.is(method, s.do(method, "/"), 200, "body", "fwd=method")
	}
	r := httptest.NewRequest("GET", "/", strings.NewReader("a body"))
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	s.is("a GET with a body", w, 200, "body", "fwd=bypass")
	s.is("nothing of it is stored", s.get("/"), 200, "body", "fwd=uri-miss")
}

// RFC 9111 § 4.2: freshness and Age; § 3.1: which headers are stored; RFC 9211: Cache-Status.
func TestResponsesAgeAndKeepTheirHeaders(t *testing.T) {
	s := open(t, memory(t), httpcache.Options{}, says("<p>hello", "Cache-Control: max-age=100", "Age: 30", "Date: Fri, 02 Jan 2026 03:03:55 GMT", "X-Two: a", "X-Two: b",
		"Connection: close, X-Hop", "X-Hop: x", "Keep-Alive: 5", "Proxy-Authenticate: x", "Upgrade: h2c", "Cache-Status: origin; hit"))
	outer := 0
	inner := s.h
	s.h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		outer++
		w.Header().Set("X-Request", fmt.Sprint(outer))
		inner.ServeHTTP(w, r)
	})
	first := s.get("/a")
	if got := first.Header(); got.Get("X-Hop") != "x" || got.Get("X-Request") != "1" || !slices.Equal(got["Cache-Status"], []string{"origin; hit", "redbud; fwd=uri-miss"}) {
		t.Errorf("the handler's own headers: %v", got)
	}
	s.move(1500 * time.Millisecond)
	w := s.get("/a")
	want := http.Header{
		"Cache-Control": {"max-age=100"}, "Age": {"31"}, "Date": {"Fri, 02 Jan 2026 03:03:55 GMT"}, "X-Two": {"a", "b"}, "X-Request": {"2"},
		"Content-Type": {"text/html; charset=utf-8"}, "Content-Length": {"8"}, "Cache-Status": {"origin; hit", "redbud; hit; ttl=69"},
	}
	if !maps.EqualFunc(w.Header(), want, slices.Equal) || w.Body.String() != "<p>hello" {
		t.Errorf("%v %q", w.Header(), w.Body)
	}
	s.move(68*time.Second + 499*time.Millisecond)
	if got := s.get("/a").Header()["Cache-Status"]; !slices.Equal(got, []string{"origin; hit", "redbud; hit; ttl=1"}) {
		t.Errorf("a millisecond before its end: %q", got)
	}
	s.called("as long as it is fresh", 1)
	s.move(time.Millisecond)
	if got := s.get("/a").Header()["Cache-Status"]; !slices.Equal(got, []string{"origin; hit", "redbud; fwd=stale"}) {
		t.Errorf("at its end: %q", got)
	}
	s.called("when it is not", 1)
	s.get("/b")
	head := s.do("HEAD", "/b")
	if got := head.Header(); head.Body.Len() != 0 || got.Get("Content-Length") != "8" || got.Get("Age") != "80" {
		t.Errorf("HEAD: %v %q", got, head.Body)
	}
	s.called("GET, and HEAD from it", 1)
	s.do("HEAD", "/c")
	s.get("/c")
	s.called("HEAD, which stores nothing, and GET", 2)
}

// RFC 9111 § 4.1: a response for each of what Vary names.
func TestEachVariantIsItsOwn(t *testing.T) {
	db := memory(t)
	var vary atomic.Value
	vary.Store("Accept-Language")
	s := open(t, db, httpcache.Options{TTL: time.Minute, MaxVariants: 2}, func(w http.ResponseWriter, r *http.Request) {
		if v := vary.Load().(string); v != "" {
			w.Header().Set("Vary", v)
		}
		fmt.Fprintf(w, "%v%v", r.Header["Accept-Language"], r.Header["X"])
	})
	s.is("the first", s.get("/", "Accept-Language: de"), 200, "[de][]", "fwd=uri-miss")
	s.is("likewise", s.get("/", "Accept-Language:  de "), 200, "[de][]", "hit")
	s.is("another", s.get("/", "Accept-Language: en"), 200, "[en][]", "fwd=vary-miss")
	s.is("another", s.get("/", "Accept-Language: en", "X: other"), 200, "[en][]", "hit")
	s.is("the first", s.get("/", "Accept-Language: de"), 200, "[de][]", "hit")
	for i := range 20 {
		lang := fmt.Sprintf("l%d", i)
		s.is(lang, s.get("/", "Accept-Language: "+lang), 200, "["+lang+"][]", "fwd=vary-miss")
		s.is(lang, s.get("/", "Accept-Language: "+lang), 200, "["+lang+"][]", "hit")
	}
	s.is("none is not the empty one", s.get("/", "Accept-Language: "), 200, "[][]", "fwd=vary-miss")
	s.is("none", s.get("/"), 200, "[][]", "fwd=vary-miss")
	keys, err := db.Keys(t.Context(), "http:http*").Result()
	if err != nil || len(keys) != 3 {
		t.Errorf("an index and 2 variants are at %q, %v", keys, err)
	}

	vary.Store("x, Accept-Language") // one more
	s.is("more vary", s.get("/", "Accept-Language: de", "X: 1"), 200, "[de][1]", "fwd=vary-miss")
	s.is("more vary", s.get("/", "Accept-Language: de", "X: 2"), 200, "[de][2]", "fwd=vary-miss")
	s.is("more vary", s.get("/", "Accept-Language: de", "X: 1"), 200, "[de][1]", "hit")
	vary.Store("") // a response that says nothing answers nobody else
	s.is("says nothing", s.get("/", "Accept-Language: fr", "X: 1"), 200, "[fr][1]", "fwd=vary-miss")
	s.is("says nothing", s.get("/", "Accept-Language: fr", "X: 1"), 200, "[fr][1]", "hit")
	s.is("says nothing", s.get("/", "Accept-Language: fr"), 200, "[fr][]", "fwd=vary-miss")
	s.called("all", 2+20+2+2+2)
	for range 2 {
		if err := s.m.Purge(t.Context(), "http://example.com/"); err != nil {
			t.Fatal(err)
		}
		s.is("purged", s.get("/", "Accept-Language: fr", "X: 1"), 200, "[fr][1]", "fwd=vary-miss")
		s.is("not any more", s.get("/", "Accept-Language: fr", "X: 1"), 200, "[fr][1]", "hit")
	}
}

// RFC 9110 § 13, RFC 9111 § 4.3.2: conditions of clients.
func TestWhoHasItIsToldSo(t *testing.T) {
	const modified = "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT"
	for i, c := range []struct {
		name     string
		status   int
		response []string
		request  []string
		want     int
	}{
		{"its tag", 200, []string{`ETag: "a"`}, []string{`If-None-Match: "b", W/"a"`}, 304},
		{"another tag", 200, []string{`ETag: "a"`}, []string{`If-None-Match: "b"`}, 200},
		{"any", 200, nil, []string{`If-None-Match: *`}, 304},
		{"the tag counts, not the time", 200, []string{`ETag: "a"`, modified}, []string{`If-None-Match: "b"`, "If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT"}, 200},
		{"its time", 200, []string{modified}, []string{"If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT"}, 304},
		{"a later time", 200, []string{modified}, []string{"If-Modified-Since: Fri, 02 Jan 2026 00:00:00 GMT"}, 304},
		{"an earlier time", 200, []string{modified}, []string{"If-Modified-Since: Wed, 31 Dec 2025 23:59:59 GMT"}, 200},
		{"no time", 200, []string{modified}, []string{"If-Modified-Since: yesterday"}, 200},
		{"not found", 404, []string{`ETag: "a"`}, []string{`If-None-Match: "a"`}, 404},
	} {
		s := open(t, memory(t), httpcache.Options{TTL: time.Minute}, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("If-None-Match")+r.Header.Get("If-Modified-Since") != "" {
				t.Errorf("%s: the handler is asked under a condition", c.name)
			}
			says("", append(c.response, "Content-Type: text/plain", "Content-Length: 4")...)(noWrite{w}, r)
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, "body")
		})
		body := "body"
		if c.want == 304 {
			body = ""
		}
		for _, cached := range []string{"fwd=uri-miss", "hit"} {
			w := s.get(fmt.Sprintf("/%d", i), c.request...)
			s.is(c.name, w, c.want, body, cached)
			if _, ok := w.Header()["Content-Type"]; ok == (c.want == 304) {
				t.Errorf("%s: %v", c.name, w.Header())
			}
			if len(c.response) > 0 && strings.HasPrefix(c.response[0], "ETag") && w.Header().Get("ETag") != `"a"` {
				t.Errorf("%s: no tag in %v", c.name, w.Header())
			}
		}
		s.is(c.name+", the whole", s.get(fmt.Sprintf("/%d", i)), c.status, "body", "hit")
		s.called(c.name, 1)
	}
}

// RFC 5861: stale while a new one is made, and in place of an error; and what forbids both (RFC 9111 § 4.2.4).
func TestStaleResponsesAreServedWhereTheyMayBe(t *testing.T) {
	for _, c := range []struct {
		control          string
		revalidate, fail bool // a stale one is served while a new one is made; in place of an error
	}{
		{"max-age=10", false, false},
		{"max-age=10, stale-while-revalidate=20", true, false},
		{"max-age=10, stale-if-error=20", false, true},
		{"s-maxage=10, stale-while-revalidate=20, stale-if-error=20", true, true},
		{"max-age=10, stale-while-revalidate=20, must-revalidate", false, false},
		{"max-age=10, stale-if-error=20, proxy-revalidate", false, false},
		{"max-age=10, stale-if-error=5, stale-while-revalidate=5", false, false},
	} {
		for _, byOption := range []bool{false, true} {
			o, want := httpcache.Options{}, c
			if byOption {
				o.StaleWhileRevalidate, o.StaleIfError = 20*time.Second, 20*time.Second
				says := strings.Contains(c.control, "stale")
				forbidden := strings.Contains(c.control, "s-maxage") || strings.Contains(c.control, "must-") || strings.Contains(c.control, "proxy-")
				want.revalidate = c.revalidate || !forbidden && !strings.Contains(c.control, "stale-while-revalidate")
				want.fail = c.fail || !forbidden && !strings.Contains(c.control, "stale-if-error")
				if says && c.control == "max-age=10, stale-if-error=5, stale-while-revalidate=5" {
					want.revalidate, want.fail = false, false
				}
			}
			var n, status atomic.Int64
			status.Store(200)
			ran := make(chan struct{}, 10)
			s := open(t, memory(t), o, func(w http.ResponseWriter, r *http.Request) {
				defer func() { ran <- struct{}{} }()
				w.Header().Set("Cache-Control", c.control)
				w.Header().Set("X-Status", fmt.Sprint(status.Load()))
				w.WriteHeader(int(status.Load()))
				fmt.Fprint(w, n.Add(1))
			})
			name := fmt.Sprintf("%s, by option %v", c.control, byOption)
			s.is(name, s.get("/"), 200, "1", "fwd=uri-miss")
			<-ran
			s.move(20 * time.Second)
			if want.revalidate {
				s.is(name, s.get("/"), 200, "1", "hit; ttl=-10")
				<-ran
				if err := s.m.Close(t.Context()); err != nil { // which waits for it
					t.Fatal(err)
				}
				s.is(name, s.get("/"), 200, "2", "hit; ttl=10")
			} else {
				s.is(name, s.get("/"), 200, "2", "fwd=")
			}
			s.called(name, 2)

			status.Store(503)
			s.move(29 * time.Second)
			switch w := s.get("/", "Cache-Control: min-fresh=1"); {
			case want.fail:
				s.is(name+", error", w, 200, "2", "fwd=stale; fwd-status=503")
				if w.Header().Get("X-Status") != "200" || len(w.Header()["Cache-Status"]) != 1 {
					t.Errorf("%s: headers of the error: %v", name, w.Header())
				}
			default:
				s.is(name+", error", w, 503, "3", "fwd=")
			}
			s.move(2 * time.Second)
			s.is(name+", too late", s.get("/"), 503, "4", "fwd=")
			s.called(name, 2)
		}
	}
}

// A refresh that panics is told, one that brings something that must not be stored ends the old one, and Close ends what does not end.
func TestRefreshesThatBringNothing(t *testing.T) {
	var what atomic.Value
	what.Store("good")
	began := make(chan struct{}, 10)
	s := open(t, memory(t), httpcache.Options{}, func(w http.ResponseWriter, r *http.Request) {
		defer func() { began <- struct{}{} }()
		w.Header().Set("Cache-Control", "max-age=1, stale-while-revalidate=3600")
		switch what.Load() {
		case "panic":
			panic("no")
		case "private":
			w.Header().Set("Cache-Control", "private")
		case "hang":
			began <- struct{}{}
			<-r.Context().Done()
		}
		fmt.Fprint(w, what.Load(), r.Method, r.Header.Get("X"))
	})
	s.get("/")
	<-began
	s.move(time.Minute)
	what.Store("panic")
	s.is("stale", s.do("HEAD", "/", "X: y"), 200, "", "hit; ttl=-59")
	<-began
	for len(s.reportsSoFar()) == 0 {
		time.Sleep(time.Millisecond)
	}
	if got := s.reported(); len(got) != 1 || !errors.Is(got[0], cache.ErrPanic) {
		t.Errorf("reported: %v", got)
	}
	what.Store("private")
	s.is("stale", s.get("/"), 200, "goodGET", "hit; ttl=-59")
	<-began
	for s.get("/", "Cache-Control: only-if-cached").Code != 504 {
		time.Sleep(time.Millisecond)
	}
	what.Store("good")
	s.get("/")
	s.move(time.Minute)
	what.Store("hang")
	for len(began) > 0 {
		<-began
	}
	s.is("stale", s.get("/"), 200, "goodGET", "hit; ttl=-59")
	<-began
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.m.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Close: %v", err)
	}
	<-began // it has ended
	s.is("closed", s.get("/"), 200, "goodGET", "hit; ttl=-59")
}

func (s *site) reportsSoFar() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.reports)
}

// What touches the engine: RFC 9111 § 4.4 (invalidation), purges that no load outlives, tags, variants, one load for all.
func TestOnEveryEngine(t *testing.T) {
	kittest.Run(t, func(t *testing.T, db *redbud.DB) {
		zipped, err := codec.Open("msgpack+zstd://")
		if err != nil {
			t.Fatal(err)
		}
		var text atomic.Value
		text.Store("one")
		var hold atomic.Pointer[chan struct{}]
		held := make(chan struct{}, 10)
		binary := strings.Repeat("\x00\xff\xc1", 1000)
		serve := func(w http.ResponseWriter, r *http.Request) {
			said := text.Load()
			if c := hold.Load(); c != nil {
				held <- struct{}{}
				<-*c
			}
			w.Header().Set("Vary", r.Header.Get("X-Vary"))
			switch r.Method {
			case "GET":
				fmt.Fprint(w, said, binary)
			default:
				w.Header().Set("Location", r.Header.Get("X-Location"))
				if r.URL.Path == "/fails" {
					w.WriteHeader(409)
				}
			}
		}
		o := httpcache.Options{TTL: time.Minute, Options: cache.Options{Prefix: "web:", Codec: zipped},
			Tags: func(r *http.Request) []string { return []string{strings.Split(r.URL.Path, "/")[1]} }}
		a, b := open(t, db, o, serve), open(t, db, o, serve) // two processes
		const page = "http://example.com/wiki/page"
		expect := func(what string, s *site, body, cached string, headers ...string) {
			t.Helper()
			s.is(what, s.get(page, headers...), 200, body+binary, cached)
		}
		expect("first", a, "one", "fwd=uri-miss")
		expect("second", b, "one", "hit; ttl=60")
		text.Store("two")
		expect("still", b, "one", "hit; ttl=60")
		for name, purge := range map[string]func(){
			"Purge": func() {
				if err := a.m.Purge(t.Context(), page); err != nil {
					t.Error(err)
				}
			},
			"PurgeTags": func() {
				if err := a.m.PurgeTags(t.Context(), "wiki"); err != nil {
					t.Error(err)
				}
			},
			"POST":                 func() { a.do("POST", page) },
			"PUT":                  func() { a.do("PUT", page) },
			"an unknown method":    func() { a.do("FROBNICATE", page) },
			"Location":             func() { a.do("POST", "http://example.com/other", "X-Location: wiki/page") },
			"Location with a host": func() { a.do("DELETE", "http://example.com/other", "X-Location: https://EXAMPLE.com/wiki/page") },
		} {
			before := fmt.Sprint("before ", name)
			text.Store(before)
			if err := b.m.Purge(t.Context(), page); err != nil {
				t.Fatal(err)
			}
			expect(name, b, before, "fwd=uri-miss")
			text.Store("after")
			expect(name, a, before, "hit")
			purge()
			expect(name, b, "after", "fwd=uri-miss")
			expect(name, a, "after", "hit")
		}
		a.do("POST", "http://example.com/fails")
		a.do("POST", "http://example.com/other", "X-Location: http://example.org/wiki/page")
		a.do("POST", page+"?x")
		a.do("GET", "http://example.com/fails")
		expect("purged by none of these", a, "after", "hit")

		// A load that began before a purge is not kept, nor given to who waits.
		if err := b.m.Purge(t.Context(), page); err != nil {
			t.Fatal(err)
		}
		gate := make(chan struct{})
		hold.Store(&gate)
		text.Store("old")
		led := make(chan *httptest.ResponseRecorder)
		go func() { led <- a.get(page) }()
		<-held
		hold.Store(nil)
		text.Store("new")
		if err := b.m.Purge(t.Context(), page); err != nil {
			t.Fatal(err)
		}
		followed := make(chan *httptest.ResponseRecorder)
		go func() { followed <- a.get(page) }()
		close(gate)
		a.is("who asked before", <-led, 200, "old"+binary, "fwd=uri-miss")
		a.is("who asked after", <-followed, 200, "new"+binary, "")
		expect("then", b, "new", "hit")

		// Variants, of one of two processes.
		purged := b.m.Purge(t.Context(), page)
		expect("a variant", a, "new", "fwd=uri-miss", "X-Vary: X-Vary")
		expect("a variant", b, "new", "hit", "X-Vary: X-Vary")
		expect("another", b, "new", "fwd=vary-miss", "X-Vary: X-Vary, X")
		expect("another", a, "new", "hit", "X-Vary: X-Vary, X")
		if purged = errors.Join(purged, a.m.Purge(t.Context(), page)); purged != nil {
			t.Fatal(purged)
		}
		expect("a variant", b, "new", "fwd=vary-miss", "X-Vary: X-Vary, X")

		// One load for all who want the same.
		gate = make(chan struct{})
		hold.Store(&gate)
		a.calls.Store(0)
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				w := a.get("http://example.com/wiki/crowd")
				if w.Code != 200 || w.Body.String() != "new"+binary {
					t.Errorf("%d %.10q", w.Code, w.Body)
				}
			})
		}
		<-held
		close(gate)
		all.Wait()
		a.called("50 at once", 1)

		// Every key goes.
		check := func(ctx context.Context, c redis.Cmdable) error {
			keys, err := c.Keys(ctx, "*").Result()
			for _, key := range keys {
				if ttl, err := c.PTTL(ctx, key).Result(); err != nil || ttl == -1 || !strings.HasPrefix(key, "web:") {
					t.Errorf("%q stays for %v, %v", key, ttl, err)
				}
			}
			return err
		}
		if c, ok := db.UniversalClient.(*redis.ClusterClient); ok {
			err = c.ForEachMaster(t.Context(), func(ctx context.Context, c *redis.Client) error { return check(ctx, c) })
		} else {
			err = check(t.Context(), db)
		}
		if err != nil {
			t.Error(err)
		}
	})
}
