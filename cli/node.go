package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"golang.org/x/sync/errgroup"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/embedded"
	"github.com/parliament-explorer/parliament-explorer/jobs"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/notify"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/embed"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
	"github.com/parliament-explorer/parliament-explorer/server"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// databaseFlags say where the data is.
type databaseFlags struct {
	DatabaseURL         string `env:"DATABASE_URL" help:"Postgres to use, e.g. postgres://user:password@host/database. Without it, one is run from the server binaries on this machine, or from fetched ones."`
	DatabaseDirectURL   string `name:"database-direct-url" env:"DATABASE_DIRECT_URL" help:"The same Postgres without the pooler that is behind DATABASE_URL; needed where that is in transaction mode." placeholder:"URL"`
	DatabaseConnections int    `env:"DATABASE_CONNECTIONS" help:"Most connections to Postgres of this process, 3 or more. Default: by what it does and CONCURRENCY, and no more than its share of what Postgres allows." placeholder:"N"`
	DataDir             string `env:"DATA_DIR" help:"Folder for the data of that Postgres. Default: your data folder; for root /var/lib/parliament-explorer." placeholder:"DIR"`
	binariesFlags
}

// pipelineFlags say how the sources are asked.
type pipelineFlags struct {
	OpenParliamentURL string  `name:"openparliament-url" env:"OPENPARLIAMENT_URL" default:"https://api.openparliament.ca" help:"Address of the OpenParliament API."`
	LegisinfoURL      string  `name:"legisinfo-url" env:"LEGISINFO_URL" default:"https://www.parl.ca/legisinfo" help:"Address of LEGISinfo."`
	OpenParliamentRPS float64 `name:"openparliament-rps" env:"OPENPARLIAMENT_RPS" default:"2" help:"Most requests a second to OpenParliament, of all workers together; 0: no limit."`
	LegisinfoRPS      float64 `name:"legisinfo-rps" env:"LEGISINFO_RPS" default:"4" help:"Most requests a second to LEGISinfo, of all workers together; 0: no limit."`
	ContactEmail      string  `env:"CONTACT_EMAIL" help:"Whom the sources may write to; part of the User-Agent."`
	UserAgent         string  `env:"USER_AGENT" help:"User-Agent of requests to the sources, for those that answer 403 to programs. Default: this project, its version and CONTACT_EMAIL." placeholder:"TEXT"`
	TZSchedules       string  `name:"tz-schedules" env:"TZ_SCHEDULES" default:"America/Toronto" help:"Time zone of the schedules."`
	Concurrency       int     `env:"CONCURRENCY" default:"32" help:"How many steps a worker runs at once."`

	now func() time.Time // the sources' clock; nil: ours

	EmbeddingsURL    string `name:"embeddings-url" env:"EMBEDDINGS_URL" help:"OpenAI-compatible endpoint for embeddings, e.g. https://api.openai.com/v1. Without it, search is by words alone." placeholder:"URL"`
	EmbeddingsModel  string `env:"EMBEDDINGS_MODEL" help:"The model to ask for there."`
	EmbeddingsAPIKey string `name:"embeddings-api-key" env:"EMBEDDINGS_API_KEY" help:"The key to ask with."`

	Limits         []string      `env:"LIMITS" help:"How many steps there may be at once in all workers together, e.g. pool:legisinfo=2,asset:fetch_latest_bills=1,tag:team=ops=3." placeholder:"KEY=N"`
	Alerts         []string      `env:"ALERTS" help:"Where alerts go, e.g. ops=https://hooks.example.org/x#whsec_...,team=slack+https://hooks.slack.com/services/...,mail=smtps://user:password@mail.example.org?from=...&to=..." placeholder:"NAME=URL"`
	AlertAllow     []string      `env:"ALERT_ALLOW" help:"Networks that alerts may be sent to though they are not public, e.g. 10.0.0.0/8." placeholder:"CIDR"`
	AlertWindow    time.Duration `env:"ALERT_WINDOW" default:"1h" help:"How long after an alert its cause is not told of again, should it recover and come back."`
	Retention      []string      `env:"RETENTION" help:"How long things are kept, and how many at most, e.g. events=90d,runs=180d/1000000,audit=off. Kinds: events, runs, ticks, jobs, deliveries, webhooks, run_keys, fetch_logs, audit." placeholder:"KIND=AGE"`
	WebhookSecrets []string      `env:"WEBHOOK_SECRETS" help:"Secrets of those who may post to webhook sensors, e.g. webhook_sensor=whsec_...; may be repeated for a sensor." placeholder:"SENSOR=SECRET"`
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
	for name, value := range map[string]string{"OPENPARLIAMENT_URL": f.OpenParliamentURL, "LEGISINFO_URL": f.LegisinfoURL} {
		if u, err := url.Parse(value); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return usage("%s %q: want an http or https address", name, upstream.PublicURL(value))
		} else if u.RawQuery != "" || u.Fragment != "" {
			return usage("%s %q: want an address without a query", name, upstream.PublicURL(value))
		}
	}
	if f.OpenParliamentRPS < 0 || f.LegisinfoRPS < 0 {
		return usage("OPENPARLIAMENT_RPS %g, LEGISINFO_RPS %g: want 0 (no limit) or more", f.OpenParliamentRPS, f.LegisinfoRPS)
	}
	if f.Concurrency < 1 || f.Concurrency > 1000 {
		return usage("CONCURRENCY %d: want 1 to 1000", f.Concurrency)
	}
	if f.AlertWindow <= 0 {
		return usage("ALERT_WINDOW %s: want more than 0", f.AlertWindow)
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
		return usage("USER_AGENT %.60q: want 1 to %d printable ASCII characters, with no blank at either end", f.UserAgent, maxUserAgent)
	}
	if _, err := time.LoadLocation(f.TZSchedules); err != nil || f.TZSchedules == "" {
		return usage("TZ_SCHEDULES %q: want an IANA time zone such as America/Toronto", f.TZSchedules)
	}
	return nil
}

// maxUserAgent bounds USER_AGENT, in bytes. Those of browsers have some 120.
const maxUserAgent = 256

// isUserAgent says whether a text can be sent as a User-Agent, or in one.
func isUserAgent(s string) bool {
	return s != "" && len(s) <= maxUserAgent && s == strings.TrimSpace(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// agent is the User-Agent of all requests to the sources. It names the project, its version and the contact.
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
			return nil, usage("ALERTS: channel %q is there twice", c.Name)
		}
		out = append(out, c)
	}
	return out, nil
}

// embeddings is the client of the endpoint; nil without one.
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

func (f pipelineFlags) retention() (orchestrator.Retention, error) {
	out := orchestrator.Retention{}
	for _, s := range f.Retention {
		kind, keep, err := orchestrator.ParseKeep(strings.TrimSpace(s))
		if err != nil {
			return nil, usage("RETENTION: %s", err)
		}
		if _, twice := out[kind]; twice {
			return nil, usage("RETENTION: %q is there twice", kind)
		}
		out[kind] = keep
	}
	return out, nil
}

// sweepers are of the tables that the engine does not know.
func sweepers(d *db.DB) []orchestrator.Sweeper {
	q := d.Queries()
	return []orchestrator.Sweeper{
		{Kind: "fetch_logs", Default: orchestrator.Keep{Age: 365 * 24 * time.Hour}, Nth: q.NthFetchLog, Sweep: func(ctx context.Context, before time.Time, limit int32) (int64, error) {
			return q.SweepFetchLogs(ctx, db.SweepFetchLogsParams{Before: before, MaxRows: limit})
		}, Trim: func(ctx context.Context, keep, limit int32) (int64, error) {
			return q.TrimFetchLogs(ctx, db.TrimFetchLogsParams{Keep: keep, MaxRows: limit})
		}},
		{Kind: "audit", Default: orchestrator.Keep{Age: 400 * 24 * time.Hour}, Nth: q.NthAudit, Sweep: func(ctx context.Context, before time.Time, limit int32) (int64, error) {
			return q.SweepAudit(ctx, db.SweepAuditParams{Before: before, MaxRows: limit})
		}, Trim: func(ctx context.Context, keep, limit int32) (int64, error) {
			return q.TrimAudit(ctx, db.TrimAuditParams{Keep: keep, MaxRows: limit})
		}},
	}
}

// expiries are of what ends by itself, whatever RETENTION says.
func expiries(d *db.DB) []orchestrator.Expiry {
	return []orchestrator.Expiry{{What: "sessions", Sweep: d.Queries().DeleteExpiredSessions}}
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

// dataDir is where the embedded Postgres keeps its data.
func (f databaseFlags) dataDir() (string, error) {
	dir := f.DataDir
	if dir == "" {
		base, err := defaultDataDir()
		if err != nil {
			return "", err
		}
		dir = base
	}
	abs, err := filepath.Abs(dir)
	return filepath.Join(abs, "postgres"), err
}

func defaultDataDir() (string, error) {
	const name = "parliament-explorer"
	if runtime.GOOS == "windows" {
		dir, err := os.UserCacheDir() // %LocalAppData%, which stays on this machine
		if err != nil {
			return "", usage("DATA_DIR: set it, for this user has no %%LocalAppData%%")
		}
		return filepath.Join(dir, name), nil
	}
	if os.Geteuid() == 0 {
		return "/var/lib/" + name, nil // root's own folders are closed to the user that Postgres runs as
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, name), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", usage("DATA_DIR: set it, for this user has no home folder")
	}
	if runtime.GOOS == "darwin" {
		return filepath.Join(home, "Library", "Application Support", name), nil
	}
	return filepath.Join(home, ".local", "share", name), nil
}

// database opens the database for a command, which has so many connections at most.
func (a *app) database(f databaseFlags, attach bool, maxConns int) (d *db.DB, closeDB func(), err error) { //nolint:unparam // as open has it
	return a.open(f, attach, part{connections: maxConns})
}

// open opens the database, starting the embedded one if that is to be used. attach allows to use one that another
// process runs. close ends both.
func (a *app) open(f databaseFlags, attach bool, p part) (d *db.DB, closeDB func(), err error) {
	if err := f.checkConnections(); err != nil {
		return nil, nil, err
	}
	dsn, stop := f.DatabaseURL, func() {}
	if dsn == "" {
		dir, err := f.dataDir()
		if err != nil {
			return nil, nil, err
		}
		running := false
		if attach {
			dsn, running = embedded.Attach(dir)
		}
		if !running {
			source, err := f.source(a)
			if err != nil {
				return nil, nil, err
			}
			e, err := embedded.Start(a.ctx, embedded.Config{Dir: dir, Logger: a.log, Source: source})
			if err != nil {
				return nil, nil, err
			}
			dsn = e.URL()
			stop = func() {
				if err := e.Stop(); err != nil {
					a.log.Warn("postgres", "error", err)
				}
			}
		}
	}
	if d, err = a.connect(dsn, f, p); err != nil {
		stop()
		return nil, nil, err
	}
	return d, func() { d.Close(); stop() }, nil
}

// node is a process of the deployment: an engine, and a server if it listens.
type node struct {
	app    *app
	engine *orchestrator.Engine
	server *server.Server
	listen net.Listener

	control     *access.Control // of the server
	metrics     *prometheus.Registry
	stopTracing func()
}

// newNode wires a process together. listener nil: no server.
func (a *app) newNode(d *db.DB, f pipelineFlags, af accessFlags, work bool, listener net.Listener) (*node, error) {
	tracer, stopTracing, err := a.tracing()
	if err != nil {
		return nil, err
	}
	metrics := newRegistry()
	conflicts := prometheus.NewCounter(prometheus.CounterOpts{Name: "explorer_db_conflicts_total", Help: "Serialization failures and deadlocks after which something was done again."})
	metrics.MustRegister(conflicts)
	d.OnConflict = func(error) { conflicts.Inc() }
	client := func(source, base string, rps float64) (*upstream.Client, error) {
		return upstream.New(upstream.Config{Source: source, BaseURL: base, UserAgent: f.agent(a.version), RPS: rps, DB: d, Logger: a.log, Metrics: metrics, Tracer: tracer})
	}
	op, err := client(openparliament.Source, f.OpenParliamentURL, f.OpenParliamentRPS)
	if err != nil {
		return nil, err
	}
	li, err := client(legisinfo.Source, f.LegisinfoURL, f.LegisinfoRPS)
	if err != nil {
		return nil, err
	}
	for _, c := range []*upstream.Client{op, li} {
		if err := c.Register(a.ctx); err != nil {
			return nil, fmt.Errorf("register the sources: %w", err)
		}
	}
	store := parliament.NewStore(d)
	embedder, err := f.embeddings()
	if err != nil {
		return nil, err
	}
	var meaning *parliament.Meaning
	if embedder != nil {
		meaning = parliament.NewMeaning(d, embedder)
		meaning.Logger = a.log
	}
	defs, err := jobs.All(jobs.Deps{Store: store, Meaning: meaning, OpenParliament: openparliament.Client{Client: op}, Legisinfo: legisinfo.Client{Client: li}, TimeZone: f.TZSchedules, Now: f.now}, a.parts...)
	if err != nil {
		return nil, err
	}
	limits, err := f.limits()
	if err != nil {
		return nil, err
	}
	channels, err := f.channels()
	if err != nil {
		return nil, err
	}
	secrets, err := f.secrets()
	if err != nil {
		return nil, err
	}
	for sensor := range secrets {
		if s, err := defs.Sensor(sensor); err != nil || s.Kind() != orchestrator.SensorWebhook {
			return nil, usage("WEBHOOK_SECRETS: there is no webhook sensor %q", sensor)
		}
	}
	retention, err := f.retention()
	if err != nil {
		return nil, err
	}
	n := &node{app: a, listen: listener, metrics: metrics, stopTracing: stopTracing}
	n.engine, err = orchestrator.New(orchestrator.Config{
		DB: d, Definitions: defs, Logger: a.log, Work: work, Concurrency: f.Concurrency, Limits: limits, Channels: channels, AlertWindow: f.AlertWindow, Retention: retention, Sweepers: sweepers(d), Expiries: expiries(d), Metrics: metrics, Tracer: tracer,
	})
	if err != nil {
		return nil, usage("%s", err)
	}
	if listener == nil {
		return n, nil
	}
	control, err := af.control(a, d, listener.Addr())
	if err != nil {
		return nil, err
	}
	n.control = control
	proxies, err := af.proxies()
	if err != nil {
		return nil, err
	}
	n.server, err = server.New(server.Config{
		DB: d, Engine: n.engine, Store: store, Logger: a.log, Version: a.version, Revision: a.revision, WebhookSecrets: secrets, Access: control, Meaning: meaning, PublicURL: af.PublicURL,
		LoopbackOnly: !control.Required() && !af.InsecureNoAuth, MaxConnections: af.MaxConnections, CORSOrigins: af.CORSOrigins, TrustedProxies: proxies, Metrics: metrics, Tracer: tracer,
	})
	return n, err
}

// run works until ctx ends, and then stops in order: no new requests and no new steps, those at work finish or are
// handed back, streams end. It takes eight seconds at the most. ready is called once everything works.
func (n *node) run(ctx context.Context, ready func()) error {
	if err := n.engine.Start(ctx); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	if n.server != nil {
		group.Go(func() error { return n.server.Serve(context.WithoutCancel(ctx), n.listen) })
	}
	group.Go(func() error {
		<-ctx.Done()
		n.app.log.Info("stopping")
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 8*time.Second)
		defer cancel()
		var stopping errgroup.Group
		stopping.Go(func() error { return n.engine.Stop(limit) })
		if n.server != nil {
			stopping.Go(func() error { return n.server.Shutdown(limit) })
		}
		if err := stopping.Wait(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			n.app.log.Warn("stop", "error", err)
		}
		n.stopTracing()
		return nil
	})
	if ready != nil {
		group.Go(func() error { ready(); return nil })
	}
	return group.Wait()
}

func (n *node) authentication() string {
	if n.control.Required() {
		return "required"
	}
	return "off"
}

func listen(addr string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			return nil, fmt.Errorf("cannot listen on %s: %w", addr, op.Err)
		}
		return nil, err
	}
	return l, nil
}

type devCmd struct {
	databaseFlags
	replicaFlags
	pipelineFlags
	addrFlags
	accessFlags
}

// Run is everything in one process.
func (c *devCmd) Run(a *app) error {
	a.read = c.replicaFlags
	return a.process(c.databaseFlags, c.pipelineFlags, &c.addrFlags, c.accessFlags, true, true)
}

type serveCmd struct {
	databaseFlags
	replicaFlags
	pipelineFlags
	addrFlags
	accessFlags
}

// Run is the HTTP server alone.
func (c *serveCmd) Run(a *app) error {
	a.read = c.replicaFlags
	return a.process(c.databaseFlags, c.pipelineFlags, &c.addrFlags, c.accessFlags, false, false)
}

type workerCmd struct {
	databaseFlags
	pipelineFlags
	HealthAddr string `env:"HEALTH_ADDR" help:"Address on which to answer /healthz, /readyz and /metrics, e.g. :9090; without, nowhere." placeholder:"HOST:PORT"`
}

// Run is a worker alone.
func (c *workerCmd) Run(a *app) error {
	if c.HealthAddr != "" {
		if _, _, err := net.SplitHostPort(c.HealthAddr); err != nil {
			return usage("HEALTH_ADDR %q: want host:port, such as :9090", c.HealthAddr)
		}
		a.healthAddr = c.HealthAddr
	}
	return a.process(c.databaseFlags, c.pipelineFlags, nil, accessFlags{}, true, false)
}

// process runs a node from configuration to its end.
func (a *app) process(df databaseFlags, pf pipelineFlags, af *addrFlags, who accessFlags, work, migrate bool) error {
	// The configuration is checked before Postgres is looked for, or fetched.
	if err := pf.check(); err != nil {
		return err
	}
	var addr string
	if af != nil {
		var err error
		if addr, err = af.address(); err != nil {
			return err
		}
		if err := who.check(); err != nil {
			return err
		}
		if err := a.read.check(); err != nil {
			return err
		}
	}
	if err := df.look(a, !migrate); err != nil {
		return err
	}
	a.limitMemory()
	var l net.Listener
	if af != nil {
		var err error
		if l, err = listen(addr); err != nil {
			return err
		}
		defer l.Close() //nolint:errcheck // the server closes it too
		if _, err := who.required(isLoopback(l.Addr())); err != nil {
			return err
		}
	}
	d, closeDB, err := a.open(df, !migrate, part{serves: af != nil, works: work, watches: a.read.DatabaseReadURL != "", concurrency: pf.Concurrency})
	if err != nil {
		return err
	}
	defer closeDB()
	if migrate {
		_, err = d.MigrateUp(a.ctx)
	} else {
		err = d.CheckMigrated(a.ctx)
	}
	if err != nil {
		return err
	}
	closeReplica, err := a.read.open(a, d)
	if err != nil {
		return err
	}
	defer closeReplica()
	n, err := a.newNode(d, pf, who, work, l)
	if err != nil {
		return err
	}
	if a.healthAddr != "" {
		hl, err := listen(a.healthAddr)
		if err != nil {
			return err
		}
		defer a.health(hl, d, n.metrics).Close() //nolint:errcheck // at the end of the process
	}
	return n.run(a.ctx, func() {
		if l != nil {
			a.log.Info("ready", "url", who.displayURL(l.Addr()), "worker", work, "authentication", n.authentication())
		} else {
			a.log.Info("ready", "worker_id", n.engine.WorkerID())
		}
	})
}

// displayAddr is an address that a browser on this machine can open.
func displayAddr(addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
