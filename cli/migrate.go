package cli

import (
	"fmt"
	"text/tabwriter"

	"github.com/parliament-explorer/parliament-explorer/db"
)

type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" help:"Apply every pending migration, River's and ours. Safe to run by several processes at once."`
	Down   migrateDownCmd   `cmd:"" help:"Undo our newest migration or, when none of ours is left, River's. Data in the tables it drops is lost."`
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
		fmt.Fprintf(a.out, "applied %s %d %s\n", m.Source, m.Version, m.Name)
	}
	if err == nil && len(applied) == 0 {
		fmt.Fprintln(a.out, "nothing to do: the schema is up to date")
	}
	return err
}

type migrateDownCmd struct{ databaseFlags }

// Run migrates down by one.
func (c *migrateDownCmd) Run(a *app) error {
	d, closeDB, err := a.database(c.databaseFlags, true, 4)
	if err != nil {
		return err
	}
	defer closeDB()
	undone, err := d.MigrateDown(a.ctx)
	for _, m := range undone {
		fmt.Fprintf(a.out, "undone %s %d %s\n", m.Source, m.Version, m.Name)
	}
	if err == nil && len(undone) == 0 {
		fmt.Fprintln(a.out, "nothing to undo")
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
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SCHEMA\tVERSION\tNAME\tSTATE")
	for _, m := range all {
		state := "pending"
		if m.Applied {
			state = "applied"
		}
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\n", m.Source, m.Version, m.Name, state)
	}
	return w.Flush()
}
