package parliament

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
)

// NewBills are bills that came to be held since a place in the history of all bills.
type NewBills struct {
	// IDs are at most 1,000, in the order in which they came.
	IDs []string
	// Oldest is when the first of them came.
	Oldest time.Time
	// Next is the place after them.
	Next string
	// Unsettled says that a transaction is still open that may store more.
	Unsettled bool
}

// NewBillsSince returns the bills that were stored after a place; "" is the beginning.
func (s *Store) NewBillsSince(ctx context.Context, place string) (*NewBills, error) {
	p := sql.BillsCreatedAfterParams{MaxRows: 1000}
	if place != "" {
		xid, id, _ := strings.Cut(place, "/")
		var err error
		if p.AfterXid, err = strconv.ParseUint(xid, 10, 63); err != nil {
			return nil, fmt.Errorf("%q is not a place in the history of bills", place)
		}
		p.AfterID = id
	}
	rows, err := s.q.BillsCreatedAfter(ctx, p)
	if err != nil {
		return nil, err
	}
	n := &NewBills{Next: place}
	for _, r := range rows {
		if r.HeldBack { // a later call returns them, once the open transaction has ended
			n.Unsettled = true
			break
		}
		if len(n.IDs) == 0 {
			n.Oldest = r.CreatedAt
		}
		n.IDs = append(n.IDs, r.BillID)
		n.Next = fmt.Sprintf("%d/%s", r.Xid, r.BillID)
	}
	return n, nil
}

// ChangedBills are changes of bills that were held already, since a place in the history of all bills.
type ChangedBills struct {
	// Bills is how many changed in fetches that brought no new ones.
	Bills int
	// Oldest is when the first change since then was stored, of whichever fetch; zero if there is none.
	Oldest time.Time
	// Next is the place after them.
	Next string
	// Unsettled says that a transaction is still open that may store more.
	Unsettled bool
}

// ChangedBillsSince returns what changed after a place that Now or an earlier call returned; "" is the beginning. It
// reads what was stored, not what fetches report: a fetch that failed or was canceled has stored bills too.
func (s *Store) ChangedBillsSince(ctx context.Context, place string) (*ChangedBills, error) {
	xid, err := placeXid(place)
	if err != nil {
		return nil, err
	}
	r, err := s.q.BillsChangedAfter(ctx, xid)
	if err != nil {
		return nil, err
	}
	c := &ChangedBills{Bills: int(r.Bills), Next: strconv.FormatUint(r.LastXid, 10) + "/", Unsettled: r.Unsettled}
	if r.Oldest.Year() > 1 {
		c.Oldest = r.Oldest
	}
	return c, nil
}

// placeXid is the transaction at a place in the history of bills: the number before the first other character, which
// begins the places of earlier versions of the program too. "" is the beginning.
func placeXid(place string) (uint64, error) {
	if place == "" {
		return 0, nil
	}
	xid, err := strconv.ParseUint(place[:len(place)-len(strings.TrimLeft(place, "0123456789"))], 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%q is not a place in the history of bills", place)
	}
	return xid, nil
}

// Now is the place in the history of bills after all there are.
func (s *Store) Now(ctx context.Context) (string, error) {
	xid, err := db.LogBegin(ctx, s.db.Durable())
	return strconv.FormatUint(xid, 10) + "/", err
}

// SessionStatistics are counts of a session's bills.
type SessionStatistics struct {
	Session          string
	Bills, Laws      int
	NotEnriched      int
	LatestIntroduced string // a day; empty if none is dated
}

// Statistics counts the bills held, by session, the latest first.
func (s *Store) Statistics(ctx context.Context) ([]SessionStatistics, error) {
	rows, err := s.q.BillStatistics(ctx)
	out := make([]SessionStatistics, len(rows))
	for i, r := range rows {
		out[i] = SessionStatistics{
			Session: fmt.Sprintf("%d-%d", r.Parliament, r.Session), Bills: int(r.Bills), Laws: int(r.Laws),
			NotEnriched: int(r.NotEnriched),
		}
		if r.LatestIntroduction.Year() > 1 {
			out[i].LatestIntroduced = r.LatestIntroduction.Format(time.DateOnly)
		}
	}
	return out, err
}

// WithoutTitle gives ids of bills that have a title in neither language, ten at most.
func (s *Store) WithoutTitle(ctx context.Context) ([]string, error) {
	return s.q.BillsWithoutTitle(ctx, 10)
}

// IntroducedOn lists the bills introduced on a day, by number.
func (s *Store) IntroducedOn(ctx context.Context, day time.Time) ([]StoredBill, error) {
	rows, err := s.q.BillsIntroducedOn(ctx, day)
	if err != nil {
		return nil, err
	}
	return s.stored(ctx, rows)
}
