package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// heldEvent is an event that a step reported and that is not known to be in the log.
type heldEvent struct {
	eventlog.Entry
	// doubtful says that it was sent to the database, and that it is not known whether it was written.
	doubtful bool
	// lost is how many dropped events this one reports.
	lost int
}

// maxHeld is how many events a step holds while the database does not accept them. Beyond it, the oldest are dropped.
const maxHeld = 10_000

// logProgressEvery is the least time between two lines about progress in the process log.
const logProgressEvery = 5 * time.Second

// report holds an event until flush writes it.
func (s *Step) report(entry eventlog.Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		s.logLateReport()
		return
	}
	s.stamp(&entry)
	if entry.Type != eventlog.Progress || entry.At.Sub(s.logged) >= logProgressEvery {
		var level slog.Level
		_ = level.UnmarshalText([]byte(entry.Level)) // an unknown level is logged as information
		s.log.Log(context.Background(), level, entry.Message)
		if entry.Type == eventlog.Progress {
			s.logged = entry.At
		}
	}
	ev := heldEvent{Entry: entry}
	if last := len(s.held) - 1; ev.Type == eventlog.Progress && last >= 0 && s.held[last].Type == eventlog.Progress {
		s.held[last] = ev
	} else {
		if len(s.held)+s.flight >= maxHeld { // the database is unavailable, or slower than the function
			s.dropOldest()
		}
		s.held = append(s.held, ev)
	}
	s.flushSoon()
}

// stamp makes an event one of this attempt, at a time that no other event of the attempt has. The caller holds mu.
func (s *Step) stamp(entry *eventlog.Entry) {
	entry.At, entry.Asset, entry.Attempt = s.engine.now(), s.Asset, s.Attempt
	if !entry.At.After(s.last) {
		entry.At = s.last.Add(time.Microsecond)
	}
	s.last = entry.At
}

// flushSoon has flush write what is held.
func (s *Step) flushSoon() {
	select {
	case s.flushNow <- struct{}{}:
	default:
	}
}

// dropOldest makes room for one event. It keeps a line that reports lost events, which may be in the log already. The
// caller holds mu.
func (s *Step) dropOldest() {
	if s.held[0].lost > 0 {
		s.held[0], s.held[1] = s.held[1], s.held[0]
	}
	s.held[0] = heldEvent{} // frees its text now, not with the array
	s.held = s.held[1:]
	s.lost++
}

// lostLine returns the line that reports how many events were dropped, if any were. The caller holds mu.
func (s *Step) lostLine() (heldEvent, bool) {
	if s.lost == 0 {
		return heldEvent{}, false
	}
	ev := s.missing(s.lost, "they came faster than they could be written")
	s.lost = 0
	return ev, true
}

// missing returns a line that reports how many events are not in the log, and why. The caller holds mu.
func (s *Step) missing(n int, why string) heldEvent {
	ev := heldEvent{lost: n, Entry: eventlog.Entry{
		Type: eventlog.LogLine, Level: eventlog.LevelWarn,
		Message: fmt.Sprintf("%d older lines are missing here: %s", n, why),
		Data:    eventlog.Data(map[string]int{"dropped": n}),
	}}
	s.stamp(&ev.Entry)
	s.log.Warn("lines of the event log were dropped", "dropped", n, "reason", why)
	return ev
}

// refused returns the line that takes the place of events that the database refused because of their content.
func (s *Step) refused(events []heldEvent) []heldEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, ev := range events {
		n += max(1, ev.lost)
	}
	if n == 0 {
		return nil
	}
	return []heldEvent{s.missing(n, "they are of an attempt whose end could not be recorded")}
}

// flushBatch is how many events are written at once.
const flushBatch = 1_000

// take takes the oldest events, to write them. After some were dropped it takes only one, to find out whether the log
// can be written again.
func (s *Step) take() []heldEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(len(s.held), flushBatch)
	if s.lost > 0 {
		n = min(n, 1)
	}
	taken := slices.Clone(s.held[:n])
	clear(s.held[:n])
	s.held, s.flight = s.held[n:], n
	return taken
}

// giveBack holds events again that could not be written, for the next try or for the end of the attempt.
func (s *Step) giveBack(taken []heldEvent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held, s.flight = append(taken, s.held...), 0
	s.flushSoon()
}

// written notes that the events that were taken are in the log, and adds the line about those that were dropped before.
func (s *Step) written() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flight = 0
	if line, ok := s.lostLine(); ok {
		s.held = append([]heldEvent{line}, s.held...)
		if len(s.held) > maxHeld {
			s.dropOldest()
		}
		s.flushSoon()
	}
}

// insert writes events, provided that the step still belongs to this attempt.
func (s *Step) insert(ctx context.Context, q *sql.Queries, entries []eventlog.Entry) error {
	rows := eventlog.Columns(s.RunID, entries)
	return q.InsertStepEvents(ctx, sql.InsertStepEventsParams{
		RunID: s.RunID, Asset: &s.Asset, Attempt: ptr(int32(s.Attempt)), JobID: &s.jobID, //nolint:gosec // a small number
		Ats: rows.Ats, Types: rows.Types, Levels: rows.Levels, Messages: rows.Messages, Datas: rows.Datas,
	})
}

// flushTimeout is how long writing reported events may take. An attempt that ends waits for it.
const flushTimeout = 5 * time.Second

// write writes reported events. A write that has begun is completed although the attempt ends meanwhile. If it fails,
// the events may be in the log all the same, because only the answer was lost. They are then looked up before they are
// written once more, under the run's lock: an earlier try that still runs would hold that lock, or would find
// afterwards that the attempt has ended.
func (s *Step) write(ctx context.Context, events []heldEvent) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	defer func() {
		for i := range events {
			events[i].doubtful = err != nil
		}
	}()
	if !slices.ContainsFunc(events, func(ev heldEvent) bool { return ev.doubtful }) {
		return s.insert(ctx, s.engine.relaxed, each(events, func(ev heldEvent) eventlog.Entry { return ev.Entry }))
	}
	return s.engine.db.Tx(ctx, func(tx pgx.Tx) error {
		if _, _, err := sql.LockRunAndSteps(ctx, tx, s.RunID); errors.Is(err, pgx.ErrNoRows) {
			return nil // the run was deleted
		} else if err != nil {
			return err
		}
		left, err := s.unwritten(ctx, tx, events)
		if err != nil || len(left) == 0 {
			return err
		}
		return s.insert(ctx, s.engine.q.WithTx(tx), left)
	})
}

// unwritten returns the events that are not in the log. The caller has locked the run.
func (s *Step) unwritten(ctx context.Context, tx pgx.Tx, events []heldEvent) ([]eventlog.Entry, error) {
	var ats []time.Time
	for _, ev := range events {
		if ev.doubtful {
			ats = append(ats, ev.At)
		}
	}
	there := map[int64]bool{}
	if len(ats) > 0 {
		written, err := s.engine.q.WithTx(tx).WrittenStepEvents(ctx, sql.WrittenStepEventsParams{
			RunID: s.RunID, Asset: &s.Asset, Attempt: ptr(int32(s.Attempt)), Ats: ats, //nolint:gosec // a small number
		})
		if err != nil {
			return nil, err
		}
		for _, at := range written {
			there[at.UnixMicro()] = true
		}
	}
	var left []eventlog.Entry
	for _, ev := range events {
		if !ev.doubtful || !there[ev.At.UnixMicro()] {
			left = append(left, ev.Entry)
		}
	}
	return left, nil
}

// The time between two writes of reported events. After a write that failed it doubles, up to flushEveryMax.
const (
	flushEvery    = 100 * time.Millisecond
	flushEveryMax = 2 * time.Second
)

// flush writes reported events while the function runs.
func (s *Step) flush(ctx context.Context) {
	for wait := flushEvery; ; {
		select {
		case <-ctx.Done():
			return
		case <-s.flushNow:
		}
		if s.flushHeld(ctx) {
			wait = flushEvery
		} else {
			wait = min(2*wait, flushEveryMax)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// flushHeld writes all events that are held, and reports whether it could.
func (s *Step) flushHeld(ctx context.Context) bool {
	for ctx.Err() == nil {
		taken := s.take()
		if len(taken) == 0 {
			break
		}
		if err := s.write(ctx, taken); err != nil {
			s.giveBack(taken)
			return false
		}
		s.written()
		s.engine.events.Wake(s.RunID)
	}
	return true
}
