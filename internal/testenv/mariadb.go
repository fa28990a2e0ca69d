// A MariaDB of the tests' own.

package testenv

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"syscall"

	"github.com/go-sql-driver/mysql"
)

// mariadbInHaste are the settings of a server whose data need not survive the machine.
var mariadbInHaste = []string{"innodb_flush_log_at_trx_commit=0", "innodb_flush_method=nosync", "innodb_doublewrite=OFF"}

// StartMariaDB starts a MariaDB for a program that is not a test, which then calls Stop. The settings are as for MariaDB.
// Where the binaries are missing, the error is an exec.ErrNotFound that says how to install them. Root starts it as the
// user mysql, or else nobody.
func StartMariaDB(settings ...string) (*Database, error) {
	server, install, err := findMariaDB("/usr/sbin", "/usr/local/sbin")
	if err != nil {
		return nil, err
	}
	account, err := unprivileged("mysql")
	if err != nil {
		return nil, err
	}
	d := &Database{
		daemon:  daemon{name: "mariadbd", path: server, account: account, orphan: syscall.SIGKILL},
		product: product{scheme: "mysql", open: openMariaDB, drop: dropMariaDB},
	}
	return startDatabase(d, install, func(dir string, port int) (init, server []string) {
		d.Socket = socketIn(dir)
		init = []string{
			"--no-defaults", "--datadir=" + dataIn(dir), "--skip-test-db", "--skip-name-resolve",
			"--auth-root-authentication-method=normal",
		}
		server = []string{
			"--no-defaults", "--datadir=" + dataIn(dir), "--tmpdir=" + dir, "--socket=" + d.Socket,
			"--port=" + strconv.Itoa(port), "--bind-address=127.0.0.1", "--skip-name-resolve",
			"--character-set-server=utf8mb4", // as where there are defaults
			"--innodb-buffer-pool-size=64M",
			"--max-allowed-packet=1G",
			"--max-connections=200",
		}
		for _, s := range settings {
			server = append(server, "--"+s)
		}
		return init, server
	},
		// root has no password, so it has to come by the socket, in a directory that only we get into.
		"DROP USER IF EXISTS root@'127.0.0.1', root@'::1'",
		"CREATE USER "+databaseUser+"@'%' IDENTIFIED BY '"+databasePassword+"'",
		"GRANT ALL ON *.* TO "+databaseUser+"@'%' WITH GRANT OPTION",
		"CREATE DATABASE "+databaseUser,
	)
}

// findMariaDB finds the server, which may be where only root's PATH leads to, and the program that makes its first tables.
func findMariaDB(dirs ...string) (server, install string, err error) {
	const what = "MariaDB's server (MySQL's will not do)"
	if server, err = find("mariadbd", dirs...); err != nil {
		return "", "", missing(what, "mariadb-server", err)
	}
	if install, err = find("mariadb-install-db", dirs...); err != nil {
		return "", "", missing(what, "mariadb-server", err)
	}
	return server, install, nil
}

func openMariaDB(d *Database, database string) (*sql.DB, error) {
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName = "root", "unix", d.Socket, database
	c.Logger = &mysql.NopLogger{} // what goes wrong is in the error as well
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// dropMariaDB first ends the connections to the database, since their open transactions would keep its tables.
func dropMariaDB(ctx context.Context, db *sql.DB, database string) error {
	rows, err := db.QueryContext(ctx, "SELECT id FROM information_schema.processlist WHERE db = ?", database)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return err
		}
		_, _ = db.ExecContext(ctx, fmt.Sprintf("KILL %d", id)) // fails if it has ended
	}
	if err := rows.Err(); err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, "DROP DATABASE "+database)
	return err
}
