package cli

import (
	"io"
	"slices"
	"strings"

	"github.com/parliament-explorer/parliament-explorer/api"
)

type runsCmd struct {
	List   runsListCmd   `cmd:"" default:"withargs" help:"List runs, newest first."`
	Show   runsShowCmd   `cmd:"" help:"Show a run with its steps and materializations."`
	Watch  runsWatchCmd  `cmd:"" help:"Follow a run's log to its end."`
	Cancel runsCancelCmd `cmd:"" help:"Cancel a run."`
	Retry  runsRetryCmd  `cmd:"" help:"Retry a run that has ended."`
}

type runsListCmd struct {
	serverFlags
	Status    []string `help:"Only runs with this status, or with one of several: --status failure,canceled." placeholder:"STATUS"`
	NotStatus []string `help:"Only runs without this status; may be repeated." placeholder:"STATUS"`
	Job       string   `help:"Only runs of this job."`
	Asset     string   `help:"Only runs with this asset."`
	Tag       []string `help:"Only runs with this tag, as key:value; may be repeated." placeholder:"KEY:VALUE"`
	Limit     int      `default:"20" help:"Maximum number of entries to list."`
	Count     bool     `help:"Also print the total number."`
}

// Run lists runs.
func (c *runsListCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	p := &api.ListRunsParams{Limit: &c.Limit, Count: &c.Count}
	statuses := slices.Clone(c.Status)
	for _, s := range c.NotStatus {
		statuses = append(statuses, "-"+s)
	}
	if len(statuses) > 0 {
		s := api.RunStatus(strings.Join(statuses, ","))
		p.Status = &s
	}
	if c.Job != "" {
		p.Job = &c.Job
	}
	if c.Asset != "" {
		p.Asset = &c.Asset
	}
	if len(c.Tag) > 0 {
		p.Tag = &c.Tag
	}
	resp, err := cl.ListRunsWithResponse(a.ctx, p)
	if err != nil {
		return cl.unreachable(err)
	}
	if resp.JSON200 == nil {
		return cl.problem(resp.HTTPResponse, resp.Body)
	}
	if c.JSON {
		return printJSON(a.out, resp.Body)
	}
	if err := printRuns(a.out, resp.JSON200.Items); err != nil {
		return err
	}
	return a.printTotal(len(resp.JSON200.Items), resp.JSON200.Total, resp.JSON200.TotalCapped)
}

func printRuns(out io.Writer, runs []api.Run) error {
	w := newTable(out, "RUN", "STATUS", "WHAT", "BY", "CREATED", "ENDED")
	for _, r := range runs {
		by := r.Trigger.Kind
		if r.Trigger.Name != nil && (r.Trigger.Kind == "schedule" || r.Trigger.Kind == "sensor") {
			by = *r.Trigger.Name
		}
		w.row(r.ID, r.Status, subject(r.Job, r.Assets), by, when(&r.CreatedAt), when(r.EndedAt))
	}
	return w.flush()
}

// subject returns the job of a run, or its assets.
func subject(job *string, assets []string) string {
	if job != nil {
		return *job
	}
	return strings.Join(assets, ",")
}

type runsShowCmd struct {
	serverFlags
	ID string `arg:"" help:"The run's id."`
}

// Run shows a run.
func (c *runsShowCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	run, raw, err := cl.run(a.ctx, c.ID)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.out, raw)
	}
	printf(a.out, "run      %s\nstatus   %s\njob      %s\nby       %s %s\n"+
		"created  %s\nstarted  %s\nended    %s\nconfig   %s\n", run.ID, run.Status, text(run.Job), run.Trigger.Kind,
		text(run.Trigger.Name), when(&run.CreatedAt),
		when(run.StartedAt), when(run.EndedAt), run.Config)
	printLine(a.out)
	w := newTable(a.out, "STEP", "STATUS", "ATTEMPT", "ENDED", "ERROR")
	for _, s := range run.Steps {
		message := ""
		if s.Error != nil {
			message = s.Error.Message
		}
		w.row(s.Asset, s.Status, s.Attempt, when(s.EndedAt), message)
	}
	if err := w.flush(); err != nil {
		return err
	}
	return printMaterializations(a.out, run.Materializations)
}

type runsWatchCmd struct {
	serverFlags
	logFlags
	ID string `arg:"" optional:"" help:"The run's id; without it, the newest run."`
}

// Run follows a run; the exit code says how it ended.
func (c *runsWatchCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	if c.ID == "" {
		newest, err := cl.ListRunsWithResponse(a.ctx, &api.ListRunsParams{Limit: new(1)})
		switch {
		case err != nil:
			return cl.unreachable(err)
		case newest.JSON200 == nil:
			return cl.problem(newest.HTTPResponse, newest.Body)
		case len(newest.JSON200.Items) == 0:
			return usage("there is no run yet; start one with `explorer materialize`")
		}
		return a.followRun(cl, &newest.JSON200.Items[0], nil, true, c.JSON, c.logFlags)
	}
	run, _, err := cl.run(a.ctx, c.ID)
	if err != nil {
		return err
	}
	return a.followRun(cl, &api.Run{ID: run.ID, Job: run.Job, Assets: run.Assets, Trigger: run.Trigger,
		CreatedAt: run.CreatedAt}, nil, true, c.JSON, c.logFlags)
}

type runsCancelCmd struct {
	serverFlags
	ID string `arg:"" help:"The run's id."`
}

// Run cancels a run.
func (c *runsCancelCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.CancelRunWithResponse(a.ctx, c.ID)
	if err != nil {
		return cl.unreachable(err)
	}
	if resp.JSON202 == nil {
		return cl.problem(resp.HTTPResponse, resp.Body)
	}
	if c.JSON {
		return printJSON(a.out, resp.Body)
	}
	printf(a.out, "run %s is %s\n", resp.JSON202.ID, resp.JSON202.Status)
	return nil
}

type runsRetryCmd struct {
	serverFlags
	logFlags
	ID          string `arg:"" help:"The run's id."`
	FromFailure bool   `help:"Only the assets that did not succeed, and those whose blocking check did not pass."`
	Priority    int    `help:"Priority of the new run: 1 goes first, 4 last. Default: that of the old run." placeholder:"N"`
	Follow      bool   `default:"true" negatable:"" help:"Follow the new run to its end."`
}

// Run retries a run.
func (c *runsRetryCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	body := api.RetryRunRequest{FromFailure: &c.FromFailure}
	if c.Priority != 0 {
		body.Priority = &c.Priority
	}
	resp, err := cl.RetryRunWithResponse(a.ctx, c.ID, nil, body)
	if err != nil {
		return cl.unreachable(err)
	}
	if resp.JSON202 == nil {
		return cl.problem(resp.HTTPResponse, resp.Body)
	}
	return a.followRun(cl, resp.JSON202, resp.Body, c.Follow, c.JSON, c.logFlags)
}
