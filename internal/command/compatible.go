// What Redis 7.0 answers otherwise than 7.2, for programs that were written for it: the setting compatible-with.
package command

import "github.com/redbud-go/redbud/internal/keyspace"

// like70 reports whether answers are those of 7.0 where the two differ. Not everything is of this kind: words that 7.2
// added, and its finer refusals, stay as they are.
func (c *Ctx) like70() bool { return c.Engine.Settings.Int("compatible-with") == 1 }

// encodingOf is the name of a representation. 7.0 has no listpacks of lists and sets.
func (c *Ctx) encodingOf(key []byte, name string) (string, error) {
	if name != "listpack" || !c.like70() {
		return name, nil
	}
	e, err := c.entry(key)
	switch e.Type {
	case keyspace.List:
		name = "quicklist"
	case keyspace.Set:
		name = "hashtable"
	}
	return name, err
}

const (
	errStreamGone = Refusal("UNBLOCKED the stream key no longer exists")
	errGroupGone  = Refusal("NOGROUP the consumer group this client was blocked on no longer exists")
)

// goneFrom is the refusal for an XREADGROUP that waited for a key which no longer has the group. 7.2 runs such a call
// again, so it answers what it would answer at first; 7.0 has words of its own.
func (c *Ctx) goneFrom(key []byte, refusal error) error {
	if !c.awaits.again || !c.like70() {
		return refusal
	}
	switch e, err := c.entry(key); {
	case err != nil:
		return err
	case e.Type != keyspace.Stream:
		return errStreamGone
	}
	return errGroupGone
}
