// The few words that testenv exchanges with a server while it sets it up. A client would greet first, keep a pool and
// retry; here a connection per question says more about whether the server is there.

package testenv

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// refusal is an error reply.
type refusal string

func (r refusal) Error() string { return string(r) }

// ask sends an inline command by the unix socket and returns the reply as text, the elements of an array on a line each.
func (s *Server) ask(line string) (string, error) {
	conn, err := net.DialTimeout("unix", s.Socket, time.Second)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, line+"\r\n"); err != nil {
		return "", err
	}
	return readText(bufio.NewReader(conn))
}

// expect asks and is content if the reply has all of the words in it.
func (s *Server) expect(line string, words ...string) error {
	reply, err := s.ask(line)
	if err != nil {
		return fmt.Errorf("%s to %s: %w", line, s.Addr, err)
	}
	for _, w := range words {
		if !strings.Contains(reply, w) {
			return fmt.Errorf("%s to %s: no %q in the reply:\n%s", line, s.Addr, w, reply)
		}
	}
	return nil
}

func readText(r *bufio.Reader) (string, error) {
	head, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	head = strings.TrimSuffix(head, "\r\n")
	if head == "" {
		return "", fmt.Errorf("empty line instead of a reply")
	}
	kind, rest := head[0], head[1:]
	switch kind {
	case '+', ':':
		return rest, nil
	case '-':
		return "", refusal(rest)
	}
	n, err := strconv.Atoi(rest)
	if err != nil {
		return "", fmt.Errorf("reply %q: %w", head, err)
	}
	switch {
	case n < 0:
		return "", nil
	case kind == '$':
		b := make([]byte, n+len("\r\n"))
		_, err := io.ReadFull(r, b)
		return string(b[:n]), err
	case kind == '*':
		var lines []string
		for range n {
			line, err := readText(r)
			if err != nil {
				return "", err
			}
			lines = append(lines, line)
		}
		return strings.Join(lines, "\n"), nil
	}
	return "", fmt.Errorf("reply %q: of no type that is known here", head)
}
