// What is between a handler and its client.

package httpcache

import (
	"bufio"
	"net"
	"net/http"
)

// tap is a ResponseWriter that has everything pass, and tells of it.
type tap struct {
	http.ResponseWriter
	header func(status int) (send int) // before the final header is sent; with 0 neither it nor the body are, with 304 no body
	body   func(p []byte, err error)   // what the handler has written, and whether it arrived; nil: nobody is told
	stream func()                      // the handler wants something sent at once, or takes the connection; nil: nobody is told

	status   int // of the final header; 0: not yet
	muted    bool
	hijacked bool
}

// Unwrap is for http.ResponseController.
func (t *tap) Unwrap() http.ResponseWriter { return t.ResponseWriter }

func (t *tap) WriteHeader(status int) {
	if t.status == 0 && status >= 200 {
		t.status = status
		send := t.header(status)
		t.muted = send != status
		if status = send; status == 0 {
			return
		}
	} else if t.muted {
		return
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *tap) Write(p []byte) (n int, err error) {
	if t.status == 0 {
		t.WriteHeader(http.StatusOK)
	}
	if n = len(p); !t.muted {
		n, err = t.ResponseWriter.Write(p)
	}
	if t.body != nil {
		t.body(p, err)
	}
	return n, err
}

// FlushError sends what was written.
func (t *tap) FlushError() error {
	if t.status == 0 {
		t.WriteHeader(http.StatusOK)
	}
	if t.stream != nil {
		t.stream()
	}
	if t.muted {
		return nil
	}
	return http.NewResponseController(t.ResponseWriter).Flush()
}

// Flush is FlushError for those who do not know it.
func (t *tap) Flush() { _ = t.FlushError() }

// Hijack lets the handler take over the connection.
func (t *tap) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buffered, err := http.NewResponseController(t.ResponseWriter).Hijack()
	if err == nil {
		t.hijacked = true
		if t.stream != nil {
			t.stream()
		}
	}
	return conn, buffered, err
}

// finish sends the header of a handler that has sent none.
func (t *tap) finish() {
	if t.status == 0 && !t.hijacked {
		t.WriteHeader(http.StatusOK)
	}
}
