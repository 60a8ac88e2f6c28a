package orchestrator_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

// lossy is a database whose answer to the insertion of a step's events is lost, for a while.
type lossy struct {
	db.Querier
	lost  chan struct{} // after each
	times *atomic.Int64
}

func (l lossy) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	tag, err := l.Querier.Exec(ctx, sql, args...)
	if err == nil && strings.Contains(sql, "InsertStepEvents") && l.times.Add(-1) >= 0 {
		l.lost <- struct{}{}
		return tag, io.ErrUnexpectedEOF
	}
	return tag, err
}

// TestLogLinesAreWrittenOnce loses the answers to what a step logs: each line is in the log once, whether the end of
// the step writes it again or the step goes on, and in its order.
func TestLogLinesAreWrittenOnce(t *testing.T) {
	t.Parallel()
	for name, goesOn := range map[string]bool{"TheStepEnds": false, "TheStepGoesOn": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			more, gate := make(chan struct{}), make(chan struct{})
			a := asset("a", nil, func(ctx context.Context, step *orchestrator.Step) error {
				for range 3 {
					step.Log(eventlog.LevelInfo, "the same", nil)
				}
				step.Progress(1, 2, "half")
				<-more
				step.Log(eventlog.LevelInfo, "last", nil)
				<-gate
				return nil
			})
			d := dbtest.New(t)
			e, err := orchestrator.New(orchestrator.Config{
				DB:          d,
				Definitions: define(t, []*orchestrator.Asset{a}, nil),
				Logger:      testLogger(t),
				Work:        true,
			})
			if err != nil {
				t.Fatal(err)
			}
			l := lossy{lost: make(chan struct{}, 10), times: &atomic.Int64{}}
			l.times.Store(1)
			orchestrator.Relaxed(e, func(inner db.Querier) db.Querier { l.Querier = inner; return l })
			started(t, e)
			run := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}})
			receive(t, "an answer is lost", l.lost)
			close(more)
			if goesOn {
				waitFor(t, e, run.ID, func(ev eventlog.Event) bool { return ev.Message == "last" })
			}
			close(gate)
			_, events := wait(t, e, run.ID)
			var said []string
			for _, ev := range events {
				if ev.Type == eventlog.LogLine || ev.Type == eventlog.Progress {
					said = append(said, ev.Message)
				}
			}
			if want := []string{"the same", "the same", "the same", "half", "last"}; !slices.Equal(said, want) {
				t.Errorf("the log says %q, want %q", said, want)
			}
		})
	}
}
