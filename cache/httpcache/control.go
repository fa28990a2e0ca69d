// What headers say: RFC 9111 (caching), 9110 (conditions), 5861 (stale responses).

package httpcache

import (
	"maps"
	"net/http"
	"net/textproto"
	"slices"
	"strconv"
	"strings"
	"time"
)

// control are the directives of Cache-Control, in lower case. Of several with one name the first counts.
type control map[string]string

// parseControl reads the values of Cache-Control. What is no directive is left out.
func parseControl(values []string) control {
	c := control{}
	for _, s := range values {
		for s != "" {
			var name, value string
			if i := strings.IndexAny(s, ",="); i < 0 {
				name, s = s, ""
			} else if name = s[:i]; s[i] == ',' {
				s = s[i+1:]
			} else {
				value, s = argument(s[i+1:])
			}
			name = strings.ToLower(textproto.TrimString(name))
			if _, twice := c[name]; !twice && isToken(name) {
				c[name] = value
			}
		}
	}
	return c
}

// argument reads what is behind the = of a directive, a token or a quoted text, and returns what is behind the next comma.
func argument(s string) (value, rest string) {
	s = textproto.TrimString(s)
	if !strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s, ",")
		return textproto.TrimString(value), rest
	}
	var text strings.Builder
	i := 1
	for ; i < len(s) && s[i] != '"'; i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		text.WriteByte(s[i])
	}
	_, rest, _ = strings.Cut(s[min(i, len(s)):], ",")
	return text.String(), rest
}

// isToken tells whether a text is a token of RFC 9110.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}

func (c control) has(names ...string) bool {
	return slices.ContainsFunc(names, func(name string) bool { _, ok := c[name]; return ok })
}

// maxAge is the longest time that counts.
const maxAge = 1 << 31

// ms is the argument of a directive in milliseconds. One that is no number of seconds is 0, as RFC 9111 § 4.2.1 has it.
func (c control) ms(name string) (ms int64, ok bool) {
	text, ok := c[name]
	return seconds(text) * 1000, ok
}

// seconds is a number of seconds of at most maxAge; 0 for what is none.
func seconds(text string) int64 {
	if strings.Trim(text, "0123456789") != "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil && text != "" || n > maxAge {
		return maxAge
	}
	return int64(n)
}

// wants is what a request says about the age of a response.
type wants struct {
	reload     bool // none that is stored
	cached     bool // only what is stored
	maxAge     int64
	minFresh   int64 // and how long it still is
	authorized bool  // who asks may get what others must not
}

func (m *Middleware) wants(r *http.Request) wants {
	c := parseControl(r.Header["Cache-Control"])
	w := wants{cached: c.has("only-if-cached"), maxAge: maxAge * 1000, authorized: r.Header.Get("Authorization") != ""}
	if m.o.IgnoreReload {
		return w
	}
	if ms, ok := c.ms("max-age"); ok {
		w.maxAge = ms
	}
	w.minFresh, _ = c.ms("min-fresh")
	w.reload = c.has("no-cache") || w.maxAge == 0
	return w
}

// heuristic are the statuses that may be stored by Options.TTL (RFC 9110 § 15.1), without 206.
var heuristic = map[int]bool{200: true, 203: true, 204: true, 300: true, 301: true, 308: true, 404: true, 405: true, 410: true, 414: true, 501: true}

// failures are the statuses that stale-if-error is about.
var failures = map[int]bool{500: true, 502: true, 503: true, 504: true}

// maxVary is how many headers Vary may name.
const maxVary = 16

// keeping is what will be kept of the response to a request, without its body, or why nothing is.
func (m *Middleware) keeping(q *asked, status int, h, before http.Header, began int64) (rec *record, vary []string, why string) {
	c, now := parseControl(h["Cache-Control"]), m.now()
	shared := c.has("public", "s-maxage", "must-revalidate")
	vary = varies(h)
	size, err := strconv.ParseUint(h.Get("Content-Length"), 10, 63)
	switch {
	case status == http.StatusPartialContent, status == http.StatusNotModified, status >= 500 && status != http.StatusNotImplemented, c.has("must-understand") && !heuristic[status]:
		return nil, nil, "status"
	case c.has("no-store", "private", "no-cache"):
		return nil, nil, "cache-control"
	case !m.o.SetCookie && len(h["Set-Cookie"]) > 0:
		return nil, nil, "set-cookie"
	case q.wants.authorized && !shared:
		return nil, nil, "authorization"
	case slices.Contains(vary, "*") || len(vary) > maxVary:
		return nil, nil, "vary"
	case len(h["Trailer"]) > 0:
		return nil, nil, "trailer"
	case err == nil && size > uint64(m.o.MaxBody):
		return nil, nil, "size"
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		date = time.UnixMilli(now)
	}
	fresh, explicit := lifetime(c, h, date)
	if !explicit {
		if fresh = m.o.TTL.Milliseconds(); fresh == 0 || !heuristic[status] {
			return nil, nil, "no time"
		}
	}
	age := max(now-date.UnixMilli(), seconds(h.Get("Age"))*1000+now-began, 0) // § 4.2.3
	rec = &record{Status: status, Born: now - age, Fresh: fresh, Shared: shared}
	rec.Stale, rec.Spare = grace(c, "stale-while-revalidate", m.o.StaleWhileRevalidate), grace(c, "stale-if-error", m.o.StaleIfError)
	if rec.stays(now) <= 0 {
		return nil, nil, "expired"
	}
	rec.Header = lasting(h, before)
	if len(rec.Header["Date"]) == 0 {
		rec.Header.Set("Date", date.UTC().Format(http.TimeFormat))
	}
	return rec, vary, ""
}

// lifetime is how long a response is fresh, in milliseconds, if it says it (§ 4.2.1).
func lifetime(c control, h http.Header, date time.Time) (ms int64, explicit bool) {
	for _, name := range []string{"s-maxage", "max-age"} {
		if ms, ok := c.ms(name); ok {
			return ms, true
		}
	}
	if len(h["Expires"]) == 0 {
		return 0, false
	}
	expires, err := http.ParseTime(h.Get("Expires"))
	if err != nil {
		return 0, true // it is over
	}
	return min(max(expires.UnixMilli()-date.UnixMilli(), 0), maxAge*1000), true
}

// grace is for how many milliseconds a response that is not fresh any more may be served: as it says, or as the options do.
func grace(c control, name string, otherwise time.Duration) int64 {
	ms, ok := c.ms(name)
	switch {
	case c.has("must-revalidate", "proxy-revalidate"):
		return 0
	case ok:
		return ms
	case c.has("s-maxage"):
		return 0
	}
	return otherwise.Milliseconds()
}

// varies are the names in Vary, in canonical form and order.
func varies(h http.Header) []string {
	var names []string
	for _, value := range h["Vary"] {
		for name := range strings.SplitSeq(value, ",") {
			if name = http.CanonicalHeaderKey(textproto.TrimString(name)); name != "" {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// hops are the headers of a connection (RFC 9110 § 7.6.1) and those that are made anew.
var hops = []string{"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authentication-Info", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Age", "Content-Length"}

// lasting are the headers that are stored: those that the handler has set. What was set before it was called will be set again.
func lasting(h, before http.Header) http.Header {
	k := h.Clone()
	maps.DeleteFunc(k, func(name string, values []string) bool {
		old, ok := before[name]
		return ok && slices.Equal(old, values)
	})
	for _, value := range h["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			k.Del(textproto.TrimString(name))
		}
	}
	for _, name := range hops {
		k.Del(name)
	}
	return k
}

// notModified tells whether the client has the response that has these headers (RFC 9110 § 13.2.2).
func notModified(q *asked, h http.Header) bool {
	if tags := q.header["If-None-Match"]; len(tags) > 0 {
		return matches(tags, h.Get("ETag"))
	}
	since, err := http.ParseTime(q.header.Get("If-Modified-Since"))
	if err != nil {
		return false
	}
	modified, err := http.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		modified, err = http.ParseTime(h.Get("Date"))
	}
	return err == nil && !modified.After(since)
}

// matches tells whether an entity tag is among those of If-None-Match, compared weakly.
func matches(values []string, tag string) bool {
	tag = strings.TrimPrefix(tag, "W/")
	for _, s := range values {
		for s = strings.TrimLeft(s, " \t,"); s != ""; s = strings.TrimLeft(s, " \t,") {
			if s[0] == '*' {
				return true
			}
			s = strings.TrimPrefix(s, "W/")
			if !strings.HasPrefix(s, `"`) {
				break // it makes no sense from here on
			}
			end := strings.IndexByte(s[1:], '"') + 2
			if end < 2 {
				break
			}
			if s[:end] == tag {
				return true
			}
			s = s[end:]
		}
	}
	return false
}

// strip takes the headers away that a 304 does not have (RFC 9110 § 15.4.5).
func strip(h http.Header) {
	for _, name := range []string{"Content-Type", "Content-Length", "Content-Encoding"} {
		h.Del(name)
	}
	if h.Get("ETag") != "" {
		h.Del("Last-Modified")
	}
}
