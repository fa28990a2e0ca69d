// Tags: values that are purged, or expired softly, together.
//
// Each tag is a small key that holds two random ids, of which the first changes when the tag is purged, and the second also when it is expired. A
// value has the ids that its tags had when its load began, and counts as long as they have them. An id that is gone never comes back: losing a
// tag's key purges the tag.

package cache

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/cache/codec"
	"github.com/redbud-go/redbud/script"
)

var (
	// ErrStale comes with a value one of whose tags was expired since its load began: it may be used while a new one is loaded.
	ErrStale = errors.New("cache: stale")
	// ErrTag is the error of tags that are empty, too long or too many. Nothing was stored, purged or loaded.
	ErrTag = errors.New("cache: bad tag")
	// ErrOutdated is the error of a load that a purge or expiry of one of its tags has overtaken. Nothing was stored.
	ErrOutdated = errors.New("cache: a tag has changed since the load began")
)

// The limits of tags.
const (
	maxTag    = 1 << 10             // bytes
	maxTags   = 64                  // of one value
	tagStays  = time.Hour           // longer than all values that have the tag, and for a load
	maxTagged = 30 * 24 * time.Hour // the longest TTL of a value that has tags, so that no tag is eternal
)

// idSize is how long an id is. A tag's key holds two.
const idSize = 8

// takeTags returns what tags hold, makes them where there are none, and has them stay for at least ttl.
var takeTags = func() *script.Program {
	b := script.New("cache take tags")
	tags := b.Keys("tags")
	ttl, fresh := b.Arg("ttl", script.Int), b.Arg("fresh", script.ListOf(script.String))
	held := b.LocalOf("held", script.ListOf(script.String), []any{})
	b.Each(fresh, func(i, ids *script.Local) {
		tag := tags.At(i).Var()
		now := b.Local("now", tag.Get().Or(""))
		b.If(now.Len().Ne(2*idSize), func() {
			b.Do(tag.Set(ids, script.TTL(ttl)))
			held.Append(ids)
		}).Else(func() {
			b.If(tag.TTL().Lt(ttl), func() { b.Do(tag.Expire(ttl)) })
			held.Append(now)
		})
	})
	b.Return(held)
	return b.MustCompile()
}()

// expireTags changes the second id of tags.
var expireTags = func() *script.Program {
	b := script.New("cache expire tags")
	tags := b.Keys("tags")
	b.Each(b.Arg("fresh", script.ListOf(script.String)), func(i, id *script.Local) {
		tag := tags.At(i).Var()
		b.If(tag.Len().Eq(2*idSize), func() { b.Do(tag.SetRange(idSize, id)) })
	})
	b.Return(1) // not nil, which Exec takes for an error
	return b.MustCompile()
}()

// tagRunners are the runners of the programs on tags.
type tagRunners struct{ take, expire *script.Runner }

// randomIDs are n texts of so many random bytes.
func randomIDs(n, size int) []string {
	ids := make([]string, n)
	for i := range ids {
		id := make([]byte, size)
		_, _ = rand.Read(id) // never fails
		ids[i] = string(id)
	}
	return ids
}

// tagKeys are tags, each of them once and in order, and their keys, which no value can have.
func (c *Cache[T]) tagKeys(tags []string) (names, keys []string, err error) {
	names = slices.Compact(slices.Sorted(slices.Values(tags)))
	keys = make([]string, len(names))
	for i, tag := range names {
		if tag == "" || len(tag) > maxTag {
			return nil, nil, fmt.Errorf("%w: %d bytes of 1 to %d", ErrTag, len(tag), maxTag)
		}
		keys[i] = c.tagKey(tag)
	}
	return names, keys, nil
}

// tagsOfOne is tagKeys for those of one value.
func (c *Cache[T]) tagsOfOne(tags []string) (names, keys []string, err error) {
	names, keys, err = c.tagKeys(tags)
	if err == nil && len(names) > maxTags {
		err = fmt.Errorf("%w: %d of at most %d", ErrTag, len(names), maxTags)
	}
	return names, keys, err
}

func (c *Cache[T]) tagKey(tag string) string { return c.o.Prefix + tagMark + tag }

// tagMark begins the keys of tags after the prefix.
const tagMark = "\xc1t:"

// own tells whether a key of the engine that begins with the prefix is no value's, but a tag's.
func (c *Cache[T]) own(key string) bool {
	return len(key) > len(c.o.Prefix) && key[len(c.o.Prefix)] == mark
}

// Load is a load of values with tags that has begun. It is safe for concurrent use.
type Load[T any] struct {
	c     *Cache[T]
	names []string
	keys  []string
	held  []string // what the tags held when it began
}

// Begin begins a load of values that get these tags, at most 64 of 1 to 1024 bytes each. What is loaded from now on is stored by Load.Set, unless
// one of the tags is purged or expired in between. A load takes less than an hour.
func (c *Cache[T]) Begin(ctx context.Context, tags ...string) (Load[T], error) {
	return told(c, "begin", func() Pending[Load[T]] { return c.begin(ctx, c.client, tagStays, tags) })
}

// Begin is Cache.Begin.
func (q Queue[T]) Begin(ctx context.Context, tags ...string) Pending[Load[T]] {
	return q.c.begin(ctx, q.pipe, tagStays, tags)
}

func (c *Cache[T]) begin(ctx context.Context, db redis.Cmdable, stay time.Duration, tags []string) Pending[Load[T]] {
	names, keys, err := c.tagsOfOne(tags)
	if err != nil {
		return refused[Load[T]](err)
	}
	load := Load[T]{c: c, names: names, keys: keys}
	taken := load.take(ctx, db, stay)
	return Pending[Load[T]]{func() (_ Load[T], err error) {
		load.held, err = taken.Value()
		return load, err
	}}
}

// take returns what the tags hold now, and has them stay.
func (l Load[T]) take(ctx context.Context, db redis.Cmdable, stay time.Duration) Pending[[]string] {
	fresh := randomIDs(len(l.keys), 2*idSize)
	held := make([]string, len(l.keys))
	err := l.c.eachGroup(ctx, db, l.c.tags.take, l.keys, func(group []int) script.ArgValues {
		return script.ArgValues{"ttl": stay.Milliseconds(), "fresh": pick(fresh, group)}
	}, func(group []int, r *script.Result) error {
		part, err := r.Strings()
		if err == nil {
			put(held, group, part)
		}
		return err
	})
	return Pending[[]string]{func() ([]string, error) { return held, err() }}
}

// eachGroup runs a program on the tags of each slot, all at once or in a pipeline if db is one, and returns what looks at the results and is the error.
func (c *Cache[T]) eachGroup(ctx context.Context, db redis.Cmdable, r *script.Runner, keys []string, args func(group []int) script.ArgValues, result func(group []int, r *script.Result) error) func() error {
	if len(keys) == 0 {
		return func() error { return nil }
	}
	groups := c.groups(keys)
	to, exec := c.several(ctx, db, len(groups))
	results := make([]*script.Result, len(groups))
	for g, group := range groups {
		results[g] = run(ctx, to, r, script.KeyNames{"tags": pick(keys, group)}, args(group))
	}
	exec()
	return func() (err error) {
		for g, group := range groups {
			err = errors.Join(err, failed(result(group, results[g])))
		}
		return err
	}
}

// Set stores a loaded value for some time, at most 30 days, unless one of its tags has changed since the load began: that is ErrOutdated. If a tag
// changes at the same time, the value may be stored, and does not count.
func (l Load[T]) Set(ctx context.Context, key string, value T, ttl time.Duration) error {
	_, err := told(l.c, "set", func() Pending[bool] { return l.set(ctx, l.c.client, key, value, ttl) })
	return err
}

// SetLoaded is Load.Set. It looks at the tags at once, and adds nothing if one has changed.
func (q Queue[T]) SetLoaded(ctx context.Context, load Load[T], key string, value T, ttl time.Duration) Pending[bool] {
	return load.set(ctx, q.pipe, key, value, ttl)
}

func (l Load[T]) set(ctx context.Context, db redis.Cmdable, key string, value T, ttl time.Duration) Pending[bool] {
	stay, data, err := l.c.check(key, value, ttl)
	if err != nil {
		return refused[bool](err)
	}
	held, err := l.take(ctx, l.c.client, stay+tagStays).Value()
	if err == nil && !slices.Equal(held, l.held) && !l.c.forgets {
		err = ErrOutdated
	}
	if err != nil {
		return refused[bool](err)
	}
	return l.store(ctx, db, key, data, stay)
}

// SetTagged stores a value for some time, at most 30 days, as long as none of its tags is purged from the begin of this call on. A value that takes
// a while to make is stored by Begin and Load.Set, so that it is not outdated from the beginning.
func (c *Cache[T]) SetTagged(ctx context.Context, key string, value T, ttl time.Duration, tags ...string) error {
	_, err := told(c, "set", func() Pending[bool] { return c.setTagged(ctx, c.client, key, value, ttl, tags) })
	return err
}

// SetTagged is Cache.SetTagged. It asks for the tags at once; if one of them changes before the pipeline is executed, the value does not count.
func (q Queue[T]) SetTagged(ctx context.Context, key string, value T, ttl time.Duration, tags ...string) Pending[bool] {
	return q.c.setTagged(ctx, q.pipe, key, value, ttl, tags)
}

func (c *Cache[T]) setTagged(ctx context.Context, db redis.Cmdable, key string, value T, ttl time.Duration, tags []string) Pending[bool] {
	stay, data, err := c.check(key, value, ttl)
	if err != nil {
		return refused[bool](err)
	}
	load, err := c.begin(ctx, c.client, stay+tagStays, tags).Value()
	if err != nil {
		return refused[bool](err)
	}
	return load.store(ctx, db, key, data, stay)
}

// check is what is going to be stored, and for how long.
func (c *Cache[T]) check(key string, value T, ttl time.Duration) (stay time.Duration, data []byte, err error) {
	if _, err = c.key(key); err != nil {
		return 0, nil, err
	}
	px, err := until(ttl)
	if err != nil {
		return 0, nil, err
	}
	stay = time.Duration(px) * time.Millisecond
	if px == 0 || stay > maxTagged {
		stay = maxTagged
	}
	data, err = c.encode(value)
	return stay, data, err
}

// store stores what the codec made of a value with the ids of the load.
func (l Load[T]) store(ctx context.Context, db redis.Cmdable, key string, data []byte, stay time.Duration) Pending[bool] {
	size := binary.MaxVarintLen16 + len(data)
	for _, name := range l.names {
		size += binary.MaxVarintLen16 + len(name) + 2*idSize
	}
	body := labelled{names: l.names, held: l.held}.append(make([]byte, 0, size))
	cmd := db.Set(ctx, l.c.o.Prefix+key, seal(tagged, append(body, data...)), stay)
	return Pending[bool]{func() (bool, error) { return cmd.Err() == nil, failed(cmd.Err()) }}
}

// PurgeTags makes all values that have one of the tags misses, those too whose load has begun. Once it has returned, nobody gets one of them. Each
// tag is purged at once; if there is an error, some may be.
func (c *Cache[T]) PurgeTags(ctx context.Context, tags ...string) error {
	_, err := told(c, "purge tags", func() Pending[bool] { return c.purgeTags(ctx, c.client, tags) })
	return err
}

// PurgeTags is Cache.PurgeTags, to purge in a transaction with a write say.
func (q Queue[T]) PurgeTags(ctx context.Context, tags ...string) Pending[bool] {
	return q.c.purgeTags(ctx, q.pipe, tags)
}

// purgeTags deletes the tags' keys, one by one: on a cluster they are of several slots.
func (c *Cache[T]) purgeTags(ctx context.Context, db redis.Cmdable, tags []string) Pending[bool] {
	_, keys, err := c.tagKeys(tags)
	if err != nil {
		return refused[bool](err)
	}
	to, exec := c.several(ctx, db, len(keys))
	cmds := make([]*redis.IntCmd, len(keys))
	for i, key := range keys {
		cmds[i] = to.Del(ctx, key)
	}
	exec()
	return Pending[bool]{func() (bool, error) {
		var err error
		for _, cmd := range cmds {
			err = errors.Join(err, failed(cmd.Err()))
		}
		return err == nil, err
	}}
}

// ExpireTags makes all values that have one of the tags stale: Get returns them with ErrStale. Loads that have begun store nothing. Once it has
// returned, nobody gets one of them without being told. Each tag is expired at once; if there is an error, some may be.
func (c *Cache[T]) ExpireTags(ctx context.Context, tags ...string) error {
	_, err := told(c, "expire tags", func() Pending[bool] { return c.expireTags(ctx, c.client, tags) })
	return err
}

// ExpireTags is Cache.ExpireTags, to expire in a transaction with a write say.
func (q Queue[T]) ExpireTags(ctx context.Context, tags ...string) Pending[bool] {
	return q.c.expireTags(ctx, q.pipe, tags)
}

func (c *Cache[T]) expireTags(ctx context.Context, db redis.Cmdable, tags []string) Pending[bool] {
	_, keys, err := c.tagKeys(tags)
	if err != nil {
		return refused[bool](err)
	}
	fresh := randomIDs(len(keys), idSize)
	expired := c.eachGroup(ctx, db, c.tags.expire, keys, func(group []int) script.ArgValues {
		return script.ArgValues{"fresh": pick(fresh, group)}
	}, func(_ []int, r *script.Result) error { return r.Err() })
	return Pending[bool]{func() (bool, error) {
		err := expired()
		return err == nil, err
	}}
}

// labelled is a stored value that has tags.
type labelled struct {
	names []string
	held  []string
	data  []byte // what the codec made
}

// append appends all but the data.
func (v labelled) append(dst []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(v.names)))
	for i, name := range v.names {
		dst = append(binary.AppendUvarint(dst, uint64(len(name))), name...)
		dst = append(dst, v.held[i]...)
	}
	return dst
}

// label reads the body of an envelope.
func label(body []byte) (v labelled, err error) {
	n, size := binary.Uvarint(body)
	if size <= 0 || n > maxTags {
		return v, fmt.Errorf("%w: tags", codec.ErrDecode)
	}
	body = body[size:]
	for range n {
		name, rest, ok := text(body)
		if !ok || len(rest) < 2*idSize {
			return v, fmt.Errorf("%w: tags", codec.ErrDecode)
		}
		v.names, v.held = append(v.names, name), append(v.held, string(rest[:2*idSize]))
		body = rest[2*idSize:]
	}
	v.data = body
	return v, nil
}

// validity is ErrMiss, ErrStale or nil for a value whose tags hold this now.
func (v labelled) validity(now map[string]string) (err error) {
	for i, name := range v.names {
		switch ids := now[name]; {
		case len(ids) != 2*idSize || ids[:idSize] != v.held[i][:idSize]:
			return ErrMiss
		case ids != v.held[i]:
			err = ErrStale
		}
	}
	return err
}

// at is what is stored at one of several keys with tags.
type at struct {
	i   int // of the key
	v   labelled
	err error // of reading its label
}

// fillTagged fills the places of values with tags, all of which are asked for at once.
func (c *Cache[T]) fillTagged(ctx context.Context, keys []string, found []Found[T], all []at) error {
	if len(all) == 0 {
		return nil
	}
	var names []string
	for _, a := range all {
		names = append(names, a.v.names...)
	}
	slices.Sort(names)
	now, err := c.held(ctx, slices.Compact(names))
	if err != nil {
		return err
	}
	for _, a := range all {
		var value T
		err := a.err
		if err != nil {
			err = c.bad(keys[a.i], err)
		} else {
			value, err = c.decodeTagged(keys[a.i], a.v, now)
		}
		if err := found[a.i].fill(value, err); err != nil {
			return err
		}
	}
	return nil
}

// held returns what tags hold now.
func (c *Cache[T]) held(ctx context.Context, names []string) (map[string]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = c.tagKey(name)
	}
	values, err := c.mget(ctx, c.client, keys)()
	if err != nil {
		return nil, err
	}
	held := make(map[string]string, len(names))
	for i, name := range names {
		held[name], _ = values[i].(string)
	}
	return held, nil
}

// getTagged is the value of what is stored at a key with tags, which are asked for.
func (c *Cache[T]) getTagged(ctx context.Context, key string, body []byte) (value T, err error) {
	v, err := label(body)
	if err != nil {
		return value, c.bad(key, err)
	}
	now, err := c.held(ctx, v.names)
	if err != nil {
		return value, err
	}
	return c.decodeTagged(key, v, now)
}

// decodeTagged is the value of one with tags that hold this now.
func (c *Cache[T]) decodeTagged(key string, v labelled, now map[string]string) (value T, err error) {
	validity := v.validity(now)
	if errors.Is(validity, ErrMiss) {
		c.o.Stats.Read(0, 1, 0)
		return value, ErrMiss
	}
	if value, err = c.decode(key, v.data); err != nil {
		return value, err
	}
	return value, validity
}
