package server

import (
	"context"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db"
)

// maxCounted is how far lists are counted. Counting further would take as long as reading all of them.
const maxCounted = 10_000

// counted is the answer to count=true. Without count=true it is empty.
type counted struct {
	total  *api.Total
	capped *api.TotalCapped
}

// countOf counts the items of all pages of a list if the request has count=true. list reads the first page, with as
// many items as limit allows.
func countOf[T any](
	ctx context.Context, wanted *api.Count, list func(ctx context.Context, limit int) ([]T, error),
) (counted, error) {
	if wanted == nil || !*wanted {
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
