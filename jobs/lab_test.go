package jobs_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/jobs"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/embed"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
	"github.com/parliament-explorer/parliament-explorer/simulate"
)

// lab is the real pipeline on a database of its own, fetching from a simulated Parliament in this process.
type lab struct {
	t      testing.TB
	db     *db.DB
	store  *parliament.Store
	engine *orchestrator.Engine
	defs   *orchestrator.Definitions
	world  *simulate.World
	source string // where it is served
	stop   func()
	// spoil answers a source's request instead of the world, if it says so.
	spoil *atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
}

type labOptions struct {
	deps     func(*jobs.Deps, *lab)
	engine   func(*orchestrator.Config)
	upstream func(*upstream.Config)
}

// newLab makes a lab of two small sessions, as of 2026-06-18.
func newLab(t testing.TB, o labOptions) *lab {
	t.Helper()
	world, err := simulate.NewWorld(simulate.Options{Bills: 30})
	if err != nil {
		t.Fatal(err)
	}
	s := &lab{
		t: t, db: dbtest.New(t), world: world, spoil: &atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]{},
	}
	handler := world.Handler(simulate.Faults{})
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := s.spoil.Load(); f == nil || !(*f)(w, r) {
			handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(source.Close)
	s.source = source.URL
	s.start(o)
	return s
}

// start starts a worker of the pipeline.
func (s *lab) start(o labOptions) {
	s.t.Helper()
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("test", s.t.Name())
	}
	client := func(name, base string) *upstream.Client {
		cfg := upstream.Config{
			Source: name, BaseURL: base, UserAgent: "parliament-explorer test", DB: s.db, Logger: log, Timeout: 20 * time.Second,
			RetryDelay: 10 * time.Millisecond,
		}
		if o.upstream != nil {
			o.upstream(&cfg)
		}
		c, err := upstream.New(cfg)
		if err != nil {
			s.t.Fatal(err)
		}
		if err := c.Register(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
		return c
	}
	s.store = parliament.NewStore(s.db)
	deps := jobs.Deps{
		Store: s.store, OpenParliament: openparliament.Client{Client: client(openparliament.Source, s.source)},
		Legisinfo: legisinfo.Client{Client: client(legisinfo.Source, s.source+"/legisinfo")}, Now: s.world.Today,
	}
	if o.deps != nil {
		o.deps(&deps, s)
	}
	var err error
	if s.defs, err = jobs.All(deps); err != nil {
		s.t.Fatal(err)
	}
	cfg := orchestrator.Config{
		DB: s.db, Definitions: s.defs, Logger: log, Work: true, Heartbeat: 200 * time.Millisecond,
		SoftStop: 100 * time.Millisecond,
	}
	if o.engine != nil {
		o.engine(&cfg)
	}
	if s.engine, err = orchestrator.New(cfg); err != nil {
		s.t.Fatal(err)
	}
	if err := s.engine.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	e := s.engine
	s.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		if err := e.Stop(ctx); err != nil {
			s.t.Errorf("stop: %v", err)
		}
	})
	s.t.Cleanup(s.stop)
}

// spoiled lets f answer requests instead of the world, where f says so.
func (s *lab) spoiled(f func(http.ResponseWriter, *http.Request) bool) { s.spoil.Store(&f) }

// begin starts a job, or one asset.
func (s *lab) begin(name, config string) uuid.UUID {
	s.t.Helper()
	req := orchestrator.RunRequest{Config: json.RawMessage(config), Trigger: orchestrator.Trigger{Kind: "api"}}
	if strings.HasSuffix(name, "_job") {
		req.Job = name
	} else {
		req.Assets = []string{name}
	}
	run, _, err := s.engine.StartRun(s.t.Context(), req)
	if err != nil {
		s.t.Fatal(err)
	}
	return run.ID
}

// ended follows a run to its end.
func (s *lab) ended(id uuid.UUID) (*orchestrator.Run, []eventlog.Event) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	var events []eventlog.Event
	if err := s.engine.FollowRun(ctx, id, 0, func(evs []eventlog.Event) error {
		events = append(events, evs...)
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
	run, err := s.engine.Run(ctx, id)
	if err != nil {
		s.t.Fatal(err)
	}
	return run, events
}

func (s *lab) run(name, config string) *orchestrator.Run {
	s.t.Helper()
	run, _ := s.ended(s.begin(name, config))
	return run
}

// made is run, and insists on success.
func (s *lab) made(name, config string) {
	s.t.Helper()
	run := s.run(name, config)
	if run.Status != orchestrator.StatusSuccess {
		s.t.Fatalf("%s ended as %s: %+v", name, run.Status, run.Steps)
	}
}

// check is the latest result of a check.
func (s *lab) check(asset, name string) orchestrator.CheckResult {
	s.t.Helper()
	latest, err := s.engine.LatestChecks(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	r, ok := latest[asset][name]
	if !ok {
		s.t.Fatalf("check %s of %s has no result", name, asset)
	}
	return r
}

func (s *lab) exec(sql string, args ...any) {
	s.t.Helper()
	if _, err := s.db.Pool.Exec(s.t.Context(), sql, args...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *lab) count(sql string, args ...any) int {
	s.t.Helper()
	var n int
	if err := s.db.Pool.QueryRow(s.t.Context(), sql, args...).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// swallow makes a table lose rows silently, as a bug in the program would.
func (s *lab) swallow(table, when string) {
	s.t.Helper()
	s.exec(`CREATE FUNCTION swallow_` + table + `() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
		CREATE TRIGGER swallow BEFORE INSERT OR UPDATE ON ` + table + `
		FOR EACH ROW WHEN (` + when + `) EXECUTE FUNCTION swallow_` + table + `()`)
}

// statusesOf are the statuses of a run's steps by asset.
func statusesOf(run *orchestrator.Run) map[string]string {
	out := map[string]string{}
	for _, s := range run.Steps {
		out[s.Asset] = s.Status
	}
	return out
}

// evaluated evaluates a sensor, once what was committed before shows to it.
func (s *lab) evaluated(sensor string) *orchestrator.SensorTick {
	s.t.Helper()
	dbtest.Settled(s.t, s.db)
	tick, err := s.engine.EvaluateSensor(s.t.Context(), sensor)
	if err != nil {
		s.t.Fatal(err)
	}
	if tick.Status == orchestrator.StatusFailure {
		s.t.Fatalf("%s: %s", sensor, *tick.Message)
	}
	return tick
}

// alerts are the causes of the open alerts.
func (s *lab) alerts() []string {
	s.t.Helper()
	all, err := s.engine.Alerts().List(s.t.Context(), true, nil, 50)
	if err != nil {
		s.t.Fatal(err)
	}
	causes := []string{}
	for _, a := range all {
		causes = append(causes, a.Alert.Cause)
	}
	return causes
}

// embedder is an embeddings endpoint: texts of one length are alike. before is called with each request, if it is
// there.
func embedder(t testing.TB, before http.HandlerFunc) *embed.Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Input []string }
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			t.Error(err)
		}
		if before != nil {
			before(w, r)
		}
		data := make([]map[string]any, len(q.Input))
		for i, text := range q.Input {
			data[i] = map[string]any{"index": i, "embedding": []float64{1, float64(len(text))}}
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
	}))
	t.Cleanup(s.Close)
	c, err := embed.New(embed.Config{URL: s.URL, Model: "lengths", RetryDelay: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
