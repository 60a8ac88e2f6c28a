package parliament

import (
	"context"
	"time"

	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
)

// BillPlace is a bill that has an address, and when its data last changed.
type BillPlace struct {
	ID        string // "44-1/C-11"
	UpdatedAt time.Time
}

// BillPlaces returns at most limit bills in the order of their ids, after the given one.
func (s *Store) BillPlaces(ctx context.Context, after string, limit int) ([]BillPlace, error) {
	rows, err := s.lists.ListBillPlaces(ctx, sql.ListBillPlacesParams{
		After: after, Limit: int32(limit), //nolint:gosec // a small number
	})
	if err != nil {
		return nil, err
	}
	out := make([]BillPlace, len(rows))
	for i, row := range rows {
		out[i] = BillPlace{ID: row.ID, UpdatedAt: row.UpdatedAt}
	}
	return out, nil
}
