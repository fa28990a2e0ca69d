package sqlstore

import (
	"context"
	"database/sql"
	"strconv"
)

// RunnerOf is a transaction of any driver of database/sql's. The context ends its statements.
func RunnerOf(ctx context.Context, tx *sql.Tx) Runner { return sqlRunner{ctx, tx} }

type sqlRunner struct {
	ctx context.Context
	tx  *sql.Tx
}

// Run implements Runner.
func (r sqlRunner) Run(text string, args []Value, visit func(r Row) error) (changed int64, err error) {
	if visit == nil {
		result, err := r.tx.ExecContext(r.ctx, text, Arguments(args)...)
		if err != nil {
			return 0, err
		}
		return result.RowsAffected()
	}
	rows, err := r.tx.QueryContext(r.ctx, text, Arguments(args)...)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return 0, err
	}
	row := make(Columns, len(columns))
	places := make([]any, len(columns))
	for i := range row {
		places[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return 0, err
		}
		if err := visit(row); err != nil {
			return 0, err
		}
	}
	return 0, rows.Err()
}

// Arguments are values as drivers take them.
func Arguments(values []Value) []any {
	all := make([]any, len(values))
	for i, v := range values {
		switch v.Kind {
		case KindInt:
			all[i] = v.Int
		case KindFloat:
			all[i] = v.Float
		case KindBytes:
			if all[i] = v.Bytes; v.Bytes == nil {
				all[i] = []byte{}
			}
		}
	}
	return all
}

// Columns is a row as drivers give it, each in its own way.
type Columns []any

// Null implements Row.
func (c Columns) Null(i int) bool { return c[i] == nil }

// Bytes implements Row.
func (c Columns) Bytes(i int) []byte {
	switch v := c[i].(type) {
	case []byte:
		return v
	case string:
		return []byte(v)
	}
	return nil
}

// Int implements Row. A sum may come in digits.
func (c Columns) Int(i int) int64 {
	switch v := c[i].(type) {
	case int64:
		return v
	case int32:
		return int64(v)
	case int16:
		return int64(v)
	case bool:
		return int64(btoi(v))
	case float64:
		return int64(v)
	}
	n, _ := strconv.ParseInt(string(c.Bytes(i)), 10, 64)
	return n
}

// Float implements Row.
func (c Columns) Float(i int) float64 {
	if f, ok := c[i].(float64); ok {
		return f
	}
	if text := c.Bytes(i); len(text) > 0 {
		f, _ := strconv.ParseFloat(string(text), 64)
		return f
	}
	return float64(c.Int(i))
}
