package db

import "context"

// Begin is LogBegin on what q runs on.
func (q *Queries) Begin(ctx context.Context) (uint64, error) { return LogBegin(ctx, q.db) }
