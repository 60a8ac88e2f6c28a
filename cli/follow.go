package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db"
)

// logFlags select the lines of a run's log.
type logFlags struct {
	Level  string `enum:"debug,info,warn,error," default:"" help:"Only lines of this level and above: debug, info, warn or error."`
	Step   string `help:"Only lines of this asset's step." placeholder:"ASSET"`
	Grep   string `help:"Only lines with this text in message, type or data. Case is ignored." placeholder:"TEXT"`
	After  int64  `help:"Only events after the one with this id." placeholder:"ID"`
	Data   bool   `help:"Show the data of each line too."`
	Events bool   `help:"Print only the events, one JSON object per line."`
}

var levels = []api.EventLevel{api.Debug, api.Info, api.Warn, api.Error}

func (f logFlags) wants(e api.Event) bool {
	text := strings.ToLower(f.Grep)
	return (f.Level == "" || slices.Index(levels, e.Level) >= slices.Index(levels, api.EventLevel(f.Level))) &&
		(f.Step == "" || deref(e.Asset) == f.Step) &&
		(text == "" || strings.Contains(strings.ToLower(e.Message), text) || strings.Contains(e.Type, text) ||
			strings.Contains(strings.ToLower(string(e.Data)), text))
}

// follow shows the events of a run until it ends. If the connection breaks, it resumes without loss.
func (c *client) follow(ctx context.Context, id uuid.UUID, after int64, show func(api.Event)) error {
	for e, err := range api.FollowRun(ctx, c, id.String(), after) {
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

// viewer prints events as lines and, on a terminal, progress as a bar.
type viewer struct {
	w       io.Writer
	log     logFlags
	several bool // steps: lines say of which they are
	tty     bool
	color   bool
	bar     *progressbar.ProgressBar
	asset   string
	stats   time.Time
}

func newViewer(w io.Writer, log logFlags, several bool) *viewer {
	v := &viewer{w: w, log: log, several: several}
	if f, ok := w.(*os.File); ok {
		v.tty = term.IsTerminal(int(f.Fd())) && obeysEscapes(f)
		v.color = v.tty && os.Getenv("NO_COLOR") == ""
	}
	return v
}

// paint colors a text and makes it printable.
func (v *viewer) paint(code, s string) painted {
	s = db.Printable(s, 0)
	if v.color && code != "" {
		s = "\x1b[" + code + "m" + s + "\x1b[0m"
	}
	return painted(s)
}

// begin prints the run's id and its address in the web UI.
func (v *viewer) begin(base string, run *api.Run) {
	what := strings.Join(run.Assets, ", ")
	if run.Job != nil {
		what = *run.Job + " (" + what + ")"
	}
	printf(v.w, "run %s\n%s\n", run.ID, v.paint("2", what+"  "+base+"/ui/runs/"+run.ID.String()))
}

// end prints a summary of the steps, if there are several or if one was retried.
func (v *viewer) end(run *api.RunDetail) {
	again := slices.ContainsFunc(run.Steps, func(s api.Step) bool { return s.Attempt > 1 })
	if len(run.Steps) < 2 && !again {
		return
	}
	printLine(v.w)
	w := newTable(v.w, "STEP", "STATUS", "ATTEMPTS", "TOOK")
	for _, s := range run.Steps {
		took := "-"
		if s.StartedAt != nil && s.EndedAt != nil {
			took = s.EndedAt.Sub(*s.StartedAt).Round(time.Millisecond).String()
		}
		w.row(s.Asset, s.Status, s.Attempt, took)
	}
	_ = w.flush() // standard error
}

func (v *viewer) show(e api.Event) {
	if e.Type == "progress" {
		if v.log.Step == "" || deref(e.Asset) == v.log.Step {
			v.progress(e)
		}
		return
	}
	if v.bar != nil && e.Type != "log" {
		_ = v.bar.Finish()
		v.bar = nil
		printLine(v.w)
	}
	if !v.log.wants(e) {
		return
	}
	if v.bar != nil {
		_ = v.bar.Clear()
	}
	printLine(v.w, v.line(e))
}

func (v *viewer) line(e api.Event) painted {
	mark := map[api.EventLevel]string{api.Error: "31", api.Warn: "33", api.Debug: "2"}[e.Level]
	if e.Type == "run_success" {
		mark = "32"
	}
	asset := ""
	if v.several {
		asset = fmt.Sprintf("%-28s  ", deref(e.Asset))
	}
	text := e.Message
	if deref(e.Attempt) > 1 {
		text += fmt.Sprintf(" (attempt %d)", *e.Attempt)
	}
	line := v.paint(mark, fmt.Sprintf("%s  %-5s  %s%s", e.At.Local().Format("15:04:05.000"), e.Level, asset, text))
	if v.log.Data && len(e.Data) > 0 && string(e.Data) != "null" {
		line += "  " + v.paint("2", string(e.Data))
	}
	return line
}

func (v *viewer) progress(e api.Event) {
	var p struct{ Done, Total int }
	if json.Unmarshal(e.Data, &p) != nil || p.Total == 0 {
		return
	}
	if !v.tty {
		if !v.log.wants(e) {
			return
		}
		// A line a second is enough for a log.
		if time.Since(v.stats) >= time.Second || p.Done == p.Total {
			v.stats = time.Now()
			printf(v.w, "%s  %-5s  %s\n", e.At.Local().Format("15:04:05.000"), e.Level, e.Message)
		}
		return
	}
	if v.bar == nil || v.asset != deref(e.Asset) {
		v.asset = deref(e.Asset)
		v.bar = progressbar.NewOptions(p.Total, progressbar.OptionSetWriter(v.w),
			progressbar.OptionSetDescription(db.Printable(v.asset, 0)), progressbar.OptionSetWidth(30),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true))
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

// exitOf returns the exit code for the status of a run.
func exitOf(run *api.RunDetail) error {
	switch run.Status {
	case api.RunStatusSuccess:
		return nil
	case api.RunStatusCanceled:
		return &exitError{code: exitCanceled, message: fmt.Sprintf("run %s was canceled by %s", run.ID, text(run.CanceledBy))}
	default:
	}
	reason := "no reason was recorded"
	if run.Error != nil { // the run's own, such as that it took too long
		reason = run.Error.Message
	}
	for _, s := range run.Steps {
		if s.Error != nil && s.Status == api.StepStatusFailure {
			reason = s.Asset + ": " + s.Error.Message
		}
	}
	return &exitError{code: exitFailure, message: fmt.Sprintf("run %s ended as %s: %s", run.ID, run.Status, reason)}
}

// run requests a run with its materializations.
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
