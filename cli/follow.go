package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/parliament-explorer/parliament-explorer/api"
)

// follow shows a run's events until it ends, going on where it was when the connection breaks.
func (c *client) follow(ctx context.Context, id uuid.UUID, show func(api.Event)) error {
	for e, err := range api.FollowRun(ctx, c, id.String(), 0) {
		var p *api.Problem
		if errors.As(err, &p) {
			return usage("%s", p.Detail)
		}
		if err != nil {
			return err
		}
		show(e)
	}
	return ctx.Err()
}

// viewer shows events to a person: lines, and on a terminal a bar for progress.
type viewer struct {
	w     io.Writer
	tty   bool
	color bool
	bar   *progressbar.ProgressBar
	asset string
	stats time.Time
}

func newViewer(w io.Writer) *viewer {
	v := &viewer{w: w}
	if f, ok := w.(*os.File); ok {
		v.tty = term.IsTerminal(int(f.Fd()))
		v.color = v.tty && os.Getenv("NO_COLOR") == ""
	}
	return v
}

func (v *viewer) show(e api.Event) {
	if e.Type == "progress" {
		v.progress(e)
		return
	}
	if v.bar != nil && e.Type != "log" {
		_ = v.bar.Finish()
		v.bar = nil
		fmt.Fprintln(v.w)
	}
	if v.bar != nil {
		_ = v.bar.Clear()
	}
	mark := map[api.EventLevel]string{"error": "\x1b[31m", "warn": "\x1b[33m", "debug": "\x1b[2m"}[e.Level]
	if e.Type == "run_success" {
		mark = "\x1b[32m"
	}
	line := fmt.Sprintf("%s  %-5s  %s", e.At.Local().Format("15:04:05.000"), e.Level, e.Message)
	if mark != "" && v.color {
		line = mark + line + "\x1b[0m"
	}
	fmt.Fprintln(v.w, line)
}

func (v *viewer) progress(e api.Event) {
	var p struct{ Done, Total int }
	if json.Unmarshal(e.Data, &p) != nil || p.Total == 0 {
		return
	}
	if !v.tty {
		// A line a second is enough for a log.
		if time.Since(v.stats) >= time.Second || p.Done == p.Total {
			v.stats = time.Now()
			fmt.Fprintf(v.w, "%s  %-5s  %s\n", e.At.Local().Format("15:04:05.000"), e.Level, e.Message)
		}
		return
	}
	if v.bar == nil || v.asset != deref(e.Asset) {
		v.asset = deref(e.Asset)
		v.bar = progressbar.NewOptions(p.Total, progressbar.OptionSetWriter(v.w), progressbar.OptionSetDescription(v.asset), progressbar.OptionSetWidth(30), progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true))
	}
	_ = v.bar.Set(p.Done)
}

func deref[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

// exitOf is the exit code that says how a run ended.
func exitOf(run *api.RunDetail) error {
	switch run.Status {
	case api.RunStatusSuccess:
		return nil
	case api.RunStatusCanceled:
		return &exitError{code: exitCanceled, message: fmt.Sprintf("run %s was canceled by %s", run.ID, text(run.CanceledBy))}
	default:
	}
	reason := "no reason was recorded"
	for _, s := range run.Steps {
		if s.Error != nil && s.Status == api.StepStatusFailure {
			reason = s.Asset + ": " + s.Error.Message
		}
	}
	return &exitError{code: exitFailure, message: fmt.Sprintf("run %s ended as %s: %s", run.ID, run.Status, reason)}
}

// run fetches a run with what it materialized.
func (c *client) run(ctx context.Context, id string) (*api.RunDetail, []byte, error) {
	resp, err := c.GetRunWithResponse(ctx, id, nil)
	if err != nil {
		return nil, nil, c.unreachable(err)
	}
	if resp.JSON200 == nil {
		return nil, nil, c.problem(resp.HTTPResponse, resp.Body)
	}
	return resp.JSON200, resp.Body, nil
}
