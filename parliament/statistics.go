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

// NewBills are bills that were first stored after a place in the history of all bills.
type NewBills struct {
	// IDs are at most 1,000 ids, in the order in which the bills were stored.
	IDs []string
	// Oldest is the time at which the first of them was stored.
	Oldest time.Time
	// Next is the place after them.
	Next string
	// Unsettled says that a transaction is still open that may store more.
	Unsettled bool
}

// NewBillsSince returns the bills that were first stored after a place; "" is the beginning.
func (s *Store) NewBillsSince(ctx context.Context, place string) (*NewBills, error) {
	p := sql.BillsCreatedAfterParams{Limit: 1000}
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

// ChangedBills counts the changes of known bills since a place in the history of all bills.
type ChangedBills struct {
	// Bills is the number of bills that changed in fetches without new bills.
	Bills int
	// Oldest is the time of the first change since then, in any fetch; zero if there is none.
	Oldest time.Time
	// Next is the place after them.
	Next string
	// Unsettled says that a transaction is still open that may store more.
	Unsettled bool
}

// ChangedBillsSince returns the changes after a place that Now or an earlier call returned; "" is the beginning. It
// reads the stored bills, not the results of fetches: a fetch that failed or was canceled may have stored bills too.
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

// placeXid returns the transaction of a place in the history of bills: the number before the first other character.
// Places of earlier versions of the program begin in the same way. "" is the beginning.
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

// Now returns the current end of the history of bills.
func (s *Store) Now(ctx context.Context) (string, error) {
	xid, err := db.LogBegin(ctx, s.db.Durable())
	return strconv.FormatUint(xid, 10) + "/", err
}

// SessionStatistics are the counts of a session's bills.
type SessionStatistics struct {
	Session          string
	Bills, Laws      int
	NotEnriched      int
	LatestIntroduced string // a day; empty if none is dated
}

// Statistics counts the stored bills by session, the latest session first.
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

// WithoutTitle returns at most ten ids of bills that have no title in either language.
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
