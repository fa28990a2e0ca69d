package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redbud-go/redbud/internal/resp"
	"github.com/redbud-go/redbud/internal/testenv"
)

// asBinary makes the test binary be redbud.
const asBinary = "REDBUD_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asBinary) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// binary is a redbud that is about to run.
func binary(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, args...)
	c.Env = append(os.Environ(), asBinary+"=1", "GORACE=atexit_sleep_ms=0") // or each end takes a second under -race
	return c
}

// result is how a redbud ended.
type result struct {
	code        int
	out, errors string
}

// redbud runs a redbud to its end.
func redbud(t *testing.T, input string, args ...string) result {
	t.Helper()
	c := binary(t, args...)
	var out, errors bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(input), &out, &errors
	err := c.Run()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		t.Fatal(err)
	}
	return result{c.ProcessState.ExitCode(), out.String(), errors.String()}
}

// served is a redbud serve that listens.
type served struct {
	t         *testing.T
	cmd       *exec.Cmd
	lines     *bufio.Scanner // of its log
	addresses []string
}

// serveOn starts redbud serve with a listener on a free port besides those of args, and waits until it listens on n
// addresses.
func serveOn(t *testing.T, n int, env []string, args ...string) *served {
	t.Helper()
	c := binary(t, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	c.Env = append(c.Env, env...)
	log, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill() // it may have ended
		_ = c.Wait()
	})
	s := &served{t: t, cmd: c, lines: bufio.NewScanner(log)}
	for len(s.addresses) < n {
		s.addresses = append(s.addresses, s.logged("listening")["address"].(string))
	}
	return s
}

// logged reads the log up to a message.
func (s *served) logged(message string) map[string]any {
	s.t.Helper()
	var seen []string
	for s.lines.Scan() {
		seen = append(seen, s.lines.Text())
		record := map[string]any{}
		if json.Unmarshal(s.lines.Bytes(), &record) == nil && record["msg"] == message {
			return record
		}
	}
	s.t.Fatalf("the log ends without %q:\n%s", message, strings.Join(seen, "\n"))
	return nil
}

// rest reads the log to its end.
func (s *served) rest() string {
	var lines []string
	for s.lines.Scan() {
		lines = append(lines, s.lines.Text())
	}
	return strings.Join(lines, "\n")
}

// client is a connection that sends calls and reads replies.
type client struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func connect(t *testing.T, network, address string) *client {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &client{t, conn, bufio.NewReader(conn)}
}

func (c *client) send(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c, line+"\r\n"); err != nil {
		c.t.Fatal(err)
	}
}

// ask sends a line and returns its reply as redis-cli prints it.
func (c *client) ask(line string) string {
	c.t.Helper()
	c.send(line)
	v, err := resp.ReadValue(c.r)
	if err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
	return strings.TrimSuffix(string(resp.AppendCLI(nil, &v)), "\n")
}

func (c *client) expect(line, want string) {
	c.t.Helper()
	if got := c.ask(line); got != want {
		c.t.Errorf("%s: %s, want %s", line, got, want)
	}
}

func TestServeAnswersOnEveryAddress(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	s := serveOn(t, 2, nil, "--listen", "unix:"+socket)
	a, b := connect(t, "tcp", s.addresses[0]), connect(t, "unix", socket)
	a.expect("PING", "PONG")
	a.expect("SET k v", "OK")
	b.expect("GET k", `"v"`)
	if got := redbud(t, "", "do", "redis://"+s.addresses[0], "GET", "k"); got.code != 0 || got.out != "v\n" {
		t.Errorf("do: %+v", got)
	}
}

func TestServeNamesTheAddressInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	address := taken.Addr().String()
	got := redbud(t, "", "serve", "--listen", "127.0.0.1:0", "--listen", address)
	if got.code != 1 || !strings.Contains(got.errors, address) || !strings.Contains(got.errors, "in use") {
		t.Errorf("%+v", got)
	}
}

func TestServeReplacesASocketThatNobodyAnswersAt(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	got := redbud(t, "", "serve", "--listen", "unix:"+socket)
	if got.code != 1 || !strings.Contains(got.errors, socket) {
		t.Errorf("in use: %+v", got)
	}
	old.SetUnlinkOnClose(false)
	if err := old.Close(); err != nil {
		t.Fatal(err)
	}
	serveOn(t, 2, nil, "--listen", "unix:"+socket)
	connect(t, "unix", socket).expect("PING", "PONG")
}

func TestServeEndsWellOnATermSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals")
	}
	s := serveOn(t, 1, nil)
	c := connect(t, "tcp", s.addresses[0])
	c.expect("SET k v", "OK")
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.logged("stopped")
	if _, err := c.r.ReadByte(); err != io.EOF {
		t.Errorf("the connection of an idle client ends with %v", err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
}

func TestServeSetsParametersAndEndsByShutdown(t *testing.T) {
	dir := t.TempDir()
	s := serveOn(t, 1, nil, "--set", "dir="+dir, "--set", "maxmemory=1gb", "--enable-debug-command", "local")
	c := connect(t, "tcp", s.addresses[0])
	c.expect("CONFIG GET maxmemory", "1) \"maxmemory\"\n2) \"1073741824\"")
	c.expect("DEBUG POPULATE 3", "OK")
	c.expect("DEBUG LOG hello", "OK")
	if text := s.logged("a client says")["text"]; text != "hello" {
		t.Errorf("the log has %q", text)
	}
	c.expect("SHUTDOWN FOO", "(error) ERR syntax error")
	c.expect("SHUTDOWN ABORT", "(error) ERR No shutdown in progress.")
	c.send("SHUTDOWN SAVE")
	s.logged("stopped")
	if _, err := c.r.ReadByte(); err != io.EOF {
		t.Errorf("the connection of who ends the server ends with %v", err)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("ended with %v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, "dump.rdb")); err != nil || info.Size() == 0 {
		t.Errorf("the file of SHUTDOWN SAVE: %v, %v", info, err)
	}
}

func TestServeWaitsForACommandUntilTheSecondSignal(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no signals")
	}
	slow := testenv.Redis(t)
	s := serveOn(t, 1, nil, "--drain-timeout", "1h", slow.URL())
	c := connect(t, "tcp", s.addresses[0])
	c.expect("MULTI", "OK")
	c.expect("GET k", "QUEUED")
	if err := slow.Pause(); err != nil {
		t.Fatal(err)
	}
	defer slow.Resume()
	c.send("EXEC")
	waitUntilCalled(t, s, "exec") // CLIENT LIST shows single calls only once they have run
	for range 2 {
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if s.lines.Scan(); !strings.Contains(s.lines.Text(), "draining") && s.lines.Text() != "" {
			t.Errorf("the log says %s", s.lines.Text())
		}
	}
	if log := s.rest(); strings.Contains(log, "stopped") {
		t.Errorf("it drained:\n%s", log)
	}
	if err := s.cmd.Wait(); err == nil || !strings.Contains(err.Error(), "terminated") {
		t.Errorf("ended with %v", err)
	}
}

// waitUntilCalled returns when the server has taken up a call of another connection.
func waitUntilCalled(t *testing.T, s *served, name string) {
	t.Helper()
	c := connect(t, "tcp", s.addresses[0])
	for !strings.Contains(c.ask("CLIENT LIST"), "cmd="+name) {
		runtime.Gosched()
	}
}

func TestServeIsAProxyOfARealRedis(t *testing.T) {
	real := testenv.Redis(t)
	s := serveOn(t, 1, nil, real.URL())
	c := connect(t, "tcp", s.addresses[0])
	c.expect("SET k v", "OK")
	c.expect("XADD s 1-1 f v", `"1-1"`) // which the table does not know
	if got := redbud(t, "", "do", real.URL(), "GET", "k"); got.out != "v\n" {
		t.Errorf("the real one has %+v", got)
	}
}

func TestServeAsksForThePasswordOfTheEnvironment(t *testing.T) {
	s := serveOn(t, 1, []string{"REDBUD_PASSWORD=secret"})
	c := connect(t, "tcp", s.addresses[0])
	c.expect("GET k", "(error) NOAUTH Authentication required.")
	c.expect("AUTH secret", "OK")
	c.expect("GET k", "(nil)")
	if args := strings.Join(s.cmd.Args, " "); strings.Contains(args, "secret") {
		t.Errorf("others see it in %s", args)
	}
}

func TestServeLimitsClients(t *testing.T) {
	s := serveOn(t, 1, nil, "--maxclients", "1")
	connect(t, "tcp", s.addresses[0]).expect("PING", "PONG")
	second := connect(t, "tcp", s.addresses[0])
	if v, err := resp.ReadValue(second.r); err != nil || string(v.Str) != "ERR max number of clients reached" {
		t.Errorf("the second client gets %s, %v", v.Str, err)
	}
}

// certificate writes a self-signed certificate for 127.0.0.1 and its key.
func certificate(t *testing.T) (cert, key string, pair tls.Certificate) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certText := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyText := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	for file, text := range map[string][]byte{cert: certText, key: keyText} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if pair, err = tls.X509KeyPair(certText, keyText); err != nil {
		t.Fatal(err)
	}
	return cert, key, pair
}

func TestServeSpeaksTLSAndWantsClientCertificates(t *testing.T) {
	cert, key, pair := certificate(t)
	s := serveOn(t, 1, nil, "--tls-cert", cert, "--tls-key", key, "--tls-client-ca", cert)
	dial := func(certificates ...tls.Certificate) string {
		conn, err := tls.Dial("tcp", s.addresses[0], &tls.Config{InsecureSkipVerify: true, Certificates: certificates})
		if err != nil {
			return err.Error()
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
			return err.Error()
		}
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil {
			return err.Error()
		}
		return line
	}
	if got := dial(pair); got != "+PONG\r\n" {
		t.Errorf("with a certificate: %q", got)
	}
	if got := dial(); !strings.Contains(got, "certificate required") {
		t.Errorf("without a certificate: %q", got)
	}
}

func TestServeSpeaksTLSBesidePlainAndReadsCertificatesAgain(t *testing.T) {
	cert, key, first := certificate(t)
	other, otherKey, second := certificate(t)
	s := serveOn(t, 2, nil, "--listen", "tls:127.0.0.1:0", "--tls-cert", cert, "--tls-key", key, "--tls-client-ca", cert, "--tls-auth-clients", "optional", "--tls-min-version", "1.3")
	if got := redbud(t, "", "do", "redis://"+s.addresses[0], "SET", "k", "v"); got.out != "OK\n" {
		t.Errorf("on the plain port: %+v", got)
	}
	url := "rediss://" + s.addresses[1] + "?ca_file="
	if got := redbud(t, "", "do", url+cert, "GET", "k"); got.out != "v\n" {
		t.Errorf("on the port of TLS: %+v", got)
	}
	if got := redbud(t, "", "do", url+other, "GET", "k"); got.code != 1 || !strings.Contains(got.errors, "certificate signed by unknown authority") {
		t.Errorf("with another authority: %+v", got)
	}
	if got := redbud(t, "", "do", "redis://"+s.addresses[1], "GET", "k"); got.code != 1 {
		t.Errorf("without TLS: %+v", got)
	}
	if line := s.logged("TLS handshake failed"); !strings.Contains(line["error"].(string), "signed by unknown authority") && !strings.Contains(line["error"].(string), "bad certificate") {
		t.Errorf("the log has %v", line)
	}
	if got := redbud(t, "", "do", "rediss://"+s.addresses[0], "GET", "k"); got.code != 1 || !strings.Contains(got.errors, "first record does not look like a TLS handshake") {
		t.Errorf("with TLS on the plain port: %+v", got)
	}
	if runtime.GOOS == "windows" {
		return // where nobody sends SIGHUP
	}
	serves := func(pair tls.Certificate) bool {
		conn, err := tls.Dial("tcp", s.addresses[1], &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return bytes.Equal(conn.ConnectionState().PeerCertificates[0].Raw, pair.Certificate[0])
	}
	if !serves(first) {
		t.Error("it serves another certificate than it was given")
	}
	for from, to := range map[string]string{other: cert, otherKey: key} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.logged("certificates were read again")
	if !serves(second) {
		t.Error("after SIGHUP it serves the old certificate")
	}
}

func TestWrongFlagsAndURLsAreErrorsThatTellWhat(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"serve nosuch://x", `unknown scheme "nosuch"; known are `},
		{"serve localhost", "not a URL"},
		{"serve memory://?size=1", `unknown parameter "size"`},
		{"do nosuch://user:secret@x GET k", "unknown scheme"},
		{"do redis://127.0.0.1:1 GET k", "connect"},
		{"do memory://", "requires at least 2 arg"},
		{"serve a b", "accepts at most 1 arg"},
		{"serve --listen nowhere", "listen on nowhere"},
		{"serve --tls-cert x", "--tls-cert and --tls-key belong together"},
		{"serve --tls-client-ca x", "need --tls-cert"},
		{"serve --tls-cert /nosuch --tls-key /nosuch", "load certificate and key: open /nosuch"},
		{"serve --tls-cert x --tls-key x --tls-min-version 1.1", "--tls-min-version 1.1: it is 1.2 or 1.3"},
		{"serve --listen tls:127.0.0.1:0", "--listen tls:… needs --tls-cert and --tls-key"},
		{"serve --listen 127.0.0.1:0 --set nosuch=1", "--set nosuch: there is no such parameter"},
		{"serve --listen 127.0.0.1:0 --set maxmemory=x", "--set maxmemory: argument must be a memory value"},
		{"serve --listen 127.0.0.1:0 --set maxmemory", "--set maxmemory: it takes name=value"},
		{"serve --listen 127.0.0.1:0 --set port=5", "--set port: port follows from what the server listens on"},
		{"serve --listen 127.0.0.1:0 --enable-debug-command maybe", "--enable-debug-command: argument(s) must be one of the following: no, yes, local"},
		{"serve --log-level loud", "--log-level loud"},
		{"serve --log-format xml", "--log-format xml"},
		{"do --json --raw memory:// PING", "json raw"},
		{"nosuch", "unknown command"},
	} {
		got := redbud(t, "", strings.Fields(c.args)...)
		if got.code != 1 || !strings.Contains(got.errors, c.want) || strings.Contains(got.errors, "secret") || got.out != "" {
			t.Errorf("redbud %s: %+v, want %q", c.args, got, c.want)
		}
	}
}

func TestDoPrintsAsRedisCLIDoes(t *testing.T) {
	for _, c := range []struct {
		args []string
		want result
	}{
		{[]string{"memory://", "PING"}, result{0, "PONG\n", ""}},
		{[]string{"memory://", "GET", "k"}, result{0, "\n", ""}},
		{[]string{"--no-raw", "memory://", "GET", "k"}, result{0, "(nil)\n", ""}},
		{[]string{"--no-raw", "memory://", "ECHO", "a\n"}, result{0, "\"a\\n\"\n", ""}},
		{[]string{"--no-raw", "memory://", "CONFIG", "GET", "databases"}, result{0, "1) \"databases\"\n2) \"16\"\n", ""}},
		{[]string{"--no-raw", "-3", "memory://", "CONFIG", "GET", "databases"}, result{0, "1# \"databases\" => \"16\"\n", ""}},
		{[]string{"memory://", "CONFIG", "GET", "databases"}, result{0, "databases\n16\n", ""}},
		{[]string{"--json", "memory://", "CONFIG", "GET", "databases"}, result{0, "[\"databases\",\"16\"]\n", ""}},
		{[]string{"--json", "-3", "memory://", "CONFIG", "GET", "databases"}, result{0, "{\"databases\":\"16\"}\n", ""}},
		{[]string{"--json", "memory://", "LRANGE", "l", "0", "-1"}, result{0, "[]\n", ""}},
		{[]string{"--no-raw", "memory://", "NOSUCH"}, result{1, "(error) ERR unknown command 'NOSUCH', with args beginning with: \n", ""}},
		{[]string{"--json", "memory://", "INCR"}, result{1, "{\"error\":\"ERR wrong number of arguments for 'incr' command\"}\n", ""}},
	} {
		if got := redbud(t, "", append([]string{"do"}, c.args...)...); got != c.want {
			t.Errorf("do %q\n got %+v\nwant %+v", c.args, got, c.want)
		}
	}
}

func TestDoTakesTheLastArgumentFromInput(t *testing.T) {
	input := "a\x00\r\nb"
	if got := redbud(t, input, "do", "-x", "memory://", "ECHO"); got.out != input+"\n" {
		t.Errorf("%+v", got)
	}
}

func TestVersionIsReadByPeopleAndPrograms(t *testing.T) {
	if got := redbud(t, "", "version"); got.code != 0 || !strings.HasPrefix(got.out, "redbud ") || !strings.Contains(got.out, runtime.Version()) {
		t.Errorf("%+v", got)
	}
	facts := map[string]string{}
	if err := json.Unmarshal([]byte(redbud(t, "", "version", "--json").out), &facts); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"version", "redis", "go", "platform"} {
		if facts[name] == "" {
			t.Errorf("no %s in %q", name, facts)
		}
	}
}

func TestCompletionKnowsSchemesCommandsAndArguments(t *testing.T) {
	for _, c := range []struct{ typed, want string }{
		{"do|", "memory://"}, {"serve|", "redis+unix://"}, {"do|memory://|zadd", "zadd\tAdds "}, {"do|memory://|ZAD", "ZADD\t"},
		{"do|memory://|config|res", "resetstat\t"}, {"do|memory://|get|", "GET key"}, {"do|memory://|config|get|", "CONFIG GET parameter"},
	} {
		got := redbud(t, "", append([]string{"__complete"}, strings.Split(c.typed, "|")...)...)
		if !slices.ContainsFunc(strings.Split(got.out, "\n"), func(line string) bool { return strings.Contains(line, c.want) }) {
			t.Errorf("%s completes to\n%s", c.typed, got.out)
		}
	}
}

func TestProgramRunsWithoutAProcessOfItsOwn(t *testing.T) {
	var out, errors bytes.Buffer
	code := run(context.Background(), []string{"do", "memory://", "PING"}, streams{strings.NewReader(""), &out, &errors})
	if code != 0 || out.String() != "PONG\n" || errors.Len() != 0 {
		t.Errorf("%d %q %q", code, out.String(), errors.String())
	}
}
