package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

type readyCmd struct {
	URL     string        `arg:"" optional:"" env:"READY_URL" default:"http://127.0.0.1:8080" help:"Address of a server, or HEALTH_ADDR of a worker, e.g. http://127.0.0.1:9090."`
	Timeout time.Duration `default:"4s" help:"How long to wait for the answer."`
}

// Run requests /readyz of a server or worker, for health checks on machines without curl. The exit code is 0 if it is
// ready.
func (c *readyCmd) Run(a *app) error {
	u, err := url.Parse(c.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return usage("address %q: want an http or https address", upstream.PublicURL(c.URL))
	}
	if c.Timeout <= 0 {
		return usage("--timeout %s: want more than 0", c.Timeout)
	}
	ctx, cancel := context.WithTimeout(a.ctx, c.Timeout)
	defer cancel()
	address := strings.TrimSuffix(c.URL, "/") + "/readyz"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{Timeout: c.Timeout}).DialContext}}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("not ready: %s: %w", upstream.PublicURL(c.URL), withoutAddress(err))
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return fmt.Errorf("not ready: %w", err)
	}
	var r api.Readiness
	if err := json.Unmarshal(body, &r); err != nil || r.Status != api.Ready && r.Status != api.NotReady {
		return fmt.Errorf("%s answered %s: is it Parliament Explorer?", upstream.PublicURL(address), resp.Status)
	}
	for _, check := range r.Checks {
		if !check.Ok {
			printf(a.out, "%s: %s\n", check.Name, check.Detail)
		}
	}
	if resp.StatusCode != http.StatusOK {
		return &exitError{code: exitFailure, message: "not ready"}
	}
	err = writeLine(a.out, "ready")
	return err
}
