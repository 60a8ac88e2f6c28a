package orchestrator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

// patient has no worker taken for dead that is merely slow.
func patient(c *orchestrator.Config) { c.Heartbeat = 3 * time.Second }

// refuseLogLines has the database take no line of a log until the given function is called.
func refuseLogLines(t *testing.T, d *db.DB) (again func()) {
	t.Helper()
	if _, err := d.Pool.Exec(t.Context(), `
CREATE TABLE full_disk ();
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_regclass('full_disk') IS NOT NULL THEN RAISE EXCEPTION USING ERRCODE = '53100', MESSAGE = 'no space left';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON events FOR EACH ROW WHEN (NEW.type = 'log')
EXECUTE FUNCTION refuse();`); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := d.Pool.Exec(t.Context(), `DROP TABLE full_disk`); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHeldLogLinesAreBounded writes more lines than a step may hold while the database takes none. The step holds no
// more than its bound, the newest are kept, each once, and one line says how many were dropped: while the step goes on,
// and if it ends first.
func TestHeldLogLinesAreBounded(t *testing.T) {
	t.Parallel()
	const all, kept = 25_000, 10_000
	for name, goesOn := range map[string]bool{"TheStepGoesOn": true, "TheStepEnds": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrote, gate := make(chan struct{}), make(chan struct{})
			var most atomic.Int64
			a := asset("a", nil, func(_ context.Context, step *orchestrator.Step) error {
				for i := range all {
					step.Log(eventlog.LevelInfo, fmt.Sprintf("line %d", i), nil)
					most.Store(max(most.Load(), int64(orchestrator.Held(step))))
				}
				close(wrote)
				if goesOn {
					<-gate
				}
				return nil
			})
			e := setup(t, define(t, []*orchestrator.Asset{a}, nil), patient)
			again := refuseLogLines(t, orchestrator.DatabaseOf(e))
			run := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}})
			receive(t, "all is logged", wrote)
			again()
			missing := func(ev eventlog.Event) bool { return strings.Contains(ev.Message, "lines are missing here") }
			if goesOn {
				waitFor(t, e, run.ID, missing)
			}
			close(gate)
			run, events := wait(t, e, run.ID)
			if run.Status != orchestrator.StatusSuccess {
				t.Errorf("the run: %s, %+v", run.Status, run.Steps[0].Error)
			}
			seen, last, told := map[string]int{}, "", 0
			for _, ev := range events {
				switch {
				case ev.Type != eventlog.LogLine:
				case missing(ev):
					told++
					if want := fmt.Sprintf(`{"dropped": %d}`, all-kept); string(ev.Data) != want {
						t.Errorf("%s, %s; want %s", ev.Message, ev.Data, want)
					}
				default:
					seen[ev.Message]++
					last = ev.Message
				}
			}
			if told != 1 || len(seen) != kept || last != fmt.Sprintf("line %d", all-1) {
				t.Errorf("%d lines, the last is %q; %d lines tell of what is missing", len(seen), last, told)
			}
			for line, n := range seen {
				if n != 1 {
					t.Errorf("%q is there %d times", line, n)
				}
			}
			if most.Load() > kept {
				t.Errorf("the step held %d lines", most.Load())
			}
		})
	}
}

// TestLogKeepsItsData logs the same map again and again, changing it in between.
func TestLogKeepsItsData(t *testing.T) {
	t.Parallel()
	a := asset("a", nil, func(_ context.Context, step *orchestrator.Step) error {
		data := map[string]any{}
		for i := range 500 {
			data["n"] = i
			step.Log(eventlog.LevelInfo, "counted", data)
		}
		return nil
	})
	e := setup(t, define(t, []*orchestrator.Asset{a}, nil))
	_, events := wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"a"}}).ID)
	n := 0
	for _, ev := range events {
		if ev.Type != eventlog.LogLine {
			continue
		}
		var data struct{ N int }
		if err := json.Unmarshal(ev.Data, &data); err != nil || data.N != n {
			t.Fatalf("line %d says %s: %v", n, ev.Data, err)
		}
		n++
	}
	if n != 500 {
		t.Errorf("%d lines", n)
	}
}

// TestStepAfterItsEnd leaves a function behind that goes on to call every method of its step while the end of the
// attempt is recorded, which takes two tries. What it said before counts, and nothing of what it says after.
func TestStepAfterItsEnd(t *testing.T) {
	t.Parallel()
	ending, went, gate := make(chan struct{}), make(chan struct{}), make(chan struct{})
	var early, late atomic.Int64
	set := orchestrator.DynamicPartitions("names")
	a := asset("a", nil, func(_ context.Context, step *orchestrator.Step) error {
		step.Log(eventlog.LevelInfo, "in time", nil)
		step.InFinish(func(_ context.Context, _ pgx.Tx) error {
			if early.Add(1) > 1 {
				return nil
			}
			close(ending)
			<-went
			return errors.New("not yet")
		})
		say := func() {
			step.InFinish(func(context.Context, pgx.Tx) error { late.Add(1); return nil })
			step.AddPartitions("names", "late")
			step.Log(eventlog.LevelInfo, "too late", map[string]any{"a": 1})
			step.Progress(1, 2, "too late")
			_, _ = step.Ending()
		}
		<-ending
		say()
		close(went)
		for {
			select {
			case <-gate:
				return nil
			default:
				say()
			}
		}
	})
	a.Timeout, a.Retry = 50*time.Millisecond, orchestrator.RetryPolicy{}
	other := asset("other", nil, nil)
	other.Partitions = set
	e := setup(t, parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{a, other}}))
	run, events := wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"a"}}).ID)
	close(gate)
	if run.Status != orchestrator.StatusFailure || run.Steps[0].Error == nil ||
		run.Steps[0].Error.Class != orchestrator.ClassTimeout {
		t.Errorf("the run: %s, %+v", run.Status, run.Steps[0].Error)
	}
	if early.Load() != 2 || late.Load() != 0 {
		t.Errorf(
			"what was given before the end ran %d times, want 2; what was given after it %d times",
			early.Load(),
			late.Load(),
		)
	}
	if keys, err := e.Partitions(t.Context(), set); err != nil || len(keys) > 0 {
		t.Errorf("partitions: %q, %v", keys, err)
	}
	said := 0
	for _, ev := range events {
		switch ev.Message {
		case "in time":
			said++
		case "too late":
			t.Errorf("the log has a line of after the end: %+v", ev)
		}
	}
	if said != 1 {
		t.Errorf("what was said in time is there %d times", said)
	}
}
