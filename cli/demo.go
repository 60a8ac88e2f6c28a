package cli

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/embedded"
	"github.com/parliament-explorer/parliament-explorer/simulate"
)

type demoCmd struct {
	Once bool   `help:"Exit when the materialization has ended."`
	Addr string `default:"127.0.0.1:0" help:"Address to listen on; port 0 selects a free port." placeholder:"HOST:PORT"`
	Seed uint64 `default:"1" help:"Seed of the simulated Parliament."`
	binariesFlags
	idleFlags
}

// Run shows the main job. Everything runs in this process, and the materialization is requested over HTTP, as by a
// user.
func (c *demoCmd) Run(a *app) error {
	began := time.Now()
	if err := c.checkIdle(); err != nil {
		return err
	}
	if os.Getenv("LOG_LEVEL") == "" {
		a.log = newLogger(a.err, "text", "warn") // the demonstration speaks for itself
	}
	source, err := c.source(a)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "explorer-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)                      //nolint:errcheck // made by this start
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // as root, the server's own user must be able to enter
		return err
	}
	printLine(a.err, "Starting Postgres, a simulated Parliament, the server and a worker ...")
	// First, for a machine may have none.
	e, err := embedded.Start(a.ctx, embedded.Config{Dir: filepath.Join(dir, "postgres"), Logger: a.log, Source: source})
	if err != nil {
		return err
	}
	defer func() {
		if err := e.Stop(); err != nil {
			a.log.Warn("postgres", slog.Any("error", err))
		}
	}()
	world, err := simulate.NewWorld(simulate.Options{Seed: c.Seed})
	if err != nil {
		return err
	}
	sources, err := listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	defer sources.Close() //nolint:errcheck // the simulation closes it too
	l, err := listen(c.Addr)
	if err != nil {
		return err
	}
	defer l.Close() //nolint:errcheck // the server closes it too
	return c.run(a, e.URL(), world, sources, l, began)
}

// run serves the simulated Parliament and runs a node on the database, shows the main job, and goes on until it is
// stopped, unless once was asked for.
func (c *demoCmd) run(
	a *app, databaseURL string, world *simulate.World, sources, l net.Listener, began time.Time,
) error {
	d, err := db.Open(a.ctx, db.Config{URL: databaseURL})
	if err != nil {
		return err
	}
	defer d.Close()
	if _, err := d.MigrateUp(a.ctx); err != nil {
		return err
	}
	address := "http://" + sources.Addr().String()
	n, err := a.newNode(d, pipelineFlags{
		OpenParliamentURL: address, LegisinfoURL: address + "/legisinfo", OpenParliamentRPS: 20, LegisinfoRPS: 20,
		TZSchedules: "America/Toronto", Concurrency: 8, now: world.Today, idleFlags: c.idleFlags,
	}, accessFlags{Auth: "auto"}, true, l)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(a.ctx)
	defer stop()
	var group errgroup.Group
	group.Go(func() error {
		return serveSimulation(ctx, sources, world, simulate.Faults{Latency: 5 * time.Millisecond})
	})
	var shown error
	group.Go(func() error {
		return n.Run(ctx, func() {
			if shown = c.show(a, ctx, l.Addr(), began); c.Once || shown != nil {
				stop()
			}
		})
	})
	if err := group.Wait(); err != nil {
		return err
	}
	return shown
}

// show materializes the latest bills and prints what to try next.
func (c *demoCmd) show(a *app, ctx context.Context, addr net.Addr, began time.Time) error {
	base := "http://" + displayAddr(addr)
	cl, err := serverFlags{Server: base}.client(a)
	if err != nil {
		return err
	}
	printf(a.err, "Ready after %s at %s\n\n$ explorer materialize fetch_latest_bills --server %s\n",
		time.Since(began).Round(10*time.Millisecond), base, base)
	body := api.StartRunRequest{Config: json.RawMessage(`{"limit": 50}`)}
	resp, err := cl.MaterializeAssetWithResponse(ctx, "fetch_latest_bills", nil, body)
	if err != nil {
		return cl.unreachable(err)
	}
	if resp.JSON202 == nil {
		return cl.problem(resp.HTTPResponse, resp.Body)
	}
	follow := *a
	follow.ctx = ctx
	if err := follow.followRun(cl, resp.JSON202, resp.Body, true, false, logFlags{}); err != nil || c.Once {
		return err
	}
	printf(a.out, `
Next steps:

  Web UI     %[1]s/ui/
  API        %[1]s/docs/
  River UI   %[1]s/riverui/

  %[3]s '%[1]s/bills?limit=3'
  %[3]s %[1]s/runs/%[2]s
  %[3]s -N -H 'Accept: text/event-stream' %[1]s/events
  %[3]s -X POST %[1]s/assets/monitor_fetch_operations/materialize %[4]s
  %[3]s -X POST %[1]s/schedules/fetch_bills_hourly/start

Ctrl-C stops the demo and deletes its database.
`, base, resp.JSON202.ID, curl, `-H 'Content-Type: application/yaml' -d 'config: {hours_back: 24}'`)
	return nil
}
