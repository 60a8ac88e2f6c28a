package simulate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// view is everything that is public at the end of a day. It does not change.
type view struct {
	end     time.Time
	bills   []*known // in openparliament.ca's own order
	current string   // the session that goes on
	byCode  map[string]*known
	byID    map[int]*known
	voteSet sync.Once
	votes   []division
}

// known is a bill with what is known of it.
type known struct {
	*bill
	record func() record // LEGISinfo's own
	item   func() record // LEGISinfo's list item
}

// view gives what is known at the end of the simulated day.
func (w *World) view() *view {
	end := w.Today().Add(24*time.Hour - time.Nanosecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen != nil && w.seen.end.Equal(end) {
		return w.seen
	}
	v := &view{end: end, byCode: map[string]*known{}, byID: map[int]*known{}}
	for _, s := range w.sessions {
		if !s.begins.After(end) {
			v.current = s.code()
		}
	}
	for _, b := range w.bills {
		if b.stages[0].at.After(end) {
			continue
		}
		k := &known{bill: b}
		k.record = sync.OnceValue(func() record { return w.record(b, end) })
		k.item = sync.OnceValue(func() record { return listItem(k.record(), v.current) })
		v.bills = append(v.bills, k)
		v.byCode[b.session.code()+"/"+b.code()], v.byID[b.id] = k, k
	}
	w.seen = v
	return v
}

// Sessions returns the sessions that have begun by the simulated day, the oldest first.
func (w *World) Sessions() []string {
	end := w.view().end
	var codes []string
	for _, s := range w.sessions {
		if !s.begins.After(end) {
			codes = append(codes, s.code())
		}
	}
	return codes
}

// Records returns LEGISinfo's own records of a session's bills on the simulated day. A client can be checked against
// them.
func (w *World) Records(session string) []json.RawMessage {
	var all []json.RawMessage
	for _, k := range w.view().bills {
		if k.session.code() != session {
			continue
		}
		raw, err := encode(k.record())
		if err != nil {
			panic(err) // made of texts, numbers and lists of these
		}
		all = append(all, raw)
	}
	return all
}

// division is a vote that was counted, as openparliament.ca has it.
type division struct {
	*vote
	bill *known
}

func (d division) url() string { return fmt.Sprintf("/votes/%s/%d/", d.bill.session.code(), d.number) }

func (d division) day() string { return clock(d.at).Format(time.DateOnly) }

func (d division) outcome() string {
	switch d.result {
	case negatived:
		return "Failed"
	case tie:
		return "Tie"
	}
	return "Passed"
}

// divisions are those that are known, the latest first.
func (v *view) divisions() []division {
	v.voteSet.Do(func() {
		for _, k := range v.bills {
			for _, vote := range k.votes {
				if vote.number > 0 && !vote.at.After(v.end) && k.session.parliament >= firstParliament {
					v.votes = append(v.votes, division{vote, k})
				}
			}
		}
		slices.SortFunc(v.votes, func(a, b division) int {
			return cmp.Or(strings.Compare(b.day(), a.day()), cmp.Compare(b.number, a.number), cmp.Compare(a.bill.id, b.bill.id))
		})
	})
	return v.votes
}
