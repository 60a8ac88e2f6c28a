package server

import (
	"errors"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// TestWriteProbe has the database take no writes for a while: it is noticed, not asked more often than it may be, and
// over by itself. Nothing is left of what was written.
func TestWriteProbe(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	var name string
	if err := d.Pool.QueryRow(t.Context(), "SELECT current_database()").Scan(&name); err != nil {
		t.Fatal(err)
	}
	set := func(readOnly string) {
		t.Helper()
		c, err := d.Pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Release()
		for _, sql := range []string{
			"SET transaction_read_only = off", "ALTER DATABASE " + name + " SET default_transaction_read_only = " + readOnly,
		} {
			if _, err := c.Exec(t.Context(), "BEGIN READ WRITE; "+sql+"; COMMIT"); err != nil {
				t.Fatal(err)
			}
		}
		d.Pool.Reset()
	}
	each, seldom := &db.WriteProbe{DB: d}, &db.WriteProbe{DB: d, Every: time.Hour}
	if err := errors.Join(each.Check(t.Context()), seldom.Check(t.Context())); err != nil {
		t.Fatal(err)
	}
	set("on")
	var not *db.NotWritable
	if err := each.Check(t.Context()); !errors.As(err, &not) || not.Reason != "the database is read-only" {
		t.Errorf("read-only: %v", err)
	}
	if err := seldom.Check(t.Context()); err != nil {
		t.Errorf("it was tried again: %v", err)
	}
	h := &handlers{cfg: Config{DB: d}, writes: each}
	if r, answers := h.database(t.Context()); !answers || r.Ok || r.Detail != "the database is read-only" {
		t.Errorf("readiness: %+v", r)
	}
	set("off")
	if r, _ := h.database(t.Context()); !r.Ok {
		t.Errorf("readiness: %+v", r)
	}
	var rows, size int
	if err := d.Pool.QueryRow(t.Context(), "SELECT (SELECT count(*) FROM writability), pg_relation_size('writability')").
		Scan(&rows, &size); err != nil || rows != 0 || size != 0 {
		t.Errorf("%d rows, %d bytes are left: %v", rows, size, err)
	}
}
