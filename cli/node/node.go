// Package node wires and runs a process of a deployment: an engine and, if it has a listener, an HTTP server. The main
// type is Node. Begin reading at New, which constructs the parts of a Node, and at Run, which starts and stops them in
// order. Package cli reads the configuration from flags and the environment.
package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/jobs"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/notify"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/retention"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/embed"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
	"github.com/parliament-explorer/parliament-explorer/server"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// Config configures a Node. DB, Logger and Sources are required.
type Config struct {
	DB                *db.DB
	Logger            *slog.Logger
	Version, Revision string
	// Work runs steps in this process.
	Work    bool
	Sources Sources
	// Contributions are assets, jobs, schedules and sensors in addition to those of the pipeline; for tests.
	Contributions []jobs.Contribution
	// TimeZone is the IANA time zone of the schedules.
	TimeZone string
	// Concurrency is how many steps run at once in this process.
	Concurrency int
	Limits      []orchestrator.Limit
	Channels    []*notify.Channel
	AlertWindow time.Duration
	// Deep is orchestrator.Config.Deep and server.Config.Deep.
	Deep      bool
	Retention retention.Policy
	// WebhookSecrets are the secrets of each webhook sensor.
	WebhookSecrets map[string][]*standardwebhooks.Webhook
	// Embeddings is the client of the embeddings endpoint; nil: search is by words alone.
	Embeddings *embed.Client
	// Listener is where the server listens; nil: there is no server, and Server is not used.
	Listener net.Listener
	Server   ServerConfig
}

// Sources are the addresses of the sources and the rates of requests to them.
type Sources struct {
	OpenParliamentURL, LegisinfoURL string
	// OpenParliamentRPS and LegisinfoRPS are the most requests a second of all workers together; 0: no limit.
	OpenParliamentRPS, LegisinfoRPS float64
	UserAgent                       string
	// Now is the sources' clock; nil: time.Now.
	Now func() time.Time
}

// ServerConfig configures the HTTP server of a Node.
type ServerConfig struct {
	Access         *access.Control
	PublicURL      string
	LoopbackOnly   bool
	MaxConnections int
	CORSOrigins    []string
	TrustedProxies []*net.IPNet
}

// A ConfigError means that a setting is invalid.
type ConfigError struct{ Message string }

// Error implements error.
func (e *ConfigError) Error() string { return e.Message }

func configError(format string, args ...any) error {
	return &ConfigError{Message: fmt.Sprintf(format, args...)}
}

// Node is a process of a deployment.
type Node struct {
	cfg         Config
	store       *parliament.Store
	embedder    *parliament.Embedder // nil: no endpoint
	engine      *orchestrator.Engine
	server      *server.Server // nil: no listener
	metrics     *prometheus.Registry
	tracer      trace.TracerProvider
	stopTracing func()
}

// New constructs a Node. It returns a *ConfigError if a setting is invalid.
func New(ctx context.Context, cfg Config) (*Node, error) {
	tracer, stopTracing, err := tracing(ctx, cfg)
	if err != nil {
		return nil, err
	}
	n := &Node{cfg: cfg, store: parliament.NewStore(cfg.DB), metrics: newRegistry(), tracer: tracer,
		stopTracing: stopTracing}
	conflicts := prometheus.NewCounter(prometheus.CounterOpts{Name: "explorer_db_conflicts_total",
		Help: "Transactions and statements retried after a serialization failure or a deadlock."})
	n.metrics.MustRegister(conflicts)
	cfg.DB.OnConflict = func(error) { conflicts.Inc() }
	if cfg.Embeddings != nil {
		n.embedder = parliament.NewEmbedder(cfg.DB, cfg.Embeddings)
		n.embedder.Logger = cfg.Logger
	}
	defs, err := n.pipeline(ctx)
	if err != nil {
		return nil, err
	}
	for sensor := range cfg.WebhookSecrets {
		if s, err := defs.Sensor(sensor); err != nil || s.Kind() != orchestrator.SensorWebhook {
			return nil, configError("WEBHOOK_SECRETS: there is no webhook sensor %q", sensor)
		}
	}
	n.engine, err = orchestrator.New(orchestrator.Config{
		DB: cfg.DB, Definitions: defs, Logger: cfg.Logger, Work: cfg.Work, Concurrency: cfg.Concurrency,
		Limits: cfg.Limits, Channels: cfg.Channels, AlertWindow: cfg.AlertWindow, Deep: cfg.Deep,
		Retention: cfg.Retention, Sweepers: Sweepers(cfg.DB), Expiries: Expiries(cfg.DB),
		Metrics: n.metrics, Tracer: tracer,
	})
	if err != nil {
		return nil, configError("%s", err)
	}
	if cfg.Listener == nil {
		return n, nil
	}
	n.server, err = server.New(server.Config{
		DB: cfg.DB, Engine: n.engine, Store: n.store, Logger: cfg.Logger, Version: cfg.Version, Revision: cfg.Revision,
		WebhookSecrets: cfg.WebhookSecrets, Embedder: n.embedder, Metrics: n.metrics, Tracer: tracer,
		Deep:   cfg.Deep,
		Access: cfg.Server.Access, PublicURL: cfg.Server.PublicURL, LoopbackOnly: cfg.Server.LoopbackOnly,
		MaxConnections: cfg.Server.MaxConnections, CORSOrigins: cfg.Server.CORSOrigins,
		TrustedProxies: cfg.Server.TrustedProxies,
	})
	return n, err
}

// pipeline constructs the clients of the sources and the definitions of the assets that use them.
func (n *Node) pipeline(ctx context.Context) (*orchestrator.Definitions, error) {
	s := n.cfg.Sources
	client := func(source, base string, rps float64) (*upstream.Client, error) {
		c, err := upstream.New(upstream.Config{
			Source: source, BaseURL: base, UserAgent: s.UserAgent, RPS: rps,
			DB: n.cfg.DB, Logger: n.cfg.Logger, Metrics: n.metrics, Tracer: n.tracer,
		})
		if err != nil {
			return nil, err
		}
		if err := c.Register(ctx); err != nil {
			return nil, fmt.Errorf("register the sources: %w", err)
		}
		return c, nil
	}
	op, err := client(openparliament.Source, s.OpenParliamentURL, s.OpenParliamentRPS)
	if err != nil {
		return nil, err
	}
	li, err := client(legisinfo.Source, s.LegisinfoURL, s.LegisinfoRPS)
	if err != nil {
		return nil, err
	}
	return jobs.All(jobs.Deps{
		Store: n.store, Embedder: n.embedder, OpenParliament: openparliament.Client{Client: op},
		Legisinfo: legisinfo.Client{Client: li}, TimeZone: n.cfg.TimeZone, Now: s.Now,
	}, n.cfg.Contributions...)
}

// WorkerID returns the id of this process among the workers.
func (n *Node) WorkerID() string { return n.engine.WorkerID() }

// Health serves probes and metrics on a listener, for a process without a server.
func (n *Node) Health(l net.Listener) *http.Server {
	return health(l, n.cfg.DB, n.metrics, n.cfg.Logger)
}

// Run runs the node until ctx ends, and then stops it in order: it accepts no new requests and no new steps, running
// steps finish or are handed back, and streams end. Stopping takes 8 s at most. Run calls ready once everything works.
func (n *Node) Run(ctx context.Context, ready func()) error {
	if err := n.engine.Start(ctx); err != nil {
		return fmt.Errorf("start the engine: %w", err)
	}
	group, ctx := errgroup.WithContext(ctx)
	if n.server != nil {
		group.Go(func() error { return n.server.Serve(context.WithoutCancel(ctx), n.cfg.Listener) })
	}
	group.Go(func() error {
		<-ctx.Done()
		n.cfg.Logger.Info("stopping")
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 8*time.Second)
		defer cancel()
		var stopping errgroup.Group
		stopping.Go(func() error { return n.engine.Stop(limit) })
		if n.server != nil {
			stopping.Go(func() error { return n.server.Shutdown(limit) })
		}
		if err := stopping.Wait(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			n.cfg.Logger.Warn("stop", "error", err)
		}
		n.stopTracing()
		return nil
	})
	if ready != nil {
		group.Go(func() error { ready(); return nil })
	}
	return group.Wait()
}

// Sweepers delete what the engine does not know of.
func Sweepers(d *db.DB) []retention.Sweeper {
	var out []retention.Sweeper
	for _, s := range []db.Sweeper{parliament.NewStore(d).Sweeper(), access.Sweeper(d)} {
		out = append(out, retention.Sweeper{
			Kind: s.Kind, Default: retention.Keep{Age: s.KeepFor}, Sweep: s.Sweep, Nth: s.Nth, Trim: s.Trim,
		})
	}
	return out
}

// Expiries delete what has an end of its own, whatever RETENTION says.
func Expiries(d *db.DB) []retention.Expiry {
	return []retention.Expiry{{What: "sessions", Sweep: access.DeleteExpiredSessions(d)}}
}
