package orchestrator

import (
	"context"
	"maps"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// A worker keeps a session at the server that does nothing. When its process dies, Postgres ends the session at once,
// so that the others need not wait for heartbeats that do not come: they look for sessions that are gone, twice, and
// then take its steps over. A session that breaks while the process lives is replaced, and a heartbeat says so, long
// before the second look.

const (
	// lookInterval is how often a worker looks for sessions of others that are gone.
	lookInterval = 750 * time.Millisecond
	// sureAfter is the least time between the first look that misses a session and the one that gives its worker up.
	sureAfter = 1400 * time.Millisecond
	// settledAfter is how long the worker's first session must have lasted. If it was replaced, the server or the network
	// may have failed: then all sessions are gone, and the other workers have as long to make new ones as they have to
	// send a heartbeat.
	settledAfter = 3 * time.Second
	// unseenAtMost is how many sessions in a row heartbeats may fail to see before the worker does without.
	unseenAtMost = 3
	// quietAfter is how long after the last job of another worker nothing is looked for.
	quietAfter = time.Minute
)

// workerSession is the session of this worker.
type workerSession struct {
	pid     int32
	start   time.Time          // as the server says
	settled time.Time          // from when on it tells something of others
	drop    context.CancelFunc // has another made
}

// keepSession keeps this worker's session until ctx ends. It gives up where connections lead to a pooler, whose
// sessions say nothing about this process: missing heartbeats then tell others that it died.
func (e *Engine) keepSession(ctx context.Context) {
	const least, most = 100 * time.Millisecond, 2 * time.Second
	wait, settle, unseen := least, settledAfter, 0
	for ctx.Err() == nil {
		began := time.Now()
		direct, seen, err := e.inSession(ctx, settle)
		if err == nil && !direct {
			return
		}
		if settle = e.deadAfter(); seen {
			unseen = 0
		} else if direct {
			unseen++
		}
		if unseen == unseenAtMost { // the role of heartbeats may not see that of sessions
			e.log.Info("heartbeats do not see this worker's session: it does without")
			return
		}
		if err != nil && ctx.Err() == nil {
			e.log.Debug("this worker has no session; it makes another", "error", err)
		}
		if time.Since(began) > settledAfter {
			wait = least
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, most)
	}
}

// inSession makes a session, and waits until it ends. direct says that it is at the server itself, and seen that a
// heartbeat saw it there.
func (e *Engine) inSession(ctx context.Context, settle time.Duration) (direct, seen bool, err error) {
	limited, cancel := context.WithTimeout(ctx, e.taskTimeout())
	defer cancel()
	conn, err := e.db.Connect(limited)
	if err != nil {
		return false, false, err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // nothing was written
	s, err := sql.New(conn).Session(limited)
	if err != nil {
		return false, false, err
	}
	// A pooler tells its clients another process id than the server's.
	if uint32(s.Pid) != conn.PgConn().PID() || s.BackendStart == nil { //nolint:gosec // never negative
		return false, false, nil
	}
	held, drop := context.WithCancel(ctx)
	defer drop()
	mine := &workerSession{pid: s.Pid, start: *s.BackendStart, settled: time.Now().Add(settle), drop: drop}
	e.session.Store(mine)
	err = e.beat(limited)
	seen = err != nil || held.Err() == nil
	for err == nil {
		_, err = conn.WaitForNotification(held)
	}
	e.session.Store(nil)
	if ctx.Err() == nil { // the others must not think that the process died
		limited, cancel := context.WithTimeout(ctx, e.taskTimeout())
		defer cancel()
		_ = e.beat(limited) // it is sent again
	}
	return true, seen, err
}

// missedSession is a session that a look did not find.
type missedSession struct {
	sql.ListGoneWorkersRow
	since time.Time
}

// watchSessions takes over from workers whose sessions are gone, until ctx ends.
func (e *Engine) watchSessions(ctx context.Context) {
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	missed := map[string]missedSession{} // by worker
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		mine := e.session.Load()
		_, calm := e.pulse.healthy(time.Now(), e.deadAfter())
		if mine == nil || e.resting() || time.Now().Before(mine.settled) || !calm || !e.othersWork() {
			clear(missed)
			continue
		}
		limited, cancel := context.WithTimeout(ctx, e.taskTimeout())
		err := e.lookForSessions(limited, missed)
		cancel()
		if err != nil {
			clear(missed)
			if ctx.Err() == nil {
				e.log.Warn("the sessions of other workers could not be looked for", "error", err)
			}
		}
	}
}

// othersWork reports whether jobs of other workers ran a short time ago.
func (e *Engine) othersWork() bool {
	last := e.othersWorked.Load()
	return last != 0 && time.Since(time.Unix(0, last)) < quietAfter
}

// lookForSessions looks once. It updates missed, and takes over from workers that have been in it for sureAfter.
func (e *Engine) lookForSessions(ctx context.Context, missed map[string]missedSession) error {
	gone, err := e.q.ListGoneWorkers(ctx, e.id)
	if err != nil {
		return err
	}
	before := maps.Clone(missed)
	clear(missed)
	var lost int64
	for _, w := range gone {
		m, ok := before[w.ID]
		if !ok || m.SessionPid != w.SessionPid || !m.SessionStart.Equal(w.SessionStart) {
			m = missedSession{ListGoneWorkersRow: w, since: time.Now()}
		}
		if time.Since(m.since) < sureAfter {
			missed[w.ID] = m
			continue
		}
		n, err := e.q.LoseWorker(ctx, sql.LoseWorkerParams(w))
		if err != nil {
			return err
		}
		if n > 0 {
			e.log.Warn("a worker is lost: its session at the server ended", "worker_id", w.ID)
		}
		lost += n
	}
	if lost == 0 {
		return nil
	}
	return e.requeueLostFor(ctx, neverDead)
}

// neverDead is a time without a heartbeat after which a worker is taken for dead, if only its session matters.
const neverDead = 100 * 365 * 24 * time.Hour
