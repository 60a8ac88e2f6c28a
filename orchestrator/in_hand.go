package orchestrator

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/riverqueue/river/rivertype"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// lostAfter is how long a worker misses a job before it is lost: longer than River tries to record what came of it.
const lostAfter = 45 * time.Second

// inHand has the jobs that this worker does. A job that it runs, as the database says, and does not have in hand for
// long is lost: the answer to its fetch was, or what came of it. River would find it after days.
type inHand struct {
	after  time.Duration // lostAfter
	mu     sync.Mutex
	doing  map[int64]int       // how often
	missed map[int64]time.Time // jobs that are not in hand, since when
}

func newInHand() inHand {
	return inHand{after: lostAfter, doing: map[int64]int{}, missed: map[int64]time.Time{}}
}

// work is a middleware of River's.
func (h *inHand) work(ctx context.Context, j *rivertype.JobRow, job func(context.Context) error) error {
	h.mu.Lock()
	h.doing[j.ID]++
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.doing[j.ID]--; h.doing[j.ID] == 0 {
			delete(h.doing, j.ID)
		}
	}()
	return job(ctx)
}

// ids returns the jobs in hand.
func (h *inHand) ids() []int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.AppendSeq([]int64{}, maps.Keys(h.doing)) // nil would be NULL
}

// lost returns those of the jobs that are lost: those of other workers, and those of worker that were missed by each
// look for as long as lostAfter.
func (h *inHand) lost(jobs []sql.ListLostJobsRow, worker string) []sql.ListLostJobsRow {
	h.mu.Lock()
	defer h.mu.Unlock()
	before, now := h.missed, time.Now()
	h.missed = map[int64]time.Time{}
	return slices.DeleteFunc(jobs, func(j sql.ListLostJobsRow) bool {
		if j.WorkerID != worker {
			return false
		}
		since, ok := before[j.ID]
		if !ok {
			since = now
		}
		h.missed[j.ID] = since
		return now.Sub(since) < h.after
	})
}
