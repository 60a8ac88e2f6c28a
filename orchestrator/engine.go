package orchestrator

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"go.opentelemetry.io/otel/trace"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/alerts"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/notify"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/retention"
)

// Config is everything an Engine needs.
type Config struct {
	// DB is the database, migrated. Required.
	DB *db.DB
	// Definitions are the assets, jobs and schedules. Required. Every process of a deployment must have the same.
	Definitions *Definitions
	// Logger hears of what the engine does. Required.
	Logger *slog.Logger
	// Work makes this process run steps and, when River elects it leader, fire schedules. Without it the process only
	// accepts commands and answers questions.
	Work bool
	// Concurrency is how many steps this process runs at once; default 32.
	Concurrency int
	// Heartbeat is how often a worker says that it lives; default 3 s. One that has not for four times as long is
	// taken for dead, and its steps go to others: within 20 s by default. Too short, and a slow database costs
	// repeated work.
	Heartbeat time.Duration
	// Limits bound what runs at once, in all workers together. Every worker must have the same.
	Limits []Limit
	// Channels are where alerts go.
	Channels []*notify.Channel
	// AlertWindow is how long after an alert its cause is not told of again, should it recover and come back; default 1 h.
	AlertWindow time.Duration
	// Retention says how much is kept, by kind; a kind that is not in it has its default.
	Retention retention.Policy
	// Sweepers delete old records of other packages.
	Sweepers []retention.Sweeper
	// Expiries delete records of other packages that hold their own end.
	Expiries []retention.Expiry
	// Metrics is where the engine's counters go; nil: nowhere.
	Metrics prometheus.Registerer
	// Tracer is where spans go; nil: nowhere.
	Tracer trace.TracerProvider
	// Now is the clock that says what is due; default time.Now. Tests set it. What is due by age, such as retention and
	// the death of workers, goes by the database's clock.
	Now func() time.Time
	// SoftStop is how long Stop lets running steps finish before it hands them back; default 5 s.
	SoftStop time.Duration
}

// Engine runs assets. Make one with New, then Start it; stop it with Stop.
type Engine struct {
	cfg     Config
	db      *db.DB
	q       *sql.Queries // durable
	relaxed *sql.Queries // see db.DB.Relaxed
	lists   *sql.Queries // planned anew for each set of filters
	defs    *Definitions
	log     *slog.Logger
	river   *river.Client[pgx.Tx] // enqueues and cancels
	worker  *river.Client[pgx.Tx] // works; nil if this process does not
	id      string
	events  *eventlog.Log

	retention *retention.Deleter
	alerts    *alerts.Alerter
	observe   *instruments

	running  sync.Map // river job id -> context.CancelCauseFunc of the step
	stopping atomic.Bool
	// background ends when the engine stops.
	background context.Context //nolint:containedctx // the engine's own life, not a call's
	cancel     context.CancelFunc
	wg         sync.WaitGroup

	pulse       pulse
	rowFailures rowFailures
	lastSkips   sync.Map             // sensor -> lastSkip
	stuck       sync.Map             // sensor -> true while a function left behind has not returned
	wakeupsMu   sync.Mutex           // guards wakeups and held
	wakeups     map[string]bool      // sensors to evaluate at once
	held        map[string]*heldBack // by sensor
	woken       chan struct{}        // there are wakeups
	freed       chan struct{}        // a place under a limit became free
}

const (
	queueSteps     = "materialize"
	queueTicks     = "ticks"
	queueSensors   = "sensors"
	queueBackfills = "backfills"
	queueAlerts    = alerts.Queue

	queueMaintenance = "maintenance"
)

// New makes an engine; it does nothing yet.
func New(cfg Config) (*Engine, error) {
	if cfg.DB == nil || cfg.Definitions == nil || cfg.Logger == nil {
		return nil, errors.New("orchestrator: DB, Definitions and Logger are required")
	}
	if cfg.Concurrency <= 0 {
		cfg.Concurrency = 32
	}
	if cfg.Heartbeat <= 0 {
		cfg.Heartbeat = 3 * time.Second
	}
	if cfg.AlertWindow <= 0 {
		cfg.AlertWindow = time.Hour
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.SoftStop <= 0 {
		cfg.SoftStop = 5 * time.Second
	}
	e := &Engine{
		cfg: cfg, db: cfg.DB, defs: cfg.Definitions, log: cfg.Logger, id: workerID(),
		wakeups: map[string]bool{}, held: map[string]*heldBack{}, woken: make(chan struct{}, 1), freed: make(chan struct{}, 1),
		background: context.Background(),
		q:          sql.New(cfg.DB.Durable()), relaxed: sql.New(cfg.DB.NoWait()), lists: sql.New(cfg.DB.Lists()),
	}
	e.events = eventlog.New(e.db, e.log)
	e.observe = newInstruments(cfg.Metrics, cfg.Tracer)
	if err := checkLimits(e.defs, cfg.Limits); err != nil {
		return nil, err
	}
	var err error
	if e.retention, err = retention.New(retention.Config{
		DB: cfg.DB, Logger: cfg.Logger, Policy: cfg.Retention, Sweepers: cfg.Sweepers, Expiries: cfg.Expiries,
		Swept: e.observe.swept,
	}); err != nil {
		return nil, err
	}
	// River tells workers of a new job only if it has not told them of another within FetchCooldown; a job left unsaid
	// waits for the next poll. So the client that enqueues has the shortest there is, and the one that works one that
	// lets it fetch several jobs at once.
	enqueue := &river.Config{Logger: quietRiver(cfg.Logger), FetchCooldown: time.Millisecond, SkipUnknownJobCheck: true}
	if e.river, err = river.NewClient(riverpgxv5.New(cfg.DB.Pool), enqueue); err != nil {
		return nil, fmt.Errorf("river: %w", err)
	}
	e.alerts = alerts.New(alerts.Config{
		DB: cfg.DB, River: e.river, Logger: cfg.Logger, Channels: cfg.Channels, Window: cfg.AlertWindow, Now: e.now,
	})
	if !cfg.Work {
		return e, nil
	}
	workers := river.NewWorkers()
	river.AddWorker(workers, &stepWorker{engine: e})
	river.AddWorker(workers, &tickWorker{engine: e})
	river.AddWorker(workers, &sensorRoundWorker{engine: e})
	river.AddWorker(workers, &sensorWorker{engine: e})
	river.AddWorker(workers, &backfillWorker{engine: e})
	river.AddWorker(workers, e.alerts.Worker())
	river.AddWorker(workers, &retentionWorker{engine: e})
	e.worker, err = river.NewClient(riverpgxv5.New(cfg.DB.Direct), &river.Config{
		ID:     e.id,
		Logger: quietRiver(cfg.Logger),
		// The engine has its own time limits, and notices dead workers long before River would.
		JobTimeout:           -1,
		RescueStuckJobsAfter: 7 * 24 * time.Hour,
		FetchCooldown:        4 * time.Millisecond,
		FetchPollInterval:    150*time.Millisecond + mathrand.N(100*time.Millisecond), //nolint:gosec // so that no two workers ask in step
		// Finished jobs are of use in River UI only; the record is in runs and steps.
		CompletedJobRetentionPeriod: riverAge(e.retention.Keep(retention.Jobs).Age, 1),
		CancelledJobRetentionPeriod: riverAge(e.retention.Keep(retention.Jobs).Age, 24),
		DiscardedJobRetentionPeriod: riverAge(e.retention.Keep(retention.Jobs).Age, 7*24),
		Workers:                     workers,
		Queues:                      map[string]river.QueueConfig{queueSteps: {MaxWorkers: cfg.Concurrency}, queueTicks: {MaxWorkers: 4}, queueSensors: {MaxWorkers: 8}, queueBackfills: {MaxWorkers: 2}, queueAlerts: {MaxWorkers: 8}, queueMaintenance: {MaxWorkers: 1}},
		PeriodicJobs:                e.periodicJobs(),
		SoftStopTimeout:             cfg.SoftStop,
	})
	if err != nil {
		return nil, fmt.Errorf("river: %w", err)
	}
	return e, nil
}

// riverAge is how long River keeps jobs; those that went wrong are kept longer, by a factor. -1 is for ever.
func riverAge(age time.Duration, factor int) time.Duration {
	if age == 0 {
		return -1
	}
	return age * time.Duration(factor)
}

// workerID names this process among all, past and present.
func workerID() string {
	host, _ := os.Hostname()
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%.40s-%d-%s", host, os.Getpid(), hex.EncodeToString(b[:]))
}

// Start begins to work and to listen for events. It returns once River has started.
func (e *Engine) Start(ctx context.Context) error {
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e.background, e.cancel = background, cancel
	e.wg.Go(func() { e.events.Run(background) })
	if !e.cfg.Work {
		e.wg.Go(func() { e.heartbeats(background) })
		e.wg.Go(func() { e.housekeeping(background) })
		return nil
	}
	if err := e.beat(ctx); err != nil {
		return err
	}
	shift, err := e.db.AlignLog(ctx)
	if err != nil {
		return fmt.Errorf("event log: %w", err)
	}
	if shift > 0 {
		e.log.Warn("the event log was written by another cluster, as after a restore: its order is set right", "by", shift)
	}
	// River stops when its context ends; we stop it ourselves, in order.
	if err := e.worker.Start(background); err != nil {
		return fmt.Errorf("start river: %w", err)
	}
	e.pulse.last, e.pulse.since = time.Now(), e.healthySince(ctx)
	e.wg.Go(func() { e.heartbeats(background) })
	e.wg.Go(func() { e.housekeeping(background) })
	e.wg.Go(func() { e.evaluateWoken(background) })
	e.wg.Go(func() { e.placeFreed(background) })
	return nil
}

// Stop lets running steps finish for Config.SoftStop, hands the rest back to be run elsewhere, ends all event streams
// and returns. It returns when ctx ends, whatever hangs: the error says so, what hangs is left behind, and its steps are
// taken over as those of a dead worker.
func (e *Engine) Stop(ctx context.Context) error {
	e.stopping.Store(true)
	stopped := make(chan error, 1) // whoever does not wait for it any more does not keep it
	go func() { stopped <- e.stop(ctx) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-stopped: // it was done at the same moment
		return err
	default:
		return fmt.Errorf("stop: not all has stopped in time: %w", ctx.Err())
	}
}

// goodbyeFor is how long a worker that stops may take to say that it is gone.
const goodbyeFor = 2 * time.Second

func (e *Engine) stop(ctx context.Context) error {
	e.events.Close()
	// Some of the time is kept for saying goodbye: the sooner, then, are steps that do not stop given to others.
	limit, cancel := ctx, context.CancelFunc(func() {})
	if until, ok := ctx.Deadline(); ok {
		limit, cancel = context.WithDeadline(ctx, until.Add(-min(goodbyeFor, time.Until(until)/10)))
	}
	defer cancel()
	var err error
	if e.cfg.Work && e.cancel != nil {
		err = e.worker.Stop(limit) // cancels what still runs after SoftStopTimeout
	}
	if e.cancel != nil {
		e.cancel()
	}
	done := make(chan struct{})
	go func() { e.wg.Wait(); e.events.Wait(); close(done) }()
	select {
	case <-done:
	case <-limit.Done():
		err = errors.Join(err, limit.Err())
	}
	if e.cfg.Work {
		bye, cancel := context.WithTimeout(ctx, goodbyeFor)
		defer cancel()
		_ = e.q.FreeSensorsOfWorker(bye, &e.id)
		_ = e.q.DeleteWorker(bye, e.id)
	}
	return err
}

// Definitions are what the engine was made with.
func (e *Engine) Definitions() *Definitions { return e.defs }

// Events is the event log.
func (e *Engine) Events() *eventlog.Log { return e.events }

// Stopping returns a channel that is closed when the engine stops. Streams of every kind end with it.
func (e *Engine) Stopping() <-chan struct{} { return e.events.Stopping() }

// Alerts raises and lists alerts.
func (e *Engine) Alerts() *alerts.Alerter { return e.alerts }

// TestAlertChannel enqueues a test message to a channel and returns its delivery. ErrNotFound without such a channel.
func (e *Engine) TestAlertChannel(ctx context.Context, name string) (*alerts.Delivery, error) {
	for _, c := range e.cfg.Channels {
		if c.Name == name {
			return e.alerts.Test(ctx, c)
		}
	}
	return nil, &NotFoundError{Kind: "channel", Name: name}
}

// River is the engine's River client, for River UI.
func (e *Engine) River() *river.Client[pgx.Tx] { return e.river }

// WorkerID names this process in workers, steps and River.
func (e *Engine) WorkerID() string { return e.id }

func (e *Engine) now() time.Time { return e.cfg.Now().UTC().Truncate(time.Microsecond) }

// quietRiver keeps River's warnings and errors, and drops its chatter.
func quietRiver(l *slog.Logger) *slog.Logger {
	return slog.New(&levelHandler{Handler: l.Handler(), min: slog.LevelWarn})
}

type levelHandler struct {
	slog.Handler
	min slog.Level
}

func (h *levelHandler) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.min && h.Handler.Enabled(ctx, l)
}

func (h *levelHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &levelHandler{Handler: h.Handler.WithAttrs(attrs), min: h.min}
}

func (h *levelHandler) WithGroup(name string) slog.Handler {
	return &levelHandler{Handler: h.Handler.WithGroup(name), min: h.min}
}
