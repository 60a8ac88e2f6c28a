package cli

import (
	"os"
	"path/filepath"
	"runtime"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

// databaseFlags say where the data is.
type databaseFlags struct {
	DatabaseURL         string `env:"DATABASE_URL" help:"Postgres to use, e.g. postgres://user:password@host/database. Without it, one is run from the server binaries on this machine, or from fetched ones."`
	DatabaseDirectURL   string `name:"database-direct-url" env:"DATABASE_DIRECT_URL" help:"The same Postgres without the pooler that is behind DATABASE_URL; needed where that is in transaction mode." placeholder:"URL"`
	DatabaseConnections int    `env:"DATABASE_CONNECTIONS" help:"Most connections to Postgres of this process, 3 or more. Default: by what it does and CONCURRENCY, and no more than its share of what Postgres allows." placeholder:"N"`
	DataDir             string `env:"DATA_DIR" help:"Folder for the data of that Postgres. Default: your data folder; for root /var/lib/parliament-explorer." placeholder:"DIR"`
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

// database opens the database for a command, which has so many connections at most.
func (a *app) database(f databaseFlags, attach bool, maxConns int) (d *db.DB, closeDB func(), err error) { //nolint:unparam // as open has it
	return a.open(f, attach, part{connections: maxConns})
}

// open opens the database, starting the embedded one if that is to be used. attach allows to use one that another
// process runs. close ends both.
func (a *app) open(f databaseFlags, attach bool, p part) (d *db.DB, closeDB func(), err error) {
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
