package cli

import (
	"github.com/parliament-explorer/parliament-explorer/api"
)

type jobsCmd struct {
	List jobsListCmd `cmd:"" default:"withargs" help:"List the jobs."`
	Show jobsShowCmd `cmd:"" help:"Show a job: its assets, config, tags and latest runs."`
	Run  jobsRunCmd  `cmd:"" help:"Run a job and follow the run."`
}

type jobsListCmd struct{ serverFlags }

// Run lists jobs.
func (c *jobsListCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.ListJobsWithResponse(a.ctx)
	if err != nil {
		return cl.unreachable(err)
	}
	list, err := got(cl, resp.JSON200, resp.HTTPResponse, resp.Body)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.out, resp.Body)
	}
	w := newTable(a.out, "JOB", "ASSETS", "SCHEDULES", "DESCRIPTION")
	for _, j := range list.Items {
		w.row(j.Name, names(j.Assets), names(j.Schedules), j.Description)
	}
	return w.flush()
}

type jobsShowCmd struct {
	serverFlags
	Job   string `arg:"" help:"The job's name."`
	Limit int    `default:"5" help:"Maximum number of runs to show."`
}

// Run shows a job.
func (c *jobsShowCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.GetJobWithResponse(a.ctx, c.Job)
	if err != nil {
		return cl.unreachable(err)
	}
	job, err := got(cl, resp.JSON200, resp.HTTPResponse, resp.Body)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.out, resp.Body)
	}
	runs, err := cl.ListRunsWithResponse(a.ctx, &api.ListRunsParams{Job: &c.Job, Limit: &c.Limit})
	if err != nil {
		return cl.unreachable(err)
	}
	list, err := got(cl, runs.JSON200, runs.HTTPResponse, runs.Body)
	if err != nil {
		return err
	}
	w := newTable(a.out)
	w.row("job", job.Name)
	w.row("description", job.Description)
	w.row("assets", names(job.Assets))
	w.row("schedules", names(job.Schedules))
	w.row("config", job.Config)
	w.row("tags", names(tagList(job.Tags)))
	if job.TimeoutSeconds != nil {
		w.row("time limit", seconds(*job.TimeoutSeconds))
	}
	if err := w.flush(); err != nil || len(list.Items) == 0 {
		return err
	}
	printLine(a.out)
	return printRuns(a.out, list.Items)
}

type jobsRunCmd struct {
	serverFlags
	logFlags
	configFlags
	Job            string            `arg:"" help:"The job's name."`
	Partition      string            `help:"The partition to materialize." placeholder:"KEY"`
	Priority       int               `help:"Priority of the run: 1 goes first, 4 last. Default: the priority of the job." placeholder:"N"`
	Tag            map[string]string `help:"A tag of the run, as key=value; may be repeated." placeholder:"KEY=VALUE"`
	IdempotencyKey string            `help:"Start only one run for this key, however often the command is repeated." placeholder:"KEY"`
	Follow         bool              `default:"true" negatable:"" help:"Follow the run to its end; the exit code reports the result."`
}

// Run starts a run of the job and follows it.
func (c *jobsRunCmd) Run(a *app) error {
	config, err := c.json()
	if err != nil {
		return err
	}
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	body := api.StartRunRequest{Config: config}
	if c.Partition != "" {
		body.Partition = &c.Partition
	}
	if c.Priority != 0 {
		body.Priority = &c.Priority
	}
	if len(c.Tag) > 0 {
		tags := api.Tags(c.Tag)
		body.Tags = &tags
	}
	params := &api.StartJobRunParams{}
	if c.IdempotencyKey != "" {
		params.IdempotencyKey = &c.IdempotencyKey
	}
	resp, err := cl.StartJobRunWithResponse(a.ctx, c.Job, params, body)
	if err != nil {
		return cl.unreachable(err)
	}
	if resp.JSON202 == nil {
		return cl.problem(resp.HTTPResponse, resp.Body)
	}
	return a.followRun(cl, resp.JSON202, resp.Body, c.Follow, c.JSON, c.logFlags)
}
