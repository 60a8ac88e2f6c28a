// Package cli has the commands of the program: those that run a process (dev, serve, worker, demo, simulate), those
// that operate a running server over its HTTP API, and those that use the database directly (migrate, backup, restore,
// keys).
//
// Begin reading at commands, which lists all commands and their flags, and at Main, which runs one. Each command is a
// type whose Run method gets an app. Package node wires the processes.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/parliament-explorer/parliament-explorer/db/outage"
	"github.com/parliament-explorer/parliament-explorer/jobs"
)

// Exit codes.
const (
	exitOK       = 0
	exitFailure  = 1 // the command failed, or the run ended as a failure
	exitUsage    = 2 // the command, its configuration or the request was invalid, and nothing was changed
	exitCanceled = 3 // the run was canceled
)

// commands is the whole command line.
type commands struct {
	LogFormat string `enum:"text,json" default:"text" env:"LOG_FORMAT" help:"Format of log lines: text or json."`
	LogLevel  string `enum:"debug,info,warn,error" default:"info" env:"LOG_LEVEL" help:"The lowest level of log lines to print: debug, info, warn or error."`

	Demo        demoCmd        `cmd:"" help:"Run the main job end to end, with an embedded Postgres and a simulated Parliament. Needs no network if Postgres is installed."`
	Dev         devCmd         `cmd:"" help:"Run everything in one process: database, migrations, server and worker."`
	Serve       serveCmd       `cmd:"" help:"Run the HTTP server."`
	Worker      workerCmd      `cmd:"" help:"Run steps and fire schedules."`
	Migrate     migrateCmd     `cmd:"" help:"Migrate the database schema, or show its migrations."`
	Materialize materializeCmd `cmd:"" help:"Materialize an asset and follow the run."`
	Assets      assetsCmd      `cmd:"" help:"List, show and materialize assets."`
	Jobs        jobsCmd        `cmd:"" help:"List, show and run jobs."`
	Runs        runsCmd        `cmd:"" help:"List, follow, cancel and retry runs."`
	Schedules   schedulesCmd   `cmd:"" help:"List, start, stop and run schedules."`
	Sensors     sensorsCmd     `cmd:"" help:"List, start, stop and evaluate sensors."`
	Partitions  partitionsCmd  `cmd:"" help:"List the partitions of an asset."`
	Backfill    backfillCmd    `cmd:"" help:"Materialize many partitions."`
	Alerts      alertsCmd      `cmd:"" help:"List alerts and their channels, and test a channel."`
	Keys        keysCmd        `cmd:"" help:"Create, list and revoke API keys."`
	Sessions    sessionsCmd    `cmd:"" help:"List and end sign-in sessions."`
	Audit       auditCmd       `cmd:"" help:"Show the audit log."`
	Backup      backupCmd      `cmd:"" help:"Write a backup of the database to a file."`
	Restore     restoreCmd     `cmd:"" help:"Restore a backup into an empty database."`
	Simulate    simulateCmd    `cmd:"" help:"Serve a simulated Parliament in place of both sources."`
	Doctor      doctorCmd      `cmd:"" help:"Check the deployment and print what is wrong."`
	Ready       readyCmd       `cmd:"" help:"Check whether a server or worker is ready; for health checks."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

// app is what the Run methods of commands get: the context, the outputs, the logger and the version.
type app struct {
	ctx      context.Context
	out, err io.Writer
	log      *slog.Logger
	version  string
	revision string

	healthAddr string // of a worker
	read       replicaFlags
	logFormat  string

	contributions []jobs.Contribution // in addition to the pipeline; for tests
}

// exitError is an error with an exit code. Its message is printed unless it is empty.
type exitError struct {
	code    int
	message string
}

func (e *exitError) Error() string { return e.message }

func usage(format string, args ...any) error {
	return &exitError{code: exitUsage, message: fmt.Sprintf(format, args...)}
}

// Main runs one command and returns the exit code.
func Main(args []string, version string, out, errOut io.Writer) int {
	return MainWith(args, version, out, errOut)
}

// MainWith is Main with assets, jobs, schedules and sensors in addition to those of the pipeline. Tests use it.
func MainWith(args []string, version string, out, errOut io.Writer, parts ...jobs.Contribution) int {
	code, isService := asService(func(ctx context.Context, log io.Writer) int {
		return command(args, version, log, log, parts,
			func(io.Writer) (context.Context, context.CancelFunc) { return ctx, func() {} })
	})
	if isService {
		return code
	}
	return command(args, version, out, errOut, parts, signals)
}

// command runs one command until the context that begin returns ends.
func command(args []string, version string, out, errOut io.Writer, parts []jobs.Contribution,
	begin func(io.Writer) (context.Context, context.CancelFunc),
) int {
	var c commands
	exited := -1
	parser, err := kong.New(&c, kong.Name("explorer"),
		kong.Description("Keeps Canada's federal bills up to date, and serves them."),
		kong.UsageOnError(), kong.Writers(out, errOut), kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		return report(errOut, err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 { // --help
		return exited
	}
	if err != nil {
		return report(errOut, usage("%s", err))
	}
	ctx, stop := begin(errOut)
	defer stop()
	a := &app{ctx: ctx, out: out, err: errOut, log: newLogger(errOut, c.LogFormat, c.LogLevel), version: version,
		contributions: parts, logFormat: c.LogFormat}
	a.revision = revision()
	return report(errOut, parsed.Run(a))
}

// report prints an error as one line and returns its exit code.
func report(w io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	code := exitFailure
	var e *exitError
	if errors.As(err, &e) {
		code = e.code
	}
	if msg := err.Error(); msg != "" {
		printLine(w, "explorer:", strings.Join(strings.Fields(msg), " "))
	}
	return code
}

// signals returns a context that the first SIGINT or SIGTERM ends. The second one ends the process. On Windows, the
// signals are Ctrl-C, Ctrl-Break and the closing of the console, which leaves five seconds.
func signals(w io.Writer) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	c := make(chan os.Signal, 2)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-c:
		case <-ctx.Done():
			return
		}
		cancel()
		<-c
		printLine(w, "explorer: stopped at once")
		os.Exit(exitFailure)
	}()
	return ctx, func() { signal.Stop(c); cancel() }
}

func newLogger(w io.Writer, format, level string) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // checked by the parser
	opts := &slog.HandlerOptions{Level: l}
	if format == "json" {
		return slog.New(outage.NewHandler(slog.NewJSONHandler(plainLines{w, true}, opts)))
	}
	return slog.New(outage.NewHandler(slog.NewTextHandler(plainLines{w, false}, opts)))
}

// revision returns the commit that the binary was built from; empty if it was not built from a checkout.
func revision() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return ""
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(a *app) error {
	line := "explorer " + a.version
	if a.revision != "" {
		line += " (" + a.revision + ")"
	}
	err := writeLine(a.out, line)
	return err
}
