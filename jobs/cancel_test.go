package jobs_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/jobs"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// held has every request wait until whoever sent it goes, and says when the first one came.
func (s *lab) held() <-chan struct{} {
	came := make(chan struct{}, 1)
	s.spoiled(func(_ http.ResponseWriter, r *http.Request) bool {
		select {
		case came <- struct{}{}:
		default:
		}
		<-r.Context().Done()
		return true
	})
	return came
}

// answering has every request answered with a status, and says when the first one came.
func (s *lab) answering(status int, headers ...string) <-chan struct{} {
	came := make(chan struct{}, 1)
	s.spoiled(func(w http.ResponseWriter, _ *http.Request) bool {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		select {
		case came <- struct{}{}:
		default:
		}
		return true
	})
	return came
}

func (s *lab) await(what string, c <-chan struct{}) {
	s.t.Helper()
	select {
	case <-c:
	case <-time.After(30 * time.Second):
		s.t.Fatalf("never: %s", what)
	}
}

// event waits for an event of a run.
func (s *lab) event(id uuid.UUID, kind string) {
	s.t.Helper()
	seen := make(chan struct{})
	go func() {
		defer close(seen)
		_ = s.engine.FollowRun(s.t.Context(), id, 0, func(evs []eventlog.Event) error {
			if slices.ContainsFunc(evs, func(ev eventlog.Event) bool { return ev.Type == kind }) {
				return http.ErrAbortHandler // any error ends it
			}
			return nil
		})
	}()
	s.await(kind, seen)
}

func (s *lab) cancel(id uuid.UUID) {
	s.t.Helper()
	if _, err := s.engine.CancelRun(s.t.Context(), id, "alice"); err != nil {
		s.t.Fatal(err)
	}
}

// watch starts the sensors of failures, which see events from here on.
func (s *lab) watch() {
	s.t.Helper()
	s.evaluated("fetch_failure_sensor")
	s.evaluated("run_failure_sensor")
}

// quiet checks that a run is recorded as canceled everywhere, and that no alert is raised.
func (s *lab) quiet(id uuid.UUID) {
	s.t.Helper()
	run, events := s.ended(id)
	if run.Status != orchestrator.StatusCanceled || run.CanceledBy == nil || *run.CanceledBy != "alice" ||
		run.Error != nil {
		s.t.Errorf("the run ended as %s by %v: %+v", run.Status, run.CanceledBy, run.Error)
	}
	for _, step := range run.Steps {
		if step.Status != orchestrator.StatusCanceled || step.Error == nil ||
			step.Error.Class != orchestrator.ClassCanceled || !strings.HasPrefix(step.Error.Message, "canceled by alice") {
			s.t.Errorf("%s ended as %s: %+v", step.Asset, step.Status, step.Error)
		}
	}
	for _, ev := range events {
		if ev.Level == eventlog.LevelError || strings.Contains(ev.Message, "JobCancelError") {
			s.t.Errorf("event %s %s: %s", ev.Level, ev.Type, ev.Message)
		}
	}
	s.watch()
	if got := s.alerts(); len(got) > 0 {
		s.t.Errorf("alerts %v", got)
	}
}

// untouched says that the sources are not blamed for a cancel.
func (s *lab) untouched() {
	s.t.Helper()
	sources, err := s.store.Sources(s.t.Context())
	if err != nil || len(sources) != 2 {
		s.t.Fatalf("%d sources, %v", len(sources), err)
	}
	for _, source := range sources {
		if source.LastFailureAt != nil || source.LastError != nil || source.BreakerOpen {
			s.t.Errorf(
				"%s: failed at %v: %v; breaker open: %v", source.Name, source.LastFailureAt, source.LastError, source.BreakerOpen,
			)
		}
	}
}

func (s *lab) fetchLogs() []parliament.FetchLog {
	s.t.Helper()
	logs, err := s.store.FetchLogs(s.t.Context(), parliament.FetchLogFilter{Limit: 50})
	if err != nil {
		s.t.Fatal(err)
	}
	return logs
}

// TestCanceledFetch cancels each fetch, wherever it waits: it is canceled everywhere, alerts nobody and blames no
// source.
func TestCanceledFetch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		asset, config, where string
		hold                 func(s *lab) <-chan struct{}
		blamed               bool // the source did something wrong before
	}{
		{latestAsset, `{}`, "in a request", (*lab).held, false},
		{"fetch_parliament_session_bills", `{"parliament": 45, "session": 1}`, "in a request", (*lab).held, false},
		{membersAsset, `{}`, "in a request", (*lab).held, false},
		{"parliament_sessions", `{}`, "in a request", (*lab).held, false},
		{latestAsset, `{}`, "told to wait", func(s *lab) <-chan struct{} { return s.answering(http.StatusTooManyRequests, "Retry-After", "15") }, true},
		{membersAsset, `{}`, "between two tries", func(s *lab) <-chan struct{} { return s.answering(http.StatusInternalServerError) }, true},
		{latestAsset, `{}`, "in line for a slot", func(s *lab) <-chan struct{} {
			s.exec(
				`INSERT INTO source_slots SELECT source, slot, now() + interval '1 hour'
					FROM source_states, generate_series(1, 4) AS slot`,
			)
			return nil
		}, false},
		{latestAsset, `{}`, "in the midst of the details", func(s *lab) <-chan struct{} {
			came := make(chan struct{}, 1)
			s.spoiled(func(_ http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, "/bill/") {
					return false
				}
				select {
				case came <- struct{}{}:
				default:
				}
				<-r.Context().Done()
				return true
			})
			return came
		}, false},
	} {
		t.Run(c.asset+" "+c.where, func(t *testing.T) {
			t.Parallel()
			s := newLab(t, labOptions{upstream: func(u *upstream.Config) { u.RetryDelay = 20 * time.Second }})
			s.watch()
			came := c.hold(s)
			id := s.begin(c.asset, c.config)
			if s.event(id, eventlog.StepStarted); came != nil {
				s.await("a request", came)
			}
			s.cancel(id)
			s.quiet(id)
			if !c.blamed {
				s.untouched()
			}
			logs := s.fetchLogs()
			if len(logs) != 1 || logs[0].Status != parliament.FetchCanceled || len(logs[0].Errors) != 0 {
				t.Errorf("fetch logs %+v", logs)
			}
			s.made("monitor_fetch_operations", `{}`)
			if n := s.count(
				`SELECT (metadata ->> 'canceled_count')::integer FROM materializations
					WHERE asset = 'monitor_fetch_operations' AND NOT metadata ? 'failure_count'`,
			); n != 1 {
				t.Errorf("%d canceled fetches are monitored", n)
			}
		})
	}
}

// A cancel that comes while the checks look at what was fetched cancels the fetch too; what it stored stays.
func TestCanceledInItsChecks(t *testing.T) {
	t.Parallel()
	s := newLab(t, labOptions{})
	s.made(latestAsset, `{"limit": 5}`)
	s.watch()
	tx, err := s.db.Pool.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(t.Context()) }()
	if _, err := tx.Exec(t.Context(), `LOCK TABLE dynamic_partitions`); err != nil { // the first check reads it
		t.Fatal(err)
	}
	id := s.begin(latestAsset, `{"limit": 10}`)
	s.event(id, eventlog.Progress) // the last that the fetch says
	s.cancel(id)
	s.ended(id)
	if err := tx.Rollback(t.Context()); err != nil { // what came after it does not show to the sensors before
		t.Fatal(err)
	}
	s.quiet(id)
	logs := s.fetchLogs()
	if len(logs) != 2 || logs[0].Status != parliament.FetchCanceled ||
		s.count(`SELECT count(*) FROM bills`) != s.count(`SELECT count(*) FROM listed_bills`) {
		t.Errorf("%d bills, fetch logs %+v", s.count(`SELECT count(*) FROM bills`), logs)
	}
}

// A fetch that is canceled while it waits for its next attempt: the log of the attempt before says that it failed, as
// it did, and nobody is told.
func TestCanceledBetweenAttempts(t *testing.T) {
	t.Parallel()
	s := newLab(t, labOptions{})
	s.watch()
	s.exec(
		`CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
			CREATE TRIGGER full_disk BEFORE INSERT ON bills FOR EACH ROW EXECUTE FUNCTION full_disk()`,
	)
	id := s.begin(latestAsset, `{"limit": 5}`)
	s.event(id, eventlog.StepUpForRetry)
	s.cancel(id)
	if run, _ := s.ended(id); run.Status != orchestrator.StatusCanceled ||
		run.Steps[0].Status != orchestrator.StatusCanceled {
		t.Errorf("%+v", run)
	}
	if logs := s.fetchLogs(); len(logs) != 1 || logs[0].Status != parliament.FetchFailure {
		t.Errorf("fetch logs %+v", logs)
	}
	if s.watch(); len(s.alerts()) > 0 {
		t.Errorf("alerts %v", s.alerts())
	}
}

// A cancel neither raises an alert nor clears one: it says nothing of the source.
func TestCancelKeepsAnAlert(t *testing.T) {
	t.Parallel()
	s := newLab(t, labOptions{})
	s.watch()
	s.answering(http.StatusNotFound)
	s.run(latestAsset, `{"limit": 5}`)
	s.watch()
	before := s.alerts()
	came := s.held()
	id := s.begin(latestAsset, `{"limit": 5}`)
	s.await("a request", came)
	s.cancel(id)
	s.ended(id)
	s.watch()
	if after := s.alerts(); len(before) == 0 || !slices.Equal(before, after) {
		t.Errorf("alerts %v, before %v", after, before)
	}
}

// A run that takes too long is a failure, with its own reason, and is told of.
func TestTimedOutFetch(t *testing.T) {
	t.Parallel()
	s := newLab(t, labOptions{})
	s.watch()
	came := s.held()
	id := s.begin("fetch_bills_job", `{}`)
	s.await("a request", came)
	s.exec(`UPDATE runs SET deadline_at = now() - interval '1 second' WHERE id = $1`, id)
	run, _ := s.ended(id)
	const why = "the run took longer than 1h0m0s"
	if run.Status != orchestrator.StatusFailure || run.Error.Class != orchestrator.ClassTimeout ||
		run.Steps[0].Error.Class != orchestrator.ClassTimeout || run.Steps[0].Error.Message != why {
		t.Errorf("%s %+v, %+v", run.Status, run.Error, run.Steps[0].Error)
	}
	if logs := s.fetchLogs(); len(logs) != 1 || logs[0].Status != parliament.FetchFailure || len(logs[0].Errors) != 1 ||
		logs[0].Errors[0].Message != why {
		t.Errorf("fetch logs %+v", logs)
	}
	s.untouched()
	if s.watch(); !slices.Equal(s.alerts(), []string{"fetch:" + latestAsset}) {
		t.Errorf("alerts %v", s.alerts())
	}
}

// A worker that stops hands its fetch back: that is neither a failure nor a cancel, and the next worker's log is the
// only one.
func TestStoppedWorker(t *testing.T) {
	t.Parallel()
	s := newLab(t, labOptions{})
	s.watch()
	came := s.held()
	id := s.begin(latestAsset, `{"limit": 5}`)
	s.await("a request", came)
	s.stop()
	s.untouched()
	if logs := s.fetchLogs(); len(logs) != 0 {
		t.Errorf("fetch logs %+v", logs)
	}
	var status, event string
	if err := s.db.Pool.QueryRow(t.Context(), `SELECT status, (SELECT type FROM events WHERE asset IS NOT NULL
		ORDER BY id DESC LIMIT 1) FROM steps WHERE run_id = $1`, id).Scan(&status, &event); err != nil ||
		status != orchestrator.StatusQueued || event != eventlog.StepRequeued {
		t.Errorf("%s, %s, %v", status, event, err)
	}
	s.spoiled(func(http.ResponseWriter, *http.Request) bool { return false })
	s.start(labOptions{})
	if run, _ := s.ended(id); run.Status != orchestrator.StatusSuccess {
		t.Errorf("%+v", run)
	}
	if logs := s.fetchLogs(); len(logs) != 1 || logs[0].Status != parliament.FetchSuccess {
		t.Errorf("fetch logs %+v", logs)
	}
	if s.watch(); len(s.alerts()) > 0 {
		t.Errorf("alerts %v", s.alerts())
	}
}

// An attempt whose step went to another worker meanwhile writes no fetch log.
func TestFencedFetch(t *testing.T) {
	t.Parallel()
	s := newLab(t, labOptions{})
	came, let := make(chan struct{}, 100), make(chan struct{})
	s.spoiled(func(http.ResponseWriter, *http.Request) bool { came <- struct{}{}; <-let; return false })
	id := s.begin(latestAsset, `{"limit": 5}`)
	s.await("a request", came)
	s.exec(`UPDATE steps SET attempt = attempt + 1 WHERE run_id = $1`, id)
	close(let)
	s.stop() // when it is through, so is the attempt
	if logs := s.fetchLogs(); len(logs) != 0 {
		t.Errorf("fetch logs %+v", logs)
	}
}

// Embedding is canceled like a fetch: the endpoint is not tried again.
func TestCanceledEmbedding(t *testing.T) {
	t.Parallel()
	came := make(chan struct{}, 100)
	s := newLab(t, labOptions{deps: func(d *jobs.Deps, s *lab) {
		d.Embedder = parliament.NewEmbedder(
			s.db, embedder(t, func(_ http.ResponseWriter, r *http.Request) { came <- struct{}{}; <-r.Context().Done() }),
		)
	}})
	s.made("fetch_parliament_session_bills", `{"parliament": 45, "session": 1}`)
	s.watch()
	id := s.begin("update_embeddings", `{}`)
	s.await("a request", came)
	s.cancel(id)
	s.quiet(id)
	if len(came) > 0 {
		t.Errorf("%d requests after the first", len(came))
	}
}

// What a canceled fetch stored is published: the fetches after it find nothing changed, and would never say so.
func TestChangesOfACanceledFetchArePublished(t *testing.T) {
	t.Parallel()
	s := newLab(t, labOptions{})
	const session = `{"parliament": 45, "session": 1}`
	s.made("fetch_parliament_session_bills", session)
	s.made("publish_job", `{}`)
	if _, err := s.engine.SetSensor(t.Context(), "changed_bills_sensor", true); err != nil { // from here on
		t.Fatal(err)
	}
	// One bill has changed, and is stored at once; of another the detail is missing, and does not come.
	s.exec(
		`UPDATE bills SET doc = jsonb_set(doc, '{title,en}', '"Old"'),
			parts = jsonb_set(parts, '{item,long_title_en}', '"Old"'), content_hash = 'x' WHERE id = '45-1/C-1'`,
	)
	s.exec(
		`UPDATE bills SET parts = jsonb_set(parts, '{detail}', 'null')
			WHERE id = (SELECT max(id) FROM bills WHERE parliament = 45)`,
	)
	detail := make(chan struct{}, 1)
	s.spoiled(func(_ http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/bill/") {
			return false
		}
		detail <- struct{}{}
		<-r.Context().Done()
		return true
	})
	id := s.begin("fetch_parliament_session_bills", session)
	s.await("the detail", detail)
	s.cancel(id)
	s.ended(id)
	if n := s.count(`SELECT count(*) FROM bill_versions WHERE version = 2`); n != 1 {
		t.Fatalf("the canceled fetch stored %d changes", n)
	}
	s.ended(s.started("publish_job"))
	if n := s.count(`SELECT count(*) FROM feed_items WHERE version = 2 AND bill_id = '45-1/C-1'`); n != 1 {
		t.Errorf("%d items of the change", n)
	}
}

// started waits for the second run of a job.
func (s *lab) started(job string) (id uuid.UUID) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	seen := map[uuid.UUID]bool{}
	_ = s.engine.Events().FollowAll(ctx, &eventlog.Cursor{}, func(evs []eventlog.Event) error {
		for _, ev := range evs {
			if ev.Type != eventlog.RunEnqueued {
				continue
			}
			run, err := s.engine.Run(ctx, ev.RunID)
			if err != nil {
				return err
			}
			if run.Job != nil && *run.Job == job {
				seen[run.ID] = true
				id = run.ID
			}
		}
		if len(seen) > 1 {
			return context.Canceled
		}
		return nil
	})
	if len(seen) < 2 {
		s.t.Fatalf("%s was not started again", job)
	}
	return id
}
