package cli

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/parliament-explorer/parliament-explorer/cli/node"
	"github.com/parliament-explorer/parliament-explorer/db"
)

type devCmd struct {
	databaseFlags
	replicaFlags
	pipelineFlags
	addrFlags
	accessFlags
}

// Run runs a server and a worker in one process, and migrates the database first.
func (c *devCmd) Run(a *app) error {
	a.read = c.replicaFlags
	return a.process(c.databaseFlags, c.pipelineFlags, &c.addrFlags, c.accessFlags,
		processOptions{Work: true, Migrate: true})
}

type serveCmd struct {
	databaseFlags
	replicaFlags
	pipelineFlags
	addrFlags
	accessFlags
}

// Run runs the HTTP server without a worker.
func (c *serveCmd) Run(a *app) error {
	a.read = c.replicaFlags
	return a.process(c.databaseFlags, c.pipelineFlags, &c.addrFlags, c.accessFlags, processOptions{})
}

type workerCmd struct {
	databaseFlags
	pipelineFlags
	HealthAddr string `env:"HEALTH_ADDR" help:"Address that serves /healthz, /readyz and /metrics, e.g. :9090. Without it, they are not served." placeholder:"HOST:PORT"`
}

// Run runs a worker without an HTTP server.
func (c *workerCmd) Run(a *app) error {
	if c.HealthAddr != "" {
		if _, _, err := net.SplitHostPort(c.HealthAddr); err != nil {
			return usage("HEALTH_ADDR %q: want host:port, such as :9090", c.HealthAddr)
		}
		a.healthAddr = c.HealthAddr
	}
	return a.process(c.databaseFlags, c.pipelineFlags, nil, accessFlags{}, processOptions{Work: true})
}

// processOptions are the properties of a process that are not flags.
type processOptions struct {
	// Work runs steps.
	Work bool
	// Migrate applies pending migrations first. Otherwise they are an error.
	Migrate bool
}

// process runs a node from its flags until it ends.
func (a *app) process(df databaseFlags, pf pipelineFlags, af *addrFlags, who accessFlags, opts processOptions) error {
	// The configuration is checked before Postgres is looked for, or fetched.
	addr, err := a.checkFlags(pf, af, who)
	if err != nil {
		return err
	}
	if err := df.prepareBinaries(a, !opts.Migrate); err != nil {
		return err
	}
	a.limitMemory()
	var l net.Listener
	authentication := "off"
	if af != nil {
		if l, err = listen(addr); err != nil {
			return err
		}
		defer l.Close() //nolint:errcheck // the server closes it too
		required, err := who.required(isLoopback(l.Addr()))
		if err != nil {
			return err
		}
		if required {
			authentication = "required"
		}
	}
	d, closeDB, err := a.open(df, !opts.Migrate, workload{serves: af != nil, works: opts.Work,
		watches: a.read.DatabaseReadURL != "", concurrency: pf.Concurrency})
	if err != nil {
		return err
	}
	defer closeDB()
	if err := a.migrate(d, opts.Migrate); err != nil {
		return err
	}
	closeReplica, err := a.read.open(a, d)
	if err != nil {
		return err
	}
	defer closeReplica()
	n, err := a.newNode(d, pf, who, opts.Work, l)
	if err != nil {
		return err
	}
	if a.healthAddr != "" {
		hl, err := listen(a.healthAddr)
		if err != nil {
			return err
		}
		defer n.Health(hl).Close() //nolint:errcheck // at the end of the process
	}
	defer freeStart()()
	return n.Run(a.ctx, func() {
		if l != nil {
			a.log.Info("ready", "url", who.displayURL(l.Addr()), "worker", opts.Work, "authentication", authentication)
		} else {
			a.log.Info("ready", "worker_id", n.WorkerID())
		}
	})
}

// checkFlags checks the configuration of a process and returns the address to listen on; empty if it does not serve.
func (a *app) checkFlags(pf pipelineFlags, af *addrFlags, who accessFlags) (addr string, err error) {
	if err := pf.check(); err != nil || af == nil {
		return "", err
	}
	if addr, err = af.address(); err != nil {
		return "", err
	}
	if err := who.check(); err != nil {
		return "", err
	}
	return addr, a.read.check()
}

// migrate applies pending migrations, or makes them an error.
func (a *app) migrate(d *db.DB, apply bool) error {
	if !apply {
		return d.CheckMigrated(a.ctx)
	}
	_, err := d.MigrateUp(a.ctx)
	return err
}

// newNode returns a node configured by the flags. Without a listener it has no server.
func (a *app) newNode(d *db.DB, f pipelineFlags, af accessFlags, work bool, listener net.Listener) (*node.Node, error) {
	cfg := node.Config{
		DB: d, Logger: a.log, Version: a.version, Revision: a.revision, Work: work, Contributions: a.contributions,
		Listener: listener,
		Sources: node.Sources{
			OpenParliamentURL: f.OpenParliamentURL, LegisinfoURL: f.LegisinfoURL,
			OpenParliamentRPS: f.OpenParliamentRPS, LegisinfoRPS: f.LegisinfoRPS, UserAgent: f.agent(a.version), Now: f.now,
		},
		TimeZone: f.TZSchedules, Concurrency: f.Concurrency, AlertWindow: f.AlertWindow,
		Deep: f.Idle == "deep",
	}
	var err error
	if cfg.Embeddings, err = f.embeddings(); err != nil {
		return nil, err
	}
	if cfg.Limits, err = f.limits(); err != nil {
		return nil, err
	}
	if cfg.Channels, err = f.channels(); err != nil {
		return nil, err
	}
	if cfg.WebhookSecrets, err = f.secrets(); err != nil {
		return nil, err
	}
	if cfg.Retention, err = f.retention(); err != nil {
		return nil, err
	}
	if listener != nil {
		control, err := af.control(a, d, listener.Addr())
		if err != nil {
			return nil, err
		}
		proxies, err := af.proxies()
		if err != nil {
			return nil, err
		}
		cfg.Server = node.ServerConfig{
			Access: control, PublicURL: af.PublicURL, LoopbackOnly: !control.Required() && !af.InsecureNoAuth,
			MaxConnections: af.MaxConnections, CORSOrigins: af.CORSOrigins, TrustedProxies: proxies,
		}
	}
	n, err := node.New(a.ctx, cfg)
	var wrong *node.ConfigError
	if errors.As(err, &wrong) {
		return nil, usage("%s", wrong)
	}
	return n, err
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

// displayAddr returns an address that a browser on this machine can open.
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
