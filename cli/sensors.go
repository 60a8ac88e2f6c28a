package cli

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/parliament-explorer/parliament-explorer/api"
)

type sensorsCmd struct {
	List     sensorsListCmd     `cmd:"" default:"withargs" help:"List the sensors."`
	Start    sensorsStartCmd    `cmd:"" help:"Start a sensor."`
	Stop     sensorsStopCmd     `cmd:"" help:"Stop a sensor."`
	Evaluate sensorsEvaluateCmd `cmd:"" help:"Evaluate a sensor now."`
	DryRun   sensorsDryRunCmd   `cmd:"" help:"Show what a sensor would do now, and start nothing."`
	Cursor   sensorsCursorCmd   `cmd:"" help:"Show, set or reset a sensor's cursor."`
	Ticks    sensorsTicksCmd    `cmd:"" help:"List the ticks of a sensor."`
	RunKeys  sensorsRunKeysCmd  `cmd:"" help:"List the run keys of a sensor, or forget one."`
}

// got returns the value of an answer, or the error of an answer without one.
func got[T any](cl *client, value *T, resp *http.Response, body []byte) (*T, error) {
	if value == nil {
		return nil, cl.problem(resp, body)
	}
	return value, nil
}

type sensorsListCmd struct{ serverFlags }

// Run lists sensors.
func (c *sensorsListCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.ListSensorsWithResponse(a.ctx)
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
	w := newTable(a.out, "SENSOR", "STATE", "KIND", "EVERY", "STARTS", "LAST", "STATUS", "MESSAGE")
	for _, s := range list.Items {
		state := "stopped"
		if s.Running {
			state = "running"
		}
		last, status, message := "-", "-", "-"
		if s.LastTick != nil {
			last, status, message = when(&s.LastTick.LastAt), string(s.LastTick.Status), text(s.LastTick.Message)
		}
		starts := strings.Join(s.Jobs, ",")
		if starts == "" {
			starts = "-"
		}
		w.row(s.Name, state, s.Kind, fmt.Sprintf("%gs", s.IntervalSeconds), starts, last, status, message)
	}
	return w.flush()
}

type sensorFlags struct {
	serverFlags
	Sensor string `arg:"" help:"The sensor's name."`
}

type sensorsStartCmd struct{ sensorFlags }

// Run starts a sensor.
func (c *sensorsStartCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.StartSensorWithResponse(a.ctx, c.Sensor)
	if err != nil {
		return cl.unreachable(err)
	}
	return c.changed(a, cl, resp.JSON200, resp.HTTPResponse, resp.Body)
}

type sensorsStopCmd struct{ sensorFlags }

// Run stops a sensor.
func (c *sensorsStopCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.StopSensorWithResponse(a.ctx, c.Sensor)
	if err != nil {
		return cl.unreachable(err)
	}
	return c.changed(a, cl, resp.JSON200, resp.HTTPResponse, resp.Body)
}

func (c *sensorFlags) changed(a *app, cl *client, s *api.SensorState, resp *http.Response, body []byte) error {
	s, err := got(cl, s, resp, body)
	switch {
	case err != nil:
		return err
	case c.JSON:
		return printJSON(a.out, body)
	case s.Running:
		printf(a.out, "%s is running; cursor %s\n", s.Name, text(s.Cursor))
	default:
		printf(a.out, "%s is stopped; cursor %s\n", s.Name, text(s.Cursor))
	}
	return nil
}

type sensorsEvaluateCmd struct{ sensorFlags }

// Run evaluates a sensor; an evaluation that failed is a failure of the command.
func (c *sensorsEvaluateCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.EvaluateSensorWithResponse(a.ctx, c.Sensor)
	if err != nil {
		return cl.unreachable(err)
	}
	t, err := got(cl, resp.JSON200, resp.HTTPResponse, resp.Body)
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(a.out, resp.Body)
	} else {
		printf(a.out, "%s: %s", c.Sensor, t.Status)
		if t.Message != nil {
			printf(a.out, ": %s", *t.Message)
		}
		printLine(a.out)
		for _, id := range t.RunIds {
			printf(a.out, "started run %s\n", id)
		}
	}
	if err == nil && t.Status == api.TickStatusFailure {
		return &exitError{code: exitFailure}
	}
	return err
}

type sensorsCursorCmd struct {
	sensorFlags
	Set   *string `help:"Set the cursor." placeholder:"CURSOR"`
	Reset bool    `help:"Reset the cursor, so that the next evaluation begins with the oldest events."`
}

// Run shows or changes a cursor.
func (c *sensorsCursorCmd) Run(a *app) error {
	if c.Set != nil && c.Reset {
		return usage("--set and --reset: want one of them")
	}
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	if c.Set != nil || c.Reset {
		resp, err := cl.SetSensorCursorWithResponse(a.ctx, c.Sensor, api.SensorCursor{Cursor: c.Set})
		if err != nil {
			return cl.unreachable(err)
		}
		return c.changed(a, cl, resp.JSON200, resp.HTTPResponse, resp.Body)
	}
	resp, err := cl.GetSensorCursorWithResponse(a.ctx, c.Sensor)
	if err != nil {
		return cl.unreachable(err)
	}
	cursor, err := got(cl, resp.JSON200, resp.HTTPResponse, resp.Body)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.out, resp.Body)
	}
	printLine(a.out, text(cursor.Cursor))
	return nil
}

type sensorsTicksCmd struct {
	sensorFlags
	Limit int `default:"20" help:"Maximum number of entries to list."`
}

// Run lists ticks.
func (c *sensorsTicksCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.ListSensorTicksWithResponse(a.ctx, c.Sensor, &api.ListSensorTicksParams{Limit: &c.Limit})
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
	w := newTable(a.out, "AT", "LAST", "TIMES", "KIND", "STATUS", "RUNS", "MESSAGE")
	for _, t := range list.Items {
		runs := "-"
		if n := len(t.RunIds); n == 1 {
			runs = t.RunIds[0].String()
		} else if n > 1 {
			runs = fmt.Sprintf("%d runs", n)
		}
		w.row(when(&t.CreatedAt), when(&t.LastAt), t.Evaluations, t.Kind, t.Status, runs, text(t.Message))
	}
	return w.flush()
}
