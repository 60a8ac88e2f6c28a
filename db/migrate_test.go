package db_test

import (
	"errors"
	"sync"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

func TestMigrate(t *testing.T) {
	t.Parallel()

	t.Run("DownToNothingAndUpAgain", func(t *testing.T) {
		t.Parallel()
		d := dbtest.New(t)
		if err := d.CheckMigrated(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 7 { // six of ours, then River's
			undone, err := d.MigrateDown(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(undone) == 0 {
				t.Fatal("nothing was undone")
			}
			if err := d.CheckMigrated(t.Context()); !errors.Is(err, db.ErrPendingMigrations) {
				t.Errorf("after down: %v", err)
			}
		}
		status, err := d.MigrateStatus(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range status {
			if m.Applied {
				t.Errorf("%s %d is still applied", m.Source, m.Version)
			}
		}
		applied, err := d.MigrateUp(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(applied) != len(status) {
			t.Errorf("applied %d of %d", len(applied), len(status))
		}
		if err := d.CheckMigrated(t.Context()); err != nil {
			t.Error(err)
		}
	})

	t.Run("TenAtOnce", func(t *testing.T) {
		t.Parallel()
		d := dbtest.New(t)
		for range 7 {
			if _, err := d.MigrateDown(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := d.MigrateUp(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if err := d.CheckMigrated(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
