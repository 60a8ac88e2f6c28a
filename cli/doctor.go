package cli

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"time"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db"
)

type doctorCmd struct {
	databaseFlags
	pipelineFlags
	serverFlags
}

// Run looks at everything a deployment needs, says what is wrong and what to do about it, and changes nothing. It
// fails if something that is needed does not work.
func (c *doctorCmd) Run(a *app) error {
	r := &examination{a: a}
	if err := c.check(); err != nil {
		r.bad("configuration", err.Error(), "")
	} else {
		r.good("configuration", "is readable")
	}
	c.database(r)
	c.sources(r)
	c.server(r)
	if r.failed > 0 {
		return &exitError{code: exitFailure, message: fmt.Sprintf("%d of %d checks failed", r.failed, r.total)}
	}
	return nil
}

type examination struct {
	a             *app
	total, failed int
}

func (r *examination) line(mark, what, finding, advice string) {
	r.total++
	fmt.Fprintf(r.a.out, "%-4s  %-22s %s\n", mark, what, finding)
	if advice != "" {
		fmt.Fprintf(r.a.out, "      %-22s -> %s\n", "", advice)
	}
}

func (r *examination) good(what, finding string) { r.line("ok", what, finding, "") }

func (r *examination) warn(what, finding, advice string) { r.line("warn", what, finding, advice) }

func (r *examination) bad(what, finding, advice string) {
	r.failed++
	r.line("FAIL", what, finding, advice)
}

func (c *doctorCmd) database(r *examination) {
	dsn := c.DatabaseURL
	if dsn == "" {
		dir, err := c.dataDir()
		if err != nil {
			r.bad("database", err.Error(), "set DATA_DIR or DATABASE_URL")
			return
		}
		var running bool
		if dsn, running = db.AttachEmbedded(dir); !running {
			r.warn("database", "the embedded Postgres on "+dir+" is not running", "`explorer dev` starts it; or set DATABASE_URL")
			return
		}
	}
	d, err := db.Open(r.a.ctx, db.Config{URL: dsn, MaxConns: 2})
	if err != nil {
		r.bad("database", err.Error(), "check DATABASE_URL and that Postgres runs")
		return
	}
	defer d.Close()
	var version string
	var skew float64
	if err := d.Pool.QueryRow(r.a.ctx, `SELECT current_setting('server_version'), extract(epoch FROM clock_timestamp())::float8`).Scan(&version, &skew); err != nil {
		r.bad("database", err.Error(), "")
		return
	}
	r.good("database", "Postgres "+version+" answers")
	if off := math.Abs(float64(time.Now().UnixMicro())/1e6 - skew); off > 2 {
		r.warn("clock", fmt.Sprintf("this machine and the database differ by %.1f s", off), "synchronise both with NTP: schedules fire by the worker's clock")
	} else {
		r.good("clock", "agrees with the database's")
	}
	if err := d.CheckMigrated(r.a.ctx); err != nil {
		r.bad("migrations", err.Error(), "explorer migrate up")
		return
	}
	r.good("migrations", "are applied")
}

func (c *doctorCmd) sources(r *examination) {
	for name, url := range map[string]string{"OpenParliament": c.OpenParliamentURL + "/bills/?limit=1&format=json", "LEGISinfo": c.LegisinfoURL + "/en/bills/json"} {
		ctx, cancel := context.WithTimeout(r.a.ctx, 15*time.Second)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err == nil {
			req.Header.Set("User-Agent", "ParliamentExplorer/"+r.a.version+" doctor")
			var resp *http.Response
			if resp, err = http.DefaultClient.Do(req); err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					err = fmt.Errorf("%s answered %s", url, resp.Status)
				}
			}
		}
		cancel()
		if err != nil {
			r.warn(name, err.Error(), "fetches fail with source_unavailable while this lasts")
		} else {
			r.good(name, "answers")
		}
	}
	if c.ContactEmail == "" {
		r.warn("contact", "CONTACT_EMAIL is not set", "set it, so that the sources can write before they block")
	}
}

func (c *doctorCmd) server(r *examination) {
	cl, err := c.client(r.a)
	if err != nil {
		r.bad("server", err.Error(), "")
		return
	}
	ready, err := cl.GetReadinessWithResponse(r.a.ctx)
	if err != nil {
		r.warn("server", cl.unreachable(err).Error(), "")
		return
	}
	state := ready.JSON200
	if state == nil {
		state = ready.JSON503
	}
	if state == nil {
		r.bad("server", cl.problem(ready.HTTPResponse, ready.Body).Error(), "")
		return
	}
	for _, check := range state.Checks {
		switch {
		case check.Ok:
			r.good("server: "+check.Name, check.Detail)
		case check.Name == "workers":
			r.bad("server: "+check.Name, check.Detail, "start one with `explorer worker`: runs stay queued and schedules do not fire without")
		default:
			r.bad("server: "+check.Name, check.Detail, "")
		}
	}
	schedules, err := cl.ListSchedulesWithResponse(r.a.ctx)
	if err != nil || schedules.JSON200 == nil {
		return
	}
	for _, s := range schedules.JSON200.Items {
		if s.Running {
			r.good("schedule "+s.Name, "is running")
		} else {
			r.warn("schedule "+s.Name, "is stopped", "explorer schedules start "+s.Name)
		}
	}
	c.automation(r, cl)
}

// automation looks at sensors, and at whether anybody would hear of an alert.
func (c *doctorCmd) automation(r *examination, cl *client) {
	sensors, err := cl.ListSensorsWithResponse(r.a.ctx)
	if err != nil || sensors.JSON200 == nil {
		return
	}
	for _, s := range sensors.JSON200.Items {
		switch {
		case s.LastTick != nil && s.LastTick.Status == api.TickStatusFailure:
			r.bad("sensor "+s.Name, "failed: "+text(s.LastTick.Message), "explorer sensors ticks "+s.Name)
		case s.Running:
			r.good("sensor "+s.Name, "is running")
		default:
			r.warn("sensor "+s.Name, "is stopped", "explorer sensors start "+s.Name)
		}
	}
	channels, err := cl.ListAlertChannelsWithResponse(r.a.ctx)
	if err != nil || channels.JSON200 == nil {
		return
	}
	if len(channels.JSON200.Items) == 0 {
		r.warn("alerts", "go nowhere", "declare a channel by ALERTS, and try it with `explorer alerts test`")
	}
	open, limit := true, 20
	alerts, err := cl.ListAlertsWithResponse(r.a.ctx, &api.ListAlertsParams{Open: &open, Limit: &limit})
	if err != nil || alerts.JSON200 == nil {
		return
	}
	for _, a := range alerts.JSON200.Items {
		r.warn("alert", a.Title+" since "+when(&a.OpenedAt), "explorer alerts --open")
	}
}
