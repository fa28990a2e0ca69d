package mysql

import (
	"context"
	"time"
)

// pollEvery is how often the counter of commits is looked at while somebody waits.
const pollEvery = 20 * time.Millisecond

// again is how long to wait before a connection that was lost is made anew.
const again = time.Second

// Listen implements sqlstore.Driver: who writes counts it.
func (d *database) Listen() (commits <-chan struct{}, stop func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &conn{d: d}
	if err := c.connect(ctx); err != nil {
		cancel()
		return nil, nil, err
	}
	told, over := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(over)
		d.poll(ctx, c, told)
		_ = c.Close() // nothing is left to be lost
	}()
	return told, func() { cancel(); <-over }, nil
}

// poll tells when the count of others' commits has become another one.
func (d *database) poll(ctx context.Context, c *conn, told chan<- struct{}) {
	last := int64(-1) // what came before the first look is told
	for wait := pollEvery; ; {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		n, err := c.Version()
		if wait = pollEvery; err != nil {
			wait = again
			continue
		}
		if n == last {
			continue
		}
		last = n
		select {
		case told <- struct{}{}:
		default: // it is going to look
		}
	}
}
