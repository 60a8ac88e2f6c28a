package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// gate lets so much through at once, in all and of each client. Others wait a little, in the order in which they came.
type gate struct {
	all      *semaphore.Weighted
	each     int64
	waiting  int           // so many of each client may be there at once, those that wait among them
	patience time.Duration // that they wait

	mu      sync.Mutex
	clients map[string]*share
}

// share is what a client has of a gate.
type share struct {
	turns *semaphore.Weighted
	n     int // that are through or wait
}

func newGate(all, each int64, waiting int, patience time.Duration) *gate {
	return &gate{
		all: semaphore.NewWeighted(all), each: each, waiting: waiting, patience: patience, clients: map[string]*share{},
	}
}

var (
	// errShare says that a client has as much at once as it may, errFull that the server has.
	errShare = errors.New("too many requests of this client are being answered at once; try again")
	errFull  = errors.New("the server is answering as many requests as it can; try again")
)

// enter waits for a turn of a client's, and gives what ends it: errShare or errFull if none comes in time.
func (g *gate) enter(ctx context.Context, client string, weight int64) (leave func(), err error) {
	weight = min(weight, g.each)
	g.mu.Lock()
	s := g.clients[client]
	if s == nil {
		s = &share{turns: semaphore.NewWeighted(g.each)}
		g.clients[client] = s
	}
	if s.n >= g.waiting {
		g.mu.Unlock()
		return nil, errShare
	}
	s.n++
	g.mu.Unlock()
	limited, cancel := context.WithTimeout(ctx, g.patience)
	defer cancel()
	if err := s.turns.Acquire(limited, weight); err != nil {
		g.forget(client, s)
		return nil, errShare
	}
	if err := g.all.Acquire(limited, weight); err != nil {
		s.turns.Release(weight)
		g.forget(client, s)
		return nil, errFull
	}
	return sync.OnceFunc(func() {
		g.all.Release(weight)
		s.turns.Release(weight)
		g.forget(client, s)
	}), nil
}

func (g *gate) forget(client string, s *share) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.n--; s.n == 0 {
		delete(g.clients, client)
	}
}
