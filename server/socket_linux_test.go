package server

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// quickPair is a hastened socket and its peer.
func quickPair(t *testing.T, order *arrivals) (q *quick, peer net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if peer, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	q, ok := hasten(c, order).(*quick)
	if !ok {
		t.Fatalf("%T is not hastened", c)
	}
	return q, peer
}

func TestHastenedSocketsWaitForAPeerThatIsSlow(t *testing.T) {
	q, peer := quickPair(t, &arrivals{})
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // more than the socket buffers hold
	written := make(chan error, 1)
	go func() {
		_, err := q.Write(sent)
		written <- err
	}()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(peer, got); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil || !bytes.Equal(got, sent) {
		t.Errorf("Write: %v; equal: %v", err, bytes.Equal(got, sent))
	}
	go func() { _, _ = peer.Write([]byte("late")) }() // a failure shows in the Read
	if n, err := q.Read(got); string(got[:n]) != "late" || err != nil {
		t.Errorf("Read: %q, %v", got[:n], err)
	}
}

func TestHastenedSocketsEndAsOthersDo(t *testing.T) {
	q, peer := quickPair(t, &arrivals{})
	buf := make([]byte, 8)
	if err := q.SetReadDeadline(time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("past the deadline: %v", err)
	}
	if err := q.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if err := peer.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := q.Read(buf); n != 0 || err != io.EOF {
		t.Errorf("after the peer has closed: %d, %v", n, err)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := q.Read(buf); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := q.Write(buf); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestHastenedSocketsAllocateNothing(t *testing.T) {
	q, peer := quickPair(t, &arrivals{})
	in, out := make([]byte, 4), []byte("ping")
	n := testing.AllocsPerRun(200, func() {
		if _, err := q.Write(out); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(peer, in); err != nil {
			t.Fatal(err)
		}
		if _, err := peer.Write(out); err != nil {
			t.Fatal(err)
		}
		if _, err := q.Read(in); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestWhoSendsAfterQuitFindsAnEndNotAReset(t *testing.T) {
	r := start(t, nil, Options{})
	for range 200 {
		w := r.dial()
		w.do("QUIT", "+OK")
		w.send(pipeline("PING")) // which nobody answers
		if n, err := w.Read(make([]byte, 1)); err != io.EOF {
			t.Fatalf("%d bytes, %v", n, err)
		}
		w.Close()
	}
}
