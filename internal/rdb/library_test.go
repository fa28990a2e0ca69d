package rdb

import (
	"errors"
	"testing"
)

func TestLibrariesGoThroughAPayload(t *testing.T) {
	for _, codes := range [][]string{{}, {"#!lua name=a\n"}, {"#!lua name=a\nx = '\x00\xff'", "12", ""}} {
		var p Payload
		for _, code := range codes {
			p.Library([]byte(code))
		}
		p.EndLibraries()
		got, err := ParseLibraries(p.Buf)
		if err != nil || len(got) != len(codes) {
			t.Fatalf("%q came back as %q, %v", codes, got, err)
		}
		for i := range codes {
			if string(got[i]) != codes[i] {
				t.Errorf("%q came back as %q", codes[i], got[i])
			}
		}
		for i := range p.Buf { // whatever bit is wrong, the checksum tells
			broken := append([]byte{}, p.Buf...)
			broken[i] ^= 4
			if _, err := ParseLibraries(broken); err == nil {
				t.Errorf("byte %d of %x may be wrong", i, p.Buf)
			}
			if _, err := ParseLibraries(p.Buf[:i]); err == nil {
				t.Errorf("%x may end at %d", p.Buf, i)
			}
		}
	}
}

func TestAValueIsNoLibrary(t *testing.T) {
	var p Payload
	p.String([]byte("v"))
	p.End()
	if _, err := ParseLibraries(p.Buf); !errors.Is(err, ErrNoLibrary) {
		t.Errorf("libraries in the payload of a string: %v", err)
	}
}
