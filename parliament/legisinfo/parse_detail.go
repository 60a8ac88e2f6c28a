package legisinfo

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// ParseDetail parses a bill's own record. The record must be an object with an Id. All other fields are optional: a
// field of an unexpected type is left out. It is long, because it has a line for each field.
func ParseDetail(raw []byte) (*Detail, error) {
	var identity struct {
		ID int `json:"Id"`
	}
	if err := json.Unmarshal(raw, &identity); err != nil {
		return nil, err
	}
	switch {
	case identity.ID <= 0:
		return nil, errors.New("no Id")
	case identity.ID > math.MaxInt32:
		return nil, fmt.Errorf("Id %d is none", identity.ID) //nolint:staticcheck // the field's name
	}
	r, err := record(raw)
	if err != nil {
		return nil, err
	}
	summary, publications := r.prose("ShortLegislativeSummary"), r.list("Publications")
	d := &Detail{
		ID: identity.ID, Reader: Reader, SponsorID: r.count("SponsorPersonId"),
		SponsorName: r.words("SponsorPersonName", upstream.MaxName), Government: government(r), SummaryEn: summary.En,
		SummaryFr:        summary.Fr,
		SponsorHonorific: r.names("SponsorPersonShortHonorific"), SponsorOffice: office(r),
		SponsorRiding: r.names("SponsorConstituencyName"), Dropped: r.is("IsDroppedFromSenateOrderPaper"),
		ProForma: r.is("IsProForma"), Form: r.names("BillFormName"), Notes: r.prose("Notes"),
		FullSummary: r.is("IsFullLegislativeSummaryAvailable"), InPreStudy: r.is("IsInSenatePreStudy"),
	}
	if year, chapter := r.count("StatuteYear"), r.count("StatuteChapter"); year >= 1867 && year <= 9999 && chapter > 0 &&
		chapter <= 99_999 {
		d.StatuteYear, d.Statute = year, chapter
	}
	if ongoing, ok := r.flag("IsSessionOngoing"); ok {
		d.SessionOngoing = &ongoing
	}
	if c, ok := committee(r.object("SenatePreStudyCommitteeDetails"), "senate"); ok {
		d.PreStudy = &c
	}
	if n := len(publications); n > 0 {
		d.TextID = publications[n-1].count("PublicationId")
	}
	for _, p := range publications {
		if id := p.count("PublicationId"); id > 0 {
			name := p.names("PublicationTypeName")
			d.Publications = append(d.Publications, Text{ID: id, NameEn: name.En, NameFr: name.Fr})
		}
	}
	for _, b := range r.list("SimilarBills") {
		if number, session := b.mark("NumberCode"), b.session(); number != "" && session != "" {
			d.RelatedBills = append(d.RelatedBills, session+"/"+number)
		}
	}
	d.readings(r)
	d.reinstatement(r)
	d.stages(r.object("BillStages"), r.session())
	d.votes(r)
	d.references(r)
	d.tidy()
	if length, err := json.Marshal(d); err != nil || len(length) > upstream.MaxRecord {
		return nil, errors.Join(err, fmt.Errorf("it says more than %d bytes can hold", upstream.MaxRecord))
	}
	return d, nil
}

// government reports whether the bill is the government's. The bill's type says so too.
func government(r fields) bool {
	if is, ok := r.flag("IsGovernmentBill"); ok {
		return is
	}
	return strings.Contains(r.text("BillDocumentTypeNameEn"), "Government Bill")
}

// office returns the sponsor's office, such as a minister's. The role is less precise, and for some sponsors an
// internal term.
func office(r fields) Bilingual {
	title, role := r.names("SponsorAffiliationTitle"), r.names("SponsorAffiliationRoleName")
	if title != (Bilingual{}) || role.En == "HansardDisplay" {
		return title
	}
	return role
}

func committee(f fields, chamber string) (c Committee, ok bool) {
	name := f.names("CommitteeName")
	c = Committee{Acronym: f.mark("CommitteeAcronym"), Chamber: chamber, NameEn: name.En, NameFr: name.Fr}
	return c, c.Acronym != "" || c.NameEn != ""
}

func (d *Detail) readings(r fields) {
	for _, in := range []struct {
		name, chamber string
		reading       int
	}{
		{"PassedHouseFirstReadingDateTime", "house", 1}, {"PassedHouseSecondReadingDateTime", "house", 2},
		{"PassedHouseThirdReadingDateTime", "house", 3},
		{"PassedSenateFirstReadingDateTime", "senate", 1}, {"PassedSenateSecondReadingDateTime", "senate", 2},
		{"PassedSenateThirdReadingDateTime", "senate", 3},
	} {
		if on := r.day(in.name); on != "" {
			d.Readings = append(d.Readings, Reading{Chamber: in.chamber, Reading: in.reading, On: on})
		}
	}
	// A bill that began in the Senate passed there first, even on the same day.
	senate := r.is("IsSenateBill")
	slices.SortStableFunc(d.Readings, func(a, b Reading) int {
		return cmp.Or(
			cmp.Compare(a.On, b.On), cmp.Compare(order(a.Chamber, senate), order(b.Chamber, senate)),
			cmp.Compare(a.Reading, b.Reading),
		)
	})
}

func order(chamber string, senateFirst bool) int {
	if (chamber == "senate") == senateFirst {
		return 0
	}
	return 1
}

// reinstatement reads which bills this one was reinstated from and as. The record has their sessions only if it lists
// them as similar bills.
func (d *Detail) reinstatement(r fields) {
	similar := map[int]fields{}
	for _, b := range r.list("SimilarBills") {
		similar[b.count("Id")] = b
	}
	other := func(kind, flag string) *Reinstatement {
		o := &Reinstatement{ID: r.count(kind + "BillDocumentId"), Number: r.mark(kind + "BillNumberCode"), Next: r.is(flag)}
		if o.ID == 0 && o.Number == "" {
			return nil
		}
		if b := similar[o.ID]; o.ID > 0 && b != nil {
			o.Session, o.Status = b.session(), b.names("StatusName")
			o.Number = cmp.Or(o.Number, b.mark("NumberCode"))
		}
		return o
	}
	d.ReinstatedFrom = other("ReinstatedFrom", "DidReinstateFromPreviousSession")
	if d.ReinstatedAs = other("ReinstatedAs", "DidReinstateInNextSession"); d.ReinstatedAs != nil {
		d.ReinstatedAs.Status = r.names("StatusName") // this bill is the one that was reinstated
	}
}

// references reads the publications about the bill, and the rulings and events outside of its stages.
func (d *Detail) references(r fields) {
	for _, in := range []struct{ name, chamber string }{
		{"HouseRulingAndStatements", "house"}, {"SenateRulingAndStatements", "senate"},
	} {
		for _, o := range r.list(in.name) {
			on, at := o.moment("RulingStatementDateTime")
			d.Rulings = append(d.Rulings, Ruling{
				Where: Where{Chamber: in.chamber, Session: cmp.Or(o.session(), r.session())}, Date: on, At: at,
				Sitting: number(o, "MeetingNumber"), URL: links(o),
			})
		}
	}
	for _, o := range r.list("WebReferences") {
		ref := Reference{Kind: o.names("WebReferenceTypeName"), Title: o.both("Title"), URL: links(o)}
		if ref.Title != (Bilingual{}) || ref.URL != (Bilingual{}) {
			d.References = append(d.References, ref)
		}
	}
	for _, o := range r.list("BibliographicNotices") {
		n := Notice{
			Title: o.text("Title"), Author: o.words("Author", upstream.MaxName),
			Publication: o.words("Publication", upstream.MaxName), Volume: o.words("VolumePage", upstream.MaxName),
			Date:           o.words("PublicationDate", upstream.MaxName),
			Classification: o.words("Classification", upstream.MaxName), Language: o.count("LanguageId"),
			Online: o.is("IsOnlineVersionAvailable"),
		}
		if n.Title != "" {
			d.Notices = append(d.Notices, n)
		}
	}
	if name := r.names("LatestBillEventTypeName"); name != (Bilingual{}) {
		on, at := r.moment("LatestBillEventDateTime")
		d.LatestEvent = &Event{
			Type:  r.count("LatestBillEventEventTypeId"),
			Where: Where{Chamber: r.chamber("LatestBillEventChamberOrganizationId")}, Name: name, Date: on, At: at,
			Committee: r.object("LatestBillEventCommitteeDetails").mark("CommitteeAcronym"),
			Sitting:   number(r, "LatestBillEventMeetingNumber"), Amendments: r.count("LatestBillEventNumberOfAmendments"),
			Note: r.both("LatestBillEventAdditionalInformation"),
		}
	}
}

// tidy sorts the lists, oldest first, and removes duplicates and empty entries. Entries of the same day keep the
// record's order. Entries without a date come last.
func (d *Detail) tidy() {
	none := Bilingual{}
	d.Decisions = slices.DeleteFunc(d.Decisions, func(o Decision) bool {
		return o.Motion == none && o.Result == "" && o.Division == 0
	})
	d.Sittings = slices.DeleteFunc(d.Sittings, func(o Sitting) bool {
		return o.Name == none && o.Number == "" && o.Date == ""
	})
	d.Events = slices.DeleteFunc(d.Events, func(o Event) bool { return o.Name == none && o.Date == "" })
	d.Speeches = slices.DeleteFunc(d.Speeches, func(o Speech) bool { return o.Name == "" && o.Person == 0 })
	d.Meetings = slices.DeleteFunc(d.Meetings, func(o Meeting) bool { return o.Acronym == "" && o.Committee == none })
	d.Messages = slices.DeleteFunc(d.Messages, func(o Message) bool { return o.Name == none })
	d.Rulings = slices.DeleteFunc(d.Rulings, func(o Ruling) bool {
		return o.Date == "" && o.Sitting == "" && o.URL == none
	})
	d.Votes = tidied(d.Votes, func(v Vote) []string {
		return []string{v.Date, v.Session, v.Chamber, fmt.Sprintf("%08d", v.Number)}
	})
	d.Decisions = tidied(d.Decisions, func(o Decision) []string {
		return []string{o.Date, fmt.Sprintf("%08d", o.Division)}
	})
	d.Sittings = tidied(d.Sittings, func(o Sitting) []string { return []string{o.Date} })
	d.Events = tidied(d.Events, func(o Event) []string { return []string{o.Date} })
	d.Speeches = tidied(d.Speeches, func(o Speech) []string { return []string{o.Date, o.At} })
	d.Meetings = tidied(d.Meetings, func(o Meeting) []string {
		return []string{o.Date, o.Chamber, o.Acronym, fmt.Sprintf("%8s", o.Number)}
	})
	d.Messages = tidied(d.Messages, func(o Message) []string { return []string{o.Date, o.At} })
	d.Rulings = tidied(d.Rulings, func(o Ruling) []string { return []string{o.Date, o.At} })
	d.References = tidied(d.References, func(Reference) []string { return nil })
	d.Notices = tidied(d.Notices, func(Notice) []string { return nil })
}

// tidied limits a list, removes duplicates, and sorts it by its keys, the first of which is a day.
func tidied[T comparable](list []T, keys func(T) []string) []T {
	seen := map[T]bool{}
	var out []T
	for _, e := range list {
		if !seen[e] && len(out) < maxEntries {
			seen[e] = true
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b T) int {
		x, y := keys(a), keys(b)
		if len(x) > 0 && (x[0] == "") != (y[0] == "") {
			return cmp.Compare(y[0], x[0])
		}
		return slices.Compare(x, y)
	})
	return out
}
