package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/notify"
)

// Alert is something that people should know of.
type Alert struct {
	// Cause names what is wrong. Alerts of one cause are one alert, until it recovers.
	Cause string
	// Severity is SeverityWarn or SeverityError, the default.
	Severity string
	// Title is one line for people.
	Title string
	// Detail may be several lines.
	Detail string
	// Data is for programs: values that encode to JSON, by name.
	Data map[string]any
}

// AlertState is an alert as it was recorded: from the first time its cause was met until it was right again.
type AlertState struct {
	ID          uuid.UUID
	Alert       Alert
	Occurrences int
	OpenedAt    time.Time
	LastAt      time.Time
	RecoveredAt *time.Time
	// ToldAt is when the channels were told; nil if it is held back, because they were told of the cause a moment ago.
	ToldAt     *time.Time
	Deliveries []Delivery
}

// Delivery is one message to one channel.
type Delivery struct {
	ID      uuid.UUID
	AlertID *uuid.UUID
	Channel string
	// Kind is firing, recovered or test.
	Kind string
	// Status is pending, delivered or failed.
	Status      string
	Attempts    int
	Message     *string
	CreatedAt   time.Time
	AttemptedAt *time.Time
	DeliveredAt *time.Time
}

// Kinds of deliveries.
const (
	DeliveryFiring    = "firing"
	DeliveryRecovered = "recovered"
	DeliveryTest      = "test"
)

// deliveryArgs are the arguments of the River job that delivers one message.
type deliveryArgs struct {
	DeliveryID uuid.UUID `json:"delivery_id"`
}

// Kind implements river.JobArgs.
func (deliveryArgs) Kind() string { return "deliver_alert" }

const (
	deliveryAttempts = 8
	deliveryTimeout  = 15 * time.Second
)

// lockCauses has others that raise or clear alerts of these causes wait for the end of the transaction, so that what is
// read of them after it stays true. In the order of their names: every transaction takes them in the same.
func (e *Engine) lockCauses(ctx context.Context, tx pgx.Tx, causes []string) error {
	if len(causes) == 0 {
		return nil
	}
	causes = slices.Compact(slices.Sorted(slices.Values(causes)))
	return e.q.WithTx(tx).AdvisoryLocks(ctx, each(causes, func(cause string) int64 { return lockKey("alert", cause) }))
}

// raiseTx records that something is wrong; its caller has locked the cause. The channels are told once for a cause: again
// only after it recovered, and then not within AlertWindow of the last time.
func (e *Engine) raiseTx(ctx context.Context, tx pgx.Tx, a Alert, at time.Time) error {
	if a.Severity == "" {
		a.Severity = SeverityError
	}
	if a.Data == nil {
		a.Data = map[string]any{}
	}
	data, err := json.Marshal(a.Data)
	if err != nil {
		return fmt.Errorf("alert %s: %w", a.Cause, err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	q := e.q.WithTx(tx)
	row, err := q.RaiseAlert(ctx, sql.RaiseAlertParams{
		ID: id, Cause: db.CleanText(a.Cause), Severity: a.Severity, Title: db.CleanText(a.Title), Detail: db.CleanText(a.Detail), Data: json.RawMessage(db.CleanJSON(string(data))),
		At: at, WindowSeconds: e.cfg.AlertWindow.Seconds(),
	})
	if err != nil {
		return fmt.Errorf("alert %s: %w", a.Cause, err)
	}
	if row.ToldAt != nil || row.TellAt.After(at) {
		return nil
	}
	return e.tellTx(ctx, tx, row.ID, at)
}

// tellTx tells the channels of an alert, unless they were told.
func (e *Engine) tellTx(ctx context.Context, tx pgx.Tx, id uuid.UUID, at time.Time) error {
	n, err := e.q.WithTx(tx).MarkAlertTold(ctx, sql.MarkAlertToldParams{ID: id, ToldAt: &at})
	if err != nil || n == 0 {
		return err
	}
	return e.deliverTx(ctx, tx, &id, DeliveryFiring, e.cfg.Channels, at)
}

// recoverTx records that a cause is gone, and tells whoever was told of it; its caller has locked the cause.
func (e *Engine) recoverTx(ctx context.Context, tx pgx.Tx, cause string, at time.Time) error {
	row, err := e.q.WithTx(tx).RecoverAlert(ctx, sql.RecoverAlertParams{Cause: cause, At: &at})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil || row.ToldAt == nil {
		return err
	}
	return e.deliverTx(ctx, tx, &row.ID, DeliveryRecovered, e.cfg.Channels, at)
}

func (e *Engine) deliverTx(ctx context.Context, tx pgx.Tx, alert *uuid.UUID, kind string, channels []*notify.Channel, at time.Time) error {
	q := e.q.WithTx(tx)
	for _, c := range channels {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		if err := q.InsertDelivery(ctx, sql.InsertDeliveryParams{ID: id, AlertID: alert, Channel: c.Name, Kind: kind, CreatedAt: at}); err != nil {
			return err
		}
		if _, err := e.river.InsertTx(ctx, tx, deliveryArgs{DeliveryID: id}, &river.InsertOpts{Queue: queueAlerts, MaxAttempts: deliveryAttempts}); err != nil {
			return fmt.Errorf("enqueue delivery: %w", err)
		}
	}
	return nil
}

// tellHeld tells of alerts that were held back and are open still.
func (e *Engine) tellHeld(ctx context.Context) error {
	now := e.now()
	ids, err := e.q.ListUntoldAlerts(ctx, now)
	if err != nil {
		return err
	}
	return eachRow(ctx, e, "tell of alerts held back", ids, uuid.UUID.String, func(ctx context.Context, id uuid.UUID) error {
		return e.db.Tx(ctx, func(tx pgx.Tx) error { return e.tellTx(ctx, tx, id, now) })
	})
}

type deliveryWorker struct {
	river.WorkerDefaults[deliveryArgs]
	engine *Engine
}

// NextRetry implements river.Worker: 1 s, 4 s, 9 s, 16 s and so on for the first attempts, minutes for the later ones.
func (w *deliveryWorker) NextRetry(job *river.Job[deliveryArgs]) time.Time {
	wait := time.Duration(job.Attempt*job.Attempt) * time.Second
	if job.Attempt > 4 {
		wait *= 10
	}
	return time.Now().Add(wait)
}

// Work implements river.Worker: one attempt at one message.
func (w *deliveryWorker) Work(ctx context.Context, job *river.Job[deliveryArgs]) error {
	e := w.engine
	row, err := e.q.GetDelivery(ctx, job.Args.DeliveryID)
	if errors.Is(err, pgx.ErrNoRows) {
		return river.JobCancel(errors.New("the delivery is gone"))
	}
	if databaseTrouble(err) {
		return river.JobSnooze(2 * time.Second) // no attempt of the receiver's
	}
	if err != nil {
		return err
	}
	if row.Status != "pending" {
		return nil
	}
	if row.Kind == DeliveryRecovered { // not before the bad news
		waiting, err := e.q.DeliveryPending(ctx, sql.DeliveryPendingParams{AlertID: row.AlertID, Channel: row.Channel, Kind: DeliveryFiring})
		if err != nil {
			return err
		}
		if waiting {
			return river.JobSnooze(2 * time.Second)
		}
	}
	result := sql.DeliveryAttemptedParams{ID: row.ID, Status: "delivered", At: e.now()}
	said, sendErr := w.send(ctx, row)
	switch {
	case sendErr == nil:
		result.Message = optional(db.CleanText(said))
	case job.Attempt >= job.MaxAttempts:
		result.Status, result.Message = "failed", optional(db.CleanText(sendErr.Error()))
	default:
		result.Status, result.Message = "pending", optional(db.CleanText(sendErr.Error()))
	}
	if sendErr != nil {
		e.log.Warn("an alert could not be delivered", "channel", row.Channel, "attempt", job.Attempt, "error", sendErr)
	}
	if err := e.q.DeliveryAttempted(context.WithoutCancel(ctx), result); err != nil {
		return err
	}
	return sendErr
}

func (w *deliveryWorker) send(ctx context.Context, row sql.Delivery) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, deliveryTimeout)
	defer cancel()
	for _, c := range w.engine.cfg.Channels {
		if c.Name != row.Channel {
			continue
		}
		m := notify.Message{ID: row.ID.String(), Type: "alert." + row.Kind, At: row.CreatedAt, Title: "Parliament Explorer: a test", Detail: "This is what an alert looks like here.", Data: map[string]any{}}
		if row.AlertID != nil {
			a, err := w.engine.q.GetAlert(ctx, *row.AlertID)
			if err != nil {
				return "", err
			}
			m.Title, m.Detail = a.Title, a.Detail
			if row.Kind == DeliveryRecovered {
				m.Title = "Recovered: " + a.Title
				m.Detail = fmt.Sprintf("It was so since %s; it was met %d times.", a.OpenedAt.UTC().Format(time.RFC3339), a.Occurrences)
			}
			m.Data = map[string]any{
				"id": a.ID, "cause": a.Cause, "severity": a.Severity, "title": m.Title, "detail": m.Detail, "occurrences": a.Occurrences, "opened_at": a.OpenedAt.UTC(),
				"recovered_at": a.RecoveredAt, "data": a.Data,
			}
		}
		return c.Send(ctx, m)
	}
	return "", fmt.Errorf("this worker has no channel %q", row.Channel)
}

// Channels are where alerts go.
func (e *Engine) Channels() []*notify.Channel { return e.cfg.Channels }

// TestChannel sends a test message to a channel and returns its delivery, which goes on by itself.
func (e *Engine) TestChannel(ctx context.Context, name string) (*Delivery, error) {
	for _, c := range e.cfg.Channels {
		if c.Name != name {
			continue
		}
		at := e.now()
		if err := e.db.Tx(ctx, func(tx pgx.Tx) error {
			return e.deliverTx(ctx, tx, nil, DeliveryTest, []*notify.Channel{c}, at)
		}); err != nil {
			return nil, err
		}
		all, err := e.Deliveries(ctx, name, nil, 1)
		if err != nil || len(all) == 0 {
			return nil, err
		}
		return &all[0], nil
	}
	return nil, &NotFoundError{Kind: "channel", Name: name}
}

// Alerts lists alerts with their deliveries, newest first; open ones only, if asked.
func (e *Engine) Alerts(ctx context.Context, open bool, before *uuid.UUID, limit int) ([]AlertState, error) {
	rows, err := e.lists.ListAlerts(ctx, sql.ListAlertsParams{OpenOnly: open, Before: before, MaxRows: int32(limit)}) //nolint:gosec // bounded by the contract
	if err != nil {
		return nil, err
	}
	out, ids, at := make([]AlertState, len(rows)), make([]uuid.UUID, len(rows)), map[uuid.UUID]int{}
	for i, r := range rows {
		out[i] = AlertState{ID: r.ID, Alert: Alert{Cause: r.Cause, Severity: r.Severity, Title: r.Title, Detail: r.Detail}, Occurrences: int(r.Occurrences),
			OpenedAt: r.OpenedAt, LastAt: r.LastAt, RecoveredAt: r.RecoveredAt, ToldAt: r.ToldAt, Deliveries: []Delivery{}}
		if err := json.Unmarshal(r.Data, &out[i].Alert.Data); err != nil {
			return nil, fmt.Errorf("data of alert %s: %w", r.ID, err)
		}
		ids[i], at[r.ID] = r.ID, i
	}
	deliveries, err := e.q.ListDeliveriesOfAlerts(ctx, ids)
	for _, d := range deliveries {
		a := &out[at[*d.AlertID]]
		a.Deliveries = append(a.Deliveries, deliveryOf(d))
	}
	return out, err
}

// OpenAlerts counts the alerts that have not recovered.
func (e *Engine) OpenAlerts(ctx context.Context) (int, error) {
	n, err := e.q.CountOpenAlerts(ctx)
	return int(n), err
}

// Deliveries lists what was sent, newest first; to one channel, if it is named.
func (e *Engine) Deliveries(ctx context.Context, channel string, before *uuid.UUID, limit int) ([]Delivery, error) {
	rows, err := e.lists.ListDeliveries(ctx, sql.ListDeliveriesParams{Channel: optional(channel), Before: before, MaxRows: int32(limit)}) //nolint:gosec // bounded by the contract
	return each(rows, deliveryOf), err
}

func deliveryOf(r sql.Delivery) Delivery {
	return Delivery{ID: r.ID, AlertID: r.AlertID, Channel: r.Channel, Kind: r.Kind, Status: r.Status, Attempts: int(r.Attempts), Message: r.Message,
		CreatedAt: r.CreatedAt, AttemptedAt: r.AttemptedAt, DeliveredAt: r.DeliveredAt}
}
