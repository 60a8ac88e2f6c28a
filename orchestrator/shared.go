package orchestrator

import (
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
)

// shared does together what several goroutines ask for while it is busy. It never waits for more: what is asked for
// alone is done at once. The more there is to do, the more is done in one transaction.
//
// Batches with a fixed delay would make each run slower; those of River are of this kind, and so are data loaders.
type shared[T any] struct {
	// do does what was asked for. Each item holds its own result. It must not panic; see rescued.
	do func(batch []*T)
	// asked is called for each item; nil but in tests.
	asked func()

	mu      sync.Mutex // guards the fields below
	waiting []sharedItem[T]
	working bool
}

// rescued makes a do of one that may panic. If it does, each item of the batch has to be done by itself, by a goroutine
// in which a panic ends nothing but that.
func rescued[T any](log *slog.Logger, do func(batch []*T), alone func(item *T)) func(batch []*T) {
	return func(batch []*T) {
		defer func() {
			if p := recover(); p != nil {
				log.Error("what was to be done together panicked; each is by itself", "panic", p, "stack",
					string(debug.Stack()))
				for _, item := range batch {
					alone(item)
				}
			}
		}()
		do(batch)
	}
}

// sharedMost is how many items there are in a batch.
const sharedMost = 64

// sharedTries is how often a step takes part in a batch while its run is locked: other steps of the run hold the lock
// for a moment.
const sharedTries = 3

type sharedItem[T any] struct {
	item *T
	done chan struct{}
}

// wait has item done, and returns when it is.
func (s *shared[T]) wait(item *T) { <-s.add(item) }

// add has item done, and closes the channel when it is.
func (s *shared[T]) add(item *T) <-chan struct{} {
	done := make(chan struct{})
	s.mu.Lock()
	if s.asked != nil {
		s.asked()
	}
	s.waiting = append(s.waiting, sharedItem[T]{item, done})
	if !s.working {
		s.working = true
		go s.work()
	}
	s.mu.Unlock()
	return done
}

// remove takes back an item whose batch has not begun, and reports whether it did.
func (s *shared[T]) remove(item *T) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.waiting)
	s.waiting = slices.DeleteFunc(s.waiting, func(w sharedItem[T]) bool { return w.item == item })
	return len(s.waiting) < n
}

// work does what waits, until nothing does.
func (s *shared[T]) work() {
	for {
		s.mu.Lock()
		n := min(len(s.waiting), sharedMost)
		if n == 0 {
			s.waiting, s.working = nil, false
			s.mu.Unlock()
			return
		}
		taken := s.waiting[:n:n]
		s.waiting = s.waiting[n:]
		s.mu.Unlock()
		batch := make([]*T, n)
		for i := range taken {
			batch[i] = taken[i].item
		}
		s.do(batch)
		for i := range taken {
			close(taken[i].done)
		}
	}
}
