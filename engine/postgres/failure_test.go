package postgres

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/redbud-go/redbud/internal/engine/enginetest"
	"github.com/redbud-go/redbud/internal/keyspace"
	"github.com/redbud-go/redbud/internal/testenv"
)

func TestCodesHaveAMeaning(t *testing.T) {
	c := &conn{d: &driver{}}
	for code, want := range map[string]error{
		"40001": keyspace.ErrConflict, "40P01": keyspace.ErrConflict, "25006": keyspace.ErrReadOnly, "42501": keyspace.ErrReadOnly,
		"53100": keyspace.ErrFull, "53300": keyspace.ErrBusy, "55P03": keyspace.ErrBusy, "57014": keyspace.ErrBusy,
		"54000": keyspace.ErrTooLarge, "XX001": keyspace.ErrDamaged, "57P01": keyspace.ErrLost, "08006": keyspace.ErrLost,
	} {
		err := c.known(fmt.Errorf("run: %w", &pgconn.PgError{Code: code, Message: "it says"}))
		if !errors.Is(err, want) || !strings.Contains(err.Error(), "it says") {
			t.Errorf("%s means %v, want %v", code, err, want)
		}
	}
	if err := c.known(&pgconn.PgError{Code: "42601"}); errors.Is(err, keyspace.ErrLost) || errors.Is(err, keyspace.ErrConflict) {
		t.Errorf("a wrong statement means %v", err)
	}
}

// TestFailuresAreToldAndLeaveNothing has the server refuse a batch, and then no more.
func TestFailuresAreToldAndLeaveNothing(t *testing.T) {
	url := testenv.SharedPostgres(t).Fresh(t)
	enginetest.Ask(open1(t, url), "SET k old")
	holder, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close(t.Context())
	hold := func(text string) func() {
		return func() {
			if _, err := holder.Exec(t.Context(), text).ReadAll(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name, setting, want string
		begin, end          func()
	}{
		{"somebody else writes for too long", "lock_timeout=100", "TRYAGAIN ", hold("BEGIN; " + beginWrite[1]), hold("ROLLBACK")},
		{"the server only reads", "application_name=x", "READONLY ", hold("ALTER DATABASE " + holderDatabase(t, url) + " SET default_transaction_read_only = on"),
			hold("SET default_transaction_read_only = off; ALTER DATABASE " + holderDatabase(t, url) + " RESET default_transaction_read_only")},
		{"a table is locked", "lock_timeout=100", "TRYAGAIN ", hold("BEGIN; LOCK TABLE redbud_list"), hold("ROLLBACK")},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.HasPrefix(c.want, "READONLY") {
				c.begin() // holds for sessions that begin then
			}
			e, err := New(t.Context(), url+"&"+c.setting, Options{Readers: 1})
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			if !strings.HasPrefix(c.want, "READONLY") {
				c.begin()
			}
			if got := enginetest.Ask(e, "SET k new", "RPUSH l a", "INCR n"); !strings.HasPrefix(got, "error: "+c.want) {
				t.Errorf("it answers %s, want %s", got, c.want)
			}
			if got := enginetest.Ask(e, "GET k", "EXISTS n"); got != "$3 old :0" {
				t.Errorf("what is left of the batch: %s", got)
			}
			c.end()
			if strings.HasPrefix(c.want, "READONLY") {
				hold("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")()
			}
			if got := enginetest.Ask(e, "RPUSH l a", "DEL l"); got != ":1 :1" {
				t.Errorf("afterwards it answers %s", got)
			}
		})
	}
}

// holderDatabase is the name of the database in a URL.
func holderDatabase(t *testing.T, url string) string {
	t.Helper()
	config, err := pgconn.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	return config.Database
}
