package retention

import (
	"context"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// sweepers returns those of the engine's other tables. River deletes its own jobs.
func (d *Deleter) sweepers() []Sweeper {
	q := d.q
	return []Sweeper{
		{Kind: Ticks, Nth: q.NthTick, Sweep: func(ctx context.Context, before time.Time, limit int32) (int64, error) {
			return q.SweepTicks(ctx, sql.SweepTicksParams{Before: before, Limit: limit})
		}, Trim: func(ctx context.Context, keep, limit int32) (int64, error) {
			return q.TrimTicks(ctx, sql.TrimTicksParams{Keep: keep, Limit: limit})
		}},
		{Kind: Ticks, Nth: q.NthSensorTick, Sweep: func(ctx context.Context, before time.Time, limit int32) (int64, error) {
			return q.SweepSensorTicks(ctx, sql.SweepSensorTicksParams{Before: before, Limit: limit})
		}, Trim: func(ctx context.Context, keep, limit int32) (int64, error) {
			return q.TrimSensorTicks(ctx, sql.TrimSensorTicksParams{Keep: keep, Limit: limit})
		}},
		{
			Kind: Deliveries,
			Nth:  q.NthRecoveredAlert,
			Sweep: func(ctx context.Context, before time.Time, limit int32) (int64, error) {
				return q.SweepAlerts(ctx, sql.SweepAlertsParams{Before: &before, Limit: limit})
			},
			Trim: func(ctx context.Context, keep, limit int32) (int64, error) {
				return q.TrimAlerts(ctx, sql.TrimAlertsParams{Keep: keep, Limit: limit})
			},
		},
		{
			Kind: Deliveries,
			Nth:  q.NthTestDelivery,
			Sweep: func(ctx context.Context, before time.Time, limit int32) (int64, error) {
				return q.SweepTestDeliveries(ctx, sql.SweepTestDeliveriesParams{Before: before, Limit: limit})
			},
			Trim: func(ctx context.Context, keep, limit int32) (int64, error) {
				return q.TrimTestDeliveries(ctx, sql.TrimTestDeliveriesParams{Keep: keep, Limit: limit})
			},
		},
		{
			Kind: Webhooks,
			Nth:  q.NthWebhookEvent,
			Sweep: func(ctx context.Context, before time.Time, limit int32) (int64, error) {
				return q.SweepWebhookEvents(ctx, sql.SweepWebhookEventsParams{Before: before, Limit: limit})
			},
			Trim: func(ctx context.Context, keep, limit int32) (int64, error) {
				return q.TrimWebhookEvents(ctx, sql.TrimWebhookEventsParams{Keep: keep, Limit: limit})
			},
		},
		{Kind: RunKeys, Nth: q.NthRunKey, Sweep: func(ctx context.Context, before time.Time, limit int32) (int64, error) {
			return q.SweepRunKeys(ctx, sql.SweepRunKeysParams{Before: before, Limit: limit})
		}, Trim: func(ctx context.Context, keep, limit int32) (int64, error) {
			return q.TrimRunKeys(ctx, sql.TrimRunKeysParams{Keep: keep, Limit: limit})
		}},
	}
}
