package parliament

import (
	"math"
	"strings"
	"time"
)

// Valid reports whether the cursor can be the place of a bill, so that a list can continue after it.
func (c *BillCursor) Valid() bool {
	if _, err := time.Parse(time.DateOnly, c.Introduced); c.Introduced != "" && err != nil {
		return false
	}
	id, err := ParseBillID(c.ID.SessionCode(), c.ID.Number())
	return err == nil && id == c.ID
}

// Valid reports whether the cursor can be the place of a politician.
func (c *PoliticianCursor) Valid() bool { return c.Rank >= 0 && c.Rank <= math.MaxInt32 }

// Valid reports whether the cursor can be a place in the history of all bills.
func (c *ChangeCursor) Valid() bool {
	if session, number, _ := strings.Cut(c.Bill, "/"); c.Bill != "" { // empty before the first
		if id, err := ParseBillID(session, number); err != nil || id.String() != c.Bill {
			return false
		}
	}
	return c.Xid <= math.MaxInt64 && c.Version >= 0 && c.Version <= math.MaxInt32
}
