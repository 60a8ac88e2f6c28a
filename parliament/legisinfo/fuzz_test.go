package legisinfo_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

// The records below are made up, in the form of the source's own.
const (
	item = `{"BillId": 77, "BillNumberFormatted": "C-23A", "ParlSessionCode": "39-1", "LongTitleEn": "An Act <sup>o</sup> &amp;", "ShortTitleFr": null, "OriginatingChamberId": 1,
 "SponsorId": 9, "SponsorEn": "Hon. Ada Byron", "LatestActivityDateTime": "2007-05-01T15:04:05.5-04:00", "PassedHouseFirstReadingDateTime": "2007-03-02T10:00:00-05:00",
 "ReceivedRoyalAssentDateTime": "0001-01-01T00:00:00", "SearchScore": 1.5}`
	detail = `{"Id": 77, "NumberCode": "C-23A", "ParliamentNumber": 39, "SessionNumber": 1, "SponsorPersonName": "Ada Byron", "SponsorAffiliationTitleEn": "Minister of Fisheries", "SponsorConstituencyNameEn": "Halifax",
 "IsGovernmentBill": true, "StatuteYear": 2007, "StatuteChapter": 12, "ShortLegislativeSummaryEn": "<div>Fish</div>", "IsSessionOngoing": false, "DidReinstateInNextSession": true, "ReinstatedAsBillDocumentId": 78,
 "ReinstatedAsBillNumberCode": "C-10", "PassedHouseFirstReadingDateTime": "2007-03-02T10:00:00",
 "HouseVoteDetails": [{"DivisionNumber": 7, "DivisionSubjectEn": "Report stage", "DivisionVotesYeas": 144, "DivisionVotesNays": 144, "DivisionVoteTotal": 288, "DecisionResultNameEn": "Tie", "IsTied": true, "DecisionDateTime": "2007-05-01T14:00:00"}],
 "BillStages": {"HouseBillStages": [{"BillStageNameEn": "First reading", "State": 4, "StateAsOfDate": "2007-03-02T10:00:00", "Committee": null, "Sittings": [{"NameEn": "First reading", "Number": "31", "Date": "2007-03-02T00:00:00", "IsPublished": true}],
    "Speeches": [{"EventTypeId": 60152, "PersonId": 9, "PersonName": "Ada Byron", "MeetingNumber": 31, "SpeechDateTime": "2007-03-02T12:27:08.5"}]},
   {"BillStageNameEn": "Consideration in committee", "State": 3, "Committee": {"CommitteeAcronym": "FOPO", "CommitteeNameEn": "Fisheries", "CommitteeNameFr": "Pêches"}, "CommitteeMeetings": [{"CommitteeAcronym": "FOPO", "Number": 4, "Date": "2007-04-01T00:00:00"}],
    "SignificantEvents": [{"EventTypeId": 60124, "EventNameEn": "Committee report presented", "EventDateTime": "2007-04-03T00:00:00", "CommitteeReportNumber": 2}],
    "Decisions": [{"DivisionNumber": 8, "DivisionVotesYeas": 10, "DivisionVotesNays": 2, "DecisionResultNameEn": "Agreed To", "DecisionSittingDate": "2007-05-02T00:00:00", "DecisionSittingNumber": "90"},
     {"DivisionNumber": 9, "DivisionVotesYeas": 1, "DecisionSittingDate": "2007-05-03T00:00:00"}]}],
  "SenateBillStages": [{"State": 1}], "RoyalAssent": {"LastStageEventStartDateTime": "0001-01-01T00:00:00", "Sittings": {"NameEn": "Royal assent", "Number": 16, "Date": "2007-06-01T00:00:00"}},
  "InterChamberMessages": [{"EventNameEn": "Message", "Date": "2007-05-04T10:00:00", "ChamberOrganizationId": 2}]},
 "HouseRulingAndStatements": [{"MeetingNumber": 5, "RulingStatementDateTime": "2007-05-04T15:17:21"}], "WebReferences": [{"TitleEn": "News", "UrlEn": "https://example.ca"}], "BibliographicNotices": [{"Title": "A book", "LanguageId": 1}],
 "Publications": [{"PublicationId": 5}], "SimilarBills": [{"Id": 78, "NumberCode": "C-10", "ParliamentNumber": 40, "SessionNumber": 3}]}`
)

// FuzzParseItem feeds anything through the reader of list items: what it takes has an id, days that are days, and a
// hash that a search's score does not change.
func FuzzParseItem(f *testing.F) {
	for _, s := range []string{
		item, `{"BillId": 1}`, `{"BillId": -1}`, `{"BillId": 1, "SponsorId": 1e99}`, `[]`, `null`,
		`{"BillId": 1, "LatestActivityDateTime": "2007-05-01T15:04:05"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := legisinfo.ParseItem(raw)
		if err != nil {
			return
		}
		if got.ID <= 0 || len(got.Hash) != 32 {
			t.Errorf("%s: id %d, hash %q", raw, got.ID, got.Hash)
		}
		for _, day := range []string{got.HouseFirst, got.SenateFirst, got.RoyalAssent, got.Introduced()} {
			if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
				t.Errorf("%s: day %q", raw, day)
			}
		}
		if _, err := time.Parse(time.RFC3339Nano, got.LatestActivity); got.LatestActivity != "" && err != nil {
			t.Errorf("%s: time %q", raw, got.LatestActivity)
		}
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(raw, &fields); err != nil {
			t.Fatalf("%s was taken, though %v", raw, err)
		}
		fields["SearchScore"] = json.RawMessage("12345")
		scored, err := json.Marshal(fields)
		if err != nil {
			t.Fatal(err)
		}
		// fields that differ in case alone may change places
		if again, err := legisinfo.ParseItem(scored); err == nil && again.Hash != got.Hash {
			t.Errorf("%s: hash %s, with another score %s", raw, got.Hash, again.Hash)
		}
	})
}

// FuzzParseDetail feeds anything through the reader of a bill's own record.
func FuzzParseDetail(f *testing.F) {
	for _, s := range []string{
		detail,
		`{"Id": 1, "BillStages": [[{"x": []}]], "HouseVoteDetails": {"DivisionNumber": 1e3, "DivisionVotesYeas": -4}, "WebReferences": [{"UrlEn": "javascript:x"}]}`,
		`{"Id": 1, "BillStages": null}`, `{"Id": 1, "BillStages": {}}`,
		`{"Id": 1, "Publications": [{}], "SimilarBills": [{}]}`, `{"Id": 0}`, `null`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := legisinfo.ParseDetail(raw)
		if err != nil {
			return
		}
		if got.ID <= 0 {
			t.Errorf("%s: id %d", raw, got.ID)
		}
		for _, s := range got.Stages {
			if s.Chamber != "house" && s.Chamber != "senate" {
				t.Errorf("%s: chamber %q", raw, s.Chamber)
			}
			if _, err := time.Parse(time.DateOnly, s.Since); s.Since != "" && err != nil {
				t.Errorf("%s: day %q", raw, s.Since)
			}
		}
		for _, c := range got.Committees {
			if c.Acronym == "" && c.NameEn == "" {
				t.Errorf("%s: a committee without a name", raw)
			}
		}
		divisions := map[string]bool{}
		for _, v := range got.Votes {
			if id := fmt.Sprint(v.Chamber, v.Session, v.Number); v.Number <= 0 || v.Yeas < 0 || v.Nays < 0 || divisions[id] {
				t.Errorf("%s: division %+v, or it is there twice", raw, v)
			} else {
				divisions[id] = true
			}
			clock(t, v.Date, v.At)
		}
		for _, o := range got.Sittings {
			clock(t, o.Date, "")
		}
		for _, o := range got.Events {
			clock(t, o.Date, o.At)
		}
		for _, o := range got.Speeches {
			clock(t, o.Date, o.At)
			address(t, o.URL)
		}
		for _, o := range got.References {
			address(t, o.URL)
		}
		// What is stored is this record as JSON: it must come back as it was.
		stored, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		var back legisinfo.Detail
		if err := json.Unmarshal(stored, &back); err != nil {
			t.Fatal(err)
		}
		if again, _ := json.Marshal(back); string(again) != string(stored) {
			t.Errorf("stored as %s, read as %s", stored, again)
		}
	})
}

// clock checks a day, and a time of that day.
func clock(t *testing.T, day, at string) {
	t.Helper()
	if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
		t.Errorf("day %q", day)
	}
	if when, err := time.Parse(time.RFC3339Nano, at); at != "" &&
		(err != nil || when.In(legisinfo.Ottawa).Format(time.DateOnly) != day) {
		t.Errorf("time %q of day %q", at, day)
	}
}

// address checks that what a page will link to is of the web.
func address(t *testing.T, u legisinfo.Bilingual) {
	t.Helper()
	for _, s := range []string{u.En, u.Fr} {
		if lower := strings.ToLower(s); s != "" && !strings.HasPrefix(lower, "http://") &&
			!strings.HasPrefix(lower, "https://") {
			t.Errorf("address %q", s)
		}
	}
}
