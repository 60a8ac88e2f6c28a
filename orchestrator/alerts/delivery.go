package alerts

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/notify"
)

// Queue is the River queue of deliveries.
const Queue = "alerts"

// DeliveryArgs are the arguments of the River job that delivers one message.
type DeliveryArgs struct {
	DeliveryID uuid.UUID `json:"delivery_id"`
}

// Kind implements river.JobArgs.
func (DeliveryArgs) Kind() string { return "deliver_alert" }

const (
	deliveryAttempts = 8
	deliveryTimeout  = 15 * time.Second // of one attempt
)

// Statuses of deliveries.
const (
	statusPending   = "pending"
	statusDelivered = "delivered"
	statusFailed    = "failed"
)

// deliverTx enqueues one delivery for each channel.
func (a *Alerter) deliverTx(
	ctx context.Context, tx pgx.Tx, alert *uuid.UUID, kind string, channels []*notify.Channel, at time.Time,
) error {
	for _, c := range channels {
		id, err := uuid.NewV7()
		if err != nil {
			return err
		}
		if err := a.q.WithTx(tx).InsertDelivery(ctx, sql.InsertDeliveryParams{
			ID: id, AlertID: alert, Channel: c.Name, Kind: kind, CreatedAt: at,
		}); err != nil {
			return fmt.Errorf("record the delivery to %s: %w", c.Name, err)
		}
		opts := &river.InsertOpts{Queue: Queue, MaxAttempts: deliveryAttempts}
		if _, err := a.cfg.River.InsertTx(ctx, tx, DeliveryArgs{DeliveryID: id}, opts); err != nil {
			return fmt.Errorf("enqueue the delivery to %s: %w", c.Name, err)
		}
	}
	return nil
}

// Worker returns the River worker that delivers messages.
func (a *Alerter) Worker() river.Worker[DeliveryArgs] { return &deliveryWorker{alerter: a} }

type deliveryWorker struct {
	river.WorkerDefaults[DeliveryArgs]
	alerter *Alerter
}

// NextRetry implements river.Worker: after 1 s, 4 s, 9 s and 16 s, and from the fifth attempt on after minutes.
func (w *deliveryWorker) NextRetry(job *river.Job[DeliveryArgs]) time.Time {
	wait := time.Duration(job.Attempt*job.Attempt) * time.Second
	if job.Attempt > 4 {
		wait *= 10
	}
	return time.Now().Add(wait)
}

// Work implements river.Worker: one attempt to deliver one message.
func (w *deliveryWorker) Work(ctx context.Context, job *river.Job[DeliveryArgs]) error {
	a := w.alerter
	row, err := a.q.GetDelivery(ctx, job.Args.DeliveryID)
	if errors.Is(err, pgx.ErrNoRows) {
		return river.JobCancel(errors.New("the delivery is gone"))
	}
	if db.Unavailable(err) || errors.Is(err, context.DeadlineExceeded) {
		return river.JobSnooze(2 * time.Second) // the channel was not tried, so that it is no attempt
	}
	if err != nil {
		return fmt.Errorf("read delivery %s: %w", job.Args.DeliveryID, err)
	}
	if row.Status != statusPending {
		return nil
	}
	if row.Kind == DeliveryRecovered { // delivered only after the message that the alert was raised
		waiting, err := a.q.DeliveryPending(ctx, sql.DeliveryPendingParams{
			AlertID: row.AlertID, Channel: row.Channel, Kind: DeliveryFiring,
		})
		if err != nil {
			return err
		}
		if waiting {
			return river.JobSnooze(2 * time.Second)
		}
	}
	result := sql.DeliveryAttemptedParams{ID: row.ID, Status: statusDelivered, At: a.cfg.Now()}
	said, sendErr := a.send(ctx, row)
	switch {
	case sendErr == nil:
		result.Message = optional(db.CleanText(said))
	case job.Attempt >= job.MaxAttempts:
		result.Status, result.Message = statusFailed, optional(db.CleanText(sendErr.Error()))
	default:
		result.Status, result.Message = statusPending, optional(db.CleanText(sendErr.Error()))
	}
	if sendErr != nil {
		a.cfg.Logger.Warn("an alert could not be delivered", "channel", row.Channel, "attempt", job.Attempt, "error", sendErr)
	}
	if err := a.q.DeliveryAttempted(context.WithoutCancel(ctx), result); err != nil {
		return fmt.Errorf("record the attempt to deliver %s: %w", row.ID, err)
	}
	return sendErr
}

// send sends the message of a delivery, and returns what the receiver answered.
func (a *Alerter) send(ctx context.Context, row sql.Delivery) (answer string, err error) {
	ctx, cancel := context.WithTimeout(ctx, deliveryTimeout)
	defer cancel()
	for _, c := range a.cfg.Channels {
		if c.Name != row.Channel {
			continue
		}
		m, err := a.message(ctx, row)
		if err != nil {
			return "", err
		}
		return c.Send(ctx, m)
	}
	return "", fmt.Errorf("this worker has no channel %q", row.Channel)
}

// message makes the message of a delivery.
func (a *Alerter) message(ctx context.Context, row sql.Delivery) (notify.Message, error) {
	m := notify.Message{ID: row.ID.String(), Type: "alert." + row.Kind, At: row.CreatedAt}
	if row.AlertID == nil {
		m.Title, m.Detail, m.Data = "Test alert", "This is a test of the channel "+row.Channel+".", map[string]any{}
		return m, nil
	}
	alert, err := a.q.GetAlert(ctx, *row.AlertID)
	if err != nil {
		return m, fmt.Errorf("read alert %s: %w", *row.AlertID, err)
	}
	m.Title, m.Detail = alert.Title, alert.Detail
	if row.Kind == DeliveryRecovered {
		m.Title = "Recovered: " + alert.Title
		m.Detail = fmt.Sprintf(
			"Open since %s; raised %d times.", alert.OpenedAt.UTC().Format(time.RFC3339), alert.Occurrences,
		)
	}
	m.Data = map[string]any{
		"id": alert.ID, "cause": alert.Cause, "severity": alert.Severity, "title": m.Title, "detail": m.Detail,
		"occurrences": alert.Occurrences, "opened_at": alert.OpenedAt.UTC(),
		"recovered_at": alert.RecoveredAt, "data": alert.Data,
	}
	return m, nil
}

// Test enqueues a test message to a channel and returns its delivery, which is pending.
func (a *Alerter) Test(ctx context.Context, c *notify.Channel) (*Delivery, error) {
	if err := a.cfg.DB.Tx(ctx, func(tx pgx.Tx) error {
		return a.deliverTx(ctx, tx, nil, DeliveryTest, []*notify.Channel{c}, a.cfg.Now())
	}); err != nil {
		return nil, err
	}
	all, err := a.Deliveries(ctx, c.Name, nil, 1)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// Deliveries lists deliveries, newest first, that are older than before if it is given: to one channel, or to all if
// the name is empty.
func (a *Alerter) Deliveries(ctx context.Context, channel string, before *uuid.UUID, limit int) ([]Delivery, error) {
	rows, err := a.lists.ListDeliveries(ctx, sql.ListDeliveriesParams{
		Channel: optional(channel), Before: before, Limit: int32(limit), //nolint:gosec // bounded by the contract
	})
	if err != nil {
		return nil, fmt.Errorf("list deliveries: %w", err)
	}
	out := make([]Delivery, len(rows))
	for i, r := range rows {
		out[i] = deliveryOf(r)
	}
	return out, nil
}

func deliveryOf(r sql.Delivery) Delivery {
	return Delivery{
		ID: r.ID, AlertID: r.AlertID, Channel: r.Channel, Kind: r.Kind, Status: r.Status, Attempts: int(r.Attempts),
		Message: r.Message, CreatedAt: r.CreatedAt, AttemptedAt: r.AttemptedAt, DeliveredAt: r.DeliveredAt,
	}
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
