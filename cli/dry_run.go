package cli

import (
	"github.com/parliament-explorer/parliament-explorer/api"
)

type sensorsDryRunCmd struct{ sensorFlags }

// Run shows what an evaluation would do.
func (c *sensorsDryRunCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.DryRunSensorWithResponse(a.ctx, c.Sensor)
	if err != nil {
		return cl.unreachable(err)
	}
	d, err := got(cl, resp.JSON200, resp.HTTPResponse, resp.Body)
	if err != nil {
		return err
	}
	return a.showDryRun(c.Sensor, d, resp.Body, c.JSON)
}

// showDryRun prints a dry run; one that failed is a failure of the command.
func (a *app) showDryRun(name string, d *api.DryRun, body []byte, asJSON bool) error {
	var err error
	if asJSON {
		err = printJSON(a.out, body)
	} else {
		a.printDryRun(name, d)
	}
	if err == nil && d.Status == api.TickStatusFailure {
		return &exitError{code: exitFailure}
	}
	return err
}

func (a *app) printDryRun(name string, d *api.DryRun) {
	printf(a.out, "%s: %s", name, d.Status)
	if d.Message != nil {
		printf(a.out, ": %s", *d.Message)
	}
	printLine(a.out)
	for _, r := range d.Runs {
		verb := "would start"
		if r.Repeated {
			verb = "started before:"
		}
		printf(a.out, "%s %s", verb, subject(r.Job, r.Assets))
		if r.Partition != nil {
			printf(a.out, ", partition %s", *r.Partition)
		}
		if r.RunKey != nil {
			printf(a.out, ", run key %s", *r.RunKey)
		}
		printf(a.out, ", config %s", r.Config)
		for _, tag := range tagList(r.Tags) {
			printf(a.out, ", tag %s", tag)
		}
		printLine(a.out)
	}
	for _, alert := range d.Alerts {
		printf(a.out, "would raise the alert %s: %s\n", alert.Cause, alert.Title)
	}
	for _, cause := range d.Recovered {
		printf(a.out, "would clear the alert %s\n", cause)
	}
	if text(d.CursorBefore) != text(d.CursorAfter) {
		printf(a.out, "cursor %s -> %s\n", text(d.CursorBefore), text(d.CursorAfter))
	}
	printLine(a.out, "nothing was started or recorded")
}
