package retention

import (
	"context"
	"errors"
	"fmt"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// TableGrowth is how fast a table grows.
type TableGrowth struct {
	Table     string
	BytesADay float64 // negative if the table shrinks
	Days      int     // the days between the two samples that were compared: a week, or less on a new database
}

// Growth compares the samples of table sizes that Sweep took over the last week.
func Growth(ctx context.Context, d *db.DB) ([]TableGrowth, error) {
	rows, err := sql.New(d.Durable()).StorageGrowth(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the samples of table sizes: %w", err)
	}
	out := make([]TableGrowth, len(rows))
	for i, r := range rows {
		out[i] = TableGrowth{Table: r.TableName, BytesADay: r.BytesADay, Days: int(r.Days)}
	}
	return out, nil
}

// sampleSizes stores the size that each table has today, and deletes samples older than 400 days.
func sampleSizes(ctx context.Context, d *db.DB, q *sql.Queries) error {
	sizes, err := d.Storage(ctx)
	if err != nil {
		return err
	}
	var p sql.SampleStorageParams
	for _, s := range sizes {
		p.Names, p.Bytes, p.Rows = append(p.Names, s.Name), append(p.Bytes, s.Bytes), append(p.Rows, s.Rows)
	}
	return errors.Join(q.SampleStorage(ctx, p), q.SweepSamples(ctx))
}
