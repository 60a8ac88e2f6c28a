// Package alerts raises alerts, recovers them, and delivers messages about them to channels.
//
// An alert is a row from the first time that its cause is raised until the cause recovers; a partial unique index makes
// the same cause the same alert. Each message to a channel is a River job, with a row that holds its outcome.
// Begin reading at Alerter.RaiseTx. The channels are in package notify.
package alerts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/notify"
)

// Severities of alerts.
const (
	SeverityWarn  = "warn"
	SeverityError = "error"
)

// Alert is a problem that people should know about.
type Alert struct {
	// Cause names the problem. Alerts of the same cause are one alert, until it recovers.
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

// State is an alert as it is stored: from the first time that its cause was raised until it recovered.
type State struct {
	ID          uuid.UUID
	Alert       Alert
	Occurrences int
	OpenedAt    time.Time
	LastAt      time.Time
	RecoveredAt *time.Time
	// NotifiedAt is when the channels were notified. It is nil while that is deferred, because they were notified of the
	// same cause less than Config.Window ago.
	NotifiedAt *time.Time
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

// Config is everything that an Alerter needs.
type Config struct {
	// DB is the database. Required.
	DB *db.DB
	// River enqueues deliveries. Required.
	River *river.Client[pgx.Tx]
	// Logger receives a line for each delivery that fails. Required.
	Logger *slog.Logger
	// Channels are notified of alerts.
	Channels []*notify.Channel
	// Window is how long after a notification the channels are not notified of the same cause again.
	Window time.Duration
	// Now is the clock. Required.
	Now func() time.Time
}

// Alerter raises, recovers and lists alerts. Its methods may be called from any goroutine.
type Alerter struct {
	cfg   Config
	q     *sql.Queries
	lists *sql.Queries // planned anew for each set of filters
}

// New makes an Alerter.
func New(cfg Config) *Alerter {
	return &Alerter{cfg: cfg, q: sql.New(cfg.DB.Durable()), lists: sql.New(cfg.DB.Lists())}
}

// LockKey returns the advisory lock of a cause.
func LockKey(cause string) int64 { return sql.LockKey("alert", cause) }

// LockTx makes other transactions that raise or recover these causes wait for the end of this one, so that what is read
// about them afterwards stays true. It locks all causes at once and by name: every transaction locks in the same order.
func (a *Alerter) LockTx(ctx context.Context, tx pgx.Tx, causes []string) error {
	if len(causes) == 0 {
		return nil
	}
	causes = slices.Compact(slices.Sorted(slices.Values(causes)))
	keys := make([]int64, len(causes))
	for i, cause := range causes {
		keys[i] = LockKey(cause)
	}
	return a.q.WithTx(tx).AdvisoryLocks(ctx, keys)
}

// RaiseTx records a problem; the caller has locked its cause. The channels are notified once for a cause: again only
// after it recovered, and not within Config.Window of the last notification.
func (a *Alerter) RaiseTx(ctx context.Context, tx pgx.Tx, alert Alert, at time.Time) error {
	if alert.Severity == "" {
		alert.Severity = SeverityError
	}
	if alert.Data == nil {
		alert.Data = map[string]any{}
	}
	data, err := json.Marshal(alert.Data)
	if err != nil {
		return fmt.Errorf("alert %s: %w", alert.Cause, err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	row, err := a.q.WithTx(tx).RaiseAlert(ctx, sql.RaiseAlertParams{
		ID: id, Cause: db.CleanText(alert.Cause), Severity: alert.Severity, Title: db.CleanText(alert.Title),
		Detail: db.CleanText(alert.Detail), Data: json.RawMessage(db.CleanJSON(string(data))),
		At: at, WindowSeconds: a.cfg.Window.Seconds(),
	})
	if err != nil {
		return fmt.Errorf("alert %s: %w", alert.Cause, err)
	}
	if row.ToldAt != nil || row.TellAt.After(at) {
		return nil
	}
	return a.notifyTx(ctx, tx, row.ID, at)
}

// notifyTx notifies the channels of an alert, unless they were notified.
func (a *Alerter) notifyTx(ctx context.Context, tx pgx.Tx, id uuid.UUID, at time.Time) error {
	n, err := a.q.WithTx(tx).MarkAlertTold(ctx, sql.MarkAlertToldParams{ID: id, ToldAt: &at})
	if err != nil || n == 0 {
		return err
	}
	return a.deliverTx(ctx, tx, &id, DeliveryFiring, a.cfg.Channels, at)
}

// RecoverTx records that a cause is gone, and notifies the channels if they were notified of it; the caller has locked
// the cause.
func (a *Alerter) RecoverTx(ctx context.Context, tx pgx.Tx, cause string, at time.Time) error {
	row, err := a.q.WithTx(tx).RecoverAlert(ctx, sql.RecoverAlertParams{Cause: cause, At: &at})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("recover alert %s: %w", cause, err)
	}
	if row.ToldAt == nil {
		return nil
	}
	return a.deliverTx(ctx, tx, &row.ID, DeliveryRecovered, a.cfg.Channels, at)
}

// Deferred lists alerts that have not recovered and whose notification was deferred until now.
func (a *Alerter) Deferred(ctx context.Context) ([]uuid.UUID, error) {
	ids, err := a.q.ListUntoldAlerts(ctx, a.cfg.Now())
	if err != nil {
		return nil, fmt.Errorf("list alerts whose notification is due: %w", err)
	}
	return ids, nil
}

// Notify notifies the channels of an alert, unless they were notified.
func (a *Alerter) Notify(ctx context.Context, id uuid.UUID) error {
	return a.cfg.DB.Tx(ctx, func(tx pgx.Tx) error { return a.notifyTx(ctx, tx, id, a.cfg.Now()) })
}

// Channels are those of the configuration.
func (a *Alerter) Channels() []*notify.Channel { return a.cfg.Channels }

// List lists alerts with their deliveries, newest first, that are older than before if it is given. open leaves out
// those that have recovered.
func (a *Alerter) List(ctx context.Context, open bool, before *uuid.UUID, limit int) ([]State, error) {
	rows, err := a.lists.ListAlerts(ctx, sql.ListAlertsParams{
		OpenOnly: open, Before: before, Limit: int32(limit), //nolint:gosec // bounded by the contract
	})
	if err != nil {
		return nil, fmt.Errorf("list alerts: %w", err)
	}
	out, ids, at := make([]State, len(rows)), make([]uuid.UUID, len(rows)), map[uuid.UUID]int{}
	for i, r := range rows {
		out[i] = State{
			ID: r.ID, Alert: Alert{Cause: r.Cause, Severity: r.Severity, Title: r.Title, Detail: r.Detail},
			Occurrences: int(r.Occurrences), OpenedAt: r.OpenedAt, LastAt: r.LastAt, RecoveredAt: r.RecoveredAt,
			NotifiedAt: r.ToldAt, Deliveries: []Delivery{},
		}
		if err := json.Unmarshal(r.Data, &out[i].Alert.Data); err != nil {
			return nil, fmt.Errorf("data of alert %s: %w", r.ID, err)
		}
		ids[i], at[r.ID] = r.ID, i
	}
	sent, err := a.q.ListDeliveriesOfAlerts(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("list the deliveries of alerts: %w", err)
	}
	for _, d := range sent {
		s := &out[at[*d.AlertID]]
		s.Deliveries = append(s.Deliveries, deliveryOf(d))
	}
	return out, nil
}

// CountOpen counts the alerts that have not recovered.
func (a *Alerter) CountOpen(ctx context.Context) (int, error) {
	n, err := a.q.CountOpenAlerts(ctx)
	return int(n), err
}
