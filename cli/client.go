package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// serverFlags are the flags of commands that call a server.
type serverFlags struct {
	Server string `env:"EXPLORER_URL" default:"http://127.0.0.1:8080" help:"Address of the server."`
	Key    string `env:"EXPLORER_KEY" help:"API key, if the server requires one."`
	JSON   bool   `help:"Print the JSON of the server's answer."`
}

// client calls a server with the Go client of the contract.
type client struct {
	*api.ClientWithResponses
	base string // for messages, without user and password
}

func (f serverFlags) client(a *app) (*client, error) {
	u, err := url.Parse(f.Server)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, usage("--server %q: want an http or https address", upstream.PublicURL(f.Server))
	}
	base := strings.TrimSuffix(f.Server, "/")
	c := &client{base: upstream.PublicURL(base)}
	transport := &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		ResponseHeaderTimeout: 30 * time.Second, TLSHandshakeTimeout: 5 * time.Second,
	}}
	agent := fmt.Sprintf("explorer-cli/%s (%s)", a.version, whoami())
	c.ClientWithResponses, err = api.NewClientWithResponses(base, api.WithHTTPClient(transport),
		api.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
			r.Header.Set("User-Agent", agent)
			if f.Key != "" {
				r.Header.Set("Authorization", "Bearer "+f.Key)
			}
			return nil
		}))
	return c, err
}

// whoami returns the user and the machine that run the command.
func whoami() string {
	who := "unknown"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		who += "@" + host
	}
	return who
}

// problem returns the error of an unexpected answer. If the request was invalid, the exit code is 2.
func (c *client) problem(resp *http.Response, body []byte) error {
	var p api.Problem
	if err := json.Unmarshal(body, &p); err != nil || p.Title == "" {
		return fmt.Errorf("%s answered %s: is it a Parliament Explorer server?", c.base, resp.Status)
	}
	if p.Status == http.StatusUnauthorized {
		return usage("%s; set EXPLORER_KEY or --key", p.Detail)
	}
	if p.Status >= 400 && p.Status < 500 {
		return usage("%s", p.Detail)
	}
	return errors.New(p.Detail)
}

// unreachable returns the error of a request that got no answer.
func (c *client) unreachable(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return fmt.Errorf("no server answers at %s (%w): start one with `explorer dev`, or name it with --server or "+
			"EXPLORER_URL", c.base, op.Err)
	}
	return fmt.Errorf("%s: %w", c.base, withoutAddress(err))
}

// withoutAddress removes the address from an HTTP client's error, because it may have a secret.
func withoutAddress(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func text[T ~string](p *T) string {
	if p == nil {
		return "-"
	}
	return string(*p)
}

func when(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Local().Format("2006-01-02 15:04:05")
}
