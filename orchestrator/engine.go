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
	"github.com/riverqueue/river/rivertype"
	"go.opentelemetry.io/otel/trace"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/alerts"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/notify"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/retention"
)

// Config is everything that an Engine needs.
type Config struct {
	// DB is the database, migrated. Required.
	DB *db.DB
	// Definitions are the assets, jobs, schedules and sensors. Required. Every process of a deployment must have the same.
	Definitions *Definitions
	// Logger receives what the engine does. Required.
	Logger *slog.Logger
	// Work makes this process run steps and, while River has elected it leader, fire schedules. Without it the process
	// only accepts commands and answers queries.
	Work bool
	// Concurrency is how many steps this process runs at once; default 32.
	Concurrency int
	// Heartbeat is the time between two heartbeats of a worker; default 3 s. A worker without one for four times as long
	// is taken for dead, and its steps go to others: within 20 s by default. With a short one, a slow database causes work
	// to be repeated.
	Heartbeat time.Duration
	// Deep lets the process rest while nothing is due, for databases that bill by activity: a worker stops River and
	// sleeps until it is notified or something is due, and a process without work asks the database hardly anything.
	Deep bool
	// Limits bound what runs at once, in all workers together. Every worker must have the same.
	Limits []Limit
	// Channels are notified of alerts.
	Channels []*notify.Channel
	// AlertWindow is how long after a notification the channels are not notified of the same cause again, if it recovers
	// and comes back; default 1 h.
	AlertWindow time.Duration
	// Retention says how much is kept, by kind; a kind that is not in it has its default.
	Retention retention.Policy
	// Sweepers delete old records of other packages.
	Sweepers []retention.Sweeper
	// Expiries delete records of other packages that hold their own end.
	Expiries []retention.Expiry
	// Metrics is where the engine's counters are registered; nil: nowhere.
	Metrics prometheus.Registerer
	// Tracer is where spans go; nil: nowhere.
	Tracer trace.TracerProvider
	// Now is the clock that decides what is due; default time.Now. Tests set it. What is due by age, such as retention and
	// dead workers, is decided by the database's clock.
	Now func() time.Time
	// SoftStop is how long Stop lets running steps finish before it hands them back; default 5 s.
	SoftStop time.Duration
}

// complete sets defaults. The error names what is missing.
func (c *Config) complete() error {
	if c.DB == nil || c.Definitions == nil || c.Logger == nil {
		return errors.New("orchestrator: DB, Definitions and Logger are required")
	}
	if c.Concurrency <= 0 {
		c.Concurrency = 32
	}
	if c.Heartbeat <= 0 {
		c.Heartbeat = 3 * time.Second
	}
	if c.AlertWindow <= 0 {
		c.AlertWindow = time.Hour
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.SoftStop <= 0 {
		c.SoftStop = 5 * time.Second
	}
	return nil
}

// Engine runs assets. Make one with New and Start it; stop it with Stop. All other methods may be called from any
// goroutine, also before Start.
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

	events    *eventlog.Log
	alerts    *alerts.Alerter
	retention *retention.Deleter
	observe   *instruments

	running  sync.Map // River job id -> context.CancelCauseFunc of the step
	stopping atomic.Bool
	// background ends when the engine stops.
	background context.Context //nolint:containedctx // the engine's own life, not a call's
	cancel     context.CancelFunc
	wg         sync.WaitGroup // goroutines that end with background

	records      shared[sharedRecord]
	starts       shared[sharedStart]
	ends         shared[sharedEnd]
	pulse        pulse
	session      atomic.Pointer[workerSession] // nil: it has none
	sensorWasDue bool                          // when housekeeping looked last, and only it uses this
	sensorsAt    atomic.Int64                  // when a sensor may be due, in ns since 1970
	looksSoon    atomic.Bool                   // jobs that are being enqueued will be looked for
	look         chan struct{}                 // look for jobs that are due
	othersWorked atomic.Int64                  // when jobs of other workers were last seen, in ns since 1970; 0: never
	rowFailures  rowFailures
	lastSkips    sync.Map             // sensor -> lastSkip
	stuck        sync.Map             // sensor -> true while an abandoned function has not returned
	dryRuns      sync.Map             // sensor -> true while its function is called by a dry run
	wakeupsMu    sync.Mutex           // guards wakeups and held
	wakeups      map[string]bool      // sensors to evaluate at once
	held         map[string]*heldBack // by sensor
	woken        chan struct{}        // there are wakeups
	freed        chan struct{}        // a place under a limit became free
	sleep        sleep                // with Config.Deep
	inHand       inHand
}

const (
	queueSteps     = "materialize"
	queueTicks     = "ticks"
	queueSensors   = "sensors"
	queueBackfills = "backfills"
	queueAlerts    = alerts.Queue

	queueMaintenance = "maintenance"
)

// New makes an engine. It does nothing until Start.
func New(cfg Config) (*Engine, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	e := &Engine{
		cfg: cfg, db: cfg.DB, defs: cfg.Definitions, log: cfg.Logger, id: workerID(), background: context.Background(),
		wakeups: map[string]bool{}, held: map[string]*heldBack{},
		inHand: newInHand(), woken: make(chan struct{}, 1), freed: make(chan struct{}, 1), look: make(chan struct{}, 1),
		q: sql.New(cfg.DB.Durable()), relaxed: sql.New(cfg.DB.NoWait()), lists: sql.New(cfg.DB.Lists()),
		sleep:  sleep{times: usualSleep, woke: make(chan (<-chan *river.Event), 1)},
		events: eventlog.New(cfg.DB, cfg.Logger), observe: newInstruments(cfg.Metrics, cfg.Tracer),
	}
	e.records.do = rescued(cfg.Logger, e.recordShared, (*sharedRecord).notDone)
	e.starts.do = rescued(cfg.Logger, e.startShared, (*sharedStart).notDone)
	e.ends.do = rescued(cfg.Logger, e.finishShared, (*sharedEnd).notDone)
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
	// River notifies workers of a new job only if it has not notified them of another within FetchCooldown; otherwise the
	// job waits for the next poll. The client that enqueues therefore has the shortest cooldown, and the one that works
	// has one that lets it fetch several jobs at once.
	enqueue := &river.Config{
		Logger: quietRiver(cfg.Logger), FetchCooldown: time.Millisecond, SkipUnknownJobCheck: true,
	}
	if e.river, err = river.NewClient(riverpgxv5.New(cfg.DB.Pool), enqueue); err != nil {
		return nil, fmt.Errorf("river: %w", err)
	}
	e.alerts = alerts.New(alerts.Config{
		DB: cfg.DB, River: e.river, Logger: cfg.Logger, Channels: cfg.Channels, Window: cfg.AlertWindow, Now: e.now,
	})
	if !cfg.Work {
		return e, nil
	}
	if e.worker, err = e.newWorker(); err != nil {
		return nil, fmt.Errorf("river: %w", err)
	}
	return e, nil
}

// newWorker makes the River client that works.
func (e *Engine) newWorker() (*river.Client[pgx.Tx], error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, &stepWorker{engine: e})
	river.AddWorker(workers, &tickWorker{engine: e})
	river.AddWorker(workers, &sensorRoundWorker{engine: e})
	river.AddWorker(workers, &sensorWorker{engine: e})
	river.AddWorker(workers, &backfillWorker{engine: e})
	river.AddWorker(workers, e.alerts.Worker())
	river.AddWorker(workers, &retentionWorker{engine: e})
	kept := e.retention.Keep(retention.Jobs).Age
	middleware := []rivertype.Middleware{river.WorkerMiddlewareFunc(e.inHand.work)}
	if e.cfg.Deep {
		middleware = append(middleware, river.WorkerMiddlewareFunc(e.sleep.gate.work))
	}
	return river.NewClient(newDriver(e.cfg.DB), &river.Config{
		ID:     e.id,
		Logger: quietRiver(e.cfg.Logger),
		// The engine has its own time limits, and notices dead workers long before River would.
		JobTimeout:           -1,
		RescueStuckJobsAfter: 7 * 24 * time.Hour,
		FetchCooldown:        2 * time.Millisecond,
		// Notifications say that there is a new job or that one is due; see watchJobs.
		FetchPollInterval: jitter(pollOthers, pollOthers/3),
		// Finished jobs are of use in River UI only; the record is in runs and steps.
		CompletedJobRetentionPeriod: riverAge(kept, 1),
		CancelledJobRetentionPeriod: riverAge(kept, 24),
		DiscardedJobRetentionPeriod: riverAge(kept, 7*24),
		Workers:                     workers,
		Middleware:                  middleware,
		Queues: map[string]river.QueueConfig{
			queueSteps: {
				MaxWorkers: e.cfg.Concurrency, FetchPollInterval: jitter(pollSteps, pollSteps/3),
			},
			queueTicks: {MaxWorkers: 4}, queueSensors: {MaxWorkers: 8},
			queueBackfills: {MaxWorkers: 2}, queueAlerts: {MaxWorkers: 8}, queueMaintenance: {MaxWorkers: 1},
		},
		PeriodicJobs:    e.periodicJobs(),
		SoftStopTimeout: e.cfg.SoftStop,
	})
}

// jitter returns least and up to more, by chance, so that no two workers poll at the same moment.
func jitter(least, more time.Duration) time.Duration {
	return least + mathrand.N(more) //nolint:gosec // chance enough
}

// riverAge returns how long River keeps finished jobs: age times factor, which is higher for jobs that failed. -1 means
// for ever.
func riverAge(age time.Duration, factor int) time.Duration {
	if age == 0 {
		return -1
	}
	return age * time.Duration(factor)
}

// workerID returns a name for this process that no other has, past or present.
func workerID() string {
	host, _ := os.Hostname()
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%.40s-%d-%s", host, os.Getpid(), hex.EncodeToString(b[:]))
}

// Start begins to work and to listen for events, until Stop. It returns once River has started.
func (e *Engine) Start(ctx context.Context) error {
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e.background, e.cancel = background, cancel
	e.wg.Go(func() { e.events.Run(background) })
	e.use()
	if !e.cfg.Work {
		e.wg.Go(func() { e.heartbeats(background) })
		e.wg.Go(func() { e.housekeeping(background) })
		return nil
	}
	if err := e.beat(ctx); err != nil {
		return fmt.Errorf("send the first heartbeat: %w", err)
	}
	shift, err := e.db.AlignLog(ctx)
	if err != nil {
		return fmt.Errorf("event log: %w", err)
	}
	if shift > 0 {
		e.log.Warn("the event log was written by another cluster, as after a restore: its order is corrected", "by", shift)
	}
	putOff, _ := e.putOffs()
	// River stops when its context ends; we stop it ourselves, in order.
	if err := e.worker.Start(background); err != nil {
		return fmt.Errorf("start river: %w", err)
	}
	e.pulse.last, e.pulse.since = time.Now(), e.healthySince(ctx)
	e.wg.Go(func() { e.heartbeats(background) })
	e.wg.Go(func() { e.housekeeping(background) })
	e.othersWorked.Store(time.Now().UnixNano()) // they may be at work
	if !e.db.Tight {
		e.wg.Go(func() { e.keepSession(background) })
	}
	e.wg.Go(func() { e.watchSessions(background) })
	e.wg.Go(func() { e.watchJobs(background, putOff) })
	e.wg.Go(func() { e.evaluateWoken(background) })
	e.wg.Go(func() { e.placeFreed(background) })
	return nil
}

// Stop lets running steps finish for Config.SoftStop, hands the rest back to be run elsewhere, ends all event streams
// and returns. It returns when ctx ends, whatever hangs. The error then says so, and the steps that hang are taken over
// as those of a dead worker.
func (e *Engine) Stop(ctx context.Context) error {
	e.stopping.Store(true)
	stopped := make(chan error, 1) // buffered: nobody may wait for it any more
	go func() { stopped <- e.stop(ctx) }()
	select {
	case err := <-stopped:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-stopped: // it stopped at the same moment
		return err
	default:
		return fmt.Errorf("stop: not everything stopped in time: %w", ctx.Err())
	}
}

// leaveTimeout is how long a worker that stops may take to delete its own record.
const leaveTimeout = 2 * time.Second

func (e *Engine) stop(ctx context.Context) error {
	e.events.Close()
	// Some of the time is kept for deleting the worker's record. Without the record, the steps that do not stop are given
	// to others sooner.
	limit, cancel := ctx, context.CancelFunc(func() {})
	if until, ok := ctx.Deadline(); ok {
		limit, cancel = context.WithDeadline(ctx, until.Add(-min(leaveTimeout, time.Until(until)/10)))
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
		leave, cancel := context.WithTimeout(ctx, leaveTimeout)
		defer cancel()
		_, _ = e.wakeWorkers(leave) // of the steps that were handed back
		_ = e.q.FreeSensorsOfWorker(leave, &e.id)
		e.evaluateDue(leave)
		_ = e.q.DeleteWorker(leave, e.id)
	}
	return err
}

// Definitions returns those of the configuration.
func (e *Engine) Definitions() *Definitions { return e.defs }

// Events returns the event log.
func (e *Engine) Events() *eventlog.Log { return e.events }

// Stopping returns a channel that is closed when the engine stops. Streams of every kind end with it.
func (e *Engine) Stopping() <-chan struct{} { return e.events.Stopping() }

// Alerts returns what raises and lists alerts.
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

// River returns the engine's River client, for River UI.
func (e *Engine) River() *river.Client[pgx.Tx] { return e.river }

// WorkerID returns the name of this process in workers, steps and River.
func (e *Engine) WorkerID() string { return e.id }

// now returns the time as it is stored: UTC, in microseconds.
func (e *Engine) now() time.Time { return e.cfg.Now().UTC().Truncate(time.Microsecond) }

// quietRiver returns a logger that passes on only River's warnings and errors.
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
