package cli

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/parliament-explorer/parliament-explorer/api"
)

type backfillCmd struct {
	Start  backfillStartCmd  `cmd:"" help:"Materialize partitions of assets, a few at a time."`
	List   backfillListCmd   `cmd:"" help:"List backfills, newest first."`
	Watch  backfillWatchCmd  `cmd:"" help:"Show a backfill's progress to its end."`
	Pause  backfillPauseCmd  `cmd:"" help:"Start no further run of a backfill."`
	Resume backfillResumeCmd `cmd:"" help:"Resume a paused backfill."`
	Cancel backfillCancelCmd `cmd:"" help:"Cancel a backfill and its runs."`
	Retry  backfillRetryCmd  `cmd:"" help:"Retry the failed partitions of a backfill."`
}

type backfillStartCmd struct {
	serverFlags
	configFlags
	Selection   string            `arg:"" help:"The assets: a name, or a selection such as group:bills."`
	Partition   []string          `help:"A partition; may be repeated. Without a partition or a range, all partitions." placeholder:"KEY"`
	From        *string           `help:"The first partition of a range; default: the first of all." placeholder:"KEY"`
	To          *string           `help:"The last partition of a range; default: the last of all." placeholder:"KEY"`
	Only        string            `enum:"missing,failed," default:"" help:"Only partitions that are missing, or that failed."`
	Concurrency int               `default:"2" help:"Maximum number of concurrent runs."`
	Priority    int               `default:"3" help:"Priority of the runs: 1 goes first, 4 last."`
	Tag         map[string]string `help:"A tag of the runs, as key=value; may be repeated." placeholder:"KEY=VALUE"`
	DryRun      bool              `help:"Print what would be done, without doing it."`
	Follow      bool              `default:"true" negatable:"" help:"Show the progress to the end; the exit code reports the result."`
}

// Run starts a backfill, or prints what it would do.
func (c *backfillStartCmd) Run(a *app) error {
	config, err := c.json()
	if err != nil {
		return err
	}
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	body := api.StartBackfillRequest{Selection: &c.Selection, Concurrency: &c.Concurrency, Priority: &c.Priority,
		Config: config, DryRun: &c.DryRun}
	if len(c.Partition) > 0 {
		body.Partitions = &c.Partition
	}
	// An empty bound is a shell variable that is not set: it must not mean all partitions.
	for flag, bound := range map[string]*string{"--from": c.From, "--to": c.To} {
		if bound != nil && *bound == "" {
			return usage("%s is empty: want a partition", flag)
		}
	}
	if c.From != nil || c.To != nil {
		body.Range = &api.PartitionRange{From: c.From, To: c.To}
	}
	if c.Only != "" {
		only := api.StartBackfillRequestOnly(c.Only)
		body.Only = &only
	}
	if len(c.Tag) > 0 {
		tags := api.Tags(c.Tag)
		body.Tags = &tags
	}
	resp, err := cl.StartBackfillWithResponse(a.ctx, nil, body)
	if err != nil {
		return cl.unreachable(err)
	}
	if p := resp.JSON200; p != nil {
		if c.JSON {
			return printJSON(a.out, resp.Body)
		}
		printf(a.out, "would start %d runs of %s, %d at a time, for these partitions of %s:\n", p.Runs,
			strings.Join(p.Assets, ", "), p.Concurrency, p.PartitionSet)
		for _, key := range p.Partitions {
			printLine(a.out, key)
		}
		return nil
	}
	b, err := got(cl, resp.JSON202, resp.HTTPResponse, resp.Body)
	if err != nil {
		return err
	}
	if !c.Follow {
		if c.JSON {
			return printJSON(a.out, resp.Body)
		}
		printLine(a.out, b.ID)
		return nil
	}
	return a.watchBackfill(cl, b.ID.String(), c.JSON)
}

// watchBackfill shows a backfill's progress until it ends.
func (a *app) watchBackfill(cl *client, id string, asJSON bool) error {
	var bar *progressbar.ProgressBar
	f, isFile := a.err.(*os.File)
	tty := isFile && term.IsTerminal(int(f.Fd())) && obeysEscapes(f)
	last := ""
	for {
		resp, err := cl.GetBackfillWithResponse(a.ctx, id)
		if a.ctx.Err() != nil {
			return fmt.Errorf("no longer following backfill %s, which continues; follow it again with "+
				"`explorer backfill watch %s`, or cancel it with `explorer backfill cancel %s`", id, id, id)
		}
		if err != nil {
			return cl.unreachable(err)
		}
		b, err := got(cl, resp.JSON200, resp.HTTPResponse, resp.Body)
		if err != nil {
			return err
		}
		n := b.Counts
		line := sprintf("%s: %d of %d done, %d running, %d failed", b.Status, n.Success, b.Total, n.Running, n.Failure)
		switch {
		case tty && bar == nil:
			bar = progressbar.NewOptions(b.Total, progressbar.OptionSetWriter(a.err), progressbar.OptionShowCount(),
				progressbar.OptionFullWidth(), progressbar.OptionSetPredictTime(false))
			fallthrough
		case tty:
			bar.Describe(line)
			_ = bar.Set(n.Success + n.Failure)
		case line != last:
			printLine(a.err, line)
		}
		last = line
		if b.EndedAt != nil {
			if bar != nil {
				_ = bar.Exit() // what was canceled is not done
				printLine(a.err)
			}
			if asJSON {
				if err := printJSON(a.out, resp.Body); err != nil {
					return err
				}
			} else {
				printf(a.out, "backfill %s: %s: %d succeeded, %d failed, %d canceled, %d not started\n", b.ID, b.Status, n.Success,
					n.Failure, n.Canceled-n.NotStarted, n.NotStarted)
			}
			if b.Status == api.BackfillStatusFailure {
				return &exitError{code: exitFailure}
			}
			if b.Status == api.BackfillStatusCanceled {
				return &exitError{code: exitCanceled}
			}
			return nil
		}
		select {
		case <-a.ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
	}
}

type backfillListCmd struct {
	serverFlags
	Status string `help:"Only backfills of this status."`
	Limit  int    `default:"20" help:"Maximum number of entries to list."`
}

// Run lists backfills.
func (c *backfillListCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	p := &api.ListBackfillsParams{Limit: &c.Limit}
	if c.Status != "" {
		status := api.BackfillStatus(c.Status)
		p.Status = &status
	}
	resp, err := cl.ListBackfillsWithResponse(a.ctx, p)
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
	w := newTable(a.out, "BACKFILL", "STATUS", "ASSETS", "DONE", "FAILED", "CANCELED", "NOT STARTED",
		"TOTAL", "CREATED", "ENDED")
	for _, b := range list.Items {
		w.row(b.ID, b.Status, strings.Join(b.Assets, ","), b.Counts.Success, b.Counts.Failure,
			b.Counts.Canceled-b.Counts.NotStarted, b.Counts.NotStarted, b.Total, when(&b.CreatedAt), when(b.EndedAt))
	}
	return w.flush()
}

type backfillFlags struct {
	serverFlags
	ID string `arg:"" help:"The backfill's id."`
}

type backfillWatchCmd struct{ backfillFlags }

// Run follows a backfill.
func (c *backfillWatchCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	return a.watchBackfill(cl, c.ID, c.JSON)
}

type backfillPauseCmd struct{ backfillFlags }

// Run pauses a backfill.
func (c *backfillPauseCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.PauseBackfillWithResponse(a.ctx, c.ID)
	if err != nil {
		return cl.unreachable(err)
	}
	b, err := got(cl, resp.JSON202, resp.HTTPResponse, resp.Body)
	return c.changed(a, b, resp.Body, err)
}

type backfillResumeCmd struct{ backfillFlags }

// Run resumes a backfill.
func (c *backfillResumeCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.ResumeBackfillWithResponse(a.ctx, c.ID)
	if err != nil {
		return cl.unreachable(err)
	}
	b, err := got(cl, resp.JSON202, resp.HTTPResponse, resp.Body)
	return c.changed(a, b, resp.Body, err)
}

type backfillCancelCmd struct{ backfillFlags }

// Run cancels a backfill.
func (c *backfillCancelCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.CancelBackfillWithResponse(a.ctx, c.ID)
	if err != nil {
		return cl.unreachable(err)
	}
	b, err := got(cl, resp.JSON202, resp.HTTPResponse, resp.Body)
	return c.changed(a, b, resp.Body, err)
}

type backfillRetryCmd struct {
	backfillFlags
	Follow bool `default:"true" negatable:"" help:"Show the progress to the end."`
}

// Run retries the failed partitions of a backfill.
func (c *backfillRetryCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.RetryBackfillWithResponse(a.ctx, c.ID)
	if err != nil {
		return cl.unreachable(err)
	}
	b, err := got(cl, resp.JSON202, resp.HTTPResponse, resp.Body)
	if err != nil || !c.Follow {
		return c.changed(a, b, resp.Body, err)
	}
	return a.watchBackfill(cl, b.ID.String(), c.JSON)
}

func (c *backfillFlags) changed(a *app, b *api.BackfillAccepted, body []byte, err error) error {
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.out, body)
	}
	printf(a.out, "backfill %s is %s\n", b.ID, b.Status)
	return nil
}

type partitionsCmd struct {
	serverFlags
	Asset  string `arg:"" help:"The asset's name."`
	Status string `enum:"missing,materialized,failed,running," default:"" help:"Only partitions with this status."`
}

// Run lists an asset's partitions.
func (c *partitionsCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.ListAssetPartitionsWithResponse(a.ctx, c.Asset)
	if err != nil {
		return cl.unreachable(err)
	}
	all, err := got(cl, resp.JSON200, resp.HTTPResponse, resp.Body)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.out, resp.Body)
	}
	w := newTable(a.out, "PARTITION", "STATUS", "MATERIALIZED", "RUN")
	for _, p := range all.Items {
		if c.Status != "" && string(p.Status) != c.Status {
			continue
		}
		run := "-"
		if p.RunID != nil {
			run = p.RunID.String()
		}
		w.row(p.Key, p.Status, when(p.MaterializedAt), run)
	}
	return w.flush()
}
