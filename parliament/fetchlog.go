package parliament

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
)

// Statuses of a fetch.
const (
	FetchSuccess           = "success"
	FetchPartialSuccess    = "partial_success"
	FetchFailure           = "failure"
	FetchSourceUnavailable = "source_unavailable"
	FetchCanceled          = "canceled" // on request; bills stored until then stay
)

// FetchLog is the record of one fetch.
type FetchLog struct {
	ID               uuid.UUID
	RunID            *uuid.UUID
	Asset            string
	Source           string // e.g. "openparliament+legisinfo"
	Status           string
	RecordsAttempted int
	RecordsSucceeded int
	RecordsFailed    int
	Duration         time.Duration
	Params           map[string]any
	Errors           []FetchError // the first ten
	CreatedAt        time.Time
}

// FetchError is an error of a fetch, with the address of the record.
type FetchError struct {
	URL     string `json:"url,omitempty"`
	Message string `json:"message"`
}

// InsertFetchLogTx inserts a fetch log in the transaction that ends its step.
func (s *Store) InsertFetchLogTx(ctx context.Context, tx pgx.Tx, l FetchLog) error {
	params, err := json.Marshal(l.Params)
	if err != nil {
		return err
	}
	if l.Errors == nil {
		l.Errors = []FetchError{}
	}
	errs, err := json.Marshal(l.Errors)
	if err != nil {
		return err
	}
	return s.q.WithTx(tx).InsertFetchLog(ctx, sql.InsertFetchLogParams{
		ID: l.ID, RunID: l.RunID, Asset: l.Asset, Source: l.Source, Status: l.Status,
		RecordsAttempted: int32(l.RecordsAttempted),                                        //nolint:gosec // thousands
		RecordsSucceeded: int32(l.RecordsSucceeded), RecordsFailed: int32(l.RecordsFailed), //nolint:gosec // thousands
		DurationSeconds: l.Duration.Seconds(),
		Params:          params, Errors: errs, CreatedAt: l.CreatedAt,
	})
}

// FetchLogFilter narrows a list of fetch logs. Empty fields do not narrow it.
type FetchLogFilter struct {
	Status, Source string
	RunID, Before  *uuid.UUID
	Limit          int
}

// FetchLogs lists fetch logs, newest first.
func (s *Store) FetchLogs(ctx context.Context, f FetchLogFilter) ([]FetchLog, error) {
	//nolint:gosec // bounded by the contract
	rows, err := s.lists.ListFetchLogs(ctx, sql.ListFetchLogsParams{
		Before: f.Before, Status: optional(f.Status), Source: optional(f.Source), RunID: f.RunID, Limit: int32(f.Limit),
	})
	if err != nil {
		return nil, err
	}
	logs := make([]FetchLog, len(rows))
	for i, r := range rows {
		logs[i] = FetchLog{
			ID: r.ID, RunID: r.RunID, Asset: r.Asset, Source: r.Source, Status: r.Status,
			RecordsAttempted: int(r.RecordsAttempted),
			RecordsSucceeded: int(r.RecordsSucceeded), RecordsFailed: int(r.RecordsFailed),
			Duration: time.Duration(r.DurationSeconds * float64(time.Second)), CreatedAt: r.CreatedAt,
		}
		if err := json.Unmarshal(r.Params, &logs[i].Params); err != nil {
			return nil, fmt.Errorf("params of fetch log %s: %w", r.ID, err)
		}
		if err := json.Unmarshal(r.Errors, &logs[i].Errors); err != nil {
			return nil, fmt.Errorf("errors of fetch log %s: %w", r.ID, err)
		}
	}
	return logs, nil
}

// FetchStats summarizes the fetches with one status.
type FetchStats struct {
	Status            string
	Count             int
	AvgDuration       time.Duration
	Succeeded, Failed int
}

// FetchStats summarizes the fetches of a period by status.
func (s *Store) FetchStats(ctx context.Context, since, until time.Time) ([]FetchStats, error) {
	rows, err := s.q.FetchLogStats(ctx, sql.FetchLogStatsParams{Since: since, Until: until})
	if err != nil {
		return nil, err
	}
	stats := make([]FetchStats, len(rows))
	for i, r := range rows {
		stats[i] = FetchStats{
			Status: r.Status, Count: int(r.N), AvgDuration: time.Duration(r.AvgDuration * float64(time.Second)),
			Succeeded: int(r.Succeeded), Failed: int(r.Failed),
		}
	}
	return stats, nil
}

// Sweeper deletes old fetch logs. They are kept for 365 days by default.
func (s *Store) Sweeper() db.Sweeper {
	return db.Sweeper{
		Kind: "fetch_logs", KeepFor: 365 * 24 * time.Hour, Nth: s.q.NthFetchLog,
		Sweep: func(ctx context.Context, before time.Time, limit int32) (int64, error) {
			return s.q.SweepFetchLogs(ctx, sql.SweepFetchLogsParams{Before: before, Limit: limit})
		},
		Trim: func(ctx context.Context, keep, limit int32) (int64, error) {
			return s.q.TrimFetchLogs(ctx, sql.TrimFetchLogsParams{Keep: keep, Limit: limit})
		},
	}
}
