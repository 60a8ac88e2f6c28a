package cli

import (
	"github.com/parliament-explorer/parliament-explorer/api"
)

type sensorsRunKeysCmd struct {
	List   sensorsRunKeysListCmd   `cmd:"" default:"withargs" help:"List the run keys of a sensor, newest first."`
	Forget sensorsRunKeysForgetCmd `cmd:"" help:"Forget a run key, so that the sensor may start a run with it again."`
}

type sensorsRunKeysListCmd struct {
	sensorFlags
	Prefix string `help:"Only keys with this prefix." placeholder:"TEXT"`
	Limit  int    `default:"20" help:"Maximum number of entries to list."`
	Count  bool   `help:"Also print the total number."`
}

// Run lists run keys.
func (c *sensorsRunKeysListCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	p := &api.ListSensorRunKeysParams{Limit: &c.Limit, Count: &c.Count}
	if c.Prefix != "" {
		p.Prefix = &c.Prefix
	}
	resp, err := cl.ListSensorRunKeysWithResponse(a.ctx, c.Sensor, p)
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
	w := newTable(a.out, "KEY", "RUN", "CREATED")
	for _, k := range list.Items {
		w.row(k.Key, k.RunID, when(&k.CreatedAt))
	}
	if err := w.flush(); err != nil {
		return err
	}
	return a.printTotal(len(list.Items), list.Total, list.TotalCapped)
}

type sensorsRunKeysForgetCmd struct {
	sensorFlags
	RunKey string `arg:"" name:"run-key" help:"The run key."`
}

// Run forgets a run key.
func (c *sensorsRunKeysForgetCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.ForgetSensorRunKeyWithResponse(a.ctx, c.Sensor, &api.ForgetSensorRunKeyParams{Key: c.RunKey})
	if err != nil {
		return cl.unreachable(err)
	}
	k, err := got(cl, resp.JSON200, resp.HTTPResponse, resp.Body)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.out, resp.Body)
	}
	err = writef(a.out, "%s forgot %s, which had started run %s\n", c.Sensor, k.Key, k.RunID)
	return err
}

// printTotal prints the number of all items of a list, if it was counted.
func (a *app) printTotal(shown int, total *api.Total, capped *api.TotalCapped) error {
	if total == nil {
		return nil
	}
	more := ""
	if capped != nil && *capped {
		more = "+"
	}
	err := writef(a.out, "%d of %d%s\n", shown, *total, more)
	return err
}
