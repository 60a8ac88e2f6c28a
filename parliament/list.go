package parliament

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

// SessionList is LEGISinfo's list of a session, as it was read.
type SessionList struct {
	Session string // "44-1"
	Items   map[BillID]*legisinfo.Item
	// ReadAt is the time of the request.
	ReadAt time.Time
	// Incomplete reports that some records of the list could not be read. A bill that is not in Items may be listed
	// nevertheless.
	Incomplete bool
	// Checked reports that openparliament.ca was asked for the whole session as well.
	Checked bool
}

// RecordList stores the contents of a list, so that stored bills can be compared with it.
func (s *Store) RecordList(ctx context.Context, l SessionList) error {
	p := sql.RecordListedBillsParams{Session: l.Session, ReadAt: l.ReadAt}
	for id, item := range l.Items {
		var activity time.Time
		if t, err := time.Parse(time.RFC3339Nano, item.LatestActivity); err == nil {
			activity = t
		}
		p.Ids = append(p.Ids, id.String())
		p.Hashes = append(p.Hashes, item.Hash)
		p.Activities = append(p.Activities, activity)
	}
	return s.db.Tx(ctx, func(tx pgx.Tx) error {
		q := s.q.WithTx(tx)
		// The session's row comes first: it is the lock of two fetches that read the same list.
		err := q.RecordSessionList(ctx, sql.RecordSessionListParams{Session: l.Session, ReadAt: l.ReadAt, Looked: l.Checked})
		if err != nil {
			return fmt.Errorf("record the list of session %s: %w", l.Session, err)
		}
		if err := q.RecordListedBills(ctx, p); err != nil {
			return fmt.Errorf("record the bills of session %s: %w", l.Session, err)
		}
		if l.Incomplete || len(p.Ids) == 0 {
			return nil
		}
		return q.ForgetUnlistedBills(ctx, sql.ForgetUnlistedBillsParams{Session: l.Session, Ids: p.Ids, ReadAt: l.ReadAt})
	})
}

// MarkMissing records which bills of a session the sources list. A stored bill that they do not list is missing from
// now on and stays stored; a missing bill that they list again is found. It returns how many bills each of that is.
func (s *Store) MarkMissing(ctx context.Context, session string, listed []string) (missing, found int64, err error) {
	parliament, number, err := ParseSession(session)
	if err != nil {
		return 0, 0, err
	}
	if len(listed) == 0 { // an empty list does not mean that all bills are gone
		return 0, 0, fmt.Errorf("session %s: no bill is listed", session)
	}
	missing, err = s.q.MarkMissingBills(ctx, sql.MarkMissingBillsParams{
		At:         ptr(time.Now().UTC().Truncate(time.Microsecond)),
		Parliament: int32(parliament), Session: int32(number), Listed: listed, //nolint:gosec // small numbers
	})
	if err != nil {
		return 0, 0, fmt.Errorf("mark the missing bills of session %s: %w", session, err)
	}
	found, err = s.q.MarkFoundBills(ctx, listed)
	if err != nil {
		return missing, 0, fmt.Errorf("mark the bills of session %s that are listed again: %w", session, err)
	}
	return missing, found, nil
}

// SessionsToCheck returns stored sessions that were last checked as a whole before a time, the longest unchecked
// first.
func (s *Store) SessionsToCheck(ctx context.Context, before time.Time, limit int) ([]string, error) {
	//nolint:gosec // a small number
	return s.q.SessionsToLookAt(ctx, sql.SessionsToLookAtParams{Before: before, Limit: int32(limit)})
}

// NewestSession returns the latest session that has a stored bill; "" if there is none.
func (s *Store) NewestSession(ctx context.Context) (string, error) {
	code, err := s.q.NewestSession(ctx)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return code, err
}

// ListState relates a stored bill to the lists.
type ListState struct {
	ItemHash   string // of the stored list item; empty: none is stored
	DetailHash string // of the list item for which the stored detail was fetched; empty: none is stored
	// LacksChapter reports that the bill is law and its chapter of the statutes is not known yet.
	LacksChapter bool
}

// ListStates returns the states of a session's stored bills, by id.
func (s *Store) ListStates(ctx context.Context, session string) (map[string]ListState, error) {
	parliament, number, err := ParseSession(session)
	if err != nil {
		return nil, err
	}
	//nolint:gosec // small numbers
	rows, err := s.q.BillStatesOfSession(ctx, sql.BillStatesOfSessionParams{
		Parliament: int32(parliament), Session: int32(number),
	})
	if err != nil {
		return nil, err
	}
	states := make(map[string]ListState, len(rows))
	for _, r := range rows {
		states[r.ID] = ListState{ItemHash: r.ItemHash, DetailHash: r.DetailHash, LacksChapter: r.LacksChapter}
	}
	return states, nil
}

// Reasons why a bill lags behind the newest list.
const (
	LagMissing  = "missing"  // it is listed, and not stored
	LagOutdated = "outdated" // its list item changed since it was stored
	LagDetail   = "detail"   // its list item is stored, its own record is older or was never read
)

// Lag is a bill that differs from LEGISinfo's newest list.
type Lag struct {
	Bill    string `json:"bill"`
	Session string `json:"session"`
	Reason  string `json:"reason"`
	// when it was first seen changed; the day of the activity that is not stored, if that is known
	Since time.Time `json:"since"`
}

// Lagging compares the stored bills with the newest list of each session. It returns those that differ, the longest lag
// first.
func (s *Store) Lagging(ctx context.Context) ([]Lag, error) {
	rows, err := s.q.LaggingBills(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Lag, len(rows))
	for i, r := range rows {
		out[i] = Lag{Bill: r.BillID, Session: r.Session, Reason: LagOutdated, Since: r.SeenAt.UTC()}
		switch {
		case r.Missing:
			out[i].Reason = LagMissing
		case r.LacksDetail:
			out[i].Reason = LagDetail
			continue
		}
		// The source may have made the change long before its list was read.
		stored, err := time.Parse(time.RFC3339Nano, r.StoredActivity)
		if a := r.LatestActivityAt; a != nil && a.Before(r.SeenAt) && (err != nil || a.After(stored)) {
			out[i].Since = a.UTC()
		}
	}
	slices.SortStableFunc(out, func(a, b Lag) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Bill, b.Bill)) })
	return out, nil
}

// ListsReadAt returns when the newest list of each session was read.
func (s *Store) ListsReadAt(ctx context.Context) (map[string]time.Time, error) {
	rows, err := s.q.SessionLists(ctx)
	out := make(map[string]time.Time, len(rows))
	for _, r := range rows {
		out[r.Session] = r.ReadAt.UTC()
	}
	return out, err
}

// Incomplete returns bills whose detail an older version of the program read. Save completes the recorded ones from
// their stored record. The others must be requested from LEGISinfo again. The order is random, so that a bill that
// cannot be fetched does not block others.
func (s *Store) Incomplete(ctx context.Context, limit int) (recorded, unrecorded []string, err error) {
	//nolint:gosec // a small number
	rows, err := s.q.IncompleteDetails(ctx, sql.IncompleteDetailsParams{Reader: legisinfo.Reader, Limit: int32(limit)})
	for _, r := range rows {
		if r.Recorded {
			recorded = append(recorded, r.ID)
		} else {
			unrecorded = append(unrecorded, r.ID)
		}
	}
	return recorded, unrecorded, err
}
