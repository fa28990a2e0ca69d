// The feed of a near cache: which keys have changed, from every node.

package cache

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	pushes "github.com/redis/go-redis/v9/push"
)

// feed listens to CLIENT TRACKING in the mode BCAST on one connection to each master. A reply to a PING on it is the sign of life: whatever changed
// before the PING was told before the reply.
type feed struct {
	client  redis.UniversalClient
	prefix  string
	silence time.Duration
	clock   func() int64
	until   *atomic.Int64 // of the clock: till when what was told is all that has changed

	changed func(key string)
	lost    func() // anything may have changed

	end  context.CancelFunc
	over chan struct{}
}

// retryAfter is how long a feed that was lost rests at first; then twice as long each time, up to retryMost.
const (
	retryAfter = 50 * time.Millisecond
	retryMost  = 2 * time.Second
)

// start begins to listen. ctx is for the beginning.
func (f *feed) start(ctx context.Context) error {
	life, end := context.WithCancel(context.Background())
	f.end, f.over = end, make(chan struct{})
	lines, err := f.open(ctx)
	if err != nil {
		end()
		return err
	}
	go f.run(life, lines)
	return nil
}

// stop ends the feed.
func (f *feed) stop() {
	f.end()
	<-f.over
}

// run listens until life ends. What is lost is opened again.
func (f *feed) run(life context.Context, lines []*line) {
	defer close(f.over)
	for pause := retryAfter; ; {
		if lines != nil {
			f.listen(life, lines)
			pause = retryAfter
		}
		alarm := time.NewTimer(pause)
		select {
		case <-life.Done():
			alarm.Stop()
			return
		case <-alarm.C:
		}
		pause = min(2*pause, retryMost)
		lines, _ = f.open(life) // else the next time
	}
}

// line is the connection to one master. It is made once: a second one might have missed something.
type line struct {
	addr   string
	client *redis.Client
	sub    *redis.PubSub
	alive  int64 // of the clock: when the last PING was sent that was answered

	mu     sync.Mutex // guards what follows
	conn   net.Conn   // nil: not yet
	closed bool
}

// dial makes the connection.
func (l *line) dial(ctx context.Context, network, addr string, dial func(ctx context.Context, network, addr string) (net.Conn, error)) (net.Conn, error) {
	l.mu.Lock()
	over := l.closed || l.conn != nil
	l.mu.Unlock()
	if over {
		return nil, net.ErrClosed
	}
	conn, err := dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	l.conn = conn
	return conn, nil
}

// cut ends whoever waits for the connection.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.conn != nil {
		_ = l.conn.Close() // nothing is written, so nothing can be lost
	}
}

func (l *line) close() {
	l.cut()
	_ = l.sub.Close()
	_ = l.client.Close()
}

// masters are the options of a client for each master, by address.
func (f *feed) masters(ctx context.Context) (map[string]*redis.Options, error) {
	all := map[string]*redis.Options{}
	switch c := behind(f.client).(type) {
	case *redis.Client:
		all[c.Options().Addr] = c.Options()
	case *redis.ClusterClient:
		var mu sync.Mutex // guards all
		err := c.ForEachMaster(ctx, func(_ context.Context, node *redis.Client) error {
			mu.Lock()
			defer mu.Unlock()
			all[node.Options().Addr] = node.Options()
			return nil
		})
		if err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("%w: a near cache needs a *redis.Client or a *redis.ClusterClient, not a %T", ErrOptions, c)
	}
	return all, nil
}

// open opens a line to each master, and has forgotten everything when all of them tell what changes.
func (f *feed) open(ctx context.Context) (lines []*line, err error) {
	masters, err := f.masters(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			for _, l := range lines {
				l.close()
			}
		}
	}()
	for addr, o := range masters {
		l := &line{addr: addr, alive: f.clock()}
		l.client = redis.NewClient(f.options(o, l))
		l.sub = l.client.Subscribe(ctx)
		lines = append(lines, l)
		stop := context.AfterFunc(ctx, l.cut)
		err := f.ping(ctx, l)
		if !stop() {
			err = ctx.Err()
		}
		if err != nil {
			return lines, err
		}
	}
	f.until.Store(oldest(lines) + int64(f.silence))
	return lines, nil
}

// options are those of a line to a master.
func (f *feed) options(master *redis.Options, l *line) *redis.Options {
	o := *master
	o.Protocol, o.PoolSize, o.MinIdleConns, o.MaxRetries, o.DialerRetries = 3, 1, 0, -1, 1
	o.Dialer = func(ctx context.Context, network, addr string) (net.Conn, error) {
		return l.dial(ctx, network, addr, master.Dialer)
	}
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	o.ClientSideCacheConfig, o.ClientSideCache = nil, nil
	heard := pushes.NewProcessor()
	_ = heard.RegisterHandler("invalidate", f, false) // the first handler is never refused
	o.PushNotificationProcessor = heard
	o.OnConnect = func(ctx context.Context, cn *redis.Conn) error {
		if master.OnConnect != nil {
			if err := master.OnConnect(ctx, cn); err != nil {
				return err
			}
		}
		words := []any{"client", "tracking", "on", "bcast"}
		if f.prefix != "" {
			words = append(words, "prefix", f.prefix)
		}
		if err := cn.Process(ctx, redis.NewStatusCmd(ctx, words...)); err != nil {
			return err
		}
		f.lost() // what changed before has not been told
		return nil
	}
	return &o
}

// HandlePushNotification implements push.NotificationHandler.
func (f *feed) HandlePushNotification(_ context.Context, _ pushes.NotificationHandlerContext, words []any) error {
	keys, ok := words[len(words)-1].([]any)
	if !ok || len(words) != 2 {
		f.lost() // FLUSHALL says null
		return nil
	}
	for _, key := range keys {
		if key, ok := key.(string); ok && strings.HasPrefix(key, f.prefix) {
			f.changed(key)
		}
	}
	return nil
}

// ping asks for a sign of life.
func (f *feed) ping(ctx context.Context, l *line) error {
	return l.sub.Ping(ctx, strconv.FormatInt(f.clock(), 10))
}

// listen hears what lines tell until one of them is lost, there are other masters, or life ends. Then nothing is served any more.
func (f *feed) listen(life context.Context, lines []*line) {
	ctx, lose := context.WithCancel(life)
	defer lose()
	var mu sync.Mutex // guards alive of all lines, and the order in which until is set
	var group sync.WaitGroup
	for _, l := range lines {
		group.Go(func() {
			defer lose()
			for {
				message, err := l.sub.ReceiveTimeout(ctx, f.silence)
				if err != nil {
					return
				}
				pong, ok := message.(*redis.Pong)
				if !ok {
					continue
				}
				sent, err := strconv.ParseInt(pong.Payload, 10, 64)
				if err != nil {
					continue
				}
				mu.Lock()
				l.alive = max(l.alive, sent)
				f.until.Store(oldest(lines) + int64(f.silence))
				mu.Unlock()
			}
		})
	}
	f.beat(ctx, lines)
	f.until.Store(0)
	for _, l := range lines {
		l.close() // which ends their receivers
	}
	group.Wait()
	f.until.Store(0) // whatever they heard last
}

// oldest is the last sign of life of the line that is silent for longest.
func oldest(lines []*line) int64 {
	first := lines[0].alive
	for _, l := range lines {
		first = min(first, l.alive)
	}
	return first
}

// beat asks the lines for signs of life, and looks whether there are other masters, until something is wrong.
func (f *feed) beat(ctx context.Context, lines []*line) {
	tick := time.NewTicker(f.silence / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		masters, err := f.masters(ctx)
		if err != nil || len(masters) != len(lines) {
			return
		}
		for _, l := range lines {
			if masters[l.addr] == nil || f.ping(ctx, l) != nil {
				return
			}
		}
	}
}
