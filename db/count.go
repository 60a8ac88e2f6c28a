package db

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// Count returns the number of rows of a list, up to limit. It runs the list's own query inside a count, so the two
// never differ. list must query the first page with the context and the limit that it is given, through CustomPlan; it
// gets no rows.
func Count(ctx context.Context, limit int, list func(ctx context.Context, limit int) error) (int, error) {
	c := &counter{}
	err := list(context.WithValue(ctx, counterKey{}, c), limit)
	return c.rows, err
}

type counterKey struct{}

type counter struct{ rows int }

// count counts the rows of a query. It returns no rows.
func (c *counter) count(ctx context.Context, d Querier, sql string, args []any) (pgx.Rows, error) {
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
