package server

import (
	"bytes"
	"net/netip"

	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// shutdown is SHUTDOWN. Who ends the server gets no reply: the connection closes.
func shutdown(s *session, call engine.Call, w *resp.Writer) {
	var save, nosave, now, force, abort bool
	for _, word := range call[1:] {
		switch {
		case is(word, "save"):
			save = true
		case is(word, "nosave"):
			nosave = true
		case is(word, "now"):
			now = true
		case is(word, "force"):
			force = true
		case is(word, "abort"):
			abort = true
		default:
			w.Error(errSyntax)
			return
		}
	}
	switch {
	case save && nosave, abort && len(call) > 2:
		w.Error(errSyntax)
		return
	case abort:
		w.Error("ERR No shutdown in progress.")
		return
	case s.shutdown == nil:
		w.Error("ERR SHUTDOWN is not allowed: this engine is part of a program, which ends by itself")
		return
	}
	if save && !s.saved() && !force {
		w.Error("ERR Errors trying to SHUTDOWN. Check logs.")
		return
	}
	s.log.Info("shutdown", "client", s.id, "address", s.addr)
	s.ended = true
	s.shutdown(now || s.denies(nil) != "") // a script that takes too long would not let it end
}

// saved writes all keys to a file, and reports whether it could.
func (s *session) saved() bool {
	var reply resp.Writer
	b := engine.Batch{DB: s.db, Calls: []engine.Call{{[]byte("SAVE")}}, Session: s}
	if err := s.engine.Do(s.ctx, &b, &reply); err != nil {
		s.log.Error("save failed", "error", withoutSecrets(err.Error()))
		return false
	}
	if bytes.HasPrefix(reply.Buf, []byte("-")) {
		s.log.Error("save failed", "error", string(bytes.TrimSpace(reply.Buf[1:])))
		return false
	}
	return true
}

// Log implements command.Operated.
func (s *session) Log(text string) { s.log.Warn("a client says", "client", s.id, "text", text) }

// Client implements command.Client.
func (s *session) Client() (addr, name string) { return s.addr, s.name }

// Local implements command.Operated.
func (s *session) Local() bool {
	peer, err := netip.ParseAddrPort(s.addr)
	return err != nil || peer.Addr().IsLoopback() // sockets of other kinds are of this machine
}
