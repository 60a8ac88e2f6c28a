package cli

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/api"
)

type assetsCmd struct {
	List        assetsListCmd  `cmd:"" default:"withargs" help:"List the assets."`
	Show        assetsShowCmd  `cmd:"" help:"Show an asset: its config, dependencies, checks and latest materializations."`
	Materialize materializeCmd `cmd:"" help:"Materialize an asset and follow the run; the same as explorer materialize."`
}

type assetsListCmd struct {
	serverFlags
	Selection string `arg:"" optional:"" help:"Only these assets, such as group:bills, +bill_statistics or fetch_*."`
}

// Run lists assets.
func (c *assetsListCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	p := &api.ListAssetsParams{}
	if c.Selection != "" {
		p.Selection = &c.Selection
	}
	resp, err := cl.ListAssetsWithResponse(a.ctx, p)
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
	w := newTable(a.out, "ASSET", "GROUP", "MATERIALIZED", "STATE", "DESCRIPTION")
	for _, asset := range list.Items {
		last := "-"
		if asset.LastMaterialization != nil {
			last = when(&asset.LastMaterialization.CreatedAt)
		}
		w.row(asset.Name, asset.Group, last, assetState(&asset), asset.Description)
	}
	return w.flush()
}

// assetState returns what needs attention: failed checks and the freshness; "-" if nothing is known.
func assetState(a *api.Asset) string {
	var state []string
	for _, c := range a.Checks {
		if c.LastResult != nil && !c.LastResult.Passed {
			state = append(state, "failed "+c.Name)
		}
	}
	if a.Freshness != nil {
		state = append(state, string(a.Freshness.State))
	}
	if len(state) == 0 {
		return "-"
	}
	return strings.Join(state, ", ")
}

type assetsShowCmd struct {
	serverFlags
	Asset string `arg:"" help:"The asset's name."`
	Limit int    `default:"5" help:"Maximum number of materializations to show."`
}

// Run shows an asset.
func (c *assetsShowCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.GetAssetWithResponse(a.ctx, c.Asset)
	if err != nil {
		return cl.unreachable(err)
	}
	asset, err := got(cl, resp.JSON200, resp.HTTPResponse, resp.Body)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.out, resp.Body)
	}
	recent, err := cl.ListAssetMaterializationsWithResponse(a.ctx, c.Asset,
		&api.ListAssetMaterializationsParams{Limit: &c.Limit})
	if err != nil {
		return cl.unreachable(err)
	}
	list, err := got(cl, recent.JSON200, recent.HTTPResponse, recent.Body)
	if err != nil {
		return err
	}
	return a.printAsset(asset, list.Items)
}

func (a *app) printAsset(asset *api.Asset, recent []api.Materialization) error {
	w := newTable(a.out)
	w.row("asset", asset.Name)
	w.row("group", asset.Group)
	w.row("description", asset.Description)
	w.row("upstream", names(asset.Dependencies))
	w.row("downstream", names(asset.Dependents))
	w.row("jobs", names(asset.Jobs))
	w.row("pools", names(asset.Pools))
	w.row("owners", names(asset.Owners))
	w.row("kinds", names(asset.Kinds))
	w.row("tags", names(tagList(asset.Tags)))
	w.row("attempts", sprintf("%d, the second after %s; each at most %s", asset.Retry.MaxAttempts,
		seconds(asset.Retry.DelaySeconds), seconds(asset.TimeoutSeconds)))
	if p := asset.Partitions; p != nil {
		w.row("partitions", sprintf("%s (%s); `explorer partitions %s` lists them", p.Name, p.Kind, asset.Name))
	}
	if f := asset.Freshness; f != nil {
		w.row("freshness", sprintf("%s; %s", f.State, f.Policy))
	}
	if m := asset.Automation; m != nil {
		w.row("automation", sprintf("%s, by %s; %s", m.Condition, m.Sensor, m.Reason))
	}
	if err := w.flush(); err != nil {
		return err
	}
	if err := a.printConfig(asset.ConfigSchema, asset.DefaultConfig); err != nil {
		return err
	}
	if err := a.printChecks(asset.Checks); err != nil {
		return err
	}
	return printMaterializationList(a, recent)
}

func (a *app) printChecks(checks []api.AssetCheck) error {
	if len(checks) == 0 {
		return nil
	}
	printLine(a.out)
	w := newTable(a.out, "CHECK", "BLOCKING", "RESULT", "WHEN", "MESSAGE")
	for _, c := range checks {
		blocking, result, at, message := "no", "-", "-", ""
		if c.Blocking {
			blocking = "yes"
		}
		if r := c.LastResult; r != nil {
			result, at, message = "failed", when(&r.CreatedAt), r.Message
			if r.Passed {
				result = "passed"
			}
		}
		w.row(c.Name, blocking, result, at, message)
	}
	return w.flush()
}

func printMaterializationList(a *app, ms []api.Materialization) error {
	if len(ms) == 0 {
		return nil
	}
	printLine(a.out)
	w := newTable(a.out, "MATERIALIZED", "PARTITION", "RUN", "METADATA")
	for _, m := range ms {
		w.row(when(&m.CreatedAt), text(m.Partition), m.RunID, m.Metadata)
	}
	return w.flush()
}

// configField is what a JSON Schema says of one field.
type configField struct {
	Type             json.RawMessage
	Description      string
	Enum             []json.RawMessage
	Minimum, Maximum *float64
	Format           string
	Items            *struct{ Type string }
}

// wants says what values the field accepts.
func (f configField) wants() string {
	var kinds []string
	var one string
	if json.Unmarshal(f.Type, &one) == nil {
		kinds = []string{one}
	} else {
		_ = json.Unmarshal(f.Type, &kinds) // anything else remains unnamed
	}
	out := strings.Join(kinds, " or ")
	number := func(n float64) string { return strconv.FormatFloat(n, 'f', -1, 64) }
	switch {
	case len(f.Enum) > 0:
		values := make([]string, len(f.Enum))
		for i, v := range f.Enum {
			values[i] = strings.Trim(string(v), `"`)
		}
		out = strings.Join(values, ", ")
	case f.Minimum != nil && f.Maximum != nil:
		out += " " + number(*f.Minimum) + "-" + number(*f.Maximum)
	case f.Minimum != nil:
		out += ", at least " + number(*f.Minimum)
	case f.Maximum != nil:
		out += ", at most " + number(*f.Maximum)
	case f.Items != nil && f.Items.Type != "":
		out += " of " + f.Items.Type
	case f.Format != "":
		out += " (" + f.Format + ")"
	}
	if out == "" {
		return "any"
	}
	return out
}

// printConfig prints the fields of a config with their defaults.
func (a *app) printConfig(schema api.JSONSchema, defaults api.Config) error {
	var s struct{ Properties map[string]configField }
	if err := json.Unmarshal(schema, &s); err != nil || len(s.Properties) == 0 {
		return nil //nolint:nilerr // a schema without properties describes no field
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(defaults, &values); err != nil {
		return err
	}
	printLine(a.out)
	w := newTable(a.out, "CONFIG", "WANTS", "DEFAULT", "DESCRIPTION")
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		value, ok := values[name]
		if !ok {
			value = json.RawMessage("-")
		}
		w.row(name, s.Properties[name].wants(), value, s.Properties[name].Description)
	}
	return w.flush()
}

func names(list []string) string {
	if len(list) == 0 {
		return "-"
	}
	return strings.Join(list, ", ")
}

// tagList returns tags as key:value, the form of filters.
func tagList(tags api.Tags) []string {
	out := make([]string, 0, len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, key+":"+tags[key])
	}
	return out
}

func seconds(n float64) string { return time.Duration(n * float64(time.Second)).String() }
