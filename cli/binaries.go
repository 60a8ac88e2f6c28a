package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

// binariesFlags are the flags of the server binaries of the embedded Postgres.
type binariesFlags struct {
	PostgresBinaries string `env:"POSTGRES_BINARIES" help:"Folder of Postgres server binaries, or address of a Maven repository to download them from. Default: those on this machine, otherwise Maven Central." placeholder:"DIR|URL"`
	Offline          bool   `env:"EXPLORER_OFFLINE" help:"Never download Postgres server binaries."`
}

// source returns where the binaries of the embedded Postgres come from.
func (f binariesFlags) source(a *app) (embedded.Source, error) {
	s := embedded.Source{Binaries: f.PostgresBinaries, Offline: f.Offline, Progress: a.showFetch()}
	if err := s.Check(); err != nil {
		return s, usage("%s", err)
	}
	return s, nil
}

// prepareBinaries returns an error if no embedded Postgres can run, before other work is done. With attach, one that
// another process runs is enough.
func (f databaseFlags) prepareBinaries(a *app, attach bool) error {
	if f.DatabaseURL != "" {
		return nil
	}
	source, err := f.source(a)
	if err != nil {
		return err
	}
	dir, err := f.dataDir()
	if err != nil {
		return err
	}
	if attach {
		if _, running := embedded.Attach(dir); running {
			return nil
		}
	}
	if info, err := os.Stat(filepath.Dir(dir)); err == nil && !info.IsDir() {
		return fmt.Errorf("data directory: %s is a file: set DATA_DIR to a folder", filepath.Dir(dir))
	}
	return source.Search(dir).Err
}

// fetchLine is the interval of progress lines of a fetch without a terminal.
const fetchLine = 5 * time.Second

// showFetch shows the progress of a fetch of server binaries: a progress bar on a terminal, otherwise lines or log
// lines.
func (a *app) showFetch() func(embedded.Progress) {
	file, isFile := a.err.(*os.File)
	tty := isFile && term.IsTerminal(int(file.Fd()))
	say := func(format string, args ...any) {
		if a.logFormat == "json" {
			a.log.Info(sprintf(format, args...))
			return
		}
		printf(a.err, format+"\n", args...)
	}
	var bar *progressbar.ProgressBar
	var told time.Time
	return func(p embedded.Progress) {
		if bar != nil && p.Stage != embedded.Fetching {
			_ = bar.Exit()
			printLine(a.err)
			bar = nil
		}
		switch p.Stage {
		case embedded.Waiting:
			say("Another process is downloading %s: waiting for it ...", p.What)
		case embedded.Fetching:
			now := time.Now()
			switch {
			case told.IsZero():
				say("Downloading %s once, %s, from %s to %s ...", p.What, byteSize(p.Total), p.From, p.To)
				told = now
			case !tty && now.Sub(told) >= fetchLine:
				say("Downloading %s: %s of %s", p.What, byteSize(p.Done), byteSize(p.Total))
				told = now
			}
			if tty {
				if bar == nil {
					bar = progressbar.NewOptions64(p.Total, progressbar.OptionSetWriter(a.err),
						progressbar.OptionSetDescription(db.Printable(p.What, 0)),
						progressbar.OptionSetWidth(30), progressbar.OptionShowBytes(true),
						progressbar.OptionThrottle(50*time.Millisecond))
				}
				_ = bar.Set64(min(p.Done, p.Total))
			}
		case embedded.Retrying:
			say("Downloading %s: %s; retrying", p.What, p.Err)
		case embedded.Unpacking:
			say("Unpacking %s ...", p.What)
		case embedded.Fetched:
			say("%s is in %s", p.What, p.To)
		}
	}
}
