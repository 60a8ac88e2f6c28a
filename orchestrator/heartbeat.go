package orchestrator

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// deadAfter is the time without a heartbeat after which a worker is taken for dead.
func (e *Engine) deadAfter() time.Duration { return 4 * e.cfg.Heartbeat }

// beat records a heartbeat of this worker, with its session. That of a worker that sleeps is valid until it wakes.
func (e *Engine) beat(ctx context.Context) error {
	host, _ := os.Hostname()
	params := sql.BeatParams{ID: e.id, Host: host, Pid: int32(os.Getpid())} //nolint:gosec // a pid
	if e.cfg.Deep {
		e.sleep.beats.Lock() // whoever falls asleep or wakes sends the last
		defer e.sleep.beats.Unlock()
		params.ValidSeconds = e.validFor().Seconds()
	}
	session := e.session.Load()
	if session != nil {
		params.SessionPid, params.SessionStart = &session.pid, &session.start
	}
	inSession, err := e.relaxed.Beat(ctx, params)
	if err != nil {
		return err
	}
	if session != nil && !inSession { // as if the network had forgotten the connection
		session.drop()
	}
	return nil
}

// pulse is whether the database answers, by the heartbeats of this process. Any goroutine may use it.
type pulse struct {
	mu    sync.Mutex
	last  time.Time // of the last heartbeat that succeeded; zero after one that failed
	since time.Time // since when heartbeats have succeeded
}

// heard notes a heartbeat that succeeded. After a long gap the heartbeats of all workers are old, or this process was
// frozen: the other workers then get time again before they are taken for dead.
func (p *pulse) heard(now time.Time, deadAfter time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last.IsZero() || now.Sub(p.last) >= deadAfter {
		p.since = now
	}
	p.last = now
}

// missed notes a heartbeat that failed.
func (p *pulse) missed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = time.Time{}
}

// healthy reports whether the last heartbeat succeeded, less than deadAfter ago. calm reports whether that has been so
// for deadAfter, in which every live worker has sent a heartbeat.
func (p *pulse) healthy(now time.Time, deadAfter time.Duration) (well, calm bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	well = !p.last.IsZero() && now.Sub(p.last) < deadAfter
	return well, well && now.Sub(p.since) >= deadAfter
}

// heartbeats sends a heartbeat every Config.Heartbeat until ctx ends. A process that does no work only checks that the
// database answers, half as often. Heartbeats have a goroutine of their own: a task that hangs must not make a worker
// look dead.
func (e *Engine) heartbeats(ctx context.Context) {
	every := e.cfg.Heartbeat
	if !e.cfg.Work {
		every *= 2
	}
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if e.resting() {
			continue
		}
		round, cancel := context.WithTimeout(ctx, e.taskTimeout())
		var err error
		if e.cfg.Work {
			err = e.beat(round)
		} else {
			_, err = e.relaxed.DatabaseTime(round)
		}
		cancel()
		switch {
		case err == nil:
			e.pulse.heard(time.Now(), e.deadAfter())
		case ctx.Err() == nil:
			e.pulse.missed()
			e.log.Warn("heartbeat failed", "error", err)
		}
	}
}

// healthySince returns since when workers could send heartbeats, as far as a worker that starts can know: since the
// database runs. It must not assume a later time, or workers that are restarted again and again never take over the
// steps of dead ones.
func (e *Engine) healthySince(ctx context.Context) time.Time {
	now := time.Now()
	up, err := e.q.DatabaseUptime(ctx)
	if err != nil {
		return now
	}
	return now.Add(-min(e.deadAfter(), time.Duration(up*float64(time.Second))))
}
