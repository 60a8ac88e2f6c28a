// Package eventlog keeps the event log: what happened to each run, in order, and the streams that follow it.
//
// A Log reads the log and streams it. Insert writes Entries, in the transaction of the change that they report;
// Log.Wake then notifies the streams of all processes. Begin reading at Event, and at Log.FollowRun for the streams.
//
// The log is one table in weekly partitions (partitions.go). The ids of a run's events become visible in order, because
// Insert locks the run's row. Across runs they do not: the order in which events became visible is that of the pair of
// transaction id and event id, which is what a Cursor holds.
package eventlog

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// Levels of events.
const (
	LevelDebug = "debug"
	LevelInfo  = "info"
	LevelWarn  = "warn"
	LevelError = "error"
)

// Types of events.
const (
	RunEnqueued     = "run_enqueued"
	RunStarted      = "run_started"
	RunSuccess      = "run_success"
	RunFailure      = "run_failure"
	RunCanceling    = "run_canceling"
	RunCanceled     = "run_canceled"
	StepStarted     = "step_started"
	StepSuccess     = "step_success"
	StepFailure     = "step_failure"
	StepUpForRetry  = "step_up_for_retry"
	StepSkipped     = "step_skipped"
	StepCanceled    = "step_canceled"
	StepRequeued    = "step_requeued"
	Materialization = "materialization"
	AssetCheck      = "asset_check"
	LogLine         = "log"
	Progress        = "progress"
)

// Event is one line of a run's log. It has the columns of the table in their order, so that a row is an Event without a
// copy.
type Event struct {
	ID      int64  // grows within a run
	Xid     uint64 // of the transaction that wrote it; see Cursor
	RunID   uuid.UUID
	At      time.Time
	Type    string
	Level   string
	Asset   *string // nil: the event is about the whole run
	Attempt *int32  // from 1; nil: the event is not about an attempt
	Message string
	Data    json.RawMessage // a JSON object; nil if there is none
}

// Cursor is the event's place in the stream of all runs.
func (e Event) Cursor() Cursor { return Cursor{Xid: e.Xid, ID: e.ID} }

// Cursor is a place in the events of all runs. In the events of one run, ID alone counts.
type Cursor struct {
	Xid uint64
	ID  int64
}

// String returns the cursor as text, which ParseCursor reads.
func (c Cursor) String() string { return fmt.Sprintf("%d-%d", c.Xid, c.ID) }

// ParseCursor reads a cursor.
func ParseCursor(s string) (c Cursor, err error) {
	xid, id, _ := strings.Cut(s, "-")
	if c.Xid, err = strconv.ParseUint(xid, 10, 63); err == nil {
		c.ID, err = strconv.ParseInt(id, 10, 64)
	}
	if err != nil {
		return Cursor{}, fmt.Errorf("%q is not a place in the event log", s)
	}
	return c, nil
}

// Before reports whether c comes before o.
func (c Cursor) Before(o Cursor) bool { return c.Xid < o.Xid || (c.Xid == o.Xid && c.ID < o.ID) }

// Entry is an event that is not written yet. Its run is known where it is written.
type Entry struct {
	At      time.Time
	Type    string
	Level   string
	Asset   string // empty: the event is about the whole run
	Attempt int    // 0: the event is not about an attempt
	Message string
	Data    json.RawMessage // a JSON object; nil if there is none
}

// Data encodes the data of an Entry. It returns nil for nil, and for what cannot be encoded.
func Data(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return raw
}

// Insert writes entries of a run into the log. The ids of a run's events become visible in order, because Insert locks
// the run's row; the caller may hold that lock already.
func Insert(ctx context.Context, q *sql.Queries, runID uuid.UUID, entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	if err := q.InsertEvents(ctx, Columns(runID, entries)); err != nil {
		return fmt.Errorf("insert events of run %s: %w", runID, err)
	}
	return nil
}

// Columns arranges entries by column, as the INSERT statement takes them.
func Columns(runID uuid.UUID, entries []Entry) sql.InsertEventsParams {
	p := sql.InsertEventsParams{RunID: runID}
	for _, e := range entries {
		p.Ats = append(p.Ats, e.At)
		p.Types = append(p.Types, e.Type)
		p.Levels = append(p.Levels, e.Level)
		p.Assets = append(p.Assets, e.Asset)
		p.Attempts = append(p.Attempts, int32(e.Attempt)) //nolint:gosec // a small number
		p.Messages = append(p.Messages, db.CleanText(e.Message))
		p.Datas = append(p.Datas, db.CleanJSON(string(e.Data)))
	}
	return p
}
