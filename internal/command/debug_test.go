package command_test

import (
	"testing"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/memstore"
)

func TestWhatFewClientsUnderstandIsShownInBothProtocols(t *testing.T) {
	e := command.NewEngine(memstore.New(memstore.Options{}), command.Options{})
	defer e.Close()
	const (
		number    = "1234567999999999999999999999999999999"
		attribute = "$39 Some real reply following the attribute"
	)
	converse(t, e, 2, []exchange{
		{"DEBUG PROTOCOL attrib", attribute},
		{"DEBUG PROTOCOL bignum", "$37 " + number},
		{"DEBUG PROTOCOL push", "-ERR RESP2 is not supported by this command"},
	})
	converse(t, e, 3, []exchange{
		{"DEBUG PROTOCOL attrib", "|1 $14 key-popularity *2 $7 key:123 :90 " + attribute},
		{"DEBUG PROTOCOL bignum", "(" + number},
		{"DEBUG PROTOCOL push", ">2 $16 server-cpu-usage :42 $40 Some real reply following the push reply"},
	})
}
