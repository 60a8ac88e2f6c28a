package orchestrator

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// Step is the attempt that an asset function or a check is part of, and the means to report from it.
//
// The fields are read-only. The methods may be called from any goroutine at any time. Their effect depends on when:
//
//   - Log, Progress, InFinish and AddPartitions count until the attempt ends: until the asset function and then its
//     checks have returned, or were abandoned because they did not stop when their context ended. After that they do
//     nothing. A goroutine that continues therefore adds nothing to an attempt that has ended, or to the next attempt.
//   - Ending is for functions given to InFinish. Before the attempt ends it returns an empty status.
//   - Partitions, Previous and Window only read, and may be called at any time.
//
// A value that was passed may be changed afterwards: Log copies its data. There are two exceptions: what functions
// given to InFinish refer to, and the metadata that the asset function returns. A goroutine that continues must not
// write to either.
type Step struct {
	RunID     uuid.UUID
	Asset     string
	Attempt   int // from 1
	Job       string
	Partition string
	Tags      map[string]string

	engine   *Engine
	jobID    int64
	log      *slog.Logger
	flushNow chan struct{} // has flush write what is held

	mu               sync.Mutex  // guards the fields below
	held             []heldEvent // not written yet, oldest first
	flight           int         // how many more are being written at this moment
	lost             int         // how many were dropped since the log last said so
	last             time.Time   // of the last event: each has a time of its own
	logged           time.Time   // when progress was last written to the process log
	finish           []func(context.Context, pgx.Tx) error
	ended            bool    // nothing more is accepted
	lateReportLogged bool    // a report after the end has been logged
	ending           outcome // see Ending
}

// Log writes a line to the run's event log. data is a struct or map that encodes to a JSON object, or nil. The line is
// written within 100 ms. While the database is unavailable, or slower than the function, the newest 10,000 lines are
// held, and a line says how many older ones were dropped.
func (s *Step) Log(level, message string, data any) {
	s.report(eventlog.Entry{Type: eventlog.LogLine, Level: level, Message: message, Data: eventlog.Data(data)})
}

// Progress reports how much of the work is done. Of several reports within 100 ms only the latest is kept.
func (s *Step) Progress(done, total int, message string) {
	s.report(eventlog.Entry{
		Type: eventlog.Progress, Level: eventlog.LevelInfo, Message: message,
		Data: eventlog.Data(map[string]int{"done": done, "total": total}),
	})
}

// InFinish has f run in the transaction that ends this attempt, however it ends. What f writes is stored exactly if the
// end is recorded. An attempt that a stopping worker hands back has no end. An error or a panic of f fails the
// transaction, which is tried again.
func (s *Step) InFinish(f func(ctx context.Context, tx pgx.Tx) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		s.logLateReport()
		return
	}
	s.finish = append(s.finish, f)
}

// Ending returns how the attempt ends, for functions given to InFinish: StatusSuccess, StatusUpForRetry, StatusFailure
// or StatusCanceled, and why; the error is nil for a success. The end may differ from the one that the asset function
// returned: its run may have been canceled, or have exceeded its time limit, while the function was returning.
func (s *Step) Ending() (status string, err *Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ending.status, s.ending.err
}

// end ends the attempt: from here on the step accepts nothing more. It returns the events that are not written, and the
// functions that InFinish was given.
func (s *Step) end() ([]heldEvent, []func(context.Context, pgx.Tx) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	events := s.held
	if line, ok := s.lostLine(); ok {
		events = append([]heldEvent{line}, events...)
	}
	s.held = nil
	return events, s.finish
}

// endsAs sets how the attempt ends, for Ending.
func (s *Step) endsAs(o *outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = *o
}

// logLateReport logs, once, that something was reported after the end. The caller holds mu.
func (s *Step) logLateReport() {
	if !s.lateReportLogged {
		s.lateReportLogged = true
		s.log.Warn("the asset function continues after the end of its attempt; its reports are dropped")
	}
}

// AddPartitions adds keys to a dynamic partition set in the transaction that ends this attempt.
func (s *Step) AddPartitions(set string, keys ...string) {
	keys = slices.Clone(keys)
	s.InFinish(func(ctx context.Context, tx pgx.Tx) error {
		_, err := addPartitions(ctx, s.engine.q.WithTx(tx), s.engine.now(), set, keys)
		return err
	})
}

// Partitions lists the keys that a set has now.
func (s *Step) Partitions(ctx context.Context, set *PartitionSet) ([]string, error) {
	return s.engine.Partitions(ctx, set)
}

// Previous returns the newest materialization of the asset before this one, of the same partition; nil if there is
// none.
func (s *Step) Previous(ctx context.Context) (*Materialization, error) {
	rows, err := s.engine.lists.ListMaterializations(ctx, sql.ListMaterializationsParams{
		Asset: s.Asset, Partition: optional(s.Partition), Limit: 1,
	})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	m := materializationOf(rows[0])
	return &m, nil
}

// Window returns the time that the step's partition stands for, from start up to end. ok is false if the step has no
// partition, or one of another kind.
func (s *Step) Window() (start, end time.Time, ok bool) {
	a := s.engine.defs.byAsset[s.Asset]
	if a == nil || a.Partitions == nil || s.Partition == "" {
		return start, end, false
	}
	return a.Partitions.Window(s.Partition)
}
