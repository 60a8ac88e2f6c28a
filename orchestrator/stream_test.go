package orchestrator_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

// TestFollow breaks streams off at random and resumes them under load: what they give must be what the log holds.
func TestFollow(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	chatter := asset("chatter", nil, func(_ context.Context, s *orchestrator.Step) error {
		for i := range 20 {
			s.Log(eventlog.LevelInfo, "line", map[string]int{"i": i})
		}
		return nil
	})
	left := asset("left", []string{"chatter"}, nil)
	right := asset("right", []string{"chatter"}, nil)
	defs := define(
		t,
		[]*orchestrator.Asset{chatter, left, right},
		[]*orchestrator.Job{{Name: "j", Assets: []string{"chatter", "left", "right"}}},
	)
	one := startEngine(t, d, defs)
	other := startEngine(t, d, defs)

	const runs = 50
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	broken := errors.New("broken off")

	var all []eventlog.Event
	ended := 0
	everything := make(chan struct{})
	var begin *eventlog.Cursor
	ready := make(chan struct{})
	go func() { // the stream of all runs, broken off again and again
		defer close(everything)
		origin := eventlog.Cursor{}
		begin = &origin
		close(ready)
		for ended < runs && ctx.Err() == nil {
			budget := 1 + rand.IntN(40)
			err := one.Events().FollowAll(ctx, begin, func(evs []eventlog.Event) error {
				for _, ev := range evs {
					all = append(all, ev)
					c := ev.Cursor()
					begin = &c
					if ev.Type == eventlog.RunSuccess {
						if ended++; ended == runs {
							return broken
						}
					}
					if budget--; budget == 0 {
						return broken
					}
				}
				return nil
			})
			if !errors.Is(err, broken) {
				t.Errorf("follow all: %v", err)
				return
			}
		}
	}()
	<-ready

	var wg sync.WaitGroup
	var mu sync.Mutex
	ids := map[uuid.UUID]bool{}
	for i := range runs {
		wg.Go(func() {
			run := start(t, one, orchestrator.RunRequest{Job: "j"})
			mu.Lock()
			ids[run.ID] = true
			mu.Unlock()
			follow := one
			if i%2 == 1 {
				follow = other
			}
			var got []int64
			var last int64
			for done := false; !done; {
				budget := 1 + rand.IntN(10)
				err := follow.FollowRun(ctx, run.ID, last, func(evs []eventlog.Event) error {
					for _, ev := range evs {
						got = append(got, ev.ID)
						last = ev.ID
						if budget--; budget == 0 {
							return broken
						}
					}
					return nil
				})
				if done = err == nil; !done && !errors.Is(err, broken) {
					t.Errorf("follow: %v", err)
					return
				}
				if !done { // the last event may have been the one that broke it off
					r, err := follow.Run(ctx, run.ID)
					if err != nil {
						t.Error(err)
						return
					}
					if r.EndedAt != nil {
						rest, err := follow.Events().OfRun(ctx, run.ID, last, 1)
						done = err == nil && len(rest) == 0
					}
				}
			}
			want, err := one.Events().OfRun(ctx, run.ID, 0, 500)
			if err != nil {
				t.Error(err)
				return
			}
			if len(got) != len(want) {
				t.Errorf("the stream gave %d events, the log has %d", len(got), len(want))
				return
			}
			for i := range want {
				if got[i] != want[i].ID {
					t.Errorf("event %d is %d, want %d", i, got[i], want[i].ID)
				}
			}
		})
	}
	wg.Wait()
	<-everything
	seen := map[int64]bool{}
	perRun := map[uuid.UUID]int{}
	for _, ev := range all {
		if seen[ev.ID] {
			t.Errorf("event %d came twice", ev.ID)
		}
		seen[ev.ID] = true
		perRun[ev.RunID]++
	}
	for id := range ids {
		want, err := one.Events().OfRun(t.Context(), id, 0, 500)
		if err != nil {
			t.Fatal(err)
		}
		for _, ev := range want {
			if !seen[ev.ID] {
				t.Errorf("event %d (%s) of run %s never came in the stream of all runs", ev.ID, ev.Type, id)
			}
		}
	}
}
