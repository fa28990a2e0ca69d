package server

import (
	"slices"
	"strings"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/resp"
)

// CLIENT TRACKING and its kin: how a session wants to be told of writes to what it has read.

// caching is what CLIENT CACHING said of the next command.
type caching uint8

const (
	unsaid caching = iota
	cachingYes
	cachingNo
)

// noting reports whether the session wants to know of writes to what the next call reads.
func (s *session) noting() bool {
	how := s.tracks
	return how != nil && !how.bcast && (!how.optIn || s.caching == cachingYes) && (!how.optOut || s.caching != cachingNo)
}

// track notes the keys of calls that are about to read, if the session tracks. What a script reads is noted call by call.
func (s *session) track(calls ...engine.Call) {
	if !s.noting() {
		return
	}
	for _, call := range calls {
		row, err := command.Commands.Find(call)
		if err == nil && row.Flags&command.ReadOnly != 0 && row.Group != "scripting" {
			s.note(row, call)
		}
	}
}

// trackTransaction notes the keys of calls that are about to run as one. It returns what to do when they have.
func (s *session) trackTransaction(calls []engine.Call) (over func()) {
	if !s.noting() {
		return func() {}
	}
	written, reread := map[string]bool{}, map[string]bool{}
	for _, call := range calls {
		row, err := command.Commands.Find(call)
		if err != nil || row.Flags&(command.ReadOnly|command.Write) == 0 || row.Group == "scripting" {
			continue
		}
		for _, key := range row.Keys.Append(nil, call) {
			switch {
			case row.Flags&command.Write != 0:
				written[string(key)] = true
			case written[string(key)]:
				reread[string(key)] = false
			default:
				s.hub.tracker.remember(s.id, [][]byte{key})
			}
		}
	}
	s.hub.tracker.reread(s.id, reread)
	return func() { s.hub.tracker.reread(s.id, nil) }
}

// note notes the keys of a call.
func (s *session) note(row *command.Command, call engine.Call) {
	s.keys = row.Keys.Append(s.keys[:0], call)
	s.hub.tracker.remember(s.id, s.keys)
	clear(s.keys)
}

// trackInScript notes the keys of a call that a script is about to make and, if it reads, those that the script has declared.
func (s *session) trackInScript(call engine.Call) {
	row, err := command.Commands.Find(call)
	if err != nil || row.Flags&command.ReadOnly == 0 || !s.noting() {
		return
	}
	s.note(row, call)
	s.note(command.Commands.Lookup(s.script[0]), s.script)
}

const (
	errRedirectTwice = "ERR A client can only redirect to a single other client"
	errRedirectGone  = "ERR The client ID you want redirect to does not exist"
	errNeedsBcast    = "ERR PREFIX option requires BCAST mode to be enabled"
	errSwitchBcast   = "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then re-enabling it with a different mode."
	errOptBcast      = "ERR OPTIN and OPTOUT are not compatible with BCAST"
	errOptBoth       = "ERR You can't specify both OPTIN mode and OPTOUT mode"
	errSwitchOpt     = "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then re-enabling it with a different mode."
	errCachingMode   = "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled"
	errCachingYes    = "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode."
	errCachingNo     = "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."
)

func clientTracking(s *session, call engine.Call, w *resp.Writer) {
	how, refusal := s.trackingOptions(call[3:])
	switch {
	case refusal != "":
		w.Error(refusal)
	case is(call[2], "on"):
		if refusal = s.fits(&how); refusal != "" {
			w.Error(refusal)
			return
		}
		if how.bcast && len(how.prefixes) == 0 && (s.tracks == nil || len(s.tracks.prefixes) == 0) {
			how.prefixes = []string{""}
		}
		how.client, how.by = &s.client, s
		if err := s.hub.tracker.start(s.ctx, s.engine, how); err != nil {
			w.Error(s.failure(err))
			return
		}
		s.tracks = s.hub.tracker.of(s.id)
		w.OK()
	case is(call[2], "off"):
		s.untrack()
		w.OK()
	default:
		w.Error(errSyntax)
	}
}

// untrack ends the tracking.
func (s *session) untrack() {
	if s.tracks != nil {
		s.hub.tracker.stop(s.id)
		s.tracks, s.caching = nil, unsaid
		s.redirectLost.Store(false)
	}
}

// trackingOptions reads the words behind ON or OFF.
func (s *session) trackingOptions(words [][]byte) (how tracking, refusal string) {
	for i := 0; i < len(words); i++ {
		more := i+1 < len(words)
		switch option := words[i]; {
		case is(option, "redirect") && more:
			if how.redirect != 0 {
				return how, errRedirectTwice
			}
			i++
			id, ok := resp.ParseInt(words[i])
			if !ok {
				return how, "ERR value is not an integer or out of range"
			}
			if s.hub.find(id) == nil {
				return how, errRedirectGone
			}
			how.redirect = id
		case is(option, "bcast"):
			how.bcast = true
		case is(option, "optin"):
			how.optIn = true
		case is(option, "optout"):
			how.optOut = true
		case is(option, "noloop"):
			how.noLoop = true
		case is(option, "prefix") && more:
			i++
			how.prefixes = append(how.prefixes, string(words[i]))
		default:
			return how, errSyntax
		}
	}
	return how, ""
}

// fits checks options among each other, and against how the session tracks already.
func (s *session) fits(how *tracking) (refusal string) {
	old := s.tracks
	switch {
	case !how.bcast && len(how.prefixes) > 0:
		return errNeedsBcast
	case old != nil && old.bcast != how.bcast:
		return errSwitchBcast
	case how.bcast && (how.optIn || how.optOut):
		return errOptBcast
	case how.optIn && how.optOut:
		return errOptBoth
	case old != nil && (how.optIn && old.optOut || how.optOut && old.optIn):
		return errSwitchOpt
	}
	for i, p := range how.prefixes {
		if old != nil {
			if other, ok := overlap(p, old.prefixes); ok {
				return "ERR Prefix '" + p + "' overlaps with an existing prefix '" + other + "'. Prefixes for a single client must not overlap."
			}
		}
		if other, ok := overlap(p, how.prefixes[i+1:]); ok {
			return "ERR Prefix '" + p + "' overlaps with another provided prefix '" + other + "'. Prefixes for a single client must not overlap."
		}
	}
	return ""
}

// overlap returns one of others that begins with p, or p with it.
func overlap(p string, others []string) (other string, ok bool) {
	for _, other := range others {
		if strings.HasPrefix(p, other) || strings.HasPrefix(other, p) {
			return other, true
		}
	}
	return "", false
}

func clientCaching(s *session, call engine.Call, w *resp.Writer) {
	how := s.tracks
	switch {
	case how == nil || !how.optIn && !how.optOut:
		w.Error(errCachingMode)
	case is(call[2], "yes") && !how.optIn:
		w.Error(errCachingYes)
	case is(call[2], "no") && !how.optOut:
		w.Error(errCachingNo)
	case is(call[2], "yes"):
		s.caching = cachingYes
		w.OK()
	case is(call[2], "no"):
		s.caching = cachingNo
		w.OK()
	default:
		w.Error(errSyntax)
	}
}

func clientGetRedir(s *session, _ engine.Call, w *resp.Writer) {
	if s.tracks == nil {
		w.Int(-1)
		return
	}
	w.Int(s.tracks.redirect)
}

func clientTrackingInfo(s *session, _ engine.Call, w *resp.Writer) {
	how := s.hub.tracker.of(s.id)
	if how == nil {
		how = &tracking{redirect: -1}
	}
	var flags []string
	for _, f := range []struct {
		name string
		on   bool
	}{
		{"off", s.tracks == nil}, {"on", s.tracks != nil}, {"bcast", how.bcast}, {"optin", how.optIn}, {"caching-yes", s.caching == cachingYes},
		{"optout", how.optOut}, {"caching-no", s.caching == cachingNo}, {"noloop", how.noLoop}, {"broken_redirect", s.redirectLost.Load()},
	} {
		if f.on {
			flags = append(flags, f.name)
		}
	}
	w.Map(3)
	w.BulkString("flags")
	w.Set(len(flags))
	for _, f := range flags {
		w.BulkString(f)
	}
	w.BulkString("redirect")
	w.Int(how.redirect)
	w.BulkString("prefixes")
	w.Array(len(how.prefixes))
	for _, p := range slices.Sorted(slices.Values(how.prefixes)) {
		w.BulkString(p)
	}
}
