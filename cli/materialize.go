package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/parliament-explorer/parliament-explorer/api"
)

type materializeCmd struct {
	serverFlags
	logFlags
	configFlags
	Asset          string            `arg:"" help:"The asset's name, such as fetch_latest_bills, or a selection of several, such as group:bills or +bill_statistics."`
	Partition      string            `help:"The partition to materialize." placeholder:"KEY"`
	Priority       int               `default:"2" help:"Priority of the run: 1 goes first, 4 last."`
	Tag            map[string]string `help:"A tag of the run, as key=value; may be repeated." placeholder:"KEY=VALUE"`
	IdempotencyKey string            `help:"Start only one run for this key, however often the command is repeated." placeholder:"KEY"`
	Follow         bool              `default:"true" negatable:"" help:"Follow the run to its end; the exit code reports the result."`
}

// Run starts the run and follows it.
func (c *materializeCmd) Run(a *app) error {
	config, err := c.json()
	if err != nil {
		return err
	}
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	body := api.StartSelectionRequest{Selection: &c.Asset, Priority: &c.Priority, Config: config}
	if c.Partition != "" {
		body.Partition = &c.Partition
	}
	if len(c.Tag) > 0 {
		tags := api.Tags(c.Tag)
		body.Tags = &tags
	}
	params := &api.StartRunParams{}
	if c.IdempotencyKey != "" {
		params.IdempotencyKey = &c.IdempotencyKey
	}
	resp, err := cl.StartRunWithResponse(a.ctx, params, body)
	if err != nil {
		return cl.unreachable(err)
	}
	if resp.JSON202 == nil {
		return cl.problem(resp.HTTPResponse, resp.Body)
	}
	return a.followRun(cl, resp.JSON202, resp.Body, c.Follow, c.JSON, c.logFlags)
}

// followRun follows a run that was just started to its end, or only prints that it was started.
func (a *app) followRun(cl *client, run *api.Run, raw []byte, follow, asJSON bool, log logFlags) error {
	if !follow {
		if asJSON {
			return printJSON(a.out, raw)
		}
		printf(a.out, "%s\n", run.ID)
		return nil
	}
	v := newViewer(a.err, log, len(run.Assets) > 1)
	show := v.show
	switch {
	case log.Events:
		show = func(e api.Event) {
			if log.wants(e) {
				_ = encodeJSON(a.out, e) // a closed pipe ends the program by itself
			}
		}
	case asJSON:
		show = func(api.Event) {}
	default:
		v.begin(cl.base, run)
	}
	if err := cl.follow(a.ctx, run.ID, log.After, show); err != nil {
		if a.ctx.Err() != nil {
			return fmt.Errorf("no longer following run %s, which continues; follow it again with "+
				"`explorer runs watch %s`, or cancel it with `explorer runs cancel %s`", run.ID, run.ID, run.ID)
		}
		return err
	}
	detail, body, err := cl.run(a.ctx, run.ID.String())
	if err != nil {
		return err
	}
	switch {
	case log.Events:
	case asJSON:
		err = printJSON(a.out, body)
	default:
		v.end(detail)
		err = printMaterializations(a.out, detail.Materializations)
	}
	if err != nil {
		return err
	}
	return exitOf(detail)
}

// printMaterializations prints the metadata of each materialization as a table.
func printMaterializations(out io.Writer, ms []api.Materialization) error {
	w := newTable(out)
	for _, m := range ms {
		w.row()
		w.row(m.Asset, "")
		var md map[string]json.RawMessage
		if err := json.Unmarshal(m.Metadata, &md); err != nil {
			return err
		}
		for _, key := range slices.Sorted(maps.Keys(md)) {
			w.row("  "+key, strings.Trim(string(md[key]), `"`))
		}
	}
	return w.flush()
}
