package redbud

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/redbud-go/redbud/engine/memory"
	"github.com/redbud-go/redbud/internal/engine"
	"github.com/redbud-go/redbud/internal/engine/enginetest"
)

// TestTheClientAnswersAsRecorded runs the recorded sessions through the client in the process, by the fast lane where it
// knows the way.
func TestTheClientAnswersAsRecorded(t *testing.T) {
	enginetest.Run(t, enginetest.Options{
		Name: "memory",
		Open: func(t testing.TB) enginetest.Instance {
			var passed atomic.Int64
			start := time.Now()
			e := memory.New(memory.Options{Now: func() time.Time { return start.Add(time.Duration(passed.Load())) }})
			return enginetest.Instance{Engine: e, Advance: func(d time.Duration) { passed.Add(int64(d)) }}
		},
		Client: func(t testing.TB, e engine.Engine) func([][]byte) ([]byte, error) {
			db := newDB(e, 0)
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
			return func(call [][]byte) ([]byte, error) {
				args := make([]any, len(call))
				for i := range call {
					args[i] = call[i]
				}
				cmd := redis.NewRawCmd(t.Context(), args...)
				_ = db.Process(t.Context(), cmd) // which returns the command's error
				return cmd.Result()
			}
		},
	})
}
