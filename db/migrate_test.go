package db_test

import (
	"sync"
	"testing"

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
		downTo(t, d, 0)
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
		downTo(t, d, 0)
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
