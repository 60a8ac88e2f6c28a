package parliament_test

import (
	"encoding/json"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
)

func billID(t testing.TB, session, number string) parliament.BillID {
	t.Helper()
	id, err := parliament.ParseBillID(session, number)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// The records below are made up, in the form of the sources' own.
const listItem = `{"BillId": 77, "BillNumberFormatted": "C-23A", "ParlSessionCode": "39-1", "LongTitleEn": "An Act  to amend the Fisheries &amp; Oceans Act", "LongTitleFr": "Loi n<sup>o</sup>&nbsp;2 modifiant la <i>Loi</i>",
 "ShortTitleEn": "", "ShortTitleFr": null, "OriginatingChamberId": 1, "BillTypeEn": "House Government Bill", "BillTypeFr": "Projet de loi émanant du gouvernement (Cdc)",
 "CurrentStatusEn": "Referred to committee before second reading in the House of Commons", "CurrentStatusFr": "Renvoyé", "SponsorId": 9, "SponsorEn": "Hon. Ada Byron",
 "LatestActivityDateTime": "2007-05-01T15:04:05.5-04:00", "PassedHouseFirstReadingDateTime": "2007-03-02T10:00:00-05:00", "PassedSenateFirstReadingDateTime": null, "ReceivedRoyalAssentDateTime": null,
 "SearchScore": 1.5, "IsFromCurrentSession": true}`

const detail = `{"Id": 77, "SponsorPersonName": "Ada Byron", "SponsorPersonShortHonorificEn": "Hon.", "SponsorPersonShortHonorificFr": "L'hon.",
 "SponsorAffiliationTitleEn": "Minister of  Fisheries", "SponsorAffiliationTitleFr": "ministre des Pêches", "SponsorAffiliationRoleNameEn": "Minister", "SponsorConstituencyNameEn": "Lac-Saint-Jean", "SponsorConstituencyNameFr": "Lac-Saint-Jean", "IsGovernmentBill": true, "StatuteYear": 2007, "StatuteChapter": 12,
 "ShortLegislativeSummaryEn": "<div onclick=\"x()\">Fish<script>alert(1)</script> &amp; boats<br></div>", "ShortLegislativeSummaryFr": "<div> &nbsp; </div>",
 "BillStages": {"HouseBillStages": [{"Committee": null}, {"Committee": {"CommitteeAcronym": "FOPO", "CommitteeNameEn": "Fisheries", "CommitteeNameFr": "Pêches"}}, {"Committee": {"CommitteeAcronym": "FOPO", "CommitteeNameEn": "Fisheries", "CommitteeNameFr": "Pêches"}}],
                "SenateBillStages": [{"Committee": {"CommitteeAcronym": "AGFO", "CommitteeNameEn": "Agriculture", "CommitteeNameFr": "Agriculture", "IsHouseOfCommonsCommittee": true}}]},
 "Publications": [{"PublicationId": 5}, {"PublicationId": 6}],
 "SimilarBills": [{"NumberCode": "C-10", "ParliamentNumber": 40, "SessionNumber": 3}, {"NumberCode": "C-2", "ParliamentNumber": 38, "SessionNumber": 1}, {"NumberCode": "C-10", "ParliamentNumber": 40, "SessionNumber": 3}, {"NumberCode": "C-23A", "ParliamentNumber": 39, "SessionNumber": 1}]}`

func parts(t testing.TB) parliament.SourceRecords {
	t.Helper()
	item, err := legisinfo.ParseItem([]byte(listItem))
	if err != nil {
		t.Fatal(err)
	}
	d, err := legisinfo.ParseDetail([]byte(detail))
	if err != nil {
		t.Fatal(err)
	}
	d.ItemHash = item.Hash
	op, err := openparliament.ParseBill([]byte(
		`{"session": "39-1", "number": "C-23A", "legisinfo_id": 77, "introduced": "2007-03-02", "name": {"en": "An Act", "fr": "Loi"}, "url": "/bills/39-1/C-23A/"}`,
	))
	if err != nil {
		t.Fatal(err)
	}
	return parliament.SourceRecords{OpenParliament: &op, Item: &item, Detail: d}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		parts parliament.SourceRecords
		want  string
	}{
		"everything": {parts(t), `{"id":"39-1/C-23A","jurisdiction":"ca-federal","parliament":39,"session":1,"number":"C-23A",
 "title":{"en":"An Act to amend the Fisheries & Oceans Act","fr":"Loi nº 2 modifiant la Loi"},"short_title":{"en":null,"fr":null},"home_chamber":"house",
 "bill_type":{"en":"House Government Bill","fr":"Projet de loi émanant du gouvernement (Cdc)"},"government_bill":true,"private_member_bill":false,"introduced_on":"2007-03-02",
 "status":{"code":null,"en":"Referred to committee before second reading in the House of Commons","fr":"Renvoyé"},"latest_activity_at":"2007-05-01T15:04:05.5-04:00","law":false,"royal_assent_on":null,
 "statute":{"year":2007,"chapter":12},"sponsor":{"person_id":9,"name":"Ada Byron","honorific":{"en":"Hon.","fr":"L'hon."},"office":{"en":"Minister of Fisheries","fr":"ministre des Pêches"},"riding":{"en":"Lac-Saint-Jean","fr":"Lac-Saint-Jean"},"politician":null},
 "committees":[{"acronym":"FOPO","chamber":"house","name":{"en":"Fisheries","fr":"Pêches"}},{"acronym":"AGFO","chamber":"senate","name":{"en":"Agriculture","fr":"Agriculture"}}],
 "related_bills":["38-1/C-2","40-3/C-10"],"summary":{"en":"<div>Fish &amp; boats<br></div>","fr":null},"legisinfo_id":77,"legisinfo_url":"https://www.parl.ca/legisinfo/en/bill/39-1/c-23a",
 "openparliament_url":"https://openparliament.ca/bills/39-1/C-23A/","text_url":"https://www.parl.ca/DocumentViewer/en/6"}`},
		"openparliament alone": {parliament.SourceRecords{OpenParliament: parts(t).OpenParliament}, `{"id":"39-1/C-23A","jurisdiction":"ca-federal","parliament":39,"session":1,"number":"C-23A",
 "title":{"en":"An Act","fr":"Loi"},"short_title":{"en":null,"fr":null},"home_chamber":"house","bill_type":{"en":null,"fr":null},"government_bill":true,"private_member_bill":false,"introduced_on":"2007-03-02",
 "status":{"code":null,"en":null,"fr":null},"latest_activity_at":null,"law":false,"royal_assent_on":null,"statute":null,"sponsor":null,"committees":[],"related_bills":[],"summary":{"en":null,"fr":null},
 "legisinfo_id":77,"legisinfo_url":"https://www.parl.ca/legisinfo/en/bill/39-1/c-23a","openparliament_url":"https://openparliament.ca/bills/39-1/C-23A/","text_url":null}`},
		"LEGISinfo's list alone": {parliament.SourceRecords{Item: &legisinfo.Item{ID: 3, SponsorName: "Right Hon. Ada Byron", RoyalAssent: "2001-02-03", StatusEn: "Royal assent received", SenateFirst: "2000-01-01", HouseFirst: "2000-01-02", TypeEn: "Private Member’s Bill"}},
			`{"id":"39-1/C-23A","jurisdiction":"ca-federal","parliament":39,"session":1,"number":"C-23A",
 "title":{"en":null,"fr":null},"short_title":{"en":null,"fr":null},"home_chamber":"house","bill_type":{"en":"Private Member’s Bill","fr":null},"government_bill":false,"private_member_bill":true,"introduced_on":"2000-01-01",
 "status":{"code":"RoyalAssentGiven","en":"Royal assent received","fr":null},"latest_activity_at":null,"law":true,"royal_assent_on":"2001-02-03","statute":null,
 "sponsor":{"person_id":null,"name":"Ada Byron","honorific":{"en":null,"fr":null},"office":{"en":null,"fr":null},"riding":{"en":null,"fr":null},"politician":null},"committees":[],"related_bills":[],"summary":{"en":null,"fr":null},
 "legisinfo_id":3,"legisinfo_url":"https://www.parl.ca/legisinfo/en/bill/39-1/c-23a","openparliament_url":null,"text_url":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(parliament.Merge(billID(t, "39-1", "c-23a"), c.parts))
			if err != nil {
				t.Fatal(err)
			}
			var g, w map[string]json.RawMessage
			if err := json.Unmarshal(got, &g); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(c.want), &w); err != nil {
				t.Fatal(err)
			}
			if len(g) != len(w) {
				t.Errorf("%d fields, want %d", len(g), len(w))
			}
			for field := range w {
				var a, b any
				_ = json.Unmarshal(g[field], &a)
				_ = json.Unmarshal(w[field], &b)
				x, _ := json.Marshal(a)
				y, _ := json.Marshal(b)
				if string(x) != string(y) {
					t.Errorf("%s = %s, want %s", field, x, y)
				}
			}
		})
	}
}

func TestPartsEnriched(t *testing.T) {
	t.Parallel()
	p := parts(t)
	if !p.Enriched() {
		t.Error("the detail is of this item")
	}
	changed := *p.Item
	changed.Hash = "other"
	p.Item = &changed
	if p.Enriched() {
		t.Error("the item has changed since")
	}
}

func TestParseBillID(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"44-1/c-11": "44-1/C-11", "36-1/C-23A": "36-1/C-23A", "45-1/s-1001": "45-1/S-1001",
	} {
		session, number, _ := cut(in)
		if id, err := parliament.ParseBillID(session, number); err != nil || id.String() != want {
			t.Errorf("%s: %v %v", in, id, err)
		}
	}
	for _, in := range []string{
		"44/C-11", "44-1/X-11", "44-1/C11", "44-1/C-0", "44-1/", "0-1/C-1", "44-1/C-99999999999999999999", "44-1/C-1\x00",
	} {
		session, number, _ := cut(in)
		if id, err := parliament.ParseBillID(session, number); err == nil {
			t.Errorf("%q: %v", in, id)
		}
	}
}

func cut(s string) (string, string, bool) {
	for i := range len(s) {
		if s[i] == '/' {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// FuzzMerge feeds records of any content through the parsers and the merge: what can be read must give a bill that
// can be stored.
func FuzzMerge(f *testing.F) {
	f.Add([]byte(listItem), []byte(detail))
	f.Add([]byte(`{"BillId": 1, "LongTitleEn": "\u0000<sup>o</sup>"}`), []byte(`{"Id": 1, "BillStages": null}`))
	f.Fuzz(func(t *testing.T, rawItem, rawDetail []byte) {
		var p parliament.SourceRecords
		if item, err := legisinfo.ParseItem(rawItem); err == nil {
			p.Item = &item
		}
		if d, err := legisinfo.ParseDetail(rawDetail); err == nil {
			p.Detail = d
		}
		b := parliament.Merge(parliament.BillID{Parliament: 44, Session: 1, Prefix: "C", Digits: 11}, p)
		if b.Committees == nil || b.RelatedBills == nil {
			t.Error("a list is null")
		}
		one, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		two, err := json.Marshal(parliament.Merge(parliament.BillID{Parliament: 44, Session: 1, Prefix: "C", Digits: 11}, p))
		if err != nil || string(one) != string(two) {
			t.Errorf("the same parts gave another bill: %s, %s", one, two)
		}
	})
}
