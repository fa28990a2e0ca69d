package redis

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/internal/engine"
)

// parse reads a URL whose host may be a list, which the registry hands over whole.
func parse(t *testing.T, raw string) (*redis.UniversalOptions, error) {
	t.Helper()
	scheme, rest, _ := strings.Cut(raw, "://")
	hosts := ""
	if i := strings.IndexAny(rest, "/?"); strings.Contains(rest, ",") {
		if i < 0 {
			i = len(rest)
		}
		at := strings.LastIndexByte(rest[:i], '@') + 1
		hosts, rest = rest[at:i], rest[:at]+"hosts"+rest[i:]
	}
	u, err := url.Parse(scheme + "://" + rest)
	if err != nil {
		t.Fatal(err)
	}
	if hosts != "" {
		u.Host = hosts
	}
	return ParseURL(u)
}

func TestURLsNameTheirServers(t *testing.T) {
	for _, c := range []struct {
		url     string
		addrs   string
		db      int
		user    string
		master  string
		cluster bool
		tls     bool
	}{
		{url: "redis://", addrs: "localhost:6379"},
		{url: "redis://h", addrs: "h:6379"},
		{url: "redis://me:secret@h:1/3", addrs: "h:1", db: 3, user: "me:secret"},
		{url: "redis://:secret@h:1?db=4", addrs: "h:1", db: 4, user: ":secret"},
		{url: "redis://[::1]", addrs: "[::1]:6379"},
		{url: "redis://[::1]:7/1", addrs: "[::1]:7", db: 1},
		{url: "REDISS://h", addrs: "h:6379", tls: true},
		{url: "valkey://h", addrs: "h:6379"},
		{url: "valkeys://h", addrs: "h:6379", tls: true},
		{url: "keydb://h", addrs: "h:6379"},
		{url: "redis+unix:///run/redis.sock?db=2", addrs: "/run/redis.sock", db: 2},
		{url: "unix://:secret@/run/redis.sock", addrs: "/run/redis.sock", user: ":secret"},
		{url: "keydb+unix:///s", addrs: "/s"},
		{url: "redis+cluster://h1:1,h2", addrs: "h1:1 h2:6379", cluster: true},
		{url: "redis+cluster://one/0", addrs: "one:6379", cluster: true},
		{url: "valkeys+cluster://me:a,b@h1,[::1]:2", addrs: "h1:6379 [::1]:2", user: "me:a,b", cluster: true, tls: true},
		{url: "redis+sentinel://h1,h2:5/mymaster", addrs: "h1:26379 h2:5", master: "mymaster"},
		{url: "keydbs+sentinel://h1/mymaster/7", addrs: "h1:26379", master: "mymaster", db: 7, tls: true},
	} {
		o, err := parse(t, c.url)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		user := ""
		if o.Username != "" || o.Password != "" {
			user = o.Username + ":" + o.Password
		}
		if got := strings.Join(o.Addrs, " "); got != c.addrs || o.DB != c.db || user != c.user || o.MasterName != c.master ||
			o.IsClusterMode != c.cluster || (o.TLSConfig != nil) != c.tls {
			t.Errorf("%s: %s db %d user %q master %q cluster %v tls %v", c.url, got, o.DB, user, o.MasterName, o.IsClusterMode, o.TLSConfig != nil)
		}
	}
}

func TestParametersAreGoRedissOptions(t *testing.T) {
	o, err := parse(t, "rediss://h?dial_timeout=3&read_timeout=250ms&write_timeout=0&pool_size=7&pool_fifo=true&protocol=2"+
		"&client_name=me&max_retries=2&max_idle_conns=5&conn_max_idle_time=1m&context_timeout_enabled=false&skip_verify=1"+
		"&server_name=redis.example&autopipeline=true&pipeline_pool_size=-1")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		ok   bool
	}{
		{"dial_timeout", o.DialTimeout == 3*time.Second},
		{"read_timeout", o.ReadTimeout == 250*time.Millisecond},
		{"write_timeout", o.WriteTimeout == -1},
		{"pool_size", o.PoolSize == 7},
		{"pool_fifo", o.PoolFIFO},
		{"protocol", o.Protocol == 2},
		{"client_name", o.ClientName == "me"},
		{"max_retries", o.MaxRetries == 2},
		{"max_idle_conns", o.MaxIdleConns == 5},
		{"conn_max_idle_time", o.ConnMaxIdleTime == time.Minute},
		{"context_timeout_enabled", !o.ContextTimeoutEnabled},
		{"skip_verify", o.TLSConfig.InsecureSkipVerify},
		{"server_name", o.TLSConfig.ServerName == "redis.example"},
		{"autopipeline", o.AutoPipelineOptions != nil},
		{"pipeline_pool_size", o.PipelinePoolSize == -1},
	} {
		if !c.ok {
			t.Errorf("%s did not arrive", c.name)
		}
	}
	o, err = parse(t, "redis+cluster://h?max_redirects=5&route_by_latency=true")
	if err != nil || o.MaxRedirects != 5 || !o.RouteByLatency {
		t.Errorf("cluster parameters: %+v, %v", o, err)
	}
	o, err = parse(t, "redis+sentinel://h/m?sentinel_password=s")
	if err != nil || o.SentinelPassword != "s" {
		t.Errorf("sentinel parameters: %v", err)
	}
}

func TestBadURLsSayWhatIsWrongAndKeepThePassword(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"redis://u:hunter2@h?pool_sise=3", `unknown parameter "pool_sise"; known are autopipeline, client_name, conn_max_idle_time`},
		{"redis://u:hunter2@h?max_redirects=3", `unknown parameter "max_redirects"`},
		{"redis://u:hunter2@h?skip_verify=true", `unknown parameter "skip_verify"`},
		{"redis://u:hunter2@h?pool_size=many", "parameter pool_size: a whole number is expected"},
		{"redis://u:hunter2@h?dial_timeout=soon", "parameter dial_timeout: a duration is expected"},
		{"redis://u:hunter2@h?pool_fifo=maybe", "parameter pool_fifo: true or false is expected"},
		{"redis://u:hunter2@h?db=-1", `parameter db: bad database number "-1"`},
		{"redis://u:hunter2@h/x", `bad database number "x"`},
		{"redis://u:hunter2@h/1/2", `bad path "/1/2"`},
		{"redis://u:hunter2@h1,h2", "redis is one server"},
		{"redis://u:hunter2@h1:99999", `bad port "99999"`},
		{"redis+cluster://u:hunter2@h/1", "a cluster has database 0 alone"},
		{"redis+cluster://h?db=0", `unknown parameter "db"`},
		{"redis+sentinel://u:hunter2@h", "the master's name is missing"},
		{"redis+unix://u:hunter2@", "the path of the socket is missing"},
		{"redis+unix://u:hunter2@run/redis.sock", "three slashes"},
		{"rediss://u:hunter2@h?cert_file=a", "needs key_file too"},
		{"rediss://u:hunter2@h?ca_file=/nowhere", "parameter ca_file: open /nowhere"},
		{"gopher://u:hunter2@h", "known are keydb, keydb+cluster"},
	} {
		_, err := parse(t, c.url)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v; want %q", c.url, err, c.want)
		}
	}
}

func TestSchemesAreRegistered(t *testing.T) {
	known := engine.Schemes()
	for _, s := range []string{
		"redis", "rediss", "redis+unix", "unix", "redis+cluster", "rediss+cluster", "redis+sentinel", "rediss+sentinel",
		"valkey", "valkeys", "valkey+unix", "valkeys+cluster", "valkey+sentinel",
		"keydb", "keydbs", "keydb+unix", "keydb+cluster", "keydbs+sentinel",
	} {
		if !slices.Contains(known, s) {
			t.Errorf("%s is not registered", s)
		}
	}
}

func TestPasswordsInParametersStayOutOfErrors(t *testing.T) {
	for _, url := range []string{
		"redis+sentinel://h/m?sentinel_password=hunter2&pool=1",
		"nothing+sentinel://h/m?sentinel_password=hunter2",
		"redis+sentinel://h%/m?sentinel_password=hunter2",
	} {
		if _, err := engine.Open(t.Context(), url); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
}
