package httpcache_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/cache/codec"
	"github.com/redbud-go/redbud/cache/httpcache"
)

// serve puts a site behind a port.
func (s *site) serve() *httptest.Server {
	srv := httptest.NewUnstartedServer(s.h)
	srv.Config.ErrorLog = nil
	srv.Start()
	s.t.Cleanup(srv.Close)
	return srv
}

// fetch makes a request over the network. The body is what came of it.
func fetch(t *testing.T, url string) (resp *http.Response, body string, err error) {
	t.Helper()
	resp, err = http.Get(url)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return resp, string(data), err
}

// What comes in pieces arrives in pieces, is kept if it ends, and is waited for by nobody.
func TestStreamsArriveAtOnce(t *testing.T) {
	next := make(chan string)
	s := open(t, memory(t), httpcache.Options{TTL: time.Minute}, func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Error(err)
		}
		w.(http.Flusher).Flush()
		for piece := range next {
			_, _ = io.WriteString(w, piece)
			w.(http.Flusher).Flush()
			if strings.HasSuffix(piece, "end") {
				return
			}
		}
	})
	srv := s.serve()
	begin := func() *bufio.Reader {
		resp, err := http.Get(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return bufio.NewReader(resp.Body)
	}
	a := begin()
	next <- "first\n"
	if line, err := a.ReadString('\n'); line != "first\n" || err != nil {
		t.Errorf("%q, %v", line, err)
	}
	b := begin()       // which would hang if it waited, as a does not end
	next <- "second\n" // to either
	next <- "end"
	next <- "end"
	restA, errA := io.ReadAll(a)
	restB, errB := io.ReadAll(b)
	if len(restA)+len(restB) != len("second\nendend") || errA != nil || errB != nil {
		t.Errorf("%q and %q, %v, %v", restA, restB, errA, errB)
	}
	s.called("two streams", 2)
	if resp, body, err := fetch(t, srv.URL); err != nil || !strings.HasSuffix(body, "end") || !strings.HasPrefix(resp.Header.Get("Cache-Status"), "redbud; hit") {
		t.Errorf("%q %v", body, err)
	}
	s.called("what has ended", 0)
}

// A body larger than MaxBody goes through, and is neither stored nor waited for; one of MaxBody is.
func TestBodiesAreCapped(t *testing.T) {
	const most = 10000
	var gate chan struct{}
	s := open(t, memory(t), httpcache.Options{TTL: time.Minute, MaxBody: most}, func(w http.ResponseWriter, r *http.Request) {
		size := 0
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &size)
		if r.URL.RawQuery == "told" {
			w.Header().Set("Content-Length", fmt.Sprint(size))
		}
		for ; size > 0; size -= 100 {
			_, _ = w.Write(make([]byte, min(size, 100)))
		}
		if gate != nil {
			<-gate
		}
	})
	for _, told := range []string{"", "?told"} {
		for size, want := range map[int]string{most: "hit", most + 1: "fwd=uri-miss", 0: "hit", 10 * most: "fwd=uri-miss"} {
			target := fmt.Sprintf("/%d%s", size, told)
			for _, cached := range []string{"fwd=uri-miss", want} {
				s.is(target, s.get(target), 200, strings.Repeat("\x00", size), cached)
			}
		}
	}
	gate = make(chan struct{})
	var both sync.WaitGroup
	for range 2 { // the second would hang if it waited for all of the first
		both.Go(func() { s.get("/50000?other") })
	}
	gate <- struct{}{}
	gate <- struct{}{}
	both.Wait()
}

// Nothing is stored of what did not come to its end: a panic, a client that has gone, a body that is too short or too long, a trailer, a connection
// that the handler took. Who waits then asks the handler.
func TestWhatIsIncompleteIsNotStored(t *testing.T) {
	ended := make(chan struct{}, 10)
	arrived := make(chan struct{}, 10)
	s := open(t, memory(t), httpcache.Options{TTL: time.Minute}, func(w http.ResponseWriter, r *http.Request) {
		defer func() { ended <- struct{}{} }()
		switch r.URL.Path {
		case "/panic":
			_, _ = io.WriteString(w, "some")
			panic(http.ErrAbortHandler)
		case "/short":
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "some")
		case "/long":
			w.Header().Set("Content-Length", "3")
			_, err := io.WriteString(w, "some")
			if !errors.Is(err, http.ErrContentLength) {
				t.Errorf("too long: %v", err)
			}
		case "/trailer":
			_, _ = io.WriteString(w, "some")
			w.(http.Flusher).Flush()
			w.Header().Set(http.TrailerPrefix+"X-Sum", "1")
		case "/hijack":
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nsome")
			conn.Close()
		case "/gone":
			if r.Header.Get("X-Goes") != "" {
				arrived <- struct{}{}
				<-r.Context().Done()
			}
			_, _ = io.WriteString(w, "some")
		}
	})
	srv := s.serve()
	for _, path := range []string{"/panic", "/short", "/long", "/trailer", "/hijack"} {
		for range 2 {
			resp, body, err := fetch(t, srv.URL+path)
			<-ended
			if path == "/trailer" && (err != nil || resp.Trailer.Get("X-Sum") != "1") || path == "/hijack" && (body != "some" || err != nil) {
				t.Errorf("%s: %q, %v", path, body, err)
			}
		}
		s.called(path, 2)
	}

	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "GET", srv.URL+"/gone", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Goes", "1")
	left := make(chan error)
	go func() {
		_, err := http.DefaultClient.Do(r)
		left <- err
	}()
	<-arrived
	var others sync.WaitGroup
	for range 10 {
		others.Go(func() {
			if _, body, err := fetch(t, srv.URL+"/gone"); body != "some" || err != nil {
				t.Errorf("who waits: %q, %v", body, err)
			}
		})
	}
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	others.Wait()
	if _, body, err := fetch(t, srv.URL+"/gone"); body != "some" || err != nil {
		t.Errorf("%q, %v", body, err)
	}
	s.called("one who has gone, and one of the others", 2)
}

// Who waits does not wait for what turns out not to be kept, leaves when its context ends, and gets something stale if the handler fails.
func TestNobodyWaitsForNothing(t *testing.T) {
	gate, began := make(chan struct{}), make(chan struct{}, 10)
	s := open(t, memory(t), httpcache.Options{}, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/private":
			w.Header().Set("Cache-Control", "private")
			w.WriteHeader(200)
			began <- struct{}{}
			<-gate
		case "/slow":
			began <- struct{}{}
			<-gate
		case "/fails":
			w.Header().Set("Cache-Control", "max-age=1, stale-if-error=60")
			if r.Header.Get("X-Fail") != "" {
				began <- struct{}{}
				<-gate
				w.WriteHeader(500)
			}
		}
		_, _ = io.WriteString(w, "body")
	})
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() { s.is("private", s.get("/private"), 200, "body", "fwd=uri-miss") })
	}
	for range 5 { // all are in the handler at once
		<-began
	}
	close(gate)
	all.Wait()

	gate = make(chan struct{})
	all.Go(func() { s.is("slow", s.get("/slow"), 200, "body", "fwd=uri-miss") })
	<-began
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan *httptest.ResponseRecorder)
	go func() {
		w := httptest.NewRecorder()
		s.h.ServeHTTP(w, request("GET", "/slow").WithContext(ctx))
		left <- w
	}()
	leave()
	if w := <-left; w.Code != 503 {
		t.Errorf("who leaves: %d", w.Code)
	}
	close(gate)
	all.Wait()

	s.get("/fails")
	s.move(time.Minute)
	gate = make(chan struct{})
	s.calls.Store(0)
	for range 5 {
		all.Go(func() {
			s.is("fails", s.get("/fails", "X-Fail: 1"), 200, "body", "fwd=stale")
		})
	}
	<-began
	close(gate)
	all.Wait()
}

// hook is told of calls of the engine.
type hook func(method string)

func (hook) Read(int, int, int)                               {}
func (h hook) Called(method string, _ time.Duration, _ error) { h(method) }

// Who asks after a purge does not get what was stored just before it, even while that is about to be given to who waits.
func TestWhoComesAfterAPurgeIsLate(t *testing.T) {
	var s *site
	var text atomic.Value
	text.Store("old")
	var armed atomic.Bool
	armed.Store(true)
	looked, late := make(chan struct{}, 10), make(chan *httptest.ResponseRecorder, 1)
	called := func(method string) {
		switch {
		case method == "get":
			looked <- struct{}{}
		case method == "set" && armed.CompareAndSwap(true, false):
			if err := s.m.Purge(t.Context(), "http://example.com/"); err != nil {
				t.Error(err)
			}
			text.Store("new")
			<-looked // that of the first
			go func() { late <- s.get("/") }()
			<-looked
			time.Sleep(10 * time.Millisecond) // so that it is waiting, most likely
		}
	}
	s = open(t, memory(t), httpcache.Options{TTL: time.Minute, Options: cache.Options{Stats: hook(called)}}, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, text.Load())
	})
	s.is("before", s.get("/"), 200, "old", "fwd=uri-miss")
	s.is("after", <-late, 200, "new", "fwd=uri-miss")
	s.is("then", s.get("/"), 200, "new", "hit")
}

// Without its engine the handler answers, or by option nobody; a value that makes no sense is a miss.
func TestTheHandlerAnswersWithoutAnEngine(t *testing.T) {
	dead := redis.NewClient(&redis.Options{MaxRetries: -1, DialerRetries: 1, Dialer: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("it is down") }})
	defer dead.Close()
	s := open(t, dead, httpcache.Options{TTL: time.Minute}, says("body", `ETag: "a"`))
	s.is("open", s.get("/", "If-None-Match: \"b\""), 200, "body", `fwd=bypass; detail="engine"`)
	s.is("change", s.do("POST", "/"), 200, "body", "fwd=method")
	if got := s.reported(); len(got) != 2 || !strings.Contains(got[0].Error(), "look up: it is down") || !strings.Contains(got[1].Error(), "purge: it is down") {
		t.Errorf("reported: %v", got)
	}
	if err := s.m.Purge(t.Context(), "http://example.com/"); err == nil {
		t.Error("it is said to be purged")
	}
	closed := open(t, dead, httpcache.Options{TTL: time.Minute, FailClosed: true}, says("body"))
	closed.is("closed", closed.get("/"), 503, "Service Unavailable\n", `fwd=bypass; detail="engine"`)
	closed.called("closed", 0)
	if got := closed.reported(); len(got) != 1 {
		t.Errorf("reported: %v", got)
	}

	db := memory(t)
	s = open(t, db, httpcache.Options{TTL: time.Minute}, says("body"))
	if err := db.Set(t.Context(), "http:http://example.com/bad", "\xc3not a response", 0).Err(); err != nil {
		t.Fatal(err)
	}
	s.is("what does not decode", s.get("/bad"), 200, "body", "fwd=uri-miss")
	s.is("written over", s.get("/bad"), 200, "body", "hit")
	if err := db.LPush(t.Context(), "http:http://example.com/list", "x").Err(); err != nil {
		t.Fatal(err)
	}
	s.is("a list", s.get("/list"), 200, "body", `fwd=bypass; detail="engine"`)
	if got := s.reported(); len(got) != 1 || !errors.Is(got[0], cache.ErrWrongType) {
		t.Errorf("reported: %v", got)
	}
	small := open(t, db, httpcache.Options{TTL: time.Minute, Options: cache.Options{MaxValue: 10}}, says("body"))
	small.is("larger than MaxValue", small.get("/large"), 200, "body", "fwd=uri-miss")
	if got := small.reported(); len(got) != 1 || !errors.Is(got[0], cache.ErrTooLarge) {
		t.Errorf("reported: %v", got)
	}
	tags := open(t, db, httpcache.Options{TTL: time.Minute, Tags: func(*http.Request) []string { return []string{""} }}, says("body"))
	tags.is("a tag that is none", tags.get("/tags"), 200, "body", "fwd=uri-miss")
	if got := tags.reported(); len(got) != 1 || !errors.Is(got[0], cache.ErrTag) {
		t.Errorf("reported: %v", got)
	}
}

func TestURLsAreTheirKeys(t *testing.T) {
	db := memory(t)
	json, err := codec.Open("json://")
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, db, httpcache.Options{TTL: time.Minute, Options: cache.Options{Codec: json}, Normalize: httpcache.SortQuery("utm", "ref")}, says("body"))
	long := "http://example.com/" + strings.Repeat("x", 1<<20)
	for _, c := range []struct {
		first, second string
		same          bool
	}{
		{"http://example.com/a?x=1&y=2", "http://EXAMPLE.com:80/a?y=2&utm=3&x=1&&ref", true},
		{"http://example.com/b?x=1&x=2", "http://example.com/b?x=2&x=1", false},
		{"http://example.com/c", "https://example.com/c", false},
		{"http://example.com/d", "http://example.com:8080/d", false},
		{"http://example.com/e", "http://example.org/e", false},
		{"http://example.com/f", "http://example.com/f/", false},
		{"http://example.com/g%2Fh", "http://example.com/g/h", false},
		{"http://example.com", "http://example.com/", true},
		{"http://example.com/../*?[]{}%00", "http://example.com/../*?[]{}%01", false},
		{long, long + "y", false},
		{long, long, true},
		{"http://example.com/h?%75tm=1", "http://example.com/h", true},
	} {
		if err := s.m.Purge(t.Context(), c.first, c.second); err != nil {
			t.Fatal(err)
		}
		s.get(c.first)
		s.is(c.first, s.get(c.first), 200, "body", "hit")
		w := s.get(c.second)
		if hit := strings.Contains(w.Header().Get("Cache-Status"), "hit"); hit != c.same {
			t.Errorf("%.60q and %.60q are the same: %v", c.first, c.second, hit)
		}
		if err := s.m.Purge(t.Context(), c.first); err != nil {
			t.Fatal(err)
		}
		s.is(c.first+", purged", s.get(c.first), 200, "body", "fwd=uri-miss")
	}
	for _, bad := range []string{"", "/path", "example.com/x", "http://", "http://[", "http://a/%", "\x00"} {
		if err := s.m.Purge(t.Context(), "http://example.com/", bad); !errors.Is(err, httpcache.ErrURL) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if err := s.m.Purge(t.Context()); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.m.Purge(ctx, "http://example.com/"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for _, tag := range []string{"", strings.Repeat("x", 1023)} {
		if err := s.m.PurgeTags(t.Context(), tag); !errors.Is(err, cache.ErrTag) {
			t.Errorf("%.10q: %v", tag, err)
		}
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	db := memory(t)
	raw, err := codec.Open("raw://")
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]httpcache.Options{
		"TTL": {TTL: -1}, "stale": {StaleWhileRevalidate: -1}, "error": {StaleIfError: -1}, "body": {MaxBody: -1}, "variants": {MaxVariants: -1},
		"codec": {Options: cache.Options{Codec: raw}}, "refreshes": {Refreshes: -1}, "name": {Name: "a b"}, "value": {Options: cache.Options{MaxValue: -1}},
	} {
		if _, err := httpcache.New(db, o); !errors.Is(err, cache.ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := httpcache.New(nil, httpcache.Options{}); !errors.Is(err, cache.ErrOptions) {
		t.Error(err)
	}
	s := open(t, db, httpcache.Options{Name: "edge", TTL: cache.Forever, StaleIfError: cache.Forever, Normalize: func(u *url.URL) { u.Scheme = "https" }}, says("body"))
	s.get("http://example.com/")
	if got := s.get("https://example.com/").Header().Get("Cache-Status"); !strings.HasPrefix(got, "edge; hit; ttl=") {
		t.Errorf("for ever: %q", got)
	}
}
