package db

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// Count counts what a list would give, up to a limit, instead of reading it: by the list's own query, so that the two
// never differ. list asks for the first page with the context that it is given and so many rows at most; its query goes
// through CustomPlan. What it returns is empty.
func Count(ctx context.Context, limit int, list func(ctx context.Context, limit int) error) (int, error) {
	c := &counter{}
	err := list(context.WithValue(ctx, counterKey{}, c), limit)
	return c.rows, err
}

type counterKey struct{}

type counter struct{ rows int }

// count runs a query and notes how many rows it has.
func (c *counter) count(ctx context.Context, d DBTX, sql string, args []any) (pgx.Rows, error) {
	rows, err := d.Query(ctx, "SELECT count(*) FROM ("+sql+"\n) AS listed", args...)
	if err != nil {
		return nil, err
	}
	c.rows, err = pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
	return noRows{}, err
}

// noRows are the rows of an empty list.
type noRows struct{}

func (noRows) Close()                                       {}
func (noRows) Err() error                                   { return nil }
func (noRows) CommandTag() pgconn.CommandTag                { return pgconn.CommandTag{} }
func (noRows) FieldDescriptions() []pgconn.FieldDescription { return nil }
func (noRows) Next() bool                                   { return false }
func (noRows) Scan(...any) error                            { return pgx.ErrNoRows }
func (noRows) Values() ([]any, error)                       { return nil, pgx.ErrNoRows }
func (noRows) RawValues() [][]byte                          { return nil }
func (noRows) Conn() *pgx.Conn                              { return nil }
func (noRows) TypeMap() *pgtype.Map                         { return nil }
