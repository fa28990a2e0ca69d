// Package cache keeps typed values for a while: in a process, in a Redis, in an SQL database, behind any client of go-redis.
//
//	users, err := cache.New[User](client, cache.Options{Prefix: "users:"})
//	err = users.Set(ctx, "ann", user, time.Hour)
//	user, err = users.Get(ctx, "ann") // cache.ErrMiss if it is not there
//
// docs/cache.md says what is stored where, what happens at once, and which errors there are.
package cache

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/cache/codec"
	"github.com/redbud-go/redbud/script"
)

// Forever is the TTL of what stays until it is deleted.
const Forever = time.Duration(math.MaxInt64)

// The limits of what is sent, unless Options say less.
const (
	maxKey   = 512 << 20
	maxValue = 512 << 20
)

var (
	// ErrMiss is the error of a value that is not there.
	ErrMiss = errors.New("cache: miss")
	// ErrKey is the error of a key that is empty or too long, or begins with the byte 0xC1.
	ErrKey = errors.New("cache: bad key")
	// ErrTTL is the error of a time to live that is zero or negative. Nothing was stored.
	ErrTTL = errors.New("cache: a time to live must be positive")
	// ErrTooLarge is the error of a value that is larger than Options.MaxValue. Nothing was stored.
	ErrTooLarge = errors.New("cache: the value is too large")
	// ErrWrongType is the error of a key at which there is something that no cache has stored.
	ErrWrongType = errors.New("cache: the key has a different type")
	// ErrOptions is the error of options that make no sense.
	ErrOptions = errors.New("cache: bad options")
)

// Options of a Cache.
type Options struct {
	Prefix   string      // before each key; default none: Clear is then refused
	Codec    codec.Codec // how values are stored; default MessagePack
	MaxValue int         // bytes that a value may take when it is stored; default 512 MiB

	// BadValues makes values that do not decode misses, which are counted; default false: they are errors.
	BadValues bool

	// Stats takes what happens; default nobody.
	Stats Stats
}

// Stats is told what a cache does. It is called by many goroutines at once, and must be quick.
type Stats interface {
	// Read is told of values that were asked for: how many were there, how many were not, and of these how many did not decode.
	Read(hits, misses, bad int)
	// Called is told of each call of the engine: the name of the method, how long it took, and its error, nil or not; and likewise of each load of a
	// Func, as the method "load".
	Called(method string, took time.Duration, err error)
}

// Cache keeps values of type T. It is safe for concurrent use, by any number of processes.
type Cache[T any] struct {
	client redis.UniversalClient
	slots  func(key string) int // of a cluster's keys; nil: there is no cluster
	o      Options

	setAll, setFields, pushAll *script.Runner
	tags                       tagRunners
	msetex                     ability

	silent  bool         // nobody is told what happens
	forgets bool         // nothing is kept, nor anywhere near
	close   func() error // of the engine that Open has opened; nil: somebody else closes it
}

// New returns a cache on a client. Nothing is sent.
func New[T any](client redis.UniversalClient, o Options) (*Cache[T], error) {
	if client == nil {
		return nil, fmt.Errorf("%w: no client", ErrOptions)
	}
	if _, ok := behind(client).(*redis.Ring); ok { // which has one server answer for keys of all
		return nil, fmt.Errorf("%w: a Ring cannot take several keys at once, nor look for all: use a cluster", ErrOptions)
	}
	if o.MaxValue < 0 || o.MaxValue > maxValue {
		return nil, fmt.Errorf("%w: values of up to %d bytes", ErrOptions, o.MaxValue)
	}
	if o.MaxValue == 0 {
		o.MaxValue = maxValue
	}
	if o.Codec == nil {
		o.Codec = codec.MessagePack(codec.AsArrays)
	}
	silent := o.Stats == nil
	if silent {
		o.Stats = noStats{}
	}
	return &Cache[T]{
		client: client, slots: slotsOf(client), o: o,
		setAll: setMany.On(client), setFields: setFields.On(client), pushAll: push.On(client),
		tags:   tagRunners{takeTags.On(client), expireTags.On(client)},
		silent: silent,
	}, nil
}

// noStats takes nothing, and is not called either.
type noStats struct{}

func (noStats) Read(int, int, int)                  {}
func (noStats) Called(string, time.Duration, error) {}
