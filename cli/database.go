package cli

import (
	"os"
	"path/filepath"
	"runtime"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

// databaseFlags are the flags of the database.
type databaseFlags struct {
	DatabaseURL         string `env:"DATABASE_URL" help:"Connection string of Postgres, e.g. postgres://user:password@host/database. Without it, the program runs an embedded Postgres, from the server binaries on this machine or from downloaded ones."`
	DatabaseDirectURL   string `name:"database-direct-url" env:"DATABASE_DIRECT_URL" help:"The same Postgres without the pooler in DATABASE_URL; required if that pooler is in transaction mode." placeholder:"URL"`
	DatabaseConnections int    `env:"DATABASE_CONNECTIONS" help:"Maximum number of connections of this process to Postgres, 3 or more. Default: depends on the command and CONCURRENCY, up to a share of the connections that Postgres allows." placeholder:"N"`
	DataDir             string `env:"DATA_DIR" help:"Folder for the data of the embedded Postgres. Default: your data folder; for root /var/lib/parliament-explorer." placeholder:"DIR"`
	binariesFlags
}

// dataDir is where the embedded Postgres keeps its data.
func (f databaseFlags) dataDir() (string, error) {
	dir := f.DataDir
	if dir == "" {
		base, err := defaultDataDir()
		if err != nil {
			return "", err
		}
		dir = base
	}
	abs, err := filepath.Abs(dir)
	return filepath.Join(abs, "postgres"), err
}

func defaultDataDir() (string, error) {
	const name = "parliament-explorer"
	if runtime.GOOS == "windows" {
		dir, err := os.UserCacheDir() // %LocalAppData%, which stays on this machine
		if err != nil {
			return "", usage("DATA_DIR: set it, for this user has no %%LocalAppData%%")
		}
		return filepath.Join(dir, name), nil
	}
	if os.Geteuid() == 0 {
		return "/var/lib/" + name, nil // root's own folders are closed to the user that Postgres runs as
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, name), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", usage("DATA_DIR: set it, for this user has no home folder")
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", name), nil
	}
	return filepath.Join(home, ".local", "share", name), nil
}

// database opens the database for a command that uses up to maxConns connections. See open for attach.
//
//nolint:unparam // all commands use two connections today
func (a *app) database(f databaseFlags, attach bool, maxConns int) (d *db.DB, closeDB func(), err error) {
	return a.open(f, attach, workload{connections: maxConns})
}

// open opens the database. Without DATABASE_URL, it starts the embedded Postgres or, with attach, connects to the one
// that another process runs. closeDB closes the database and stops the Postgres that open started.
func (a *app) open(f databaseFlags, attach bool, p workload) (d *db.DB, closeDB func(), err error) {
	if err := f.checkConnections(); err != nil {
		return nil, nil, err
	}
	dsn, stop := f.DatabaseURL, func() {}
	if dsn == "" {
		dir, err := f.dataDir()
		if err != nil {
			return nil, nil, err
		}
		running := false
		if attach {
			dsn, running = embedded.Attach(dir)
		}
		if !running {
			source, err := f.source(a)
			if err != nil {
				return nil, nil, err
			}
			e, err := embedded.Start(a.ctx, embedded.Config{Dir: dir, Logger: a.log, Source: source})
			if err != nil {
				return nil, nil, err
			}
			dsn = e.URL()
			stop = func() {
				if err := e.Stop(); err != nil {
					a.log.Warn("postgres", "error", err)
				}
			}
		}
	}
	if d, err = a.connect(dsn, f, p); err != nil {
		stop()
		return nil, nil, err
	}
	return d, func() { d.Close(); stop() }, nil
}
