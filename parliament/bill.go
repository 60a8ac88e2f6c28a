// Package parliament is the domain: Canada's federal bills and politicians. It merges the records of openparliament.ca
// and LEGISinfo about a bill, and stores each bill with all of its changes.
//
// The main types are Bill, Politician, Course and Store. Begin reading at Merge, which makes a Bill of both sources'
// records, and at Store.Save, which stores it. Store.Bills lists bills, Store.Search finds them, and Store.Feed returns
// them as a feed. The packages openparliament and legisinfo read the sources; upstream limits and retries their
// requests.
package parliament

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Bilingual is a text in both official languages. A language is nil where the sources have no text.
type Bilingual struct {
	En *string `json:"en"`
	Fr *string `json:"fr"`
}

// Bill is a bill, merged from both sources. Its JSON form is the one that the API returns.
type Bill struct {
	ID                string      `json:"id"` // "44-1/C-11"
	Jurisdiction      string      `json:"jurisdiction"`
	Parliament        int         `json:"parliament"`
	Session           int         `json:"session"`
	Number            string      `json:"number"`
	Title             Bilingual   `json:"title"`
	ShortTitle        Bilingual   `json:"short_title"`
	HomeChamber       string      `json:"home_chamber"` // "house" or "senate"
	BillType          Bilingual   `json:"bill_type"`
	GovernmentBill    bool        `json:"government_bill"`
	PrivateMemberBill bool        `json:"private_member_bill"`
	IntroducedOn      *string     `json:"introduced_on"` // the earlier first reading, "2022-02-02"
	Status            Status      `json:"status"`
	LatestActivityAt  *string     `json:"latest_activity_at"` // RFC 3339 with Ottawa's offset
	Law               bool        `json:"law"`
	RoyalAssentOn     *string     `json:"royal_assent_on"`
	Statute           *Statute    `json:"statute"`
	Sponsor           *Sponsor    `json:"sponsor"`
	Committees        []Committee `json:"committees"`    // by chamber, then acronym
	RelatedBills      []string    `json:"related_bills"` // ids, oldest session first
	Summary           Bilingual   `json:"summary"`       // sanitised HTML
	LegisinfoID       *int        `json:"legisinfo_id"`
	LegisinfoURL      *string     `json:"legisinfo_url"`
	OpenParliamentURL *string     `json:"openparliament_url"`
	TextURL           *string     `json:"text_url"`
}

// Status is a bill's current status: LEGISinfo's words, and openparliament.ca's code for them (nil if it has none).
type Status struct {
	Code *string `json:"code"`
	En   *string `json:"en"`
	Fr   *string `json:"fr"`
}

// Statute is the place of an act in the Statutes of Canada.
type Statute struct {
	Year    int `json:"year"`
	Chapter int `json:"chapter"`
}

// Sponsor is the person who introduced the bill, with the office that the person held then.
type Sponsor struct {
	PersonID   *int      `json:"person_id"` // parl.ca's
	Name       *string   `json:"name"`
	Honorific  Bilingual `json:"honorific"`  // "Hon."
	Office     Bilingual `json:"office"`     // "Minister of Finance", "Member of Parliament", "Senator"
	Riding     Bilingual `json:"riding"`     // none of a senator
	Politician *string   `json:"politician"` // slug
}

// Committee is a committee that considered the bill at one of its stages.
type Committee struct {
	Acronym string    `json:"acronym"`
	Chamber string    `json:"chamber"`
	Name    Bilingual `json:"name"`
}

// StoredBill is a bill with the data that the store keeps about it.
type StoredBill struct {
	Bill
	// OpenParliamentAt and LegisinfoAt say when the stored data of each source was fetched; nil if there is none.
	OpenParliamentAt *time.Time
	LegisinfoAt      *time.Time
	Version          int
	FirstSeenAt      time.Time
	UpdatedAt        time.Time
	LastRunID        *uuid.UUID // the run that made this version
	// MissingSince is the time since which neither source lists the bill; nil while one of them does.
	MissingSince *time.Time

	activity *time.Time // LatestActivityAt as lists are sorted by it
}

// Version is one change of a bill.
type Version struct {
	Version   int
	Changes   []Change // empty for the first
	RunID     *uuid.UUID
	CreatedAt time.Time
}

// Change is a field of the bill that changed, with its JSON values before and after.
type Change struct {
	Field string          `json:"field"`
	From  json.RawMessage `json:"from"`
	To    json.RawMessage `json:"to"`
}

// BillID identifies a bill by its session and number.
type BillID struct {
	Parliament, Session int
	Prefix              string // "C" or "S"
	Digits              int
	Suffix              string // e.g. the A of C-23A
}

var (
	sessionPattern = regexp.MustCompile(`^([1-9]\d{0,2})-([1-9]\d?)$`)
	numberPattern  = regexp.MustCompile(`^([CS])-([1-9]\d{0,4})([A-Z]{0,2})$`)
)

// ErrBadID is the error for a text that is not a session such as 44-1, or not a number such as C-11 or C-23A.
var ErrBadID = errors.New("not a bill")

// ParseSession reads a session such as "44-1". The error wraps ErrBadID.
func ParseSession(s string) (parliament, session int, err error) {
	m := sessionPattern.FindStringSubmatch(s)
	if m == nil {
		return 0, 0, fmt.Errorf("%w: session %q: want one such as 44-1", ErrBadID, s)
	}
	parliament, _ = strconv.Atoi(m[1])
	session, _ = strconv.Atoi(m[2])
	return parliament, session, nil
}

// ParseBillID reads a session and a bill number. It accepts lower-case letters. The error wraps ErrBadID.
func ParseBillID(session, number string) (BillID, error) {
	var id BillID
	var err error
	if id.Parliament, id.Session, err = ParseSession(session); err != nil {
		return id, err
	}
	m := numberPattern.FindStringSubmatch(strings.ToUpper(number))
	if m == nil {
		return id, fmt.Errorf("%w: number %q: want one such as C-11 or S-203", ErrBadID, number)
	}
	id.Prefix, id.Suffix = m[1], m[3]
	id.Digits, _ = strconv.Atoi(m[2])
	return id, nil
}

// SessionCode returns the session, such as "44-1".
func (id BillID) SessionCode() string { return fmt.Sprintf("%d-%d", id.Parliament, id.Session) }

// Number returns the bill's number, such as "C-11".
func (id BillID) Number() string { return fmt.Sprintf("%s-%d%s", id.Prefix, id.Digits, id.Suffix) }

func (id BillID) String() string { return id.SessionCode() + "/" + id.Number() }

// Compare orders ids as lists order the bills of one day: by number, then by session.
func (id BillID) Compare(o BillID) int {
	return cmp.Or(cmp.Compare(id.Prefix, o.Prefix), cmp.Compare(id.Digits, o.Digits), cmp.Compare(id.Suffix, o.Suffix),
		cmp.Compare(id.Parliament, o.Parliament), cmp.Compare(id.Session, o.Session))
}
