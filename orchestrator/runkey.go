package orchestrator

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// RunKey is a key by which a sensor started a run. While it is kept, it starts no other run.
type RunKey struct {
	Key       string
	RunID     uuid.UUID
	CreatedAt time.Time
}

// RunKeyFilter filters a list of run keys. An empty field does not filter.
type RunKeyFilter struct {
	Key, Prefix string
	// Before returns the keys that come after this one in the list.
	Before *RunKey
	Limit  int
}

var escapeLike = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// RunKeys lists the run keys of a sensor, newest first. ErrNotFound without such a sensor.
func (e *Engine) RunKeys(ctx context.Context, sensor string, f RunKeyFilter) ([]RunKey, error) {
	if _, err := e.defs.Sensor(sensor); err != nil {
		return nil, err
	}
	p := sql.ListRunKeysParams{
		Sensor: sensor,
		Key:    optional(f.Key),
		Limit:  int32(f.Limit), //nolint:gosec // bounded by the contract
	}
	if f.Prefix != "" {
		p.Prefix = ptr(escapeLike.Replace(f.Prefix) + "%")
	}
	if f.Before != nil {
		p.Before, p.BeforeAt, p.BeforeKey = true, f.Before.CreatedAt, f.Before.Key
	}
	rows, err := e.lists.ListRunKeys(ctx, p)
	return each(rows, func(r sql.ListRunKeysRow) RunKey { return RunKey(r) }), err
}

// ForgetRunKey deletes a run key of a sensor and returns it. The sensor may then start another run by it. ErrNotFound
// without such a sensor or key.
func (e *Engine) ForgetRunKey(ctx context.Context, sensor, key string) (*RunKey, error) {
	if _, err := e.defs.Sensor(sensor); err != nil {
		return nil, err
	}
	row, err := e.q.ForgetRunKey(ctx, sql.ForgetRunKeyParams{Sensor: sensor, Key: key})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, &NotFoundError{Kind: "run key", Name: key}
	}
	if err != nil {
		return nil, err
	}
	return ptr(RunKey(row)), nil
}
