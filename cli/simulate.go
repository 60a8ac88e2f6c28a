package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/parliament-explorer/parliament-explorer/simulate"
)

type simulateCmd struct {
	Addr          string        `default:"127.0.0.1:9200" help:"Address to listen on."`
	Seed          uint64        `default:"1" help:"Seed of the simulated Parliament."`
	Sessions      int           `default:"2" help:"Number of sessions; the last one is in progress."`
	Codes         []string      `help:"Codes of the sessions, oldest first, such as 36-1,43-1,43-2,45-1; the last one is in progress." placeholder:"CODE,..."`
	Bills         int           `default:"120" help:"Number of bills in a session."`
	AsOf          string        `default:"2026-06-18" help:"The simulated day." placeholder:"YYYY-MM-DD"`
	DaysPerSecond float64       `default:"0" help:"Simulated days that pass in a second."`
	Fault500      float64       `name:"fault-500" help:"Share of answers that are HTTP 500."`
	Fault429      float64       `name:"fault-429" help:"Share of answers that are HTTP 429."`
	FaultTruncate float64       `help:"Share of answers cut off in the middle."`
	FaultDrop     float64       `help:"Share of connections closed without an answer."`
	FaultHTML     float64       `help:"Share of answers that are an HTML page with status 200."`
	Latency       time.Duration `help:"Wait before each answer."`
	RPS           float64       `name:"rps" help:"Answer 429 above this number of requests per second."`
	Outage        bool          `help:"Answer everything with 503."`
}

// Run serves a simulated Parliament until it is stopped.
func (c *simulateCmd) Run(a *app) error {
	day, err := time.Parse(time.DateOnly, c.AsOf)
	if err != nil {
		return usage("--as-of %q: want a day such as 2026-06-18", c.AsOf)
	}
	world, err := simulate.NewWorld(simulate.Options{Seed: c.Seed, Sessions: c.Sessions, Codes: c.Codes, Bills: c.Bills,
		AsOf: day, DaysPerSecond: c.DaysPerSecond})
	if err != nil {
		return usage("%s", err)
	}
	l, err := listen(c.Addr)
	if err != nil {
		return err
	}
	url := "http://" + displayAddr(l.Addr())
	printf(a.out, "A simulated Parliament as of %s; use it with\n\n  "+withEnvironment+"\n\nand change it with\n\n  "+
		"%[3]s -X POST '%[2]s/control/clock?as_of=2026-07-01'\n  %[3]s -X POST "+
		"'%[2]s/control/faults?500=0.1&latency=50ms'\n  %[3]s %[2]s/control/stats\n", c.AsOf, url, curl)
	return serveSimulation(a.ctx, l, world, simulate.Faults{
		Status500: c.Fault500, Status429: c.Fault429, Truncate: c.FaultTruncate, Drop: c.FaultDrop, HTML: c.FaultHTML,
		Latency: c.Latency, RPS: c.RPS, Outage: c.Outage, Seed: c.Seed,
	})
}

// serveSimulation serves until ctx ends.
func serveSimulation(ctx context.Context, l net.Listener, world *simulate.World, f simulate.Faults) error {
	s := &http.Server{Handler: world.Handler(f), ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
