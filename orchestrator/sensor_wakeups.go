package orchestrator

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// signalsSeen reports whether there are visible events that a sensor waits for and has not seen. Events that an older
// open transaction holds back are looked for again later, so that a long transaction causes no evaluations without
// events.
func (e *Engine) signalsSeen(ctx context.Context, name string) (bool, error) {
	s := e.defs.bySensor[name]
	if s == nil || s.kind != SensorAsset && s.kind != SensorRunStatus {
		return true, nil
	}
	cursor, err := e.q.RunningSensorCursor(ctx, name)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil // stopped
	}
	if err != nil {
		return false, err
	}
	var after eventlog.Cursor
	if cursor != nil {
		if after, err = eventlog.ParseCursor(*cursor); err != nil {
			return true, nil //nolint:nilerr // the evaluation says what is wrong
		}
	}
	types := s.signals()
	rows, err := e.q.ListSignals(
		ctx, sql.ListSignalsParams{AfterXid: after.Xid, AfterID: after.ID, Types: types, Assets: s.assets, Limit: 1},
	)
	if err != nil {
		return false, err
	}
	return len(rows) > 0, e.recheckLater(ctx, s, len(rows) > 0)
}

// signals are the types of the events that a sensor waits for.
func (s *Sensor) signals() []string {
	if s.kind == SensorRunStatus {
		return each(s.statuses, func(status string) string { return "run_" + status })
	}
	return []string{eventlog.Materialization}
}

// The wait before events that an older transaction holds back are looked for again. It doubles from firstRecheck
// to maxRecheck while that transaction stays open.
const (
	firstRecheck = 100 * time.Millisecond
	maxRecheck   = 2 * time.Second
)

// heldBack is the next look of a sensor at events that an older transaction holds back.
type heldBack struct {
	wait  time.Duration
	timer *time.Timer // nil: no look is scheduled
}

// recheckLater wakes a sensor later if there are events that it cannot see yet. moved says that it saw other events, so
// that a newer transaction holds these back.
func (e *Engine) recheckLater(ctx context.Context, s *Sensor, moved bool) error {
	hidden, err := e.q.SignalsHidden(ctx, sql.SignalsHiddenParams{Types: s.signals(), Assets: s.assets})
	if err != nil {
		return err
	}
	e.wakeupsMu.Lock()
	defer e.wakeupsMu.Unlock()
	h := e.held[s.Name]
	switch {
	case !hidden:
		if h != nil && h.timer != nil {
			h.timer.Stop()
		}
		delete(e.held, s.Name)
		return nil
	case h == nil:
		h = &heldBack{wait: firstRecheck}
		e.held[s.Name] = h
	case moved:
		h.wait = firstRecheck
	}
	if h.timer != nil {
		return nil
	}
	h.timer = time.AfterFunc(h.wait, func() {
		e.wakeupsMu.Lock()
		h.timer, h.wait = nil, min(2*h.wait, maxRecheck)
		e.wakeupsMu.Unlock()
		e.wakeSensor(s.Name)
	})
	return nil
}

// signal wakes the sensors that wait for what a transition has just committed: materializations, and the end of a run.
func (e *Engine) signal(t *transition) {
	if !e.cfg.Work {
		return
	}
	for _, s := range e.defs.sensors {
		wanted := false
		switch s.kind {
		case SensorAsset:
			wanted = slices.ContainsFunc(t.events, func(ev eventlog.Entry) bool {
				return ev.Type == eventlog.Materialization && slices.Contains(s.assets, ev.Asset)
			})
		case SensorRunStatus:
			wanted = slices.Contains(s.statuses, t.run.Status)
		}
		if wanted {
			e.wakeSensor(s.Name)
		}
	}
}

// wakeSensor has a sensor evaluated at once, by this process.
func (e *Engine) wakeSensor(name string) {
	e.wakeupsMu.Lock()
	e.wakeups[name] = true
	e.wakeupsMu.Unlock()
	select {
	case e.woken <- struct{}{}:
	default:
	}
}

// evaluateWoken evaluates woken sensors until ctx ends, several at once. A wakeup that is lost costs time only: the
// sensor is evaluated when it is next due.
func (e *Engine) evaluateWoken(ctx context.Context) {
	const gather = 10 * time.Millisecond
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.woken:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(gather):
		}
		e.wakeupsMu.Lock()
		names := slices.Sorted(maps.Keys(e.wakeups))
		clear(e.wakeups)
		e.wakeupsMu.Unlock()
		if err := e.evaluateNow(ctx, names, SensorTickEvent); err != nil && ctx.Err() == nil {
			e.log.Warn("sensors could not be evaluated at once; they are evaluated when they are next due",
				"sensors", names, "error", err)
		}
	}
}
