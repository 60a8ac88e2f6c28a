// Package legisinfo reads bills from LEGISinfo, Parliament's own record. One request gives all bills of a session with
// status, stage dates and latest activity; another one for each bill gives its committees, statute, related bills,
// summary and publications.
package legisinfo

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	// Clock times without an offset are Ottawa's, on machines without a time zone database too.
	_ "time/tzdata"

	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// Source is the name of this source.
const Source = "legisinfo"

// Item is a bill of a session's list.
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
	// Hash changes when anything of the item does that is about the bill.
	Hash string `json:"hash"`
}

// Introduced is the day of the earlier first reading; empty if neither is dated.
func (i *Item) Introduced() string {
	switch {
	case i.HouseFirst == "":
		return i.SenateFirst
	case i.SenateFirst == "" || i.HouseFirst < i.SenateFirst:
		return i.HouseFirst
	}
	return i.SenateFirst
}

// Detail is what only a bill's own record has.
type Detail struct {
	ItemHash     string      `json:"item_hash"`        // of the list item when this was fetched
	Reader       int         `json:"reader,omitempty"` // which Reader made this
	ID           int         `json:"id"`
	SponsorName  string      `json:"sponsor_name,omitempty"` // without a title
	Government   bool        `json:"government"`
	Committees   []Committee `json:"committees,omitempty"`
	StatuteYear  int         `json:"statute_year,omitempty"`
	Statute      int         `json:"statute,omitempty"` // chapter
	RelatedBills []string    `json:"related_bills,omitempty"`
	SummaryEn    string      `json:"summary_en,omitempty"`
	SummaryFr    string      `json:"summary_fr,omitempty"`
	TextID       int         `json:"text_id,omitempty"` // of the latest publication
	Stages       []Stage     `json:"stages,omitempty"`  // the House's, the Senate's, royal assent
	Votes        []Vote      `json:"votes,omitempty"`   // recorded divisions, oldest first
	Publications []Text      `json:"publications,omitempty"`
}

// Reader is the version of ParseDetail: a record that an older one read lacks what it did not look for, and is asked
// for once more.
const Reader = 2

// Vote is a recorded division.
type Vote struct {
	Number   int    `json:"number"` // in its session
	Chamber  string `json:"chamber"`
	StageEn  string `json:"stage_en,omitempty"`
	StageFr  string `json:"stage_fr,omitempty"`
	MotionEn string `json:"motion_en,omitempty"`
	MotionFr string `json:"motion_fr,omitempty"`
	Date     string `json:"date,omitempty"` // day in Ottawa
	Sitting  string `json:"sitting,omitempty"`
	Yeas     int    `json:"yeas"`
	Nays     int    `json:"nays"`
	Paired   int    `json:"paired,omitempty"`
	Result   string `json:"result,omitempty"` // LEGISinfo's English: "Agreed To", "Negatived"
}

// Text is a published version of the bill's text.
type Text struct {
	ID     int    `json:"id"`
	NameEn string `json:"name_en,omitempty"`
	NameFr string `json:"name_fr,omitempty"`
}

// Stage is one of a bill's course, reached or not.
type Stage struct {
	Chamber   string `json:"chamber"` // "house" or "senate"
	NameEn    string `json:"name_en,omitempty"`
	NameFr    string `json:"name_fr,omitempty"`
	State     int    `json:"state"`               // LEGISinfo's: 1 not reached, 2 no activity, 3 in progress, 4 completed, 5 not completed
	Since     string `json:"since,omitempty"`     // day in Ottawa
	Started   string `json:"started,omitempty"`   // day of the first sitting or event
	Committee string `json:"committee,omitempty"` // acronym
}

// Committee is one that a stage of the bill was before.
type Committee struct {
	Acronym string `json:"acronym"`
	Chamber string `json:"chamber"` // of the stage: "house" or "senate"
	NameEn  string `json:"name_en,omitempty"`
	NameFr  string `json:"name_fr,omitempty"`
}

// Client asks the service.
type Client struct{ *upstream.Client }

// AllSessions asks List for the bills of all sessions at once.
const AllSessions = "all"

// List gives the bills of a session such as "44-1", of the current one for "", or of AllSessions.
func (c Client) List(ctx context.Context, session string) ([]Item, []*upstream.RecordError, error) {
	path := "/en/bills/json"
	if session != "" {
		path += "?parlsession=" + url.QueryEscape(session)
	}
	var raws []json.RawMessage
	if err := c.GetJSON(ctx, path, &raws); err != nil {
		return nil, nil, err
	}
	var items []Item
	var faults []*upstream.RecordError
	for _, raw := range raws {
		item, err := ParseItem(raw)
		if err == nil && session != "" && session != AllSessions && item.Session != session {
			err = fmt.Errorf("session %q in the list of session %s", item.Session, session)
		}
		if err != nil {
			at := c.URL(path)
			if item.Number != "" && item.Session != "" {
				at = c.DetailURL(item.Session, item.Number)
			}
			faults = append(faults, &upstream.RecordError{URL: at, Err: err})
			continue
		}
		items = append(items, item)
	}
	return items, faults, nil
}

// DetailURL is the address of a bill's record.
func (c Client) DetailURL(session, number string) string { return c.URL(detailPath(session, number)) }

func detailPath(session, number string) string {
	return "/en/bill/" + url.PathEscape(session) + "/" + url.PathEscape(strings.ToLower(number)) + "/json"
}

// Detail gives the record of a bill in the list.
func (c Client) Detail(ctx context.Context, item *Item) (*Detail, error) {
	var raws []json.RawMessage
	if err := c.GetJSON(ctx, detailPath(item.Session, item.Number), &raws); err != nil {
		return nil, err
	}
	if len(raws) != 1 {
		return nil, &upstream.RecordError{URL: c.DetailURL(item.Session, item.Number), Err: fmt.Errorf("%d records, want 1", len(raws))}
	}
	d, err := ParseDetail(raws[0])
	if err == nil && d.ID != item.ID {
		err = fmt.Errorf("record of bill id %d, want %d", d.ID, item.ID)
	}
	if err != nil {
		return nil, &upstream.RecordError{URL: c.DetailURL(item.Session, item.Number), Err: err}
	}
	d.ItemHash = item.Hash
	return d, nil
}

// volatile are fields of a list item that say nothing of the bill, such as a search's score.
var volatile = []string{"SearchScore", "Highlight", "IsFromCurrentSession"}

// ParseItem reads one object of the list. On an error the item has what could be read.
func ParseItem(raw []byte) (Item, error) {
	var r struct {
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
	err := json.Unmarshal(raw, &r)
	item := Item{
		ID: r.BillID, Session: r.ParlSessionCode, Number: r.BillNumberFormatted,
		LongTitleEn: text(r.LongTitleEn), LongTitleFr: text(r.LongTitleFr), ShortTitleEn: text(r.ShortTitleEn), ShortTitleFr: text(r.ShortTitleFr),
		TypeEn: text(r.BillTypeEn), TypeFr: text(r.BillTypeFr), StatusEn: text(r.CurrentStatusEn), StatusFr: text(r.CurrentStatusFr),
		Chamber: chamber(r.OriginatingChamberID), SponsorName: text(r.SponsorEn),
	}
	if err != nil {
		return item, err
	}
	if r.SponsorID != nil {
		item.SponsorID = *r.SponsorID
	}
	if item.ID <= 0 {
		return item, errors.New("no BillId")
	}
	for _, f := range []struct {
		value *string
		into  *string
		day   bool
	}{
		{r.LatestActivityDateTime, &item.LatestActivity, false}, {r.PassedHouseFirstReadingDateTime, &item.HouseFirst, true},
		{r.PassedSenateFirstReadingDateTime, &item.SenateFirst, true}, {r.ReceivedRoyalAssentDateTime, &item.RoyalAssent, true},
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
	item.Hash, err = hash(raw)
	return item, err
}

func hash(raw []byte) (string, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return "", err
	}
	for _, name := range volatile {
		delete(fields, name)
	}
	canonical, err := json.Marshal(fields) // sorts the keys
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:16]), nil
}

// ParseDetail reads a bill's own record.
func ParseDetail(raw []byte) (*Detail, error) {
	type committee struct {
		Acronym string `json:"CommitteeAcronym"`
		NameEn  string `json:"CommitteeNameEn"`
		NameFr  string `json:"CommitteeNameFr"`
	}
	type happening struct {
		Date      *string `json:"Date"`
		EventDate *string `json:"EventDateTime"`
	}
	type decision struct {
		TitleEn  *string `json:"DecisionMotionTitleEn"`
		TitleFr  *string `json:"DecisionMotionTitleFr"`
		Result   *string `json:"DecisionResultNameEn"`
		Division int     `json:"DivisionNumber"`
		Yeas     int     `json:"DivisionVotesYeas"`
		Nays     int     `json:"DivisionVotesNays"`
		Paired   int     `json:"DivisionVotePaired"`
		Date     *string `json:"DecisionSittingDate"`
		Sitting  *string `json:"DecisionSittingNumber"`
	}
	type stage struct {
		Sittings  []happening `json:"Sittings"`
		Events    []happening `json:"SignificantEvents"`
		Decisions []decision  `json:"Decisions"`

		NameEn    *string    `json:"BillStageNameEn"`
		NameFr    *string    `json:"BillStageNameFr"`
		State     int        `json:"State"`
		Since     *string    `json:"StateAsOfDate"`
		Committee *committee `json:"Committee"`
	}
	var r struct {
		ID                int       `json:"Id"`
		SponsorPersonName *string   `json:"SponsorPersonName"`
		IsGovernmentBill  bool      `json:"IsGovernmentBill"`
		StatuteYear       *int      `json:"StatuteYear"`
		StatuteChapter    *int      `json:"StatuteChapter"`
		SummaryEn         *string   `json:"ShortLegislativeSummaryEn"`
		SummaryFr         *string   `json:"ShortLegislativeSummaryFr"`
		BillStages        *struct { // null before the 37th Parliament
			House  []stage `json:"HouseBillStages"`
			Senate []stage `json:"SenateBillStages"`
			Assent *struct {
				NameEn    *string `json:"BillStageNameEn"`
				NameFr    *string `json:"BillStageNameFr"`
				LastEvent *string `json:"LastStageEventStartDateTime"`
			} `json:"RoyalAssent"`
		} `json:"BillStages"`
		Publications []struct {
			PublicationID int     `json:"PublicationId"`
			NameEn        *string `json:"PublicationTypeNameEn"`
			NameFr        *string `json:"PublicationTypeNameFr"`
		} `json:"Publications"`
		SimilarBills []struct {
			NumberCode       string `json:"NumberCode"`
			ParliamentNumber int    `json:"ParliamentNumber"`
			SessionNumber    int    `json:"SessionNumber"`
		} `json:"SimilarBills"`
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, err
	}
	if r.ID <= 0 {
		return nil, errors.New("no Id")
	}
	d := &Detail{ID: r.ID, Reader: Reader, SponsorName: text(r.SponsorPersonName), Government: r.IsGovernmentBill, SummaryEn: text(r.SummaryEn), SummaryFr: text(r.SummaryFr)}
	if r.StatuteYear != nil && r.StatuteChapter != nil {
		d.StatuteYear, d.Statute = *r.StatuteYear, *r.StatuteChapter
	}
	if n := len(r.Publications); n > 0 {
		d.TextID = r.Publications[n-1].PublicationID
	}
	for _, p := range r.Publications {
		if p.PublicationID > 0 {
			d.Publications = append(d.Publications, Text{ID: p.PublicationID, NameEn: text(p.NameEn), NameFr: text(p.NameFr)})
		}
	}
	for _, b := range r.SimilarBills {
		if b.NumberCode != "" && b.ParliamentNumber > 0 && b.SessionNumber > 0 {
			d.RelatedBills = append(d.RelatedBills, fmt.Sprintf("%d-%d/%s", b.ParliamentNumber, b.SessionNumber, b.NumberCode))
		}
	}
	if r.BillStages != nil {
		// The record's own flags call Senate committees House ones; the stage's chamber is right.
		for _, in := range []struct {
			chamber string
			stages  []stage
		}{{"house", r.BillStages.House}, {"senate", r.BillStages.Senate}} {
			for _, s := range in.stages {
				st := Stage{Chamber: in.chamber, NameEn: text(s.NameEn), NameFr: text(s.NameFr), State: s.State, Since: day(s.Since)}
				if s.Committee != nil {
					st.Committee = s.Committee.Acronym
				}
				for _, h := range slices.Concat(s.Sittings, s.Events) {
					for _, on := range []string{day(h.Date), day(h.EventDate)} {
						if on != "" && (st.Started == "" || on < st.Started) {
							st.Started = on
						}
					}
				}
				for _, v := range s.Decisions {
					if v.Division > 0 { // else it was decided without a count
						d.Votes = append(d.Votes, Vote{
							Number: v.Division, Chamber: in.chamber, StageEn: st.NameEn, StageFr: st.NameFr, MotionEn: text(v.TitleEn), MotionFr: text(v.TitleFr), Date: day(v.Date), Sitting: text(v.Sitting),
							Yeas: v.Yeas, Nays: v.Nays, Paired: v.Paired, Result: text(v.Result),
						})
					}
				}
				d.Stages = append(d.Stages, st)
				if s.Committee != nil && (s.Committee.Acronym != "" || s.Committee.NameEn != "") {
					d.Committees = append(d.Committees, Committee{Acronym: s.Committee.Acronym, Chamber: in.chamber, NameEn: s.Committee.NameEn, NameFr: s.Committee.NameFr})
				}
			}
		}
	}
	// The same division may stand at two stages, as one on closure does.
	slices.SortStableFunc(d.Votes, func(a, b Vote) int { return cmp.Or(cmp.Compare(a.Date, b.Date), cmp.Compare(a.Number, b.Number)) })
	d.Votes = slices.CompactFunc(d.Votes, func(a, b Vote) bool { return a.Number == b.Number && a.Date == b.Date })
	if r.BillStages != nil && r.BillStages.Assent != nil {
		// Royal assent has no state of its own: once it is there, it is complete.
		s := r.BillStages.Assent
		st := Stage{Chamber: "senate", NameEn: text(s.NameEn), NameFr: text(s.NameFr), State: 1, Since: day(s.LastEvent)}
		if st.Since != "" {
			st.State = 4
		}
		d.Stages = append(d.Stages, st)
	}
	return d, nil
}

// day gives the day in Ottawa of a clock time; empty for none, and for what is not one: a stage without its date is
// better than a bill without its stages.
func day(s *string) string {
	t, ok, err := ParseTime(text(s))
	if err != nil || !ok {
		return ""
	}
	return t.Format(time.DateOnly)
}

// ParseTime reads a clock time with an offset or, without one, Ottawa's. The year 1, and an empty text, mean none.
func ParseTime(s string) (t time.Time, ok bool, err error) {
	if s == "" {
		return t, false, nil
	}
	if t, err = time.Parse(time.RFC3339Nano, s); err == nil {
		t = t.In(Ottawa)
	} else if t, err = time.ParseInLocation("2006-01-02T15:04:05", s, Ottawa); err != nil {
		return t, false, fmt.Errorf("%q is not a date and time", s)
	}
	return t, t.Year() > 1, nil
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
	return strings.TrimSpace(*s)
}
