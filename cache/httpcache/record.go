// What is stored: responses, and for a URL whose responses vary an index of them.

package httpcache

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redbud-go/redbud/cache"
)

// record is what is stored at the key of a URL: a response, or an index of those that vary, which are at keys of their own. The index is a hint: it
// has no tags, and what it has forgotten is a miss.
type record struct {
	Vary     []string // of an index: the names of the headers
	Variants []string // of an index: which variant is at which key
	Until    int64    // of an index: when it goes, in milliseconds since 1970

	Variant string // of a response: which one it is; "": the only one
	Status  int
	Header  http.Header
	Body    []byte
	Born    int64 // when it was made at its origin, in milliseconds since 1970
	Fresh   int64 // how long it is fresh, in milliseconds
	Stale   int64 // how long it is served after that while a new one is made
	Spare   int64 // how long it is served after that in place of an error
	Shared  bool  // it may be served to those with an Authorization
}

// use is what a response may be used for.
type use int

const (
	none  use = iota
	spare     // in place of an error
	stale     // while a new one is made
	fresh
)

// left is how long a response is fresh, in milliseconds; below 0: since when it is not.
func (rec *record) left(now int64) int64 { return rec.Fresh - max(now-rec.Born, 0) }

// stays is how long a response is of any use, in milliseconds.
func (rec *record) stays(now int64) int64 {
	return min(rec.left(now)+max(rec.Stale, rec.Spare), maxAge*1000)
}

// use is what a response may be used for by one who wants this.
func (rec *record) use(now int64, w wants) use {
	if rec == nil || w.authorized && !rec.Shared {
		return none
	}
	left := rec.left(now)
	young := !w.reload && now-rec.Born <= w.maxAge
	switch {
	case young && left > 0 && left >= w.minFresh:
		return fresh
	case young && -left < rec.Stale && w.minFresh == 0:
		return stale
	case -left < rec.Spare:
		return spare
	}
	return none
}

// found is what is known of the response to a request.
type found struct {
	names   []string // of the headers that it varies with; none: it is not known to
	variant string   // "": likewise
	at      string   // the key at which the response is
	rec     *record  // nil: there is none
}

// forwarded is why the handler is asked, in the words of RFC 9211.
func (f found) forwarded(now int64) string {
	switch {
	case f.rec != nil && f.rec.left(now) > 0:
		return "fwd=request"
	case f.rec != nil:
		return "fwd=stale"
	case len(f.names) > 0:
		return "fwd=vary-miss"
	}
	return "fwd=uri-miss"
}

// flight is what those wait for together who want the same response.
func (f found) flight(q *asked) string { return q.key + "\x00" + f.variant }

// look looks for the response to a request.
func (m *Middleware) look(ctx context.Context, q *asked) (f found, err error) {
	rec, err := m.get(ctx, q.key)
	if err != nil || rec == nil {
		return f, err
	}
	if len(rec.Vary) == 0 {
		f.at, f.rec = q.key, rec
		return f, nil
	}
	f.names, f.variant = rec.Vary, variantOf(rec.Vary, q.header)
	i := slices.Index(rec.Variants, f.variant)
	if i < 0 {
		return f, nil
	}
	at := variantKey(q.key, i)
	if rec, err = m.get(ctx, at); err == nil && rec != nil && rec.Variant == f.variant {
		f.at, f.rec = at, rec
	}
	return f, err
}

// get returns what is at a key, or nil.
func (m *Middleware) get(ctx context.Context, key string) (*record, error) {
	rec, err := m.c.Get(ctx, key)
	switch {
	case errors.Is(err, cache.ErrMiss):
		return nil, nil
	case errors.Is(err, cache.ErrStale): // from now on
		rec.Fresh = min(rec.Fresh, max(m.now()-rec.Born, 0))
	case err != nil:
		return nil, err
	}
	return &rec, nil
}

// store stores a response that varies with some headers, and returns the names of all that responses of its URL do.
func (m *Middleware) store(ctx context.Context, tags cache.Load[record], q *asked, f found, rec *record, vary []string) ([]string, error) {
	names := union(f.names, vary)
	now := m.now()
	stay := time.Duration(rec.stays(now)) * time.Millisecond
	if len(names) == 0 {
		return nil, tags.Set(ctx, q.key, *rec, stay)
	}
	index, err := m.get(ctx, q.key)
	if err != nil {
		return nil, err
	}
	if index == nil {
		index = &record{}
	}
	if names = union(names, index.Vary); len(names) > maxVary {
		return nil, fmt.Errorf("it varies with %d headers", len(names))
	}
	if !slices.Equal(names, index.Vary) {
		index = &record{Vary: names}
	}
	rec.Variant = variantOf(names, q.header)
	i, changed := m.place(index, rec.Variant)
	if err := tags.Set(ctx, variantKey(q.key, i), *rec, stay); err != nil {
		return nil, err
	}
	if until := now + stay.Milliseconds(); until > index.Until || changed {
		index.Until = max(index.Until, until)
		return names, m.c.Set(ctx, q.key, *index, time.Duration(index.Until-now)*time.Millisecond)
	}
	return names, nil
}

// place is the place of a variant in an index, which it gets if it has none: a new one, or that of another.
func (m *Middleware) place(index *record, variant string) (i int, changed bool) {
	if i = slices.Index(index.Variants, variant); i >= 0 {
		return i, false
	}
	if i = len(index.Variants); i < m.o.MaxVariants {
		index.Variants = append(index.Variants, variant)
		return i, true
	}
	sum := sha256.Sum256([]byte(variant))
	i = int(binary.BigEndian.Uint32(sum[:]) % uint32(len(index.Variants)))
	index.Variants[i] = variant
	return i, true
}

// union are the names in either of two, in order.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// variantOf stands for what a request has in the headers of these names.
func variantOf(names []string, h http.Header) string {
	if len(names) == 0 {
		return ""
	}
	sum := sha256.New()
	for _, name := range names {
		values := slices.Clone(h[name])
		for i := range values {
			values[i] = strings.TrimSpace(values[i])
		}
		text := strings.Join(values, ", ")
		fmt.Fprintf(sum, "%d:%s%d,%d:%s", len(name), name, min(len(values), 1), len(text), text)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// variantKey is the key of a variant. No URL has a NUL.
func variantKey(key string, i int) string { return key + "\x00" + strconv.Itoa(i) }

// maxName is how long a URL may be to be its own key, and a tag.
const maxName = 512

// key is the key of a URL, which is left as it is.
func (m *Middleware) key(u *url.URL) string {
	clean := url.URL{Scheme: strings.ToLower(u.Scheme), Host: strings.ToLower(u.Host), Path: u.Path, RawPath: u.RawPath, RawQuery: u.RawQuery}
	if port := map[string]string{"http": ":80", "https": ":443"}[clean.Scheme]; port != "" {
		clean.Host = strings.TrimSuffix(clean.Host, port)
	}
	if clean.Path == "" {
		clean.Path = "/"
	}
	if m.o.Normalize != nil {
		m.o.Normalize(&clean)
	}
	text := clean.String()
	if len(text) > maxName {
		sum := sha256.Sum256([]byte(text))
		return "sha256:" + hex.EncodeToString(sum[:])
	}
	return text
}

// target is the URL of a request.
func target(r *http.Request) *url.URL {
	u := *r.URL
	u.Scheme, u.Host = "http", r.Host
	if r.TLS != nil {
		u.Scheme = "https"
	}
	return &u
}

// SortQuery returns an Options.Normalize that sorts the parameters of the query by their names, those with one name staying in their order, and
// leaves those out that are ignored.
func SortQuery(ignored ...string) func(*url.URL) {
	name := func(pair string) string {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			return plain
		}
		return name
	}
	return func(u *url.URL) {
		pairs := slices.DeleteFunc(strings.Split(u.RawQuery, "&"), func(pair string) bool { return pair == "" || slices.Contains(ignored, name(pair)) })
		slices.SortStableFunc(pairs, func(a, b string) int { return strings.Compare(name(a), name(b)) })
		u.RawQuery = strings.Join(pairs, "&")
	}
}
