// Package legisinfo reads bills from LEGISinfo, Parliament's own record. One request returns all bills of a session,
// with status, stage dates and latest activity. Another request per bill returns its committees, statute, related
// bills, summary, divisions, course and references.
//
// The main types are Item, a bill in a session's list, and Detail, a bill's own record. Begin reading at Client.List
// and Client.Detail.
package legisinfo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"

	// Clock times without an offset are Ottawa's, on machines without a time zone database too.
	_ "time/tzdata"

	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// Source is the name of this source.
const Source = "legisinfo"

// Item is a bill in a session's list.
type Item struct {
	ID             int    `json:"id"`
	Session        string `json:"session"` // "44-1"
	Number         string `json:"number"`  // "C-11"
	LongTitleEn    string `json:"long_title_en,omitempty"`
	LongTitleFr    string `json:"long_title_fr,omitempty"`
	ShortTitleEn   string `json:"short_title_en,omitempty"`
	ShortTitleFr   string `json:"short_title_fr,omitempty"`
	TypeEn         string `json:"type_en,omitempty"`
	TypeFr         string `json:"type_fr,omitempty"`
	StatusEn       string `json:"status_en,omitempty"`
	StatusFr       string `json:"status_fr,omitempty"`
	Chamber        string `json:"chamber,omitempty"` // where it began: "house" or "senate"
	SponsorID      int    `json:"sponsor_id,omitempty"`
	SponsorName    string `json:"sponsor_name,omitempty"`    // with a title such as "Hon."
	LatestActivity string `json:"latest_activity,omitempty"` // RFC 3339, Ottawa's offset
	HouseFirst     string `json:"house_first,omitempty"`     // first readings and assent: days in Ottawa, "2022-02-02"
	SenateFirst    string `json:"senate_first,omitempty"`
	RoyalAssent    string `json:"royal_assent,omitempty"`
	// Brief reports that the item uses the field names of a bill's own record and has little of its activity; see
	// brief.go.
	Brief bool `json:"brief,omitempty"`
	// Hash changes when any field of the item changes that is about the bill.
	Hash string `json:"hash"`
}

// Introduced returns the day of the earlier first reading; empty if neither has a date.
func (i *Item) Introduced() string {
	switch {
	case i.HouseFirst == "":
		return i.SenateFirst
	case i.SenateFirst == "" || i.HouseFirst < i.SenateFirst:
		return i.HouseFirst
	}
	return i.SenateFirst
}

// Client requests data from LEGISinfo.
type Client struct{ *upstream.Client }

// AllSessions makes List return the bills of all sessions.
const AllSessions = "all"

// List returns the bills of a session such as "44-1", of the current session for "", or of AllSessions. The record
// errors are those of items that could not be read.
func (c Client) List(ctx context.Context, session string) ([]Item, []*upstream.RecordError, error) {
	path := "/en/bills/json"
	if session != "" {
		path += "?parlsession=" + url.QueryEscape(session)
	}
	var items []Item
	var faults []*upstream.RecordError
	text, records := 0, 0
	err := c.GetList(ctx, path, upstream.List{
		Begin: func() { items, faults, text, records = nil, nil, 0, 0 },
		Record: func(raw []byte, err error) error {
			records++
			var item Item
			if err == nil {
				item, err = ParseItem(raw)
			}
			if err == nil && session != "" && session != AllSessions && item.Session != session {
				err = fmt.Errorf("session %q in the list of session %s", item.Session, session)
			}
			if err != nil {
				at := c.URL(path)
				if item.Number != "" && item.Session != "" {
					at = c.DetailURL(item.Session, item.Number)
				}
				faults = upstream.AddFault(faults, at, err)
				return nil
			}
			if text += item.length(); text > maxText {
				return upstream.Refused(c.URL(path), fmt.Sprintf("has more than %d bytes of texts", maxText))
			}
			items = append(items, item)
			return nil
		},
	})
	if err != nil {
		return nil, nil, err
	}
	if len(items) == 0 && records > 0 {
		return nil, nil, &upstream.RecordError{
			URL: c.URL(path),
			Err: fmt.Errorf(
				"none of the %d records of the list is a bill that was asked for; of the first: %w", records, faults[0].Err,
			),
		}
	}
	return items, faults, nil
}

// plain describes a JSON value of an unexpected type in words for an operator.
func plain(err error) error {
	var wrong *json.UnmarshalTypeError
	switch {
	case !errors.As(err, &wrong):
		return err
	case wrong.Field == "":
		return fmt.Errorf("want an object, not a JSON %s", wrong.Value)
	}
	return fmt.Errorf("%s must not be a JSON %s", wrong.Field, wrong.Value)
}

// maxText limits what is kept of a list, in bytes. All existing bills have 8 MB.
const maxText = 32 << 20

// length returns the number of bytes of an item's texts.
func (i *Item) length() int {
	n := 0
	for _, s := range []string{
		i.Session, i.Number, i.LongTitleEn, i.LongTitleFr, i.ShortTitleEn, i.ShortTitleFr, i.TypeEn, i.TypeFr, i.StatusEn,
		i.StatusFr, i.SponsorName,
	} {
		n += len(s)
	}
	return n
}

// DetailURL returns the address of a bill's record.
func (c Client) DetailURL(session, number string) string { return c.URL(detailPath(session, number)) }

func detailPath(session, number string) string {
	return "/en/bill/" + url.PathEscape(session) + "/" + url.PathEscape(strings.ToLower(number)) + "/json"
}

// Detail returns the record of a bill in the list.
func (c Client) Detail(ctx context.Context, item *Item) (*Detail, error) {
	path := detailPath(item.Session, item.Number)
	var raw []byte
	var fault error
	records := 0
	err := c.GetList(ctx, path, upstream.List{
		Begin: func() { raw, fault, records = nil, nil, 0 },
		Record: func(r []byte, err error) error {
			if records++; records == 1 {
				raw, fault = bytes.Clone(r), err
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	if records != 1 {
		fault = fmt.Errorf("%d records, want 1", records)
	}
	var d *Detail
	if fault == nil {
		d, fault = ParseDetail(raw)
	}
	if fault == nil && d.ID != item.ID {
		fault = fmt.Errorf("record of bill id %d, want %d", d.ID, item.ID)
	}
	if fault != nil {
		return nil, &upstream.RecordError{URL: c.DetailURL(item.Session, item.Number), Err: fault}
	}
	d.ItemHash, d.Raw = item.Hash, raw
	return d, nil
}

// volatile are fields of a list item that are not about the bill, such as a search score.
var volatile = []string{"SearchScore", "Highlight", "IsFromCurrentSession"}

// ownItem is an object of the list in the list's own form.
type ownItem struct {
	BillID                           int     `json:"BillId"`
	BillNumberFormatted              string  `json:"BillNumberFormatted"`
	ParlSessionCode                  string  `json:"ParlSessionCode"`
	LongTitleEn                      *string `json:"LongTitleEn"`
	LongTitleFr                      *string `json:"LongTitleFr"`
	ShortTitleEn                     *string `json:"ShortTitleEn"`
	ShortTitleFr                     *string `json:"ShortTitleFr"`
	OriginatingChamberID             int     `json:"OriginatingChamberId"`
	BillTypeEn                       *string `json:"BillTypeEn"`
	BillTypeFr                       *string `json:"BillTypeFr"`
	CurrentStatusEn                  *string `json:"CurrentStatusEn"`
	CurrentStatusFr                  *string `json:"CurrentStatusFr"`
	SponsorID                        *int    `json:"SponsorId"`
	SponsorEn                        *string `json:"SponsorEn"`
	LatestActivityDateTime           *string `json:"LatestActivityDateTime"`
	PassedHouseFirstReadingDateTime  *string `json:"PassedHouseFirstReadingDateTime"`
	PassedSenateFirstReadingDateTime *string `json:"PassedSenateFirstReadingDateTime"`
	ReceivedRoyalAssentDateTime      *string `json:"ReceivedRoyalAssentDateTime"`
}

// ParseItem parses one object of the list. It has one of two forms: the list's own, or that of a bill's own record. If
// there is an error, the item has the fields that could be read.
func ParseItem(raw []byte) (Item, error) {
	var r ownItem
	err := plain(json.Unmarshal(raw, &r))
	item := Item{
		ID: r.BillID, Session: upstream.Cut(r.ParlSessionCode, upstream.MaxMark),
		Number:      upstream.Cut(r.BillNumberFormatted, upstream.MaxMark),
		LongTitleEn: text(r.LongTitleEn), LongTitleFr: text(r.LongTitleFr), ShortTitleEn: text(r.ShortTitleEn),
		ShortTitleFr: text(r.ShortTitleFr),
		TypeEn:       name(r.BillTypeEn), TypeFr: name(r.BillTypeFr), StatusEn: name(r.CurrentStatusEn),
		StatusFr: name(r.CurrentStatusFr),
		Chamber:  chamber(r.OriginatingChamberID), SponsorName: name(r.SponsorEn),
	}
	if err != nil {
		return item, err
	}
	if r.BillID == 0 && r.BillNumberFormatted == "" {
		return parseBrief(raw)
	}
	if r.SponsorID != nil && *r.SponsorID > 0 && *r.SponsorID <= math.MaxInt32 {
		item.SponsorID = *r.SponsorID
	}
	switch {
	case item.ID <= 0:
		return item, errors.New("no BillId")
	case item.ID > math.MaxInt32:
		return item, fmt.Errorf("BillId %d is none", item.ID)
	}
	for _, f := range []struct {
		value *string
		into  *string
		day   bool
	}{
		{r.LatestActivityDateTime, &item.LatestActivity, false}, {r.PassedHouseFirstReadingDateTime, &item.HouseFirst, true},
		{r.PassedSenateFirstReadingDateTime, &item.SenateFirst, true},
		{r.ReceivedRoyalAssentDateTime, &item.RoyalAssent, true},
	} {
		t, ok, err := ParseTime(text(f.value))
		switch {
		case err != nil:
			return item, err
		case ok && f.day:
			*f.into = t.Format(time.DateOnly)
		case ok:
			*f.into = t.Format(time.RFC3339Nano)
		}
	}
	item.Hash, err = hash(raw, volatile)
	return item, err
}

func hash(raw []byte, without []string) (string, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return "", err
	}
	for _, name := range without {
		delete(fields, name)
	}
	canonical, err := json.Marshal(fields) // sorts the keys
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:16]), nil
}

// ParseTime parses a time with an offset or, without one, in Ottawa's time zone. ok is false for an empty text, for the
// year 1, and for a year that no record of Parliament can have (see upstream.Plausible). Such a time costs the field,
// not the bill.
func ParseTime(s string) (t time.Time, ok bool, err error) {
	if s == "" {
		return t, false, nil
	}
	if t, err = time.Parse(time.RFC3339Nano, s); err == nil {
		t = t.In(Ottawa)
	} else if t, err = time.ParseInLocation("2006-01-02T15:04:05", s, Ottawa); err != nil {
		return t, false, fmt.Errorf("%q is not a date and time", s)
	}
	return t, upstream.Plausible(t), nil
}

// Ottawa is Parliament's time zone.
var Ottawa = mustLoad("America/Toronto")

func mustLoad(name string) *time.Location {
	l, err := time.LoadLocation(name)
	if err != nil { // tzdata is compiled in
		panic(err)
	}
	return l
}

func chamber(id int) string {
	switch id {
	case 1:
		return "house"
	case 2:
		return "senate"
	}
	return ""
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return strings.TrimSpace(upstream.Cut(*s, upstream.MaxText))
}

func name(s *string) string {
	if s == nil {
		return ""
	}
	return strings.TrimSpace(upstream.Cut(*s, upstream.MaxName))
}
