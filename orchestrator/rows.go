package orchestrator

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// rowFor is how long one row of a housekeeping task may take, such as one that another transaction has locked.
const rowFor = 2 * time.Second

// errUntried says of a row that nothing was tried, so that a failure before still stands.
var errUntried = errors.New("not tried")

// fates remember which rows of housekeeping tasks fail, so that each is told of once.
type fates struct {
	mu      sync.Mutex
	failing map[string]map[string]bool // by task and row
}

func (f *fates) fails(task, row string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failing[task][row]
}

// set notes what became of a row, and says whether that is news.
func (f *fates) set(task, row string, failed bool) bool {
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

// keep forgets the rows of a task that are not among those named: they are gone.
func (f *fates) keep(task string, rows map[string]bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for row := range f.failing[task] {
		if !rows[row] {
			delete(f.failing[task], row)
		}
	}
}

// eachRow does a task for each row, and each has its own fate: one that fails is told of once, and the others go on. It
// is tried again the next time, after the others. An error is the database's own trouble, which no row would escape.
func eachRow[R any](ctx context.Context, e *Engine, task string, rows []R, name func(R) string, do func(context.Context, R) error) error {
	listed := map[string]bool{}
	for _, r := range rows {
		listed[name(r)] = true
	}
	e.fates.keep(task, listed)
	slices.SortStableFunc(rows, func(a, b R) int {
		x, y := e.fates.fails(task, name(a)), e.fates.fails(task, name(b))
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
		row, cancel := context.WithTimeout(ctx, rowFor)
		err := do(row, r)
		cancel()
		if errors.Is(err, errUntried) {
			continue
		}
		if err == nil {
			if e.fates.set(task, name(r), false) {
				e.log.Info("a row that failed goes on", "task", task, "row", name(r))
			}
			continue
		}
		if ctx.Err() != nil || databaseTrouble(err) && e.db.Pool.Ping(ctx) != nil {
			return err
		}
		if e.fates.set(task, name(r), true) {
			e.log.Error("a row fails; it is tried again, and the others go on", "task", task, "row", name(r), "error", err)
		}
	}
	return nil
}
