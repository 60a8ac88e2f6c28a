package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// gate limits a quantity in use, in all and per client. Requests beyond it wait for a short time, in order of arrival.
type gate struct {
	all      *semaphore.Weighted
	each     int64
	waiting  int           // the maximum of requests of one client, including those that wait
	patience time.Duration // how long a request waits

	mu      sync.Mutex
	clients map[string]*share
}

// share is a client's part of a gate.
type share struct {
	turns *semaphore.Weighted
	n     int // requests of the client, including those that wait
}

func newGate(all, each int64, waiting int, patience time.Duration) *gate {
	return &gate{
		all: semaphore.NewWeighted(all), each: each, waiting: waiting, patience: patience, clients: map[string]*share{},
	}
}

var (
	// errShare means that a client uses all that one client may use. errFull means that the whole gate is in use.
	errShare = errors.New("too many requests of this client are being answered at once; try again")
	errFull  = errors.New("the server is answering as many requests as it can; try again")
)

// enter waits until weight is free for the client and returns the function that frees it. The error is errShare or
// errFull if that takes longer than the gate's patience.
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
