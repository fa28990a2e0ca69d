// What an engine can do.

package cache

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// ability is whether an engine has a command. It is safe for concurrent use.
type ability struct{ state atomic.Int32 }

// The states of an ability.
const (
	unasked int32 = iota
	able
	unable
)

// ask returns whether the engine has the command. Only the first answer is asked for.
func (a *ability) ask(ctx context.Context, client redis.UniversalClient, command string) (bool, error) {
	if a.state.Load() == unasked {
		cmd := redis.NewSliceCmd(ctx, "COMMAND", "INFO", command)
		if err := client.Process(ctx, cmd); err != nil && !errors.As(err, new(redis.Error)) {
			return false, err
		}
		state := unable
		if infos := cmd.Val(); len(infos) == 1 && infos[0] != nil {
			state = able
		}
		a.state.CompareAndSwap(unasked, state)
	}
	return a.state.Load() == able, nil
}

// lost returns whether an error says that the engine, or a node of it, does not have the command, which is then never used again.
func (a *ability) lost(err error) bool {
	lost := redis.HasErrorPrefix(err, "unknown command")
	if lost {
		a.state.Store(unable)
	}
	return lost
}
