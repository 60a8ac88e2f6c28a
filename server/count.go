package server

import (
	"context"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db"
)

// maxCounted is up to where lists are counted: nobody reads further, and counting on would take as long as reading.
const maxCounted = 10_000

// counted is what count=true asks for; of a list that was not asked, nothing.
type counted struct {
	total  *api.Total
	capped *api.TotalCapped
}

// countOf counts the items on all pages of a list, if that was asked for. list gives the first page of it, of a length.
func countOf[T any](ctx context.Context, asked *api.Count, list func(ctx context.Context, limit int) ([]T, error)) (counted, error) {
	if asked == nil || !*asked {
		return counted{}, nil
	}
	n, err := db.Count(ctx, maxCounted+1, func(ctx context.Context, limit int) error {
		_, err := list(ctx, limit)
		return err
	})
	if err != nil {
		return counted{}, err
	}
	return counted{total: ptr(min(n, maxCounted)), capped: ptr(n > maxCounted)}, nil
}
