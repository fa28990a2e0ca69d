package server

import (
	"bytes"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// Replicas: connections that are sent all keys and then, as calls, all that changes.

// following is what a connection that may become a replica's has told of itself, and what it follows.
type following struct {
	follower *command.Follower // nil: none yet
	port     atomic.Int64      // where it says that it listens
	ip       atomic.Pointer[string]
	imageNow bool // it wants the image and nothing else
	part     command.Part
}

const (
	errNoFollowing     = "ERR replication is for the keys of an embedded engine: have the replica follow the Redis behind this one"
	errFollowNamespace = "ERR replication is not supported in a namespace: a replica would get all keys"
	errNotInteger      = "ERR value is not an integer or out of range"
	errFollowPipe      = "ERR replication needs a connection of its own"
)

// follow answers SYNC and PSYNC. There is always a full synchronization.
func follow(s *session, call engine.Call, w *resp.Writer) {
	switch {
	case s.follows.Load():
		return // as in Redis: what it is sent is the stream
	case s.host == nil:
		w.Error(errNoFollowing)
		return
	case !s.whole:
		w.Error(errFollowNamespace)
		return
	case !s.socketed:
		w.Error(errFollowPipe)
		return
	case len(call) > 3:
		w.Error("ERR PSYNC FAILOVER is not supported: an engine follows nobody")
		return
	}
	if s.following.imageNow {
		image, err := s.host.Image(s.ctx, s.following.part)
		if err != nil {
			w.Error(s.failure(err))
			return
		}
		sendImage(w, image, "")
		return
	}
	tells := len(call) == 3
	f, err := s.host.Follow(s.ctx, command.Ears{
		Hear: s.hearEffects, Lost: func() { go s.client.kill() }, Tell: s.listensAt, Patient: !tells, Part: s.following.part,
	})
	if err != nil {
		w.Error(s.failure(err))
		return
	}
	s.following.follower = f
	s.follows.Store(true)
	s.acknowledges.Store(tells)
	s.log.Info("replica follows", "client", s.id, "address", s.addr, "bytes", len(f.Image))
	head := ""
	if tells {
		head = "+FULLRESYNC " + f.ID + " " + strconv.FormatInt(f.Offset, 10) + "\r\n"
	}
	sendImage(w, f.Image, head)
	f.Image = nil
}

// sendImage replies with an image, which does not end as other bulk strings do.
func sendImage(w *resp.Writer, image []byte, head string) {
	w.Raw([]byte(head + "$" + strconv.Itoa(len(image)) + "\r\n"))
	w.Raw(image)
}

// hearEffects writes down what the engine tells.
func (s *session) hearEffects(stream []byte) {
	w := s.box.open()
	defer s.box.shut()
	if w != nil {
		w.Raw(stream)
	}
}

// listensAt is where the replica says that it listens.
func (s *session) listensAt() (ip string, port int) {
	if told := s.following.ip.Load(); told != nil {
		ip = *told
	} else if host, _, err := net.SplitHostPort(s.addr); err == nil {
		ip = host
	}
	return ip, int(s.following.port.Load())
}

// replConf answers REPLCONF. What tells how far the replica is has no reply.
func replConf(s *session, call engine.Call, w *resp.Writer) {
	if len(call)%2 == 0 {
		w.Error(errSyntax)
		return
	}
	for i := 1; i < len(call); i += 2 {
		value := call[i+1]
		n, isNumber := resp.ParseInt(value)
		switch option := call[i]; {
		case is(option, "listening-port"):
			if !isNumber {
				w.Error(errNotInteger)
				return
			}
			s.following.port.Store(n)
		case is(option, "ip-address"):
			ip := string(bytes.Clone(value))
			s.following.ip.Store(&ip)
		case is(option, "capa"), is(option, "version"): // nothing that is sent depends on it
		case is(option, "rdb-only"):
			if !isNumber {
				w.Error(errNotInteger)
				return
			}
			s.following.imageNow = n == 1
		case is(option, "rdb-filter-only"):
			s.following.part = command.Nothing
			for _, word := range bytes.Fields(value) {
				if !is(word, "functions") {
					w.Error("ERR Unsupported rdb-filter-only option: " + string(word))
					return
				}
				s.following.part = command.Libraries
			}
		case is(option, "ack"), is(option, "fack"):
			if isNumber && s.following.follower != nil {
				s.following.follower.Ack(n, time.Now())
			}
			return
		case is(option, "getack"):
			return // it is for replicas
		default:
			w.Error("ERR Unrecognized REPLCONF option: " + string(option))
			return
		}
	}
	w.OK()
}

// unfollow ends what the connection follows.
func (s *session) unfollow() {
	if f := s.following.follower; f != nil {
		f.Close()
	}
}

// gone reports whether a replica has been silent for so long that it must be. now is in the hub's time.
func (c *conn) gone(now int64) bool {
	return c.follows.Load() && c.acknowledges.Load() && c.pending.Load() == 0 &&
		now-c.seen.Load() > c.host.Settings.Int("repl-timeout")*int64(time.Second)
}

// pinger reminds replicas that the server is there.
type pinger struct {
	host *command.Engine
	last int64 // in the hub's time
}

// tick is called about once a second.
func (p *pinger) tick(now int64) {
	if p.host == nil || now-p.last < p.host.Settings.Int("repl-ping-replica-period")*int64(time.Second) {
		return
	}
	p.last = now
	p.host.Ping()
}
