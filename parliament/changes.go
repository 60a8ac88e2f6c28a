package parliament

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
)

// BillChange is a version in the history of all bills.
type BillChange struct {
	BillID string
	Version
}

// ChangeCursor is a place in the history of all bills.
type ChangeCursor struct {
	Xid     uint64     `json:"x"`
	Bill    string     `json:"b"`
	Version int        `json:"v"`
	Since   *time.Time `json:"s,omitempty"`
}

// Changes returns the versions after a place, in the order in which they became visible, and the place after them. It
// uses the filter's session, type, chamber, year, committee and sponsor, which select bills by their current data.
func (s *Store) Changes(
	ctx context.Context, f BillFilter, after ChangeCursor, limit int,
) ([]BillChange, ChangeCursor, error) {
	n, err := s.narrow(ctx, f)
	if err != nil || n.none {
		return []BillChange{}, after, err
	}
	rows, err := s.lists.ListBillChanges(ctx, sql.ListBillChangesParams{
		AfterXid: after.Xid, AfterID: after.Bill, Since: after.Since,
		AfterVersion: int32(after.Version), //nolint:gosec // a small number
		Filtered: n.parliament != nil || len(n.kinds) > 0 || n.chamber != nil || n.from != nil || n.committee != nil ||
			n.sponsored,
		Parliament: n.parliament, Session: n.session, Kinds: n.kinds, Chamber: n.chamber, IntroducedFrom: n.from,
		IntroducedTo: n.to, Committee: n.committee,
		Sponsored: n.sponsored, SponsorIds: n.sponsorIDs, SponsorName: n.sponsorName,
		Limit: int32(limit), //nolint:gosec // bounded by the contract
	})
	if err != nil {
		return nil, after, err
	}
	out := make([]BillChange, len(rows))
	for i, r := range rows {
		out[i] = BillChange{
			BillID: r.BillID, Version: Version{Version: int(r.Version), RunID: r.RunID, CreatedAt: r.CreatedAt},
		}
		if err := json.Unmarshal(r.Changes, &out[i].Changes); err != nil {
			return nil, after, fmt.Errorf("version %d of bill %s: %w", r.Version, r.BillID, err)
		}
		cleanChanges(out[i].Changes)
		after = ChangeCursor{Xid: r.Xid, Bill: r.BillID, Version: int(r.Version), Since: after.Since}
	}
	return out, after, nil
}
