package main

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redbud-go/redbud/internal/resp"
)

// scene is something that redis-benchmark cannot do: several connections that depend on each other. It returns how many
// times a second it was done.
type scene struct {
	name string
	play func(addr string, seconds float64) (float64, error)
}

var scenes = []scene{
	{"XREADGROUP + XACK, 20 connections, -P 16", consume},
	{"PUBLISH to 100 subscribers, 4 connections, -P 16", broadcast},
	{"PUBLISH to 100 subscribers, 1 connection, -P 1", announce},
	{"BLPOP hand-over between two connections", handOver},
	{"a script with a loop of 1,000 redis.calls", loop},
}

// peer is a connection of a scene.
type peer struct {
	net.Conn
	in *bufio.Reader
	w  resp.Writer
}

func dialPeer(addr string) (*peer, error) {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &peer{Conn: c, in: bufio.NewReaderSize(c, 64<<10)}, nil
}

// add appends a call to what send sends.
func (p *peer) add(words ...string) {
	p.w.Array(len(words))
	for _, word := range words {
		p.w.BulkString(word)
	}
}

func (p *peer) send() error {
	_, err := p.Write(p.w.Buf)
	p.w.Buf = p.w.Buf[:0]
	return err
}

func (p *peer) reply() (resp.Value, error) {
	v, err := resp.ReadValue(p.in)
	if err == nil && v.IsError() {
		err = fmt.Errorf("%s", v.Str)
	}
	return v, err
}

// replies reads n replies, none of which is to be an error.
func (p *peer) replies(n int) error {
	for range n {
		if _, err := p.reply(); err != nil {
			return err
		}
	}
	return nil
}

// ask sends one call and reads its reply.
func (p *peer) ask(words ...string) (resp.Value, error) {
	p.add(words...)
	if err := p.send(); err != nil {
		return resp.Value{}, err
	}
	return p.reply()
}

// crowd runs f on n connections at once until one fails or all return, and returns the first error.
func crowd(addr string, n int, f func(i int, p *peer) error) error {
	var wg sync.WaitGroup
	errs := make(chan error, n)
	for i := range n {
		p, err := dialPeer(addr)
		if err != nil {
			return err
		}
		wg.Go(func() {
			defer p.Close()
			if err := f(i, p); err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

const depth = 16 // of pipelines

// consume takes entries of a stream by a consumer group and acknowledges them.
func consume(addr string, seconds float64) (float64, error) {
	const connections = 20
	rounds := int(600 * seconds)
	control, err := dialPeer(addr)
	if err != nil {
		return 0, err
	}
	defer control.Close()
	if _, err := control.ask("DEL", "jobs"); err != nil {
		return 0, err
	}
	for n := connections * rounds * depth; n > 0; n -= 100 {
		for range 100 {
			control.add("XADD", "jobs", "*", "task", "0123456789")
		}
		if err := control.send(); err != nil {
			return 0, err
		}
		if err := control.replies(100); err != nil {
			return 0, err
		}
	}
	if _, err := control.ask("XGROUP", "CREATE", "jobs", "g", "0"); err != nil {
		return 0, err
	}
	began := time.Now()
	err = crowd(addr, connections, func(i int, p *peer) error {
		consumer := "c" + strconv.Itoa(i)
		for range rounds {
			for range depth {
				p.add("XREADGROUP", "GROUP", "g", consumer, "COUNT", "1", "STREAMS", "jobs", ">")
			}
			if err := p.send(); err != nil {
				return err
			}
			for range depth {
				v, err := p.reply()
				if err != nil {
					return err
				}
				if v.Null {
					return fmt.Errorf("the stream is empty")
				}
				p.add("XACK", "jobs", "g", string(v.Elems[0].Elems[1].Elems[0].Elems[0].Str))
			}
			if err := p.send(); err != nil {
				return err
			}
			if err := p.replies(depth); err != nil {
				return err
			}
		}
		return nil
	})
	return float64(connections*rounds*depth) / time.Since(began).Seconds(), err
}

func broadcast(addr string, seconds float64) (float64, error) {
	return publish(addr, 4, depth, int(6000*seconds))
}

func announce(addr string, seconds float64) (float64, error) {
	return publish(addr, 1, 1, int(4000*seconds))
}

// publish publishes total messages to a hundred subscribers and waits until all have them.
func publish(addr string, publishers, depth, total int) (float64, error) {
	const subscribers = 100
	each := total / publishers / depth
	payload := strings.Repeat("m", 32)
	var ready sync.WaitGroup
	ready.Add(subscribers)
	listening := make(chan error, 1)
	go func() {
		listening <- crowd(addr, subscribers, func(_ int, p *peer) error {
			_, err := p.ask("SUBSCRIBE", "news")
			ready.Done()
			if err != nil {
				return err
			}
			size := len("*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$32\r\n\r\n") + len(payload)
			_, err = p.in.Discard(size * each * depth * publishers)
			return err
		})
	}()
	ready.Wait()
	began := time.Now()
	err := crowd(addr, publishers, func(_ int, p *peer) error {
		for range each {
			for range depth {
				p.add("PUBLISH", "news", payload)
			}
			if err := p.send(); err != nil {
				return err
			}
			if err := p.replies(depth); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = <-listening
	}
	return float64(each*depth*publishers) / time.Since(began).Seconds(), err
}

// handOver lets two connections play ball: each waits for what the other pushes.
func handOver(addr string, seconds float64) (float64, error) {
	rounds := int(8000 * seconds)
	control, err := dialPeer(addr)
	if err != nil {
		return 0, err
	}
	defer control.Close()
	if _, err := control.ask("DEL", "ball0", "ball1"); err != nil {
		return 0, err
	}
	began := time.Now()
	err = crowd(addr, 2, func(i int, p *peer) error {
		mine, other := "ball"+strconv.Itoa(i), "ball"+strconv.Itoa(1-i)
		if i == 0 {
			if _, err := p.ask("LPUSH", other, "x"); err != nil {
				return err
			}
		}
		for range rounds {
			if _, err := p.ask("BLPOP", mine, "0"); err != nil {
				return err
			}
			if _, err := p.ask("LPUSH", other, "x"); err != nil {
				return err
			}
		}
		return nil
	})
	return float64(2*rounds) / time.Since(began).Seconds(), err
}

// loop runs a script that makes a thousand calls.
func loop(addr string, seconds float64) (float64, error) {
	p, err := dialPeer(addr)
	if err != nil {
		return 0, err
	}
	defer p.Close()
	n := int(2000 * seconds)
	began := time.Now()
	for range n {
		if _, err := p.ask("EVAL", "for i=1,1000 do redis.call('GET',KEYS[1]) end", "1", "key"); err != nil {
			return 0, err
		}
	}
	return float64(n) / time.Since(began).Seconds(), nil
}
