package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/parliament/pgvector"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

type backupCmd struct {
	databaseFlags
	File  string `arg:"" help:"The file to write the backup to; - is standard output."`
	Force bool   `help:"Overwrite an existing file."`
}

// Run writes a backup. It writes a temporary file beside the target and renames it, so a failure leaves no partial file
// under the target's name.
func (c *backupCmd) Run(a *app) error {
	if _, err := os.Stat(c.File); err == nil && !c.Force && c.File != "-" {
		return usage("%s already exists: name another file, or add --force", c.File)
	}
	d, closeDB, err := a.database(c.databaseFlags, true, 2)
	if err != nil {
		return err
	}
	defer closeDB()
	if err := d.CheckMigrated(a.ctx); err != nil {
		return err
	}
	if c.File == "-" {
		return d.Backup(a.ctx, a.out)
	}
	began := time.Now()
	f, err := os.CreateTemp(filepath.Dir(c.File), filepath.Base(c.File)+".part-*") // only its owner can read it
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) //nolint:errcheck // after a success it was renamed
	err = d.Backup(a.ctx, f)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), c.File); err != nil {
		return err
	}
	info, err := os.Stat(c.File)
	if err != nil {
		return err
	}
	return writef(a.err, "%s: %s in %s\n", c.File, byteSize(info.Size()), time.Since(began).Round(time.Millisecond))
}

type restoreCmd struct {
	databaseFlags
	File string `arg:"" help:"The backup; - is standard input."`
}

// Run restores a backup onto an empty database.
func (c *restoreCmd) Run(a *app) error {
	in := io.Reader(os.Stdin)
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return usage("%s", err)
		}
		defer f.Close() //nolint:errcheck // it was only read
		in = f
	}
	d, closeDB, err := a.database(c.databaseFlags, true, 2)
	if err != nil {
		return err
	}
	defer closeDB()
	began := time.Now()
	if err := d.Restore(a.ctx, in); errors.Is(err, db.ErrNotEmpty) {
		return usage("%s", err)
	} else if err != nil {
		return err
	}
	if err := pgvector.EnsureAll(a.ctx, d); err != nil {
		return err
	}
	if err := access.Note(a.ctx, d.Durable(), operator(), "restore", c.File, nil); err != nil {
		return err
	}
	n, err := d.CountRestored(a.ctx)
	if err != nil {
		return fmt.Errorf("count what was restored: %w", err)
	}
	return writef(a.err, "Restored in %s: %d bills, %d runs, %d schedules running.\n",
		time.Since(began).Round(time.Millisecond), n.Bills, n.Runs, n.RunningSchedules)
}

// byteSize formats a number of bytes in units of 1024, such as "12.3 MB".
func byteSize(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, suffix := float64(n), ""
	for _, suffix = range []string{"kB", "MB", "GB", "TB"} {
		if value /= unit; value < unit {
			break
		}
	}
	return fmt.Sprintf("%.1f %s", value, suffix)
}
