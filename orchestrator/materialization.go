package orchestrator

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// Materialization is one recorded production of an asset.
type Materialization struct {
	ID        uuid.UUID
	Asset     string
	Partition *string
	RunID     uuid.UUID
	Metadata  json.RawMessage
	CreatedAt time.Time
}

func materializationOf(row sql.Materialization) Materialization {
	return Materialization{
		ID:        row.ID,
		Asset:     row.Asset,
		Partition: row.Partition,
		RunID:     row.RunID,
		Metadata:  row.Metadata,
		CreatedAt: row.CreatedAt,
	}
}

// Materializations lists those of an asset, newest first, that are older than before if it is given.
func (e *Engine) Materializations(
	ctx context.Context,
	asset, partition string,
	before *uuid.UUID,
	limit int,
) ([]Materialization, error) {
	if _, err := e.defs.Asset(asset); err != nil {
		return nil, err
	}
	rows, err := e.lists.ListMaterializations(
		ctx,
		sql.ListMaterializationsParams{
			Asset: asset, Partition: optional(partition), Before: before,
			Limit: int32(limit), //nolint:gosec // bounded by the contract
		},
	)
	return each(rows, materializationOf), err
}

// MaterializationsOfRun lists the materializations of a run, oldest first.
func (e *Engine) MaterializationsOfRun(ctx context.Context, id uuid.UUID) ([]Materialization, error) {
	rows, err := e.q.ListMaterializationsOfRun(ctx, id)
	return each(rows, materializationOf), err
}

// LatestMaterializations returns the newest materialization of each asset that has any.
func (e *Engine) LatestMaterializations(ctx context.Context, assets []string) (map[string]Materialization, error) {
	rows, err := e.q.LatestMaterializations(ctx, assets)
	if err != nil {
		return nil, err
	}
	latest := map[string]Materialization{}
	for _, row := range rows {
		latest[row.Asset] = materializationOf(row)
	}
	return latest, nil
}
