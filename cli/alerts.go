package cli

import (
	"github.com/parliament-explorer/parliament-explorer/api"
)

type alertsCmd struct {
	List       alertsListCmd       `cmd:"" default:"withargs" help:"List alerts, newest first."`
	Channels   alertsChannelsCmd   `cmd:"" help:"List the channels of alerts."`
	Test       alertsTestCmd       `cmd:"" help:"Send a test message to a channel."`
	Deliveries alertsDeliveriesCmd `cmd:"" help:"List the messages that were sent."`
}

type alertsListCmd struct {
	serverFlags
	Open  bool `help:"Only alerts that have not recovered."`
	Limit int  `default:"20" help:"Maximum number of entries to list."`
}

// Run lists alerts.
func (c *alertsListCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.ListAlertsWithResponse(a.ctx, &api.ListAlertsParams{Limit: &c.Limit, Open: &c.Open})
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
	w := newTable(a.out, "OPENED", "RECOVERED", "TIMES", "SEVERITY", "CAUSE", "TITLE")
	for _, al := range list.Items {
		w.row(when(&al.OpenedAt), when(al.RecoveredAt), al.Occurrences, al.Severity, al.Cause, al.Title)
	}
	return w.flush()
}

type alertsChannelsCmd struct{ serverFlags }

// Run lists channels.
func (c *alertsChannelsCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.ListAlertChannelsWithResponse(a.ctx)
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
	w := newTable(a.out, "CHANNEL", "KIND", "TARGET")
	for _, ch := range list.Items {
		w.row(ch.Name, ch.Kind, ch.Target)
	}
	return w.flush()
}

type alertsTestCmd struct {
	serverFlags
	Channel string `arg:"" help:"The channel's name."`
}

// Run sends a test message.
func (c *alertsTestCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	resp, err := cl.TestAlertChannelWithResponse(a.ctx, c.Channel)
	if err != nil {
		return cl.unreachable(err)
	}
	if _, err := got(cl, resp.JSON202, resp.HTTPResponse, resp.Body); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(a.out, resp.Body)
	}
	printf(a.out, "the test message is queued; see `explorer alerts deliveries --channel %s`\n", c.Channel)
	return nil
}

type alertsDeliveriesCmd struct {
	serverFlags
	Channel string `help:"Only messages to this channel."`
	Limit   int    `default:"20" help:"Maximum number of entries to list."`
}

// Run lists deliveries.
func (c *alertsDeliveriesCmd) Run(a *app) error {
	cl, err := c.client(a)
	if err != nil {
		return err
	}
	p := &api.ListAlertDeliveriesParams{Limit: &c.Limit}
	if c.Channel != "" {
		p.Channel = &c.Channel
	}
	resp, err := cl.ListAlertDeliveriesWithResponse(a.ctx, p)
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
	w := newTable(a.out, "CREATED", "CHANNEL", "KIND", "STATUS", "ATTEMPTS", "MESSAGE")
	for _, d := range list.Items {
		w.row(when(&d.CreatedAt), d.Channel, d.Kind, d.Status, d.Attempts, text(d.Message))
	}
	return w.flush()
}
