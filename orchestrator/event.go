package orchestrator

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db"
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
	EventRunEnqueued     = "run_enqueued"
	EventRunStarted      = "run_started"
	EventRunSuccess      = "run_success"
	EventRunFailure      = "run_failure"
	EventRunCanceling    = "run_canceling"
	EventRunCanceled     = "run_canceled"
	EventStepStarted     = "step_started"
	EventStepSuccess     = "step_success"
	EventStepFailure     = "step_failure"
	EventStepUpForRetry  = "step_up_for_retry"
	EventStepSkipped     = "step_skipped"
	EventStepCanceled    = "step_canceled"
	EventStepRequeued    = "step_requeued"
	EventMaterialization = "materialization"
	EventAssetCheck      = "asset_check"
	EventLog             = "log"
	EventProgress        = "progress"
)

// Event is one line of a run's log. Its id grows within a run.
type Event struct {
	ID      int64
	RunID   uuid.UUID
	At      time.Time
	Type    string
	Level   string
	Asset   *string
	Attempt *int
	Message string
	Data    json.RawMessage

	xid uint64
}

func eventOf(row db.Event) Event {
	e := Event{ID: row.ID, RunID: row.RunID, At: row.At, Type: row.Type, Level: row.Level, Asset: row.Asset, Message: row.Message, Data: row.Data, xid: row.Xid}
	if row.Attempt != nil {
		n := int(*row.Attempt)
		e.Attempt = &n
	}
	return e
}

// newEvent is an event not yet written.
type newEvent struct {
	at      time.Time
	kind    string
	level   string
	asset   string
	attempt int
	message string
	data    any
	// doubtful: it was sent to the database, and whether it was written is not known.
	doubtful bool
	// lost is how many events were dropped that this one tells of.
	lost int
}

// eventRows lays events out in columns, as the insert wants them.
func eventRows(runID uuid.UUID, events []newEvent) db.InsertEventsParams {
	p := db.InsertEventsParams{RunID: runID}
	for _, e := range events {
		p.Ats = append(p.Ats, e.at)
		p.Types = append(p.Types, e.kind)
		p.Levels = append(p.Levels, e.level)
		p.Assets = append(p.Assets, e.asset)
		p.Attempts = append(p.Attempts, int32(e.attempt)) //nolint:gosec // a small number
		p.Messages = append(p.Messages, db.CleanText(e.message))
		data := ""
		if e.data != nil {
			if raw, err := json.Marshal(e.data); err == nil {
				data = db.CleanJSON(string(raw))
			}
		}
		p.Datas = append(p.Datas, data)
	}
	return p
}
