package parliament

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

// Outcome is the outcome of a bill.
type Outcome struct {
	Code string  // one of the Outcome constants
	On   *string // the day; nil where it is not known
}

// Codes of outcomes.
const (
	OutcomeInProgress       = "in_progress"
	OutcomeLaw              = "became_law"
	OutcomeDefeated         = "defeated"
	OutcomeNotProceededWith = "not_proceeded_with"
	OutcomeDropped          = "dropped_from_order_paper" // of the Senate
	OutcomeReinstated       = "reinstated"               // its session ended, and it went on in a later one
	OutcomeDied             = "died_on_order_paper"      // its session ended before it was decided
	OutcomeProForma         = "pro_forma"                // it was not meant to go further
)

// outcomeOf returns the outcome of a bill; nil if it is unknown. LEGISinfo does not change the status of a bill when
// its session ends, so the effect of the session's end is worked out here. later reports that a bill of a later session
// is stored: the record may have been fetched before the session ended.
func outcomeOf(id BillID, p SourceRecords, c *Course, later bool) *Outcome {
	item, d := p.Item, p.Detail
	if item == nil {
		item = &legisinfo.Item{}
	}
	if d == nil {
		d = &legisinfo.Detail{}
	}
	over := later || d.SessionOngoing != nil && !*d.SessionOngoing
	ended := func(code string, is func(legisinfo.Event) bool) *Outcome {
		for _, e := range slices.Backward(d.Events) {
			if is(e) {
				return &Outcome{Code: code, On: dayOf(e.Date)}
			}
		}
		return nil
	}
	defeated := ended(OutcomeDefeated, func(e legisinfo.Event) bool { return e.Defeats })
	notProceeded := cmp.Or(
		ended(OutcomeDropped, func(e legisinfo.Event) bool { return e.Type == legisinfo.DroppedFromPaper }),
		ended(OutcomeNotProceededWith, func(e legisinfo.Event) bool { return e.Type == legisinfo.NotProceededWith }))
	if notProceeded == nil && d.Dropped {
		notProceeded = &Outcome{Code: OutcomeDropped}
	}
	switch {
	case item.RoyalAssent != "":
		return &Outcome{Code: OutcomeLaw, On: &item.RoyalAssent}
	case item.StatusEn == "Bill defeated":
		return cmp.Or(defeated, &Outcome{Code: OutcomeDefeated})
	case item.StatusEn == "Bill not proceeded with":
		return cmp.Or(notProceeded, &Outcome{Code: OutcomeNotProceededWith})
	case d.ProForma, item.StatusEn == "Introduced as pro forma bill":
		return &Outcome{Code: OutcomeProForma}
	case c.ReinstatedAs != nil:
		return &Outcome{Code: OutcomeReinstated}
	case !p.Complete():
		return nil // it may have been reinstated
	case !over:
		return &Outcome{Code: OutcomeInProgress}
	}
	// Some bills keep the status of their last stage. An event that ended the bill was undone if a later event completed a
	// stage.
	last := cmp.Or(defeated, notProceeded)
	undone := func(e legisinfo.Event) bool { return e.Completes && last.On != nil && e.Date > *last.On }
	if last != nil && !slices.ContainsFunc(d.Events, undone) {
		return last
	}
	return &Outcome{Code: OutcomeDied, On: optional(sessionEnds[id.SessionCode()])}
}

// reinstatements finds the stored bills that the record names as reinstated from or as this one.
func (s *Store) reinstatements(ctx context.Context, id BillID, p SourceRecords, c *Course) error {
	var ids []int64
	own := 0
	if p.Item != nil {
		own = p.Item.ID
	}
	if d := p.Detail; d != nil {
		own = cmp.Or(d.ID, own)
		for _, l := range []*legisinfo.Reinstatement{d.ReinstatedFrom, d.ReinstatedAs} {
			if l != nil && l.ID > 0 {
				ids = append(ids, int64(l.ID))
			}
		}
	}
	held := map[int]string{}
	if len(ids) > 0 {
		rows, err := s.q.BillsByLegisinfoID(ctx, ids)
		if err != nil {
			return err
		}
		for _, r := range rows {
			held[int(r.LegisinfoID)] = r.ID
		}
	}
	// This bill's record may be older than the other bill's. Then only the other one names this bill.
	var later []sql.BillsReinstatedFromRow
	if own > 0 && (p.Detail == nil || p.Detail.ReinstatedAs == nil) {
		var err error
		if later, err = s.q.BillsReinstatedFrom(ctx, int64(own)); err != nil {
			return err
		}
	}
	c.link(id, p, held, later)
	return nil
}

// link sets the bills that this one was reinstated from and as. LEGISinfo has the other bill's id and number, but not
// always its session. The session is known if the bill is stored, or if the record says that it is the next or the
// previous session: bills are reinstated within one Parliament only.
func (c *Course) link(id BillID, p SourceRecords, held map[int]string, later []sql.BillsReinstatedFromRow) {
	to := func(l *legisinfo.Reinstatement, step int) *Reinstatement {
		if l == nil {
			return nil
		}
		session, number, isHeld := l.Session, l.Number, false
		if bill := held[l.ID]; l.ID > 0 && bill != "" {
			session, number, isHeld = strings.Cut(bill, "/")
		}
		if n := id.Session + step; session == "" && l.Next && n > 0 {
			session = fmt.Sprintf("%d-%d", id.Parliament, n)
		}
		return reinstatement(session, number, l.ID, plain(l.Status), isHeld)
	}
	if d := p.Detail; d != nil {
		c.ReinstatedFrom, c.ReinstatedAs = to(d.ReinstatedFrom, -1), to(d.ReinstatedAs, 1)
	}
	if c.ReinstatedAs == nil && len(later) > 0 {
		var status Bilingual
		if p.Item != nil {
			status = Bilingual{En: plainText(p.Item.StatusEn), Fr: plainText(p.Item.StatusFr)}
		}
		session, number, _ := strings.Cut(later[0].ID, "/")
		c.ReinstatedAs = reinstatement(session, number, int(later[0].LegisinfoID), status, true)
	}
}

func reinstatement(session, number string, legisinfoID int, status Bilingual, held bool) *Reinstatement {
	r := &Reinstatement{Session: optional(session), Number: mark(number), Held: held, Status: status}
	if legisinfoID > 0 {
		r.LegisinfoID = &legisinfoID
		r.LegisinfoURL = optional(fmt.Sprintf("https://www.parl.ca/legisinfo/en/bill/%d", legisinfoID))
	}
	if bill, err := ParseBillID(session, number); err == nil {
		r.Bill = optional(bill.String())
		r.LegisinfoURL = optional(fmt.Sprintf(
			"https://www.parl.ca/legisinfo/en/bill/%s/%s", bill.SessionCode(), strings.ToLower(bill.Number()),
		))
	}
	return r
}
