package cli

import (
	"fmt"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" help:"Apply all pending migrations, River's and the program's. Several processes may do this at once."`
	Down   migrateDownCmd   `cmd:"" help:"Revert the newest migration of the program or, if none is left, all of River's. The data in dropped tables is lost."`
	Status migrateStatusCmd `cmd:"" help:"List all migrations."`
}

type migrateUpCmd struct{ databaseFlags }

// Run migrates up.
func (c *migrateUpCmd) Run(a *app) error {
	d, closeDB, err := a.database(c.databaseFlags, true, 4)
	if err != nil {
		return err
	}
	defer closeDB()
	applied, err := d.MigrateUp(a.ctx)
	for _, m := range applied {
		printf(a.out, "applied %s %d %s\n", m.Source, m.Version, m.Name)
	}
	if err != nil {
		return err
	}
	if len(applied) == 0 {
		printLine(a.out, "nothing to do: the schema is up to date")
		return nil
	}
	last := applied[len(applied)-1] // the audit log may be among them, so its entry comes after
	return access.Note(a.ctx, d.Durable(), operator(), "migrateUp", fmt.Sprintf("%s %d", last.Source, last.Version), nil)
}

type migrateDownCmd struct{ databaseFlags }

// Run migrates down by one.
func (c *migrateDownCmd) Run(a *app) error {
	d, closeDB, err := a.database(c.databaseFlags, true, 4)
	if err != nil {
		return err
	}
	defer closeDB()
	if d.CheckMigrated(a.ctx) == nil { // else the audit log is not as this program writes it
		if err := access.Note(a.ctx, d.Durable(), operator(), "migrateDown", "", nil); err != nil {
			return err
		}
	}
	undone, err := d.MigrateDown(a.ctx)
	for _, m := range undone {
		printf(a.out, "undone %s %d %s\n", m.Source, m.Version, m.Name)
	}
	if err == nil && len(undone) == 0 {
		printLine(a.out, "nothing to undo")
	}
	return err
}

type migrateStatusCmd struct{ databaseFlags }

// Run lists the migrations.
func (c *migrateStatusCmd) Run(a *app) error {
	d, closeDB, err := a.database(c.databaseFlags, true, 4)
	if err != nil {
		return err
	}
	defer closeDB()
	all, err := d.MigrateStatus(a.ctx)
	if err != nil {
		return err
	}
	return printMigrations(a, all)
}

func printMigrations(a *app, all []db.Migration) error {
	w := newTable(a.out, "SCHEMA", "VERSION", "NAME", "STATE")
	for _, m := range all {
		state := "pending"
		if m.Applied {
			state = "applied"
		}
		w.row(m.Source, m.Version, m.Name, state)
	}
	return w.flush()
}
