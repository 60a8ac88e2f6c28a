package db_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// TestConflictsAreRetried makes Postgres refuse a statement twice, with the codes of a serialization failure and of a
// deadlock, for every way to send it.
func TestConflictsAreRetried(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"40001", "40P01"} {
		for name, send := range map[string]func(ctx context.Context, d *db.DB, q db.Querier) error{
			"Exec": func(ctx context.Context, _ *db.DB, q db.Querier) error {
				_, err := q.Exec(ctx, "SELECT flaky($1)", code)
				return err
			},
			"QueryRow": func(ctx context.Context, _ *db.DB, q db.Querier) error {
				var n int
				return q.QueryRow(ctx, "SELECT flaky($1)", code).Scan(&n)
			},
			"Query": func(ctx context.Context, _ *db.DB, q db.Querier) error {
				rows, err := q.Query(ctx, "SELECT flaky($1)", code)
				if err != nil {
					return err
				}
				all, err := pgx.CollectRows(rows, pgx.RowTo[int])
				if err == nil && len(all) != 1 {
					return errors.New("not one row")
				}
				return err
			},
			"Tx": func(ctx context.Context, d *db.DB, _ db.Querier) error {
				return d.Tx(ctx, func(tx pgx.Tx) error {
					_, err := tx.Exec(ctx, "SELECT flaky($1)", code)
					return err
				})
			},
			"Commit": func(ctx context.Context, d *db.DB, _ db.Querier) error {
				return d.Tx(ctx, func(tx pgx.Tx) error {
					_, err := tx.Exec(ctx, "INSERT INTO checked VALUES ($1)", code)
					return err
				})
			},
		} {
			t.Run(code+"/"+name, func(t *testing.T) {
				t.Parallel()
				d := dbtest.New(t)
				if _, err := d.Pool.Exec(t.Context(), `
CREATE SEQUENCE tries;
CREATE FUNCTION flaky(code text) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('tries') < 3 THEN RAISE EXCEPTION USING ERRCODE = code; END IF;
    RETURN 1;
END $$;
CREATE TABLE checked (code text);
CREATE FUNCTION check_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM flaky(NEW.code); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON checked DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION check_late();`); err != nil {
					t.Fatal(err)
				}
				told := 0
				d.OnConflict = func(error) { told++ }
				if err := send(t.Context(), d, db.Retrying{Querier: d.Pool, OnConflict: d.OnConflict}); err != nil {
					t.Error(err)
				}
				if told != 2 {
					t.Errorf("%d conflicts were told of, want 2", told)
				}
			})
		}
	}
}

// TestConflictsAreNotRetriedForEver makes Postgres refuse every try, and checks that other errors are not taken for
// conflicts.
func TestConflictsAreNotRetriedForEver(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	for code, want := range map[string]int{"40001": 10, "23505": 1, "53100": 1} {
		calls := 0
		err := d.Tx(t.Context(), func(tx pgx.Tx) error {
			calls++
			return &pgconn.PgError{Code: code}
		})
		if err == nil || calls != want {
			t.Errorf("%s: %d calls, %v; want %d", code, calls, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	if err := d.Tx(ctx, func(pgx.Tx) error {
		calls++
		cancel()
		return &pgconn.PgError{Code: "40P01"}
	}); err == nil || calls != 1 {
		t.Errorf("a canceled transaction was tried %d times: %v", calls, err)
	}
}
