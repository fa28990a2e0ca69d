// Package engine is the contract between a database and what stands behind it: an embedded keyspace, a real
// Redis, an SQL database. A call goes in, a reply comes out; both are bytes.
package engine

import (
	"context"
	"errors"

	"github.com/redbud-go/redbud/internal/resp"
)

// Call is a command: its name, then its arguments. It is borrowed: an engine neither changes it nor keeps it
// after Do returns.
type Call [][]byte

// Batch is what one turn of a connection asks for. Its calls run in order.
type Batch struct {
	DB    int    // database of the first call, from 0
	Calls []Call // never empty, and no call is

	// Atomic makes the calls one transaction, MULTI … EXEC: nobody sees a state in between. A refused call
	// does not undo the others, as in Redis.
	Atomic bool

	// Guard, from Watch, makes the batch run only if the watched keys are as they were; otherwise Do returns
	// ErrChanged. nil is always.
	Guard Guard

	// Wait lets a call wait until there is what it asks for (BLPOP, XREAD BLOCK), which may be for ever. Without it
	// Do ends before such a call with ErrWouldWait; inside an atomic batch a call never waits.
	Wait bool

	// NoTouch makes no key count as used: CLIENT NO-TOUCH.
	NoTouch bool

	// Done is set by Do to how many calls have been answered. It is len(Calls) unless Do returned ErrWouldWait.
	Done int

	// Woke is set by Do if calls of others, which waited, have got their replies by what these did.
	Woke bool

	// Session answers the calls that concern the connection and not the data, inside an atomic batch.
	// nil refuses them.
	Session Session
}

// Session is the connection that a batch came from, as far as an engine needs it.
type Session interface {
	// Run answers a call whose row has the flag Session, SELECT or CLIENT say, by appending one reply.
	// It never calls back into the engine.
	Run(call Call, w *resp.Writer)
	// Scripted is told of a call that a script is about to make; of the script's own call, EVAL say, before, which begin says.
	// It holds locks of the engine meanwhile.
	Scripted(call Call, begin bool)
	// DB is the database that the next call concerns: SELECT inside a transaction changes it.
	DB() int
	// Served is called when a call that waited has its reply, before others are told of what it wrote: what the connection
	// is told from then on comes behind the reply. Any goroutine may call it.
	Served()
	// Refuses tells whether the session's user may not make a call, which fits its row: the error reply that it gets then, ""
	// if it may. script says that a script makes the call, which the log of refusals tells.
	Refuses(call Call, script bool) (text string)
}

// Guard is what Watch saw. Release it when the batch that carries it has run, or never will.
type Guard interface{ Release() }

// Engine runs batches. All methods may be called by many goroutines at once.
type Engine interface {
	// Do runs the calls in order and appends one reply for each to w. A refused command is a reply.
	// ErrWouldWait means that the first b.Done calls have run and are answered, and that the next would wait.
	// ErrChanged, ErrAborted and a Discarded mean that nothing ran; any other error, that the engine cannot say what happened.
	// w is then as it was. A wait that the context ends is an error, the context's cause, except for ErrTimeout and
	// ErrUnblocked, which are answers.
	Do(ctx context.Context, b *Batch, w *resp.Writer) error

	// Watch remembers the keys as they are now. The error is a Discarded where Do's would be.
	Watch(ctx context.Context, db int, keys [][]byte) (Guard, error)

	// Listen returns a Listener that hears nothing yet. What it will hear is told to f, by many goroutines at once and
	// while locks are held: f must return soon and not call the engine. What one batch tells is told in its order,
	// before its Do returns.
	Listen(f func(*Message)) Listener

	// Close gives everything back. Calls after it fail with ErrClosed.
	Close() error
}

// Queuer is an Engine that knows commands which the table does not.
type Queuer interface {
	// Queue asks whether a call could stand in a transaction, without running it. refusal is the error reply that it
	// would get between MULTI and EXEC, "" for none.
	Queue(ctx context.Context, db int, call Call) (refusal string, err error)
}

var (
	// ErrClosed is the error of every call on an engine after its Close.
	ErrClosed = errors.New("engine is closed")
	// ErrChanged is Do's answer to a batch whose Guard no longer holds: EXEC replies with null.
	ErrChanged = errors.New("a watched key was changed")
	// ErrWouldWait is Do's answer to a call that would wait, if nobody allowed it.
	ErrWouldWait = errors.New("a call would wait")
	// ErrTimeout, as the cause of a context's end, makes a call that waits answer as if its own time were over.
	ErrTimeout = errors.New("the wait is over")
	// ErrUnblocked, as the cause of a context's end, makes a call that waits answer that CLIENT UNBLOCK ended it.
	ErrUnblocked = errors.New("unblocked")
	// ErrAborted is Do's answer to the atomic batch of a Session in which a call cannot be queued, if the engine is the
	// first to know: EXEC replies with EXECABORT. Without a Session each call has a refusal for a reply.
	ErrAborted = errors.New("transaction discarded because of previous errors")
)

// Failure is Do's answer to a batch that came to nothing for a reason which clients have a code for. Its text is the error reply.
type Failure struct {
	Code string // as Redis has it: "READONLY", "TRYAGAIN"
	Err  error
}

func (f *Failure) Error() string { return f.Code + " " + f.Err.Error() }

// Unwrap returns Err.
func (f *Failure) Unwrap() error { return f.Err }

// RedisError makes it a redis.Error of go-redis, so that in the same process it is told apart as it is behind a server.
func (f *Failure) RedisError() {}

// Discarded is Do's answer to the atomic batch of a Session that the engine cannot run now: memory is short, a script takes too
// long. It is the refusal that each call has for a reply without a Session. Nothing ran: EXEC replies with EXECABORT.
type Discarded string

func (d Discarded) Error() string { return string(d) }
