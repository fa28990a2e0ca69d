// Loads: a handler answers, its client gets that at once, and it is kept.

package httpcache

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/redbud-go/redbud/cache"
)

// load is one answer of a handler.
type load struct {
	m      *Middleware
	q      *asked
	found  found
	spare  *record // what is served in place of an error; nil: the error
	why    string  // it is made; "": for nobody
	flight *flight // nil: nobody waits

	tap    *tap
	tags   cache.Load[record]
	begun  bool        // there are tags, without which nothing is kept
	before http.Header // what was set outside
	began  int64
	fails  bool     // it is an error for which there is a spare one
	rec    *record  // what will be kept; nil: nothing
	vary   []string // with what that varies
	length string   // that its body has, if it says it
}

// run has a handler answer.
func (l *load) run(w http.ResponseWriter, next http.Handler) {
	defer l.land(lost, nil) // unless it has landed, as it has not if the handler panics
	ctx := l.q.Context()
	var users []string
	if l.m.o.Tags != nil {
		users = l.m.o.Tags(l.q.Request)
	}
	var err error
	if l.tags, err = l.m.c.Begin(ctx, append(prefixed(users), urlTag+l.q.key)...); err != nil {
		l.m.report(ctx, "begin", err)
		l.land(open, nil)
	}
	l.begun = err == nil
	l.before, l.began = w.Header().Clone(), l.m.now()
	l.tap = &tap{ResponseWriter: w, header: l.header, body: l.body, stream: l.stream}
	next.ServeHTTP(l.tap, unconditional(l.q.Request))
	l.tap.finish()
	switch {
	case l.fails:
		clear(w.Header())
		maps.Copy(w.Header(), l.before)
		l.m.reply(w, l.q, l.spare, fmt.Sprintf("fwd=stale; fwd-status=%d", l.tap.status))
	case l.rec != nil && l.whole():
		l.keep()
	}
}

// land ends the flight, if there is one.
func (l *load) land(end ending, names []string) { l.m.land(l.flight, end, l.rec, names) }

// unconditional is a request for the whole response, whatever the client has.
func unconditional(r *http.Request) *http.Request {
	if r.Header.Get("If-None-Match") == "" && r.Header.Get("If-Modified-Since") == "" {
		return r
	}
	r = r.WithContext(r.Context()) // a copy
	r.Header = r.Header.Clone()
	r.Header.Del("If-None-Match")
	r.Header.Del("If-Modified-Since")
	return r
}

// header decides what becomes of a response.
func (l *load) header(status int) (send int) {
	h := l.tap.Header()
	if failures[status] {
		l.land(failed, nil)
		if l.spare != nil {
			l.fails = true
			return 0
		}
	}
	rec, vary, why := l.m.keeping(l.q, status, h, l.before, l.began)
	note := l.why
	switch {
	case rec == nil:
		l.drop(status)
		note += fmt.Sprintf("; detail=%q", why)
	case l.begun:
		l.rec, l.vary, l.length = rec, vary, h.Get("Content-Length")
		l.m.setLoose(l.q.key, false)
	}
	l.m.note(l.tap, note)
	if status == http.StatusOK && notModified(l.q, h) {
		strip(h)
		return http.StatusNotModified
	}
	return status
}

// drop says that a response is not kept. One that has had its time is not served any more either, unless this is an error.
func (l *load) drop(status int) {
	l.rec = nil
	l.land(open, nil)
	if status >= 500 {
		return
	}
	l.m.setLoose(l.q.key, true)
	if old := l.found.rec; old != nil && old.left(l.m.now()) <= 0 {
		_, err := l.m.c.Delete(l.q.Context(), l.found.at)
		l.m.report(l.q.Context(), "delete", err)
	}
}

// body keeps what the handler has written.
func (l *load) body(p []byte, err error) {
	if l.rec == nil {
		return
	}
	size := len(l.rec.Body) + len(p)
	switch {
	case err != nil:
		l.rec = nil
		l.land(lost, nil)
	case size > l.m.o.MaxBody:
		l.drop(l.tap.status)
	default:
		if size > cap(l.rec.Body) {
			l.rec.Body = append(make([]byte, 0, min(max(size, 2*cap(l.rec.Body)), l.m.o.MaxBody)), l.rec.Body...)
		}
		l.rec.Body = append(l.rec.Body, p...)
	}
}

// stream lets nobody wait for a response that comes in pieces, for who knows how long.
func (l *load) stream() {
	if l.tap.hijacked {
		l.rec = nil
	}
	if l.tap.Header().Get("Content-Length") == "" || l.tap.hijacked {
		l.m.land(l.flight, open, nil, nil)
	}
}

// whole tells whether all of the response is there, and its client too.
func (l *load) whole() bool {
	for name := range l.tap.Header() {
		if strings.HasPrefix(name, http.TrailerPrefix) {
			return false
		}
	}
	return (l.length == "" || l.length == strconv.Itoa(len(l.rec.Body))) && l.q.Context().Err() == nil
}

// keep stores the response, and gives it to those who wait.
func (l *load) keep() {
	if _, ok := l.rec.Header["Content-Type"]; !ok && len(l.rec.Body) > 0 && l.rec.Header.Get("Content-Encoding") == "" {
		l.rec.Header.Set("Content-Type", http.DetectContentType(l.rec.Body)) // as net/http does
	}
	l.m.settle(l.flight)
	names, err := l.m.store(l.q.Context(), l.tags, l.q, l.found, l.rec, l.vary)
	switch {
	case err == nil:
		l.land(kept, names)
	case errors.Is(err, cache.ErrOutdated): // who waits may have come after the purge
		l.land(lost, nil)
	default:
		l.m.report(l.q.Context(), "store", err)
		l.land(open, nil)
	}
}

// reply answers with a stored response.
func (m *Middleware) reply(w http.ResponseWriter, q *asked, rec *record, what string) {
	h := w.Header()
	for name, values := range rec.Header {
		h[name] = slices.Clone(values)
	}
	h.Set("Age", strconv.FormatInt(max(m.now()-rec.Born, 0)/1000, 10))
	m.note(w, what)
	if rec.Status == http.StatusOK && notModified(q, h) {
		strip(h)
		w.WriteHeader(http.StatusNotModified)
		return
	}
	bare := rec.Status == http.StatusNoContent
	if !bare {
		h.Set("Content-Length", strconv.Itoa(len(rec.Body)))
	}
	w.WriteHeader(rec.Status)
	if !bare && q.Method != http.MethodHead {
		_, _ = w.Write(rec.Body) // the client has gone
	}
}
