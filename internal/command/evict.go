package command

import (
	"context"
	"strings"

	"github.com/redbud-go/redbud/internal/keyspace"
)

// ErrOutOfMemory refuses a call that may take memory where there is none left.
const ErrOutOfMemory = Refusal("OOM command not allowed when used memory > 'maxmemory'.")

// memorySettings are those that keyspace.Memory follows from.
var memorySettings = []string{"maxmemory", "maxmemory-policy", "maxmemory-samples", "lfu-log-factor", "lfu-decay-time"}

// victims are what the policies of Redis say of which keys give way, by the second word of their names.
var victims = map[string]keyspace.Victims{
	"lru": keyspace.LeastRecent, "lfu": keyspace.LeastFrequent, "random": keyspace.AnyVictims, "ttl": keyspace.NextToExpire,
}

// memory is how much memory keys may take, as the settings have it.
func (s *Settings) memory() keyspace.Memory {
	whose, how, _ := strings.Cut(s.String("maxmemory-policy"), "-")
	return keyspace.Memory{
		Most:    s.Int("maxmemory"),
		Victims: victims[how], Volatile: whose == "volatile",
		Samples:   int(s.Int("maxmemory-samples")),
		LogFactor: int(s.Int("lfu-log-factor")), DecayTime: int(s.Int("lfu-decay-time")),
	}
}

// bound makes the store heed the settings of memory.
func (e *Engine) bound(store keyspace.Bounded) {
	apply := func(string) error {
		m := e.Settings.memory()
		store.SetMemory(m)
		e.bounded.Store(m.Most > 0)
		return nil
	}
	e.Settings.then(apply, memorySettings...)
	_ = apply("") // which does not fail
}

// full reports whether memory is short although keys gave way. While a pause goes on nobody asks.
func (c *Ctx) full() (bool, error) {
	m, ok := c.Tx.(keyspace.Meter)
	if !ok || c.pause != nil {
		return false, nil
	}
	fits, err := m.Fit()
	return !fits, err
}

// Full reports whether memory is short although keys gave way: then no call is queued in a transaction.
func (e *Engine) Full(ctx context.Context) bool {
	if !e.bounded.Load() {
		return false
	}
	c := e.contexts.Get().(*Ctx)
	defer e.contexts.Put(c)
	tx, err := e.store.Begin(ctx, keyspace.Access{Now: e.now().UnixMilli(), Write: true, All: true, Observer: c})
	if err != nil {
		return false // the next batch is told why
	}
	c.Tx, c.pause = tx, e.pauses.now.Load()
	c.eff.on = e.followers.on.Load()
	full, err := c.full()
	if err != nil {
		tx.Rollback()
	} else {
		err = tx.Commit()
	}
	c.tellNews()
	c.release()
	return full && err == nil
}

// refuses returns why a call cannot run now; "": it can.
func (c *Ctx) refuses(row *Command) (Refusal, error) {
	if c.lonely && row.Flags&Write != 0 {
		return errNoReplicas, nil
	}
	if !c.bounded {
		return "", nil
	}
	full, err := c.full()
	c.short = full
	if full && row.Flags&DenyOOM != 0 {
		return ErrOutOfMemory, err
	}
	return "", err
}

// refusesAll is refuses for an atomic batch: of a transaction, all calls run or none.
func (c *Ctx) refusesAll() (Refusal, error) {
	any := Flags(0)
	for _, row := range c.rows {
		if row != nil {
			any |= row.Flags
		}
	}
	return c.refuses(&Command{Flags: any})
}
