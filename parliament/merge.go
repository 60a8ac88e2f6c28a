package parliament

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// SourceRecords are the records of each source about one bill. Any of them may be missing.
type SourceRecords struct {
	OpenParliament *openparliament.Bill `json:"openparliament"`
	Item           *legisinfo.Item      `json:"item"`   // of LEGISinfo's list
	Detail         *legisinfo.Detail    `json:"detail"` // LEGISinfo's own record
}

// Current reports whether the detail exists and belongs to the current list item.
func (p SourceRecords) Current() bool {
	return p.Item != nil && p.Detail != nil && p.Detail.ItemHash == p.Item.Hash
}

// Complete reports whether the detail exists and was read by the current Reader. A detail that an older version of the
// program read is incomplete, unless its record is stored: see Store.Held.
func (p SourceRecords) Complete() bool { return p.Detail != nil && p.Detail.Reader >= legisinfo.Reader }

// Enriched reports whether the detail is both current and complete.
func (p SourceRecords) Enriched() bool { return p.Current() && p.Complete() }

// Merge makes a bill of the sources' records. LEGISinfo is Parliament's own record and takes precedence. Data of
// openparliament.ca is used where LEGISinfo has none. All fields are set whatever the sources have, lists are sorted
// and have no duplicates, and the same records always give the same bill.
func Merge(id BillID, p SourceRecords) Bill {
	op, item, detail := p.OpenParliament, p.Item, p.Detail
	if op == nil {
		op = &openparliament.Bill{}
	}
	if item == nil {
		item = &legisinfo.Item{}
	}
	if detail == nil {
		detail = &legisinfo.Detail{}
	}
	b := Bill{
		ID: id.String(), Jurisdiction: "ca-federal", Parliament: id.Parliament, Session: id.Session, Number: id.Number(),
		Title: Bilingual{
			En: plainText(cmp.Or(item.LongTitleEn, op.NameEn)), Fr: plainText(cmp.Or(item.LongTitleFr, op.NameFr)),
		},
		ShortTitle:       Bilingual{En: plainText(item.ShortTitleEn), Fr: plainText(item.ShortTitleFr)},
		HomeChamber:      cmp.Or(item.Chamber, map[string]string{"C": "house", "S": "senate"}[id.Prefix]),
		BillType:         Bilingual{En: plainText(item.TypeEn), Fr: plainText(item.TypeFr)},
		IntroducedOn:     dayOf(cmp.Or(item.Introduced(), op.Introduced)),
		Status:           Status{Code: statusCode(item.StatusEn), En: plainText(item.StatusEn), Fr: plainText(item.StatusFr)},
		LatestActivityAt: momentOf(latestActivity(item, detail)),
		Law:              item.RoyalAssent != "",
		RoyalAssentOn:    dayOf(item.RoyalAssent),
		Committees:       committees(detail.Committees),
		RelatedBills:     relatedBills(id, detail.RelatedBills),
		Summary:          Bilingual{En: cleanHTML(detail.SummaryEn), Fr: cleanHTML(detail.SummaryFr)},
		LegisinfoURL: optional(fmt.Sprintf(
			"https://www.parl.ca/legisinfo/en/bill/%s/%s", id.SessionCode(), strings.ToLower(id.Number()),
		)),
	}
	b.GovernmentBill, b.PrivateMemberBill = kind(id, item, p.Detail)
	if detail.StatuteYear > 0 && detail.Statute > 0 {
		b.Statute = &Statute{Year: detail.StatuteYear, Chapter: detail.Statute}
	}
	b.Sponsor = sponsor(item, detail)
	if n := cmp.Or(item.ID, op.LegisinfoID); n != 0 {
		b.LegisinfoID = &n
	}
	if p.OpenParliament != nil {
		b.OpenParliamentURL = optional(fmt.Sprintf("https://openparliament.ca/bills/%s/%s/", id.SessionCode(), id.Number()))
	}
	if detail.TextID != 0 {
		b.TextURL = optional(fmt.Sprintf("https://www.parl.ca/DocumentViewer/en/%d", detail.TextID))
	}
	return b
}

// kind reports whether a bill is the government's or a private member's. By convention, numbers below 200 are the
// government's. The number decides only until LEGISinfo's records are there.
func kind(id BillID, item *legisinfo.Item, detail *legisinfo.Detail) (government, private bool) {
	government = id.Digits < 200
	private = id.Prefix == "C" && !government
	if item.TypeEn != "" {
		government = strings.Contains(item.TypeEn, "Government Bill")
		private = strings.HasPrefix(item.TypeEn, "Private Member")
	}
	if detail != nil {
		government = detail.Government
	}
	return government, private
}

// latestActivity returns the time of the bill's latest activity. A brief item does not have it; the record has.
func latestActivity(item *legisinfo.Item, detail *legisinfo.Detail) string {
	e := detail.LatestEvent
	switch {
	case item.LatestActivity != "" || !item.Brief || e == nil:
		return item.LatestActivity
	case e.At != "":
		return e.At
	}
	day, err := time.ParseInLocation(time.DateOnly, e.Date, legisinfo.Ottawa)
	if err != nil {
		return ""
	}
	return day.Format(time.RFC3339Nano)
}

func sponsor(item *legisinfo.Item, detail *legisinfo.Detail) *Sponsor {
	s := Sponsor{
		Name:      plainText(cmp.Or(detail.SponsorName, withoutTitle(item.SponsorName))),
		Honorific: plain(detail.SponsorHonorific), Office: plain(detail.SponsorOffice), Riding: plain(detail.SponsorRiding),
	}
	// The record's sponsor id is a person id by its name. The list's id has no such promise.
	if id := cmp.Or(detail.SponsorID, item.SponsorID); id > 0 {
		s.PersonID = &id
	}
	if s.PersonID == nil && s.Name == nil {
		return nil
	}
	return &s
}

// withoutTitle removes a title such as "Hon." from a name in LEGISinfo's list. The detail has the name without it.
func withoutTitle(name string) string {
	for _, title := range []string{"Right Hon. ", "Rt. Hon. ", "Hon. ", "Sen. "} {
		if rest, ok := strings.CutPrefix(name, title); ok {
			return rest
		}
	}
	return name
}

func committees(in []legisinfo.Committee) []Committee {
	out := []Committee{}
	for _, c := range in {
		if mark(c.Acronym) == nil && plainText(c.NameEn) == nil && plainText(c.NameFr) == nil {
			continue
		}
		out = append(out, Committee{
			Acronym: value(mark(c.Acronym)), Chamber: c.Chamber,
			Name: Bilingual{En: plainText(c.NameEn), Fr: plainText(c.NameFr)},
		})
	}
	key := func(c Committee) string {
		if c.Acronym == "" && c.Name.En != nil {
			return c.Chamber + "\x00\x00" + *c.Name.En
		}
		return c.Chamber + "\x00" + c.Acronym
	}
	slices.SortStableFunc(out, func(a, b Committee) int { return cmp.Compare(key(a), key(b)) })
	return slices.CompactFunc(out, func(a, b Committee) bool { return key(a) == key(b) })
}

func relatedBills(self BillID, in []string) []string {
	var ids []BillID
	for _, s := range in {
		session, number, _ := strings.Cut(s, "/")
		if id, err := ParseBillID(session, number); err == nil && id != self {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b BillID) int {
		return cmp.Or(cmp.Compare(a.Parliament, b.Parliament), cmp.Compare(a.Session, b.Session), a.Compare(b))
	})
	out := []string{}
	for _, id := range slices.Compact(ids) {
		out = append(out, id.String())
	}
	return out
}

// statusCodes maps LEGISinfo's statuses to openparliament.ca's codes. Other statuses have no code, such as "Referred to
// committee before second reading in the House of Commons".
// source: openparliament.ca, the importer of LEGISinfo and the model Bill
var statusCodes = map[string]string{
	"At consideration in committee in the House of Commons":                     "HouseInCommittee",
	"At consideration in committee in the Senate":                               "SenateInCommittee",
	"At consideration in the House of Commons of amendments made by the Senate": "HouseConsideringSenAmendments",
	"At consideration in the Senate of amendments made by the House of Commons": "SenConsideringHouseAmendments",
	"At report stage in the House of Commons":                                   "HouseAtReportStage",
	"At report stage in the Senate":                                             "SenateAtReportStage",
	"At second reading in the House of Commons":                                 "HouseAt2ndReading",
	"At second reading in the Senate":                                           "SenateAt2ndReading",
	"At third reading in the House of Commons":                                  "HouseAt3rdReading",
	"At third reading in the Senate":                                            "SenateAt3rdReading",
	"Awaiting royal assent":                                                     "RoyalAssentAwaiting",
	"Bill defeated":                                                             "BillDefeated",
	"Bill not proceeded with":                                                   "WillNotBeProceededWith",
	"House of Commons bill awaiting first reading in the Senate":                "HouseBillWaitingSenate",
	"Introduced as pro forma bill":                                              "ProForma",
	"Outside the Order of Precedence":                                           "OutsideOrderPrecedence",
	"Royal assent received":                                                     "RoyalAssentGiven",
	"Senate bill awaiting first reading in the House of Commons":                "SenateBillWaitingHouse",
}

func statusCode(english string) *string { return optional(statusCodes[english]) }

// plain converts both languages to plain text.
func plain(b legisinfo.Bilingual) Bilingual {
	return Bilingual{En: plainText(b.En), Fr: plainText(b.Fr)}
}

// dayOf and momentOf check days and times that an older version of the program may have stored, such as a day of the
// year 10000. They return nil for a date that no record of Parliament can have.
func dayOf(s string) *string {
	if t, err := time.Parse(time.DateOnly, s); err != nil || !upstream.Plausible(t) {
		return nil
	}
	return &s
}

func momentOf(s string) *string {
	if t, err := time.Parse(time.RFC3339Nano, s); err != nil || !upstream.Plausible(t) {
		return nil
	}
	return &s
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
