package parliament_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

// courseRecord is made up, in the form of the source's own, of what a bill's record can have.
const courseRecord = `{"Id": 901, "NumberCode": "C-3", "ParliamentNumber": 44, "SessionNumber": 2, "StatusNameEn": "At second reading", "IsGovernmentBill": true, "IsSessionOngoing": true,
 "SponsorPersonName": "Ada Byron", "SponsorAffiliationTitleEn": "Minister of Fisheries", "SponsorAffiliationTitleFr": "ministre des Pêches", "SponsorConstituencyNameEn": "Lac-Saint-Jean",
 "DidReinstateFromPreviousSession": true, "ReinstatedFromBillDocumentId": 801, "ReinstatedFromBillNumberCode": "C-2", "BillFormNameEn": "Regular", "BillFormNameFr": "Ordinaire",
 "NotesEn": "<div onclick=\"x()\">Formerly <b>C-2</b></div>", "NotesFr": "  ", "IsFullLegislativeSummaryAvailable": true, "IsInSenatePreStudy": true,
 "SenatePreStudyCommitteeDetails": {"CommitteeAcronym": "NFFN", "CommitteeNameEn": "National Finance", "CommitteeNameFr": "Finances nationales"},
 "PassedHouseFirstReadingDateTime": "2025-02-03T10:00:00", "PassedSenateFirstReadingDateTime": "0001-01-01T00:00:00",
 "HouseVoteDetails": [
  {"DivisionNumber": 12, "DivisionSubjectEn": "Report stage", "DivisionSubjectFr": "", "DivisionVotesYeas": 144, "DivisionVotesNays": 144, "DivisionVoteTotal": 288, "IsTied": true, "DecisionDateTime": "2025-03-05T14:00:00"},
  {"DivisionNumber": 11, "DivisionSubjectEn": "2nd reading of Bill C-3", "DivisionVotesYeas": "170", "DivisionVotesNays": 100, "DivisionVotePaired": 2, "DivisionVoteTotal": 272, "DecisionResultNameEn": "Agreed To", "DecisionDateTime": "2025-03-04T10:00:00"},
  {"DivisionNumber": 13, "DivisionVotesYeas": 1, "DivisionVotesNays": 2, "DecisionResultId": 16, "DecisionDateTime": "2025-03-06T10:00:00"}],
 "SenateVoteDetails": [{"DivisionNumber": 11, "DivisionSubjectEn": "Third reading", "DivisionVotesYeas": 40, "DivisionVotesNays": 20, "DivisionVotesAbstentions": 3, "IsAgreedTo": true, "DecisionDateTime": "2025-04-01T14:00:00"}],
 "BillStages": {"HouseBillStages": [
   {"BillStageNameEn": "Second reading", "BillStageNameFr": "Deuxième lecture", "State": 4, "ParliamentNumber": 44, "SessionNumber": 2, "StateAsOfDate": "2025-03-04T10:00:00",
    "Sittings": [{"NameEn": "Debate at second reading", "Number": "31", "Date": "2025-03-04T00:00:00", "IsPublished": true}, {"NameEn": "Debate at second reading", "Number": "31", "Date": "2025-03-04T00:00:00", "IsPublished": true}],
    "SignificantEvents": [{"EventTypeId": 60121, "EventNameEn": "Second reading and referral to committee", "EventDateTime": "2025-03-04T00:00:00", "IsCompletionOfBillStage": true}],
    "Decisions": [{"DivisionNumber": 11, "DecisionMotionTitleEn": "2nd reading", "DecisionResultNameEn": "Agreed To", "DecisionMethodNameEn": "On recorded division", "DivisionVotesYeas": 170, "DivisionVotesNays": 100, "DecisionSittingDate": "2025-03-04T00:00:00", "DecisionSittingNumber": "31"},
     {"DivisionNumber": null, "DecisionMotionTitleEn": "Referral", "DecisionResultNameEn": "Agreed To", "DecisionMethodNameEn": "On division", "DecisionSittingDate": "2025-03-04T00:00:00", "DecisionSittingNumber": "31"}],
    "Speeches": [{"EventTypeId": 60152, "EventTypeNameEn": "Sponsor's speech", "PersonId": 9, "PersonName": "Ada Byron", "CaucusShortNameEn": "Liberal", "MeetingNumber": 31, "SpeechDateTime": "2025-03-04T12:27:08", "UrlEn": ""}]},
   {"BillStageNameEn": "Consideration in committee", "State": 3, "Committee": {"CommitteeAcronym": "FOPO", "CommitteeNameEn": "Fisheries", "CommitteeNameFr": "Pêches"},
    "SignificantEvents": [{"EventNameEn": "Committee report presented", "EventDateTime": "2025-03-07T00:00:00", "CommitteeReportNumber": 5}],
    "CommitteeMeetings": [{"CommitteeAcronym": "FOPO", "CommitteeNameEn": "Fisheries", "Number": 10, "Date": "2025-03-06T00:00:00"}, {"CommitteeAcronym": "FOPO", "CommitteeNameEn": "Fisheries", "Number": 9, "Date": "2025-03-05T00:00:00"}]}],
  "SenateBillStages": [{"BillStageNameEn": "First reading", "State": 4, "Sittings": {"NameEn": "First reading", "Number": 7, "Date": "2025-03-31T00:00:00"}}],
  "InterChamberMessages": [{"EventNameEn": "Message sent to the Senate", "Date": "2025-04-02T10:15:16", "ParliamentNumber": 44, "SessionNumber": 2, "MeetingNumber": 50, "ChamberOrganizationId": 1}]},
 "HouseRulingAndStatements": [{"ParliamentNumber": 44, "SessionNumber": 2, "MeetingNumber": 32, "RulingStatementDateTime": "2025-03-05T15:17:21", "UrlEn": ""}],
 "WebReferences": [{"TitleEn": "News &amp; more", "WebReferenceTypeNameEn": "Press Release", "UrlEn": "javascript:alert(1)", "UrlFr": "https://example.ca/fr"}, {}],
 "BibliographicNotices": [{"Title": "A book", "LanguageId": 2, "IsOnlineVersionAvailable": true}, {"Title": ""}],
 "LatestBillEventTypeNameEn": "Debate", "LatestBillEventChamberOrganizationId": 1, "LatestBillEventNumberOfAmendments": 2, "LatestBillEventDateTime": "2025-04-02T10:15:16"}`

func courseParts(t testing.TB, raw, hash string) parliament.SourceRecords {
	t.Helper()
	d, err := legisinfo.ParseDetail([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	d.ItemHash, d.Raw = hash, []byte(raw)
	return parliament.SourceRecords{
		Item: &legisinfo.Item{
			ID: d.ID, Session: "44-2", Number: "C-3", LongTitleEn: "An Act",
			StatusEn: "At second reading in the House of Commons", SponsorID: 9, Hash: hash,
		},
		Detail: d,
	}
}

func TestCourse(t *testing.T) {
	t.Parallel()
	s := parliament.NewStore(dbtest.New(t))
	id := billID(t, "44-2", "C-3")
	at := time.Now().UTC().Truncate(time.Microsecond)
	if _, err := s.Save(t.Context(), newRun(t), []parliament.Record{
		{ID: id, SourceRecords: courseParts(t, courseRecord, "h"), FetchedAt: at},
	}); err != nil {
		t.Fatal(err)
	}
	c, err := s.Course(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	got := asJSON(t, c)
	for _, want := range []string{
		// The same division at the top and at its stage is one; the Senate's of the same number is another.
		`"Number":11,"Chamber":"house","Stage":{"en":"Second reading","fr":"Deuxième lecture"},"Motion":{"en":"2nd reading","fr":null},"Subject":{"en":"2nd reading of Bill C-3","fr":null},"Date":"2025-03-04","Sitting":"31","At":"2025-03-04T10:00:00-05:00","Yeas":170,"Nays":100,"Paired":2,"Abstentions":0,"Total":272,"Result":"agreed_to","URL":"https://www.ourcommons.ca/members/en/votes/44/2/11"`,
		`"Number":12,"Chamber":"house","Stage":{"en":null,"fr":null},"Motion":{"en":null,"fr":null},"Subject":{"en":"Report stage","fr":null},"Date":"2025-03-05","Sitting":null,"At":"2025-03-05T14:00:00-05:00","Yeas":144,"Nays":144,"Paired":0,"Abstentions":0,"Total":288,"Result":"tie"`,
		`"Yeas":1,"Nays":2,"Paired":0,"Abstentions":0,"Total":3,"Result":"negatived"`,
		`"Number":11,"Chamber":"senate","Stage":{"en":null,"fr":null},"Motion":{"en":null,"fr":null},"Subject":{"en":"Third reading","fr":null},"Date":"2025-04-01","Sitting":null,"At":"2025-04-01T14:00:00-04:00","Yeas":40,"Nays":20,"Paired":0,"Abstentions":3,"Total":63,"Result":"agreed_to","URL":"https://sencanada.ca/en/in-the-chamber/votes/"`,
		`"Motion":{"en":"Referral","fr":null},"Result":"agreed_to","Method":{"en":"On division","fr":null},"Division":null,"Date":"2025-03-04","Sitting":"31"`,
		`"Sittings":[{"Chamber":"house","Stage":{"en":"Second reading","fr":"Deuxième lecture"},"Name":{"en":"Debate at second reading","fr":null},"Number":"31","Date":"2025-03-04","Note":{"en":null,"fr":null},"URL":{"en":"https://www.ourcommons.ca/DocumentViewer/en/44-2/house/sitting-31/hansard","fr":"https://www.noscommunes.ca/DocumentViewer/fr/44-2/chambre/seance-31/debats"}},{"Chamber":"senate"`,
		`"URL":{"en":"https://sencanada.ca/en/content/sen/chamber/442/debates/007db_2025-03-31-e","fr":"https://sencanada.ca/fr/content/sen/chamber/442/debates/007db_2025-03-31-f"}`,
		`"Report":5,"ReportURL":{"en":"https://www.ourcommons.ca/DocumentViewer/en/44-2/FOPO/report-5/"`,
		`"Sponsor":true,"PersonID":9,"Name":"Ada Byron","Politician":null,"Caucus":{"en":"Liberal","fr":null},"Date":"2025-03-04","At":"2025-03-04T12:27:08-05:00","Sitting":"31"`,
		`"Number":"9","Date":"2025-03-05","URL":"https://www.ourcommons.ca/DocumentViewer/en/44-2/FOPO/meeting-9/notice"},{`,
		`"Messages":[{"Chamber":"house","Name":{"en":"Message sent to the Senate","fr":null},"Date":"2025-04-02","At":"2025-04-02T10:15:16-04:00","Sitting":"50"`,
		`"Rulings":[{"Chamber":"house","Date":"2025-03-05","At":"2025-03-05T15:17:21-05:00","Sitting":"32"`,
		`"References":[{"Kind":{"en":"Press Release","fr":null},"Title":{"en":"News \u0026 more","fr":null},"URL":{"en":null,"fr":"https://example.ca/fr"}}]`,
		`"Bibliography":[{"Title":"A book","Author":null,"Publication":null,"Volume":null,"Date":null,"Classification":null,"Language":"fr","Online":true}]`,
		`"PreStudy":{"InProgress":true,"Committee":"NFFN","Name":{"en":"National Finance","fr":"Finances nationales"}}`,
		`"Notes":{"en":"\u003cdiv\u003eFormerly \u003cb\u003eC-2\u003c/b\u003e\u003c/div\u003e","fr":null}`,
		`"Readings":[{"Chamber":"house","Reading":"first","PassedOn":"2025-02-03"}]`,
		`LegislativeSummaries/442C3E"`, `"Complete":true`, `"Outcome":{"Code":"in_progress","On":null}`, `"Amendments":2`,
		// Its session is not told, but it is the one before.
		`"ReinstatedFrom":{"Bill":"44-1/C-2","Session":"44-1","Number":"C-2","LegisinfoID":801,"LegisinfoURL":"https://www.parl.ca/legisinfo/en/bill/44-1/c-2","Held":false`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
	if len(c.Votes) != 4 || len(c.Decisions) != 2 || len(c.Meetings) != 2 || c.RecordFetchedAt == nil ||
		!c.RecordFetchedAt.Equal(at) {
		t.Errorf(
			"%d votes, %d decisions, %d meetings, record of %v", len(c.Votes), len(c.Decisions), len(c.Meetings),
			c.RecordFetchedAt,
		)
	}
}

// TestReinstated follows a bill through two sessions whose records do not tell of each other's sessions.
func TestReinstated(t *testing.T) {
	t.Parallel()
	s := parliament.NewStore(dbtest.New(t))
	// not the next session, which alone could be guessed
	old, next := billID(t, "43-1", "C-201"), billID(t, "43-3", "C-210")
	save := func(id parliament.BillID, raw string) {
		t.Helper()
		p := courseParts(t, raw, "h")
		p.Item.StatusFr = "À la deuxième lecture"
		if _, err := s.Save(t.Context(), newRun(t), []parliament.Record{
			{ID: id, SourceRecords: p, FetchedAt: time.Now()},
		}); err != nil {
			t.Fatal(err)
		}
	}
	course := func(id parliament.BillID) *parliament.Course {
		t.Helper()
		c, err := s.Course(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	save(old, `{"Id": 5, "IsSessionOngoing": true}`)
	if c := course(old); c.ReinstatedAs != nil || c.Outcome.Code != parliament.OutcomeInProgress {
		t.Errorf("%s", asJSON(t, c))
	}
	save(
		next,
		`{"Id": 6, "IsSessionOngoing": true, "ReinstatedFromBillDocumentId": 5, "ReinstatedFromBillNumberCode": "C-201"}`,
	)
	if c := course(next); c.ReinstatedFrom == nil || *c.ReinstatedFrom.Bill != "43-1/C-201" || !c.ReinstatedFrom.Held ||
		c.ReinstatedAs != nil {
		t.Errorf("from %+v, as %+v", c.ReinstatedFrom, c.ReinstatedAs)
	}
	// The old bill's record is from before: the new one tells.
	if c := course(old); c.ReinstatedAs == nil || *c.ReinstatedAs.Bill != "43-3/C-210" ||
		*c.ReinstatedAs.LegisinfoID != 6 || c.Outcome.Code != parliament.OutcomeReinstated ||
		*c.ReinstatedAs.Status.Fr != "À la deuxième lecture" {
		t.Errorf("%s", asJSON(t, c))
	}
	// A bill of another Parliament is no "previous session", and one whose session nothing tells has none.
	save(
		billID(t, "45-1", "C-3"),
		`{"Id": 7, "IsSessionOngoing": true, "DidReinstateFromPreviousSession": true, "ReinstatedFromBillDocumentId": 99, "ReinstatedFromBillNumberCode": "C-9"}`,
	)
	if r := course(billID(t, "45-1", "C-3")).ReinstatedFrom; r == nil || r.Bill != nil || r.Session != nil ||
		*r.Number != "C-9" || *r.LegisinfoURL != "https://www.parl.ca/legisinfo/en/bill/99" {
		t.Errorf("%+v", r)
	}
	// Its session ended since the record was fetched, for there are bills of a later one; and when is not known.
	save(billID(t, "43-3", "C-4"), `{"Id": 8, "IsSessionOngoing": true}`)
	if o := course(billID(t, "43-3", "C-4")).Outcome; o == nil || o.Code != parliament.OutcomeDied || o.On != nil {
		t.Errorf("%+v", o)
	}
	save(billID(t, "44-1", "C-4"), `{"Id": 10, "IsSessionOngoing": false}`)
	if o := course(billID(t, "44-1", "C-4")).Outcome; o == nil || o.Code != parliament.OutcomeDied ||
		*o.On != "2025-01-06" {
		t.Errorf("%+v", o)
	}
}

// age replaces the stored data of a bill with what an older version of the program stored.
func age(t testing.TB, d *db.DB, id string) {
	t.Helper()
	if _, err := d.Pool.Exec(t.Context(), `UPDATE bills
		SET parts = jsonb_set(parts, '{detail}',
		(parts -> 'detail') - 'sponsor_honorific' - 'sponsor_office' - 'sponsor_riding' - 'votes' - 'session_ongoing'
		- 'reinstated_from' - 'sittings' - 'decisions' - 'events' || '{"reader": 2}'),
		doc = doc #- '{sponsor,office}' #- '{sponsor,riding}' #- '{sponsor,honorific}', content_hash = 'old'
		WHERE id = $1`, id); err != nil {
		t.Fatal(err)
	}
}

// TestNewFieldsAreNoChange has an older version of the program have stored a bill: what this one knows more of it is
// no change of the bill, whether the record is held or is fetched again.
func TestNewFieldsAreNoChange(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		recordHeld bool
		fetched    func(parliament.SourceRecords) parliament.SourceRecords
		office     bool // known afterwards
		complete   bool
	}{
		"the record is held, the list alone was read": {true, func(p parliament.SourceRecords) parliament.SourceRecords {
			return parliament.SourceRecords{Item: p.Item}
		}, true, true},
		"no record, the list alone was read": {false, func(p parliament.SourceRecords) parliament.SourceRecords {
			return parliament.SourceRecords{Item: p.Item}
		}, false, false},
		"no record, it was fetched":              {false, func(p parliament.SourceRecords) parliament.SourceRecords { return p }, true, true},
		"the record is held and was fetched too": {true, func(p parliament.SourceRecords) parliament.SourceRecords { return p }, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.New(t)
			s := parliament.NewStore(d)
			id := billID(t, "44-2", "C-3")
			first := newRun(t)
			save := func(p parliament.SourceRecords) parliament.Counts {
				t.Helper()
				counts, err := s.Save(t.Context(), newRun(t), []parliament.Record{
					{ID: id, SourceRecords: p, FetchedAt: time.Now()},
				})
				if err != nil {
					t.Fatal(err)
				}
				return counts
			}
			p := courseParts(t, courseRecord, "h")
			if _, err := s.Save(t.Context(), first, []parliament.Record{
				{ID: id, SourceRecords: p, FetchedAt: time.Now()},
			}); err != nil {
				t.Fatal(err)
			}
			age(t, d, id.String())
			if !c.recordHeld {
				if _, err := d.Pool.Exec(t.Context(), "DELETE FROM bill_records"); err != nil {
					t.Fatal(err)
				}
			}
			held, err := s.Held(t.Context(), []string{id.String()})
			if err != nil || held[id.String()].Complete() != c.recordHeld || !held[id.String()].Current() ||
				held[id.String()].Enriched() != c.recordHeld {
				t.Errorf("held %+v, %v", held[id.String()].Detail, err)
			}
			course, err := s.Course(t.Context(), id)
			if err != nil || course.Complete != c.recordHeld || (len(course.Votes) == 4) != c.recordHeld {
				t.Errorf("complete %t with %d votes, %v", course.Complete, len(course.Votes), err)
			}
			if !c.recordHeld && course.Outcome != nil {
				t.Errorf("the outcome cannot be told yet: %+v", course.Outcome)
			}
			if got := save(c.fetched(p)); (got != parliament.Counts{Unchanged: 1}) {
				t.Errorf("%+v", got)
			}
			b, err := s.Bill(t.Context(), id)
			if err != nil || b.Version != 1 || *b.LastRunID != first || (b.Sponsor.Office.En != nil) != c.office {
				t.Errorf("version %d by %v, sponsor %+v, %v", b.Version, b.LastRunID, b.Sponsor, err)
			}
			if course, err = s.Course(t.Context(), id); err != nil || course.Complete != c.complete ||
				(len(course.Votes) == 4) != c.complete {
				t.Errorf("complete %t with %d votes, %v", course.Complete, len(course.Votes), err)
			}
			// And what does change is a change still, with nothing else in it.
			moved := courseParts(t, strings.Replace(courseRecord, "Minister of Fisheries", "Minister of Boats", 1), "h2")
			moved.Item.StatusEn = "At third reading in the House of Commons"
			if got := save(moved); (got != parliament.Counts{Updated: 1}) {
				t.Errorf("%+v", got)
			}
			vs, err := s.Versions(t.Context(), id, 0, 10)
			if err != nil || len(vs) != 2 {
				t.Fatalf("%d versions, %v", len(vs), err)
			}
			var fields []string
			for _, c := range vs[0].Changes {
				fields = append(fields, c.Field)
			}
			want := []string{"sponsor", "status"}
			if !c.complete {
				want = []string{"status"} // who the sponsor was is read for the first time
			}
			if !slices.Equal(fields, want) {
				t.Errorf("changed %v, want %v", fields, want)
			}
		})
	}
}

// TestRecordIsKept stores records with everything that Postgres refuses in texts.
func TestRecordIsKept(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	d := dbtest.New(t)
	s := parliament.NewStore(d)
	id := billID(t, "44-2", "C-3")
	raw := `{"Id": 901, "SponsorPersonName": "A` + "\xff" + `da", "ShortLegislativeSummaryEn": "x` + strings.Repeat("é", 4<<20) + `", "NotesEn": "\ud800", "Extra": "\u0000"}`
	p := courseParts(t, raw, "h")
	run := newRun(t)
	first := time.Now().UTC().Add(-time.Hour).Truncate(time.Microsecond)
	for _, at := range []time.Time{first, first.Add(time.Minute)} { // the second time it is the same
		if _, err := s.Save(t.Context(), run, []parliament.Record{{ID: id, SourceRecords: p, FetchedAt: at}}); err != nil {
			t.Fatal(err)
		}
	}
	var stored []byte
	var at time.Time
	read := func() {
		t.Helper()
		if err := d.Pool.QueryRow(
			t.Context(), "SELECT record, fetched_at FROM bill_records WHERE bill_id = $1 AND item_hash = 'h'", id.String(),
		).Scan(&stored, &at); err != nil {
			t.Fatal(err)
		}
	}
	if read(); string(stored) != raw || !at.Equal(first) {
		t.Errorf("%d bytes of %v, want %d of %v", len(stored), at, len(raw), first)
	}
	// One that says more, of the same list item, takes its place.
	more := strings.Replace(raw, `"Extra"`, `"Other"`, 1)
	if _, err := s.Save(t.Context(), run, []parliament.Record{
		{ID: id, SourceRecords: courseParts(t, more, "h"), FetchedAt: first.Add(time.Hour)},
	}); err != nil {
		t.Fatal(err)
	}
	if read(); string(stored) != more || !at.Equal(first.Add(time.Hour)) {
		t.Errorf("%d bytes of %v", len(stored), at)
	}
	// A record of another item does not complete a detail.
	age(t, d, id.String())
	if _, err := d.Pool.Exec(t.Context(), "UPDATE bill_records SET item_hash = 'other'"); err != nil {
		t.Fatal(err)
	}
	if held, err := s.Held(t.Context(), []string{id.String()}); err != nil || held[id.String()].Complete() {
		t.Errorf("%v", err)
	}
	if _, err := d.Pool.Exec(t.Context(), "UPDATE bill_records SET item_hash = 'h', record = 'no JSON'"); err != nil {
		t.Fatal(err)
	}
	if held, err := s.Held(t.Context(), []string{id.String()}); err != nil || held[id.String()].Detail == nil ||
		held[id.String()].Complete() {
		t.Errorf("%v", err)
	}
}

func TestSessionEnds(t *testing.T) {
	t.Parallel()
	type session struct{ code, end string }
	var all []session
	for code, end := range parliament.SessionEnds {
		if _, _, err := parliament.ParseSession(code); err != nil {
			t.Error(err)
		}
		if _, err := time.Parse(time.DateOnly, end); err != nil {
			t.Error(err)
		}
		all = append(all, session{code, end})
	}
	slices.SortFunc(all, func(a, b session) int { return strings.Compare(a.code, b.code) })
	if !slices.IsSortedFunc(all, func(a, b session) int { return strings.Compare(a.end, b.end) }) {
		t.Errorf("%v", all)
	}
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
