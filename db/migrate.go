package db

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrationConns is the number of connections that a migration uses: one for the lock, one for goose and one for River.
const migrationConns = 3

// Migration is one migration of the schema, the program's or River's.
type Migration struct {
	// Source is "river" or "explorer".
	Source  string
	Version int64
	Name    string
	Applied bool
}

// MigrateUp applies all pending migrations, River's and the program's, and returns what it applied, the oldest first.
// Any number of processes may call it at once.
func (d *DB) MigrateUp(ctx context.Context) ([]Migration, error) {
	var applied []Migration
	err := d.migrating(ctx, func(river *rivermigrate.Migrator[pgx.Tx], ours *goose.Provider) error {
		res, err := river.Migrate(ctx, rivermigrate.DirectionUp, nil)
		if err != nil {
			return fmt.Errorf("migrate river: %w", err)
		}
		for _, v := range res.Versions {
			applied = append(applied, Migration{Source: "river", Version: int64(v.Version), Name: v.Name, Applied: true})
		}
		results, err := ours.Up(ctx)
		if err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		for _, r := range results {
			applied = append(applied, Migration{Source: "explorer", Version: r.Source.Version,
				Name: r.Source.Path, Applied: true})
		}
		return nil
	})
	if err != nil {
		return applied, err
	}
	if _, err := d.AlignLog(ctx); err != nil {
		return applied, fmt.Errorf("event log: %w", err)
	}
	return applied, nil
}

// MigrateDown undoes the program's newest migration or, if none of them is applied, all of River's.
func (d *DB) MigrateDown(ctx context.Context) ([]Migration, error) {
	var undone []Migration
	err := d.migrating(ctx, func(river *rivermigrate.Migrator[pgx.Tx], ours *goose.Provider) error {
		version, err := ours.GetDBVersion(ctx)
		if err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		if version > 0 {
			r, err := ours.Down(ctx)
			if err != nil {
				return fmt.Errorf("migrate down: %w", err)
			}
			undone = append(undone, Migration{Source: "explorer", Version: r.Source.Version, Name: r.Source.Path})
			return nil
		}
		res, err := river.Migrate(ctx, rivermigrate.DirectionDown, &rivermigrate.MigrateOpts{TargetVersion: -1})
		if err != nil {
			return fmt.Errorf("migrate river down: %w", err)
		}
		for _, v := range res.Versions {
			undone = append(undone, Migration{Source: "river", Version: int64(v.Version), Name: v.Name})
		}
		return nil
	})
	return undone, err
}

// MigrateStatus returns every migration that this binary has.
func (d *DB) MigrateStatus(ctx context.Context) ([]Migration, error) {
	var all []Migration
	err := d.migrating(ctx, func(river *rivermigrate.Migrator[pgx.Tx], ours *goose.Provider) error {
		existing, err := river.ExistingVersions(ctx)
		if err != nil {
			return fmt.Errorf("river migrations: %w", err)
		}
		for _, m := range river.AllVersions() {
			has := slices.ContainsFunc(existing, func(e rivermigrate.Migration) bool { return e.Version == m.Version })
			all = append(all, Migration{Source: "river", Version: int64(m.Version), Name: m.Name, Applied: has})
		}
		status, err := ours.Status(ctx)
		if err != nil {
			return fmt.Errorf("migrations: %w", err)
		}
		for _, s := range status {
			all = append(all, Migration{Source: "explorer", Version: s.Source.Version, Name: s.Source.Path,
				Applied: s.State == goose.StateApplied})
		}
		return nil
	})
	return all, err
}

// ErrPendingMigrations means that the database does not have all migrations of this binary.
var ErrPendingMigrations = errors.New("the database has pending migrations: run `explorer migrate up`")

// CheckMigrated returns ErrPendingMigrations if a migration has not been applied. It changes nothing, so it may run
// against a database that is being migrated.
func (d *DB) CheckMigrated(ctx context.Context) error {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return err
	}
	var n int
	err = d.retrying(d.Pool).QueryRow(ctx,
		`SELECT count(*) FROM goose_db_version WHERE version_id > 0 AND is_applied`).Scan(&n)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == pgerrcode.UndefinedTable {
		return ErrPendingMigrations
	}
	if err != nil {
		return fmt.Errorf("check migrations: %w", err)
	}
	if n < len(names) {
		return ErrPendingMigrations
	}
	return nil
}

// prepareForMigrations sets what migrations need on a connection: no timeouts, which would stop a migration half way,
// and the defaults for how SQL literals are read. The role, the database or the connection string may set other values.
// It skips the settings that the server's version does not have.
func prepareForMigrations(ctx context.Context, c *pgx.Conn) error {
	if _, err := c.Exec(ctx, `SET statement_timeout = 0`); err != nil { // first, as it would limit the next statement
		return err
	}
	_, err := c.Exec(ctx, `SELECT set_config(s.name, w.value, false) FROM pg_settings s JOIN (VALUES
    ('lock_timeout', '0'), ('idle_in_transaction_session_timeout', '0'), ('transaction_timeout', '0'),
    ('idle_session_timeout', '0'), ('default_transaction_isolation', 'read committed'),
    ('default_transaction_read_only', 'off'), ('standard_conforming_strings', 'on'), ('DateStyle', 'ISO, MDY'),
    ('IntervalStyle', 'postgres'), ('bytea_output', 'hex'), ('row_security', 'on'), ('check_function_bodies', 'on')
) AS w (name, value) ON w.name = s.name`)
	return err
}

func (d *DB) migrating(ctx context.Context, f func(*rivermigrate.Migrator[pgx.Tx], *goose.Provider) error) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	// A pool of its own: migrations may take longer than the statement timeout of the others.
	pc, err := pgxpool.ParseConfig(d.DirectURL)
	if err != nil {
		return unreadable("DATABASE_URL", d.DirectURL)
	}
	settings := startup(pc.ConnConfig, "")
	pc.ConnConfig.RuntimeParams["application_name"] = "explorer migrate"
	pc.MaxConns = migrationConns
	pc.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
		if _, err := c.PgConn().Exec(ctx, setSession(settings)).ReadAll(); err != nil {
			return err
		}
		return prepareForMigrations(ctx, c)
	}
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return err
	}
	defer pool.Close()
	lock, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer lock.Release()
	if _, err := lock.Exec(ctx, `SELECT pg_advisory_lock($1)`, migrationLock); err != nil {
		return fmt.Errorf("wait for another migration: %w", err)
	}
	defer func() { // closing the connection frees the lock too
		_, _ = lock.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, migrationLock)
	}()

	quiet := slog.New(slog.DiscardHandler)
	river, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: quiet})
	if err != nil {
		return err
	}
	files, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		return err
	}
	sqlDB := stdlib.OpenDBFromPool(pool)
	defer sqlDB.Close() //nolint:errcheck // the pool is closed above
	ours, err := goose.NewProvider(goose.DialectPostgres, sqlDB, files, goose.WithSlog(quiet))
	if err != nil {
		return err
	}
	return f(river, ours)
}
