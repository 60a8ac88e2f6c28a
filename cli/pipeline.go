package cli

import (
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/notify"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/retention"
	"github.com/parliament-explorer/parliament-explorer/parliament/embed"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// pipelineFlags are the flags of the pipeline: the sources, the schedules, and the limits, alerts and retention.
type pipelineFlags struct {
	OpenParliamentURL string  `name:"openparliament-url" env:"OPENPARLIAMENT_URL" default:"https://api.openparliament.ca" help:"Address of the OpenParliament API."`
	LegisinfoURL      string  `name:"legisinfo-url" env:"LEGISINFO_URL" default:"https://www.parl.ca/legisinfo" help:"Address of LEGISinfo."`
	OpenParliamentRPS float64 `name:"openparliament-rps" env:"OPENPARLIAMENT_RPS" default:"2" help:"Maximum number of requests per second to OpenParliament by all workers together; 0: no limit."`
	LegisinfoRPS      float64 `name:"legisinfo-rps" env:"LEGISINFO_RPS" default:"4" help:"Maximum number of requests per second to LEGISinfo by all workers together; 0: no limit."`
	ContactEmail      string  `env:"CONTACT_EMAIL" help:"Contact address for the sources; part of the User-Agent."`
	UserAgent         string  `env:"USER_AGENT" help:"User-Agent of requests to the sources, for sources that return 403 to programs. Default: this project, its version and CONTACT_EMAIL." placeholder:"TEXT"`
	TZSchedules       string  `name:"tz-schedules" env:"TZ_SCHEDULES" default:"America/Toronto" help:"Time zone of the schedules."`
	Concurrency       int     `env:"CONCURRENCY" default:"32" help:"How many steps a worker runs at once."`

	idleFlags

	now func() time.Time // the sources' clock; nil: ours

	EmbeddingsURL    string `name:"embeddings-url" env:"EMBEDDINGS_URL" help:"OpenAI-compatible endpoint for embeddings, e.g. https://api.openai.com/v1. Without it, there is no semantic search." placeholder:"URL"`
	EmbeddingsModel  string `env:"EMBEDDINGS_MODEL" help:"The model to request from the endpoint."`
	EmbeddingsAPIKey string `name:"embeddings-api-key" env:"EMBEDDINGS_API_KEY" help:"The API key of the endpoint."`

	Limits         []string      `env:"LIMITS" help:"Maximum number of steps that run at once in all workers together, e.g. pool:legisinfo=2,asset:fetch_latest_bills=1,tag:team=ops=3." placeholder:"KEY=N"`
	Alerts         []string      `env:"ALERTS" help:"Channels of alerts, e.g. ops=https://hooks.example.org/x#whsec_...,team=slack+https://hooks.slack.com/services/...,mail=smtps://user:password@mail.example.org?from=...&to=..." placeholder:"NAME=URL"`
	AlertAllow     []string      `env:"ALERT_ALLOW" help:"Private networks that alerts may be sent to, e.g. 10.0.0.0/8." placeholder:"CIDR"`
	AlertWindow    time.Duration `env:"ALERT_WINDOW" default:"1h" help:"How long no further message is sent for the same cause, if it recovers and recurs."`
	Retention      []string      `env:"RETENTION" help:"How long rows are kept, and how many at most, e.g. events=90d,runs=180d/1000000,audit=off. Kinds: events, runs, ticks, jobs, deliveries, webhooks, run_keys, fetch_logs, audit." placeholder:"KIND=AGE"`
	WebhookSecrets []string      `env:"WEBHOOK_SECRETS" help:"Secrets of the senders of webhooks, e.g. webhook_sensor=whsec_...; a sensor may have several." placeholder:"SENSOR=SECRET"`
}

// idleFlags say what a process does while nothing is due.
type idleFlags struct {
	Idle string `env:"IDLE" default:"normal" help:"What processes do while nothing is due: normal, or deep, in which they ask the database hardly anything. Deep is for databases that bill by activity." placeholder:"MODE"`
}

func (f idleFlags) checkIdle() error {
	if f.Idle != "" && f.Idle != "normal" && f.Idle != "deep" {
		return usage("IDLE %.60q: want normal or deep", f.Idle)
	}
	return nil
}

type addrFlags struct {
	Addr string `env:"ADDR" help:"Address to listen on. Default 127.0.0.1:8080, or 0.0.0.0:$PORT where PORT is set." placeholder:"HOST:PORT"`
	Port int    `env:"PORT" hidden:""`
}

func (f addrFlags) address() (string, error) {
	addr := f.Addr
	switch {
	case addr == "" && f.Port > 0:
		addr = fmt.Sprintf("0.0.0.0:%d", f.Port)
	case addr == "":
		addr = "127.0.0.1:8080"
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return "", usage("ADDR %q: want host:port, such as 127.0.0.1:8080 or :8080", addr)
	}
	return addr, nil
}

func (f pipelineFlags) check() error {
	for name, value := range map[string]string{"OPENPARLIAMENT_URL": f.OpenParliamentURL,
		"LEGISINFO_URL": f.LegisinfoURL} {
		if u, err := url.Parse(value); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return usage("%s %q: want an http or https address", name, upstream.PublicURL(value))
		} else if u.RawQuery != "" || u.Fragment != "" {
			return usage("%s %q: want an address without a query", name, upstream.PublicURL(value))
		}
	}
	if f.OpenParliamentRPS < 0 || f.LegisinfoRPS < 0 {
		return usage("OPENPARLIAMENT_RPS %g, LEGISINFO_RPS %g: want 0 (no limit) or more",
			f.OpenParliamentRPS, f.LegisinfoRPS)
	}
	if f.Concurrency < 1 || f.Concurrency > 1000 {
		return usage("CONCURRENCY %d: want 1 to 1000", f.Concurrency)
	}
	if f.AlertWindow <= 0 {
		return usage("ALERT_WINDOW %s: want more than 0", f.AlertWindow)
	}
	if err := f.checkIdle(); err != nil {
		return err
	}
	if _, err := f.limits(); err != nil {
		return err
	}
	if _, err := f.channels(); err != nil {
		return err
	}
	if _, err := f.secrets(); err != nil {
		return err
	}
	if _, err := f.retention(); err != nil {
		return err
	}
	if _, err := f.embeddings(); err != nil {
		return err
	}
	if f.ContactEmail != "" {
		if a, err := mail.ParseAddress(f.ContactEmail); err != nil || len(a.Address) > 254 || !isUserAgent(a.Address) {
			return usage("CONTACT_EMAIL %q: want an e-mail address", f.ContactEmail)
		}
	}
	if f.UserAgent != "" && !isUserAgent(f.UserAgent) {
		return usage("USER_AGENT %.60q: want 1 to %d printable ASCII characters, with no blank at either end",
			f.UserAgent, maxUserAgent)
	}
	if _, err := time.LoadLocation(f.TZSchedules); err != nil || f.TZSchedules == "" {
		return usage("TZ_SCHEDULES %q: want an IANA time zone such as America/Toronto", f.TZSchedules)
	}
	return nil
}

// maxUserAgent is the greatest length of USER_AGENT in bytes. A browser's has about 120.
const maxUserAgent = 256

// isUserAgent reports whether a text is valid as a User-Agent or as a part of one.
func isUserAgent(s string) bool {
	return s != "" && len(s) <= maxUserAgent && s == strings.TrimSpace(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// agent returns the User-Agent of requests to the sources: the project, its version and the contact, or USER_AGENT.
func (f pipelineFlags) agent(version string) string {
	if f.UserAgent != "" {
		return f.UserAgent
	}
	agent := "ParliamentExplorer/" + version + " (+https://github.com/parliament-explorer/parliament-explorer"
	if a, err := mail.ParseAddress(f.ContactEmail); err == nil {
		agent += "; " + a.Address
	}
	return agent + ")"
}

func (f pipelineFlags) limits() ([]orchestrator.Limit, error) {
	var out []orchestrator.Limit
	for _, s := range f.Limits {
		l, err := orchestrator.ParseLimit(strings.TrimSpace(s))
		if err != nil {
			return nil, usage("LIMITS: %s", err)
		}
		out = append(out, l)
	}
	return out, nil
}

func (f pipelineFlags) channels() ([]*notify.Channel, error) {
	allow, err := notify.ParsePrefixes(f.AlertAllow)
	if err != nil {
		return nil, usage("ALERT_ALLOW: %s", err)
	}
	guard := notify.NewGuard(allow...)
	var out []*notify.Channel
	for _, s := range f.Alerts {
		c, err := notify.Parse(strings.TrimSpace(s), guard)
		if err != nil {
			return nil, usage("ALERTS: %s", err)
		}
		if slices.ContainsFunc(out, func(o *notify.Channel) bool { return o.Name == c.Name }) {
			return nil, usage("ALERTS: channel %q is given twice", c.Name)
		}
		out = append(out, c)
	}
	return out, nil
}

// embeddings returns the client of the embeddings endpoint; nil without one.
func (f pipelineFlags) embeddings() (*embed.Client, error) {
	if f.EmbeddingsURL == "" {
		if f.EmbeddingsModel != "" {
			return nil, usage("EMBEDDINGS_URL: is required with EMBEDDINGS_MODEL")
		}
		return nil, nil
	}
	c, err := embed.New(embed.Config{URL: f.EmbeddingsURL, Model: f.EmbeddingsModel, APIKey: f.EmbeddingsAPIKey})
	if err != nil {
		return nil, usage("%s", err)
	}
	return c, nil
}

func (f pipelineFlags) retention() (retention.Policy, error) {
	out := retention.Policy{}
	for _, s := range f.Retention {
		kind, keep, err := retention.ParseKeep(strings.TrimSpace(s))
		if err != nil {
			return nil, usage("RETENTION: %s", err)
		}
		if _, twice := out[kind]; twice {
			return nil, usage("RETENTION: %q is given twice", kind)
		}
		out[kind] = keep
	}
	return out, nil
}

func (f pipelineFlags) secrets() (map[string][]*standardwebhooks.Webhook, error) {
	out := map[string][]*standardwebhooks.Webhook{}
	for _, s := range f.WebhookSecrets {
		sensor, secret, _ := strings.Cut(strings.TrimSpace(s), "=")
		w, err := notify.NewWebhook(secret)
		if err != nil {
			return nil, usage("WEBHOOK_SECRETS: %q: %s", sensor, err)
		}
		out[sensor] = append(out[sensor], w)
	}
	return out, nil
}
