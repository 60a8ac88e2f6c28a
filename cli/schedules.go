package cli

import (
	"net/http"

	"github.com/parliament-explorer/parliament-explorer/api"
)

type schedulesCmd struct {
	List   schedulesListCmd   `cmd:"" default:"withargs" help:"List the schedules."`
	Start  schedulesStartCmd  `cmd:"" help:"Start a schedule."`
	Stop   schedulesStopCmd   `cmd:"" help:"Stop a schedule."`
	Run    schedulesRunCmd    `cmd:"" help:"Run a schedule's job now."`
	DryRun schedulesDryRunCmd `cmd:"" help:"Show what a schedule would do now, and start nothing."`
	Ticks  schedulesTicksCmd  `cmd:"" help:"List the ticks of a schedule."`
}

type schedulesListCmd struct{ serverFlags }

// Run lists schedules.
func (c *schedulesListCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.ListSchedulesWithResponse(a.ctx)
	if err != nil {
		return cl.unreachable(err)
	}
	if resp.JSON200 == nil {
		return cl.problem(resp.HTTPResponse, resp.Body)
	}
	if c.JSON {
		return printJSON(a.out, resp.Body)
	}
	w := newTable(a.out, "SCHEDULE", "STATE", "CRON", "TIME ZONE", "JOB", "NEXT", "LAST")
	for _, s := range resp.JSON200.Items {
		state, next, last := "stopped", "-", "-"
		if s.Running {
			state = "running"
			if len(s.NextTicks) > 0 {
				next = when(&s.NextTicks[0])
			}
		}
		if s.LastTick != nil {
			last = when(&s.LastTick.CreatedAt)
		}
		w.row(s.Name, state, s.Cron, s.TimeZone, s.Job, next, last)
	}
	return w.flush()
}

type scheduleFlags struct {
	serverFlags
	Schedule string `arg:"" help:"The schedule's name."`
}

type schedulesStartCmd struct{ scheduleFlags }

// Run starts a schedule.
func (c *schedulesStartCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.StartScheduleWithResponse(a.ctx, c.Schedule)
	if err != nil {
		return cl.unreachable(err)
	}
	return c.changed(a, cl, resp.JSON200, resp.HTTPResponse, resp.Body)
}

type schedulesStopCmd struct{ scheduleFlags }

// Run stops a schedule.
func (c *schedulesStopCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.StopScheduleWithResponse(a.ctx, c.Schedule)
	if err != nil {
		return cl.unreachable(err)
	}
	return c.changed(a, cl, resp.JSON200, resp.HTTPResponse, resp.Body)
}

func (c *scheduleFlags) changed(a *app, cl *client, s *api.ScheduleState, resp *http.Response, body []byte) error {
	switch {
	case s == nil:
		return cl.problem(resp, body)
	case c.JSON:
		return printJSON(a.out, body)
	case s.Running && len(s.NextTicks) > 0:
		printf(a.out, "%s is running; next tick %s\n", s.Name, when(&s.NextTicks[0]))
	case s.Running:
		printf(a.out, "%s is running\n", s.Name)
	default:
		printf(a.out, "%s is stopped\n", s.Name)
	}
	return nil
}

type schedulesRunCmd struct {
	scheduleFlags
	logFlags
	Follow bool `default:"true" negatable:"" help:"Follow the run to its end."`
}

// Run runs a schedule's job.
func (c *schedulesRunCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.RunScheduleWithResponse(a.ctx, c.Schedule, nil)
	if err != nil {
		return cl.unreachable(err)
	}
	if resp.JSON202 == nil {
		return cl.problem(resp.HTTPResponse, resp.Body)
	}
	return a.followRun(cl, resp.JSON202, resp.Body, c.Follow, c.JSON, c.logFlags)
}

type schedulesDryRunCmd struct{ scheduleFlags }

// Run shows what a tick would do.
func (c *schedulesDryRunCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.DryRunScheduleWithResponse(a.ctx, c.Schedule)
	if err != nil {
		return cl.unreachable(err)
	}
	d, err := got(cl, resp.JSON200, resp.HTTPResponse, resp.Body)
	if err != nil {
		return err
	}
	return a.showDryRun(c.Schedule, d, resp.Body, c.JSON)
}

type schedulesTicksCmd struct {
	scheduleFlags
	Limit int `default:"20" help:"Maximum number of entries to list."`
}

// Run lists ticks.
func (c *schedulesTicksCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.ListScheduleTicksWithResponse(a.ctx, c.Schedule, &api.ListScheduleTicksParams{Limit: &c.Limit})
	if err != nil {
		return cl.unreachable(err)
	}
	if resp.JSON200 == nil {
		return cl.problem(resp.HTTPResponse, resp.Body)
	}
	if c.JSON {
		return printJSON(a.out, resp.Body)
	}
	w := newTable(a.out, "SCHEDULED FOR", "KIND", "STATUS", "RUN", "MESSAGE")
	for _, t := range resp.JSON200.Items {
		run := "-"
		if t.RunID != nil {
			run = t.RunID.String()
		}
		w.row(when(&t.ScheduledFor), t.Kind, t.Status, run, text(t.Message))
	}
	return w.flush()
}
