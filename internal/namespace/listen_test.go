package namespace_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/namespace"
	"github.com/redbud-go/redbud/internal/resp"
)

// ear notes what it hears: "kind name channel payload".
type ear struct {
	mu    sync.Mutex // guards heard
	heard []string
}

func (e *ear) hear(m *engine.Message) {
	e.mu.Lock()
	defer e.mu.Unlock()
	text := fmt.Sprintf("%s %s %s %s", []string{"channel", "pattern", "shard", "changes", "lost"}[m.Kind], m.Name, m.Channel, m.Payload)
	if m.Kind == engine.Changes {
		text = fmt.Sprintf("changes %q", m.Keys)
		if m.Keys == nil {
			text = "changes"
		}
	}
	e.heard = append(e.heard, text)
}

// all are the notes since it was last asked, sorted.
func (e *ear) all() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := e.heard
	e.heard = nil
	slices.Sort(all)
	return all
}

func names(s ...string) [][]byte {
	all := make([][]byte, len(s))
	for i := range s {
		all[i] = []byte(s[i])
	}
	return all
}

func TestWhatIsHeardIsOfTheNamespaceInItsNames(t *testing.T) {
	for _, prefix := range []string{"a:", "a*:", "a?[x]\\"} {
		for _, c := range []struct {
			kind engine.Kind
			name string
			want string // what is heard, with commas between
		}{
			{engine.Channel, "news", "channel news news 1"},
			{engine.Channel, "other", ""},
			{engine.Shard, "news", "shard news news 2"},
			{engine.Channel, "__keyspace@0__:k", "channel __keyspace@0__:k __keyspace@0__:k set"},
			{engine.Channel, "__keyspace@1__:k", ""},
			{engine.Channel, "__keyevent@0__:set", "channel __keyevent@0__:set __keyevent@0__:set k"},
			{engine.Channel, "__keyevent@0__:del", ""},
			{engine.Pattern, "n*s", "pattern n*s news 1"},
			{engine.Pattern, "[^n]*", "pattern [^n]* __keyevent@0__:mine x,pattern [^n]* __keyevent@0__:set k,pattern [^n]* __keyspace@0__:k set"},
			{engine.Pattern, "*", "pattern * __keyevent@0__:mine x,pattern * __keyevent@0__:set k,pattern * __keyspace@0__:k set,pattern * news 1"},
			{engine.Pattern, "__key*__:*", "pattern __key*__:* __keyevent@0__:mine x,pattern __key*__:* __keyevent@0__:set k,pattern __key*__:* __keyspace@0__:k set"},
			{engine.Pattern, "__keyspace@*__:*", "pattern __keyspace@*__:* __keyspace@0__:k set"},
			{engine.Pattern, "__keyspace@0__:[jk]", "pattern __keyspace@0__:[jk] __keyspace@0__:k set"},
			{engine.Pattern, "__keyspace@1__:*", ""},
			{engine.Pattern, "__keyevent@0__:s*", "pattern __keyevent@0__:s* __keyevent@0__:set k"},
			{engine.Pattern, "__keyevent@?__:s\\et", "pattern __keyevent@?__:s\\et __keyevent@0__:set k"},
			{engine.Pattern, "__keys", ""},
			{engine.Changes, "", `changes ["k"]`},
		} {
			t.Run(prefix+" "+c.name, func(t *testing.T) {
				e := newMemory(t)
				expect(t, e, "CONFIG SET notify-keyspace-events AKE", "OK")
				a, b := namespace.New(e, prefix), namespace.New(e, "a!")
				var heard ear
				l := a.Listen(heard.hear)
				if err := l.Subscribe(t.Context(), c.kind, names(c.name, c.name)...); err != nil {
					t.Fatal(err)
				}
				say := func() {
					for _, e := range []engine.Engine{e, a, b} {
						ask(t, e, "PUBLISH news 1", "SPUBLISH news 2", "SET k v", "PUBLISH __keyevent@0__:mine x")
					}
				}
				say()
				if got := strings.Join(heard.all(), ","); got != c.want {
					t.Errorf("heard\n%s\nwant\n%s", got, c.want)
				}
				if err := l.Unsubscribe(t.Context(), c.kind, names(c.name)...); err != nil {
					t.Fatal(err)
				}
				say()
				if got := heard.all(); len(got) > 0 {
					t.Errorf("after its end heard %q", got)
				}
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
				expect(t, e, "PUBSUB CHANNELS; PUBSUB NUMPAT", "(empty array); (integer) 0")
			})
		}
	}
}

func TestAPatternOfTheEngineThatServesSeveralOutlivesTheFirst(t *testing.T) {
	e := newMemory(t)
	expect(t, e, "CONFIG SET notify-keyspace-events KA", "OK")
	a := namespace.New(e, "a:")
	var heard ear
	l := a.Listen(heard.hear)
	if err := l.Subscribe(t.Context(), engine.Pattern, names("*", "__key*:k", "__key*:none")...); err != nil {
		t.Fatal(err)
	}
	ask(t, a, "SET k v")
	if got, want := heard.all(), []string{"pattern * __keyspace@0__:k set", "pattern __key*:k __keyspace@0__:k set"}; !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
	if err := l.Unsubscribe(t.Context(), engine.Pattern, names("*", "unknown")...); err != nil {
		t.Fatal(err)
	}
	ask(t, a, "SET k v", "PUBLISH news x")
	if got, want := heard.all(), []string{"pattern __key*:k __keyspace@0__:k set"}; !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestWrittenKeysOfOthersAreNotTold(t *testing.T) {
	e := newMemory(t)
	a := namespace.New(e, "a:")
	var heard ear
	l := a.Listen(heard.hear)
	if err := l.Subscribe(t.Context(), engine.Changes); err != nil {
		t.Fatal(err)
	}
	ask(t, e, "MSET a:1 x b:2 x a:3 x", "SET b:1 x", "FLUSHALL")
	// What one batch changes may be told at once.
	got := strings.Join(heard.all(), " ")
	for _, key := range []string{`"1"`, `"3"`} {
		if !strings.Contains(got, key) {
			t.Errorf("%s is not told in %s", key, got)
		}
	}
	if strings.Contains(got, `"2"`) || strings.Contains(got, "b:") || !strings.Contains("changes "+got, "changes changes") {
		t.Errorf("told is %s", got)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestChannelsAreListedInTheNamespacesNames(t *testing.T) {
	e := newMemory(t)
	a := namespace.New(e, "a[:")
	var heard ear
	for _, of := range []engine.Engine{e, a} {
		l := of.Listen(heard.hear)
		defer l.Close()
		if err := l.Subscribe(t.Context(), engine.Channel, names("news", "__keyspace@0__:k", "__keyevent@0__:del")...); err != nil {
			t.Fatal(err)
		}
		if err := l.Subscribe(t.Context(), engine.Shard, names("part")...); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, a, "PUBSUB CHANNELS; PUBSUB CHANNELS n*; PUBSUB CHANNELS _*s*; PUBSUB CHANNELS part; PUBSUB SHARDCHANNELS; PUBSUB SHARDCHANNELS q*",
		`1) "__keyevent@0__:del" 2) "__keyspace@0__:k" 3) "news"; 1) "news"; 1) "__keyspace@0__:k"; (empty array); 1) "part"; (empty array)`)
	expect(t, a, "PUBSUB NUMSUB news __keyspace@0__:k none; PUBSUB SHARDNUMSUB part; PUBSUB NUMSUB",
		`1) "news" 2) (integer) 1 3) "__keyspace@0__:k" 4) (integer) 1 5) "none" 6) (integer) 0; 1) "part" 2) (integer) 1; (empty array)`)
}

// someone is a session.
type someone struct{}

func (someone) Run(engine.Call, *resp.Writer)    {}
func (someone) DB() int                          { return 0 }
func (someone) Scripted(engine.Call, bool)       {}
func (someone) Served()                          {}
func (someone) Refuses(engine.Call, bool) string { return "" }

func TestItIsToldWhoEmptiedTheNamespace(t *testing.T) {
	a := namespace.New(newMemory(t), "a:")
	ask(t, a, "SET k v")
	var told []engine.Session
	l := a.Listen(func(m *engine.Message) { told = append(told, m.By) })
	defer l.Close()
	if err := l.Subscribe(t.Context(), engine.Changes); err != nil {
		t.Fatal(err)
	}
	me := &someone{}
	var w resp.Writer
	if err := a.Do(t.Context(), &engine.Batch{Session: me, Calls: []engine.Call{{[]byte("FLUSHDB")}}}, &w); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || told[0] != me {
		t.Errorf("told is %v, want the session", told)
	}
}
