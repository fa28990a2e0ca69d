// URLs: what names a server, a cluster or a set of sentinels, and the parameters that go-redis's options take.
package redis

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/redis/go-redis/v9"
)

// kind is what stands behind the address of a URL.
type kind string

const (
	single   kind = ""
	unix     kind = "unix"
	cluster  kind = "cluster"
	sentinel kind = "sentinel"
)

// form is what a scheme says.
type form struct {
	kind kind
	tls  bool
}

// forms are the schemes that this package serves.
var forms = func() map[string]form {
	all := map[string]form{"unix": {kind: unix}}
	for _, name := range []string{"redis", "valkey", "keydb"} {
		all[name] = form{kind: single}
		all[name+"s"] = form{kind: single, tls: true}
		all[name+"+unix"] = form{kind: unix}
		for _, k := range []kind{cluster, sentinel} {
			all[name+"+"+string(k)] = form{kind: k}
			all[name+"s+"+string(k)] = form{kind: k, tls: true}
		}
	}
	return all
}()

// ParseURL turns a URL into go-redis's options. The schemes are redis (a server), rediss (with TLS), redis+unix or
// unix (a socket), redis+cluster, rediss+cluster, redis+sentinel and rediss+sentinel; valkey and keydb stand for redis
// in each.
//
//	redis://user:password@host:6379/0?pool_size=20&dial_timeout=3s
//	redis+unix:///run/redis.sock?db=2
//	redis+cluster://host1:7000,host2:7000
//	redis+sentinel://host1:26379,host2:26379/mymaster/0?sentinel_password=…
//
// A parameter is the name of a scalar field of redis.UniversalOptions in snake case (read_timeout, max_idle_conns).
// A duration has a unit, or is in seconds; zero or less turns the timeout off. Beside the fields there are autopipeline
// (the client gathers the calls of concurrent callers into pipelines) and, with TLS, skip_verify, server_name, ca_file,
// cert_file and key_file. A parameter that is none of them is an error that lists them.
//
// Where go-redis would send a command again after its connection was lost, we don't unless max_retries is given: it
// may have run already. Deadlines of contexts are kept unless context_timeout_enabled=false.
func ParseURL(u *url.URL) (*redis.UniversalOptions, error) {
	f, known := forms[strings.ToLower(u.Scheme)]
	if !known {
		return nil, fmt.Errorf("unknown scheme %q; known are %s", u.Scheme, strings.Join(schemes(), ", "))
	}
	o := &redis.UniversalOptions{
		IsClusterMode:         f.kind == cluster,
		ContextTimeoutEnabled: true,
	}
	if u.User != nil {
		o.Username = u.User.Username()
		o.Password, _ = u.User.Password()
	}
	if f.tls {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if err := f.address(o, u); err != nil {
		return nil, err
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("bad query: %w", err)
	}
	if err := f.parameters(o, query); err != nil {
		return nil, err
	}
	return o, nil
}

func schemes() []string { return slices.Sorted(maps.Keys(forms)) }

// address reads the host and the path.
func (f form) address(o *redis.UniversalOptions, u *url.URL) error {
	if f.kind == unix {
		if u.Host != "" {
			return fmt.Errorf("a socket's path starts after three slashes: %s:///path", u.Scheme)
		}
		if u.Path == "" {
			return errors.New("the path of the socket is missing")
		}
		o.Addrs = []string{u.Path}
		return nil
	}
	port := "6379"
	if f.kind == sentinel {
		port = "26379"
	}
	var err error
	if o.Addrs, err = addresses(u.Host, port); err != nil {
		return err
	}
	path := strings.FieldsFunc(u.Path, func(r rune) bool { return r == '/' })
	switch f.kind {
	case single:
		if len(o.Addrs) > 1 {
			return fmt.Errorf("%s is one server; several hosts are a cluster (%[1]s+cluster://) or sentinels (%[1]s+sentinel://)", u.Scheme)
		}
	case cluster:
		if len(path) > 0 && !(len(path) == 1 && path[0] == "0") {
			return fmt.Errorf("a cluster has database 0 alone, not %q", u.Path)
		}
	case sentinel:
		if len(path) == 0 {
			return fmt.Errorf("the master's name is missing: %s://host/name", u.Scheme)
		}
		o.MasterName, path = path[0], path[1:]
	}
	if len(path) > 1 {
		return fmt.Errorf("bad path %q: only a database number is expected", u.Path)
	}
	if len(path) == 1 {
		return setDB(o, path[0])
	}
	return nil
}

// addresses splits a list of hosts and completes each with the port.
func addresses(list, port string) ([]string, error) {
	var all []string
	for host := range strings.SplitSeq(list, ",") {
		name, p := host, port
		if h, hp, err := net.SplitHostPort(host); err == nil {
			name, p = h, hp
		} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
			name = host[1 : len(host)-1]
		} else if strings.Contains(host, ":") {
			return nil, fmt.Errorf("bad host %q", host)
		}
		if name == "" {
			name = "localhost"
		}
		if p == "" {
			p = port
		}
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return nil, fmt.Errorf("bad port %q of host %q", p, name)
		}
		all = append(all, net.JoinHostPort(name, p))
	}
	return all, nil
}

func setDB(o *redis.UniversalOptions, s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return fmt.Errorf("bad database number %q", s)
	}
	o.DB = n
	return nil
}

// setter puts the value of a parameter into the options. Its error says what was expected, without the value:
// a value may be a password.
type setter func(o *redis.UniversalOptions, value string) error

// parameters applies the query.
func (f form) parameters(o *redis.UniversalOptions, query url.Values) error {
	known := f.setters(query)
	for _, name := range slices.Sorted(maps.Keys(query)) {
		set, ok := known[name]
		if !ok {
			return fmt.Errorf("unknown parameter %q; known are %s", name, strings.Join(slices.Sorted(maps.Keys(known)), ", "))
		}
		values := query[name]
		if err := set(o, values[len(values)-1]); err != nil {
			return fmt.Errorf("parameter %s: %w", name, err)
		}
	}
	return nil
}

// setters are the parameters that a form of URL knows.
func (f form) setters(query url.Values) map[string]setter {
	known := map[string]setter{}
	t := reflect.TypeFor[redis.UniversalOptions]()
	for i := range t.NumField() {
		field := t.Field(i)
		if set := fieldSetter(i, field.Type); set != nil && f.takes(field.Name) {
			known[snake(field.Name)] = set
		}
	}
	if f.kind != cluster {
		known["db"] = setDB
	}
	known["autopipeline"] = func(o *redis.UniversalOptions, s string) error {
		on, err := parseBool(s)
		if on {
			o.AutoPipelineOptions = &redis.AutoPipelineOptions{}
		}
		return err
	}
	if !f.tls {
		return known
	}
	known["skip_verify"] = func(o *redis.UniversalOptions, s string) (err error) {
		o.TLSConfig.InsecureSkipVerify, err = parseBool(s)
		return err
	}
	known["server_name"] = func(o *redis.UniversalOptions, s string) error {
		o.TLSConfig.ServerName = s
		return nil
	}
	known["ca_file"] = trust
	known["cert_file"] = func(o *redis.UniversalOptions, s string) error {
		return present(o, s, query.Get("key_file"))
	}
	known["key_file"] = func(_ *redis.UniversalOptions, _ string) error {
		if query.Get("cert_file") == "" {
			return errors.New("needs cert_file too")
		}
		return nil
	}
	return known
}

// takes reports whether a field of the options can be set by a parameter of this form. What other parts of the URL say
// can't, nor what is deprecated or needs more than a scalar to make sense.
func (f form) takes(field string) bool {
	switch field {
	case "DB", "Username", "Password", "MasterName", "IsClusterMode", "DisableIndentity", "UnstableResp3":
		return false
	case "MaxRedirects", "RouteByLatency", "RouteByLatencyTolerance", "RouteRandomly", "FailingTimeoutSeconds":
		return f.kind == cluster
	case "ReadOnly":
		return f.kind == cluster || f.kind == sentinel
	case "SentinelUsername", "SentinelPassword":
		return f.kind == sentinel
	}
	return !strings.HasPrefix(field, "ClientSideCache")
}

// fieldSetter returns the setter of field i, nil if it isn't a scalar.
func fieldSetter(i int, t reflect.Type) setter {
	field := func(o *redis.UniversalOptions) reflect.Value { return reflect.ValueOf(o).Elem().Field(i) }
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return func(o *redis.UniversalOptions, s string) error {
			d, err := parseDuration(s)
			field(o).SetInt(int64(d))
			return err
		}
	case t.Kind() == reflect.Int:
		return func(o *redis.UniversalOptions, s string) error {
			n, err := strconv.Atoi(s)
			if err != nil {
				return errors.New("a whole number is expected")
			}
			field(o).SetInt(int64(n))
			return nil
		}
	case t.Kind() == reflect.Bool:
		return func(o *redis.UniversalOptions, s string) error {
			on, err := parseBool(s)
			field(o).SetBool(on)
			return err
		}
	case t.Kind() == reflect.String:
		return func(o *redis.UniversalOptions, s string) error {
			field(o).SetString(s)
			return nil
		}
	}
	return nil
}

// parseDuration reads a duration as go-redis does: a plain number is in seconds, and zero or less turns it off, for
// which go-redis's options have -1.
func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if n, plain := strconv.Atoi(s); plain == nil {
		d, err = time.Duration(n)*time.Second, nil
	}
	switch {
	case err != nil:
		return 0, errors.New(`a duration is expected, "5s" or seconds`)
	case d <= 0:
		return -1, nil
	}
	return d, nil
}

func parseBool(s string) (bool, error) {
	switch s {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, errors.New("true or false is expected")
}

// snake turns MaxIdleConns into max_idle_conns and PoolFIFO into pool_fifo.
func snake(name string) string {
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// trust makes the certificates of a file the only authorities.
func trust(o *redis.UniversalOptions, file string) error {
	pem, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	o.TLSConfig.RootCAs = x509.NewCertPool()
	if !o.TLSConfig.RootCAs.AppendCertsFromPEM(pem) {
		return fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return nil
}

// present makes us show a certificate to the server.
func present(o *redis.UniversalOptions, certFile, keyFile string) error {
	if keyFile == "" {
		return errors.New("needs key_file too")
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return err
	}
	o.TLSConfig.Certificates = []tls.Certificate{pair}
	return nil
}
