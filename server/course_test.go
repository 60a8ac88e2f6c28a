package server_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

// TestBillRecord has a bill of which LEGISinfo has told all, one of which it has told nothing, and one of which an
// older version of the program had read a part.
func TestBillRecord(t *testing.T) {
	t.Parallel()
	s := setup(t)
	save := func(number string, item *legisinfo.Item, d *legisinfo.Detail) {
		t.Helper()
		id, err := parliament.ParseBillID("44-1", number)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.store.Save(t.Context(), uuid.UUID{1},
			[]parliament.Record{{ID: id, SourceRecords: parliament.SourceRecords{Item: item, Detail: d},
				FetchedAt: time.Now()}}); err != nil {
			t.Fatal(err)
		}
	}
	raw := `{"Id": 1, "NumberCode": "C-2", "ParliamentNumber": 44, "SessionNumber": 1, "SponsorPersonName": "Ada Byron", "SponsorAffiliationTitleEn": "Minister of Fisheries", "SponsorConstituencyNameFr": "Lac-Saint-Jean", "IsSessionOngoing": false,
	 "DidReinstateInNextSession": true, "ReinstatedAsBillDocumentId": 9, "ReinstatedAsBillNumberCode": "C-4", "IsFullLegislativeSummaryAvailable": true, "NotesFr": "<script>x</script>Note", "LatestBillEventTypeNameEn": "Debate",
	 "HouseVoteDetails": [{"DivisionNumber": 86, "DivisionSubjectEn": "Time allocation", "DivisionVotesYeas": 174, "DivisionVotesNays": 145, "DivisionVoteTotal": 319, "DecisionResultNameEn": "Agreed To", "DecisionDateTime": "2022-05-11T14:00:00"}],
	 "SenatePreStudyCommitteeDetails": {"CommitteeAcronym": "TRCM"}, "WebReferences": [{"TitleEn": "Page", "UrlEn": "https://example.ca"}], "BibliographicNotices": [{"Title": "Book", "LanguageId": 1}], "PassedHouseFirstReadingDateTime": "2022-02-02T10:00:00",
	 "HouseRulingAndStatements": [{"MeetingNumber": 5, "RulingStatementDateTime": "2022-05-04T15:17:21"}],
	 "BillStages": {"HouseBillStages": [{"BillStageNameEn": "Second reading", "State": 3, "Sittings": [{"NameEn": "Debate", "Number": "31", "Date": "2022-03-02T00:00:00", "IsPublished": true}], "SignificantEvents": [{"EventNameEn": "Placed in the Order of Precedence", "EventDateTime": "2022-03-01T00:00:00"}],
	  "Decisions": [{"DecisionMotionTitleEn": "2nd reading", "DecisionResultNameEn": "Agreed To", "DecisionSittingDate": "2022-03-02T00:00:00"}], "Speeches": [{"EventTypeId": 60152, "PersonId": 7, "PersonName": "Ada Byron", "SpeechDateTime": "2022-03-02T12:00:00"}],
	  "CommitteeMeetings": [{"CommitteeAcronym": "CHPC", "Number": 3, "Date": "2022-03-03T00:00:00"}]}], "InterChamberMessages": [{"EventNameEn": "Message", "Date": "2022-03-04T10:00:00"}]}}`
	d, err := legisinfo.ParseDetail([]byte(raw))
	if err != nil {
		t.Fatal(err)
	}
	d.ItemHash, d.Raw = "h", []byte(raw)
	save("C-2", &legisinfo.Item{ID: 1, Hash: "h"}, d)
	save("C-3", &legisinfo.Item{ID: 2, Hash: "h"}, nil)
	save(
		"C-5", &legisinfo.Item{ID: 3, Hash: "h"},
		&legisinfo.Detail{ID: 3, ItemHash: "h", Reader: 2, Votes: []legisinfo.Vote{{Number: 1, Chamber: "house"}}},
	)
	s.savePolitician("ada-byron", 7)

	a := s.do("GET", "/bills/44-1/C-2", "")
	b := decode[api.BillDetail](t, a, 200)
	if !b.Record.Complete || b.Record.FetchedAt == nil || b.Outcome == nil || b.Outcome.Code != "reinstated" ||
		*b.ReinstatedAs.Bill != "44-2/C-4" || b.ReinstatedAs.Held || *b.Sponsor.Office.En != "Minister of Fisheries" ||
		*b.Sponsor.Riding.Fr != "Lac-Saint-Jean" || b.Votes[0].Total != 319 ||
		*b.Votes[0].At != "2022-05-11T14:00:00-04:00" || *b.Votes[0].Subject.En != "Time allocation" ||
		*b.Speeches[0].Politician != "ada-byron" ||
		*b.Notes.Fr != "Note" || *b.SenatePreStudy.Committee != "TRCM" || !strings.HasSuffix(
		*b.LegislativeSummaryURL.Fr, "441C2E",
	) || *b.LatestEvent.Name.En != "Debate" {
		t.Errorf("%s", a.body)
	}
	v := reflect.ValueOf(b)
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Slice && f.Len() == 0 && v.Type().Field(i).Name != "Committees" &&
			v.Type().Field(i).Name != "RelatedBills" && v.Type().Field(i).Name != "Publications" {
			t.Errorf("%s is empty", v.Type().Field(i).Name)
		}
	}
	if after := s.do("GET", "/bills/44-1/C-2", "", "If-None-Match", a.Header.Get("ETag")); after.StatusCode != 304 {
		t.Errorf("asked again: %d", after.StatusCode)
	}

	// Lists are never null, and what is not known is.
	a = s.do("GET", "/bills/44-1/C-3", "")
	if b = decode[api.BillDetail](t, a, 200); b.Record.Complete || b.Record.FetchedAt != nil || b.Outcome != nil ||
		b.ReinstatedAs != nil || b.LatestEvent != nil || b.LegislativeSummaryURL != nil {
		t.Errorf("%s", a.body)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(a.body, &fields); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"stages", "votes", "publications", "readings", "decisions", "sittings", "events", "speeches", "committee_meetings",
		"messages", "rulings", "references", "bibliography",
	} {
		if string(fields[name]) != "[]" {
			t.Errorf("%s is %s", name, fields[name])
		}
	}
	for _, name := range []string{
		"outcome", "reinstated_from", "reinstated_as", "latest_event", "senate_pre_study", "legislative_summary_url",
	} {
		if string(fields[name]) != "null" {
			t.Errorf("%s is %s", name, fields[name])
		}
	}
	if b = decode[api.BillDetail](t, s.do("GET", "/bills/44-1/C-5", ""), 200); b.Record.Complete || len(b.Votes) != 1 ||
		b.Outcome != nil {
		t.Errorf("%+v", b)
	}
}
