package orchestrator

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// rowTimeout is how long one row of a housekeeping task may take, such as one that another transaction has locked.
const rowTimeout = 2 * time.Second

// errUntried means that a row was not tried, so that an earlier failure still stands.
var errUntried = errors.New("not tried")

// rowFailures holds which rows of housekeeping tasks fail, so that each is logged once.
type rowFailures struct {
	mu      sync.Mutex
	failing map[string]map[string]bool // by task and row
}

// fails reports whether a row failed when it was last tried.
func (f *rowFailures) fails(task, row string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failing[task][row]
}

// set notes whether a row failed, and reports whether that is a change.
func (f *rowFailures) set(task, row string, failed bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failing[task][row] == failed {
		return false
	}
	if !failed {
		delete(f.failing[task], row)
		return true
	}
	if f.failing == nil {
		f.failing = map[string]map[string]bool{}
	}
	if f.failing[task] == nil {
		f.failing[task] = map[string]bool{}
	}
	f.failing[task][row] = true
	return true
}

// keep forgets all rows of a task but those named. The others are gone.
func (f *rowFailures) keep(task string, rows map[string]bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for row := range f.failing[task] {
		if !rows[row] {
			delete(f.failing[task], row)
		}
	}
}

// eachRow does a task for each row. A row that fails is logged once, does not keep the others from being done, and is
// tried again the next time, after the others. The error is of ctx, or of a database that does not answer.
func eachRow[R any](
	ctx context.Context, e *Engine, task string, rows []R, name func(R) string, do func(context.Context, R) error,
) error {
	listed := map[string]bool{}
	for _, r := range rows {
		listed[name(r)] = true
	}
	e.rowFailures.keep(task, listed)
	slices.SortStableFunc(rows, func(a, b R) int {
		x, y := e.rowFailures.fails(task, name(a)), e.rowFailures.fails(task, name(b))
		switch {
		case x == y:
			return 0
		case x:
			return 1
		}
		return -1
	})
	for _, r := range rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		row, cancel := context.WithTimeout(ctx, rowTimeout)
		err := do(row, r)
		cancel()
		if errors.Is(err, errUntried) {
			continue
		}
		if err == nil {
			if e.rowFailures.set(task, name(r), false) {
				e.log.Info("a row that failed succeeds again", "task", task, "row", name(r))
			}
			continue
		}
		if ctx.Err() != nil || databaseTrouble(err) && e.db.Pool.Ping(ctx) != nil {
			return err
		}
		if e.rowFailures.set(task, name(r), true) {
			e.log.Error("a row fails; it is tried again, and the others are done", "task", task, "row", name(r), "error", err)
		}
	}
	return nil
}
