package parliament_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
)

// TestSummariesLoadNothing takes out of summaries whatever would tell somebody else that they are read.
func TestSummariesLoadNothing(t *testing.T) {
	t.Parallel()
	id, _ := parliament.ParseBillID("44-1", "C-11")
	for in, want := range map[string]string{
		`a<img src="https://t.test/x.gif">b`: `ab`,
		`<img srcset="https://t.test/x 2x" alt="x"><picture><source srcset=//t.test></picture>text`:                                                                  `text`,
		`<p style="background:url(https://t.test)">x</p>`:                                                                                                            `<p>x</p>`,
		`<table background="//t.test"><tr><td background="//t.test" colspan="2">x</td></tr></table>`:                                                                 `<table><tr><td colspan="2">x</td></tr></table>`,
		`<video src=//t.test poster=//t.test></video><audio src=//t.test></audio><embed src=//t.test><object data=//t.test></object><iframe src=//t.test></iframe>x`: `x`,
		`<link rel=stylesheet href=//t.test><style>@import "//t.test"</style><base href=//t.test><svg><image href=//t.test></svg>x`:                                  `x`,
		`<input type=image src=//t.test><body background=//t.test>x`:                                                                                                 `x`,
		`<a href="https://t.test/?a=1&b=2">x</a>`:                                                                                                                    `<a href="https://t.test/?a=1&amp;b=2" rel="nofollow noreferrer">x</a>`,
		`<a href="javascript:alert(1)">x</a><a href="//t.test">y</a><a href="mailto:x@y">z</a><a href="https://parl.ca@t.test/">w</a>`:                               `xyzw`,
		"<div id=\"root\" onclick=x class=a>a\u202eb<br>c\x00</div>":                                                                                                 `<div>ab<br>c </div>`,
		`a&#x202e;b<a href="HTTPS://t.test/">x</a><a href="Http://me@t.test/">y</a>`:                                                                                 `ab<a href="https://t.test/" rel="nofollow noreferrer">x</a>y`,
	} {
		b := parliament.Merge(id, parliament.SourceRecords{Item: &legisinfo.Item{}, Detail: &legisinfo.Detail{SummaryEn: in}})
		if b.Summary.En == nil || strings.ReplaceAll(*b.Summary.En, "<br/>", "<br>") != want {
			t.Errorf("%s is %v, want %s", in, show(b.Summary.En), want)
		}
	}
}

// TestTitlesAreFolded leaves one blank where words are apart, whatever stands between them, and takes none apart.
func TestTitlesAreFolded(t *testing.T) {
	t.Parallel()
	id, _ := parliament.ParseBillID("44-1", "C-11")
	for in, want := range map[string]string{
		"An\vAct\fto\u0085amend\u009bit": "An Act to amend it", "An \u200b Act\u202e": "An Act", "An&#11;Act": "An Act", "\u0646\u0645\u06cc\u200c\u062e\u0648": "\u0646\u0645\u06cc\u200c\u062e\u0648",
	} {
		title, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		item, err := legisinfo.ParseItem(fmt.Appendf(nil, `{"BillId": 1, "LongTitleEn": %s}`, title))
		if b := parliament.Merge(id, parliament.SourceRecords{Item: &item}); err != nil || b.Title.En == nil ||
			*b.Title.En != want {
			t.Errorf("%q is %q, %v, want %q", in, show(b.Title.En), err, want)
		}
	}
}

func show(s *string) string {
	if s == nil {
		return "nil"
	}
	return *s
}

// TestStoredImages are left out of what an older version of the program stored.
func TestStoredImages(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	store := parliament.NewStore(d)
	id, _ := parliament.ParseBillID("44-1", "C-11")
	for _, title := range []string{"One", "Two"} {
		_, err := store.Save(t.Context(), uuid.UUID{1}, []parliament.Record{
			{
				ID: id, FetchedAt: time.Now(),
				SourceRecords: parliament.SourceRecords{
					Item:   &legisinfo.Item{ID: 1, Session: "44-1", Number: "C-11", LongTitleEn: title, Hash: title},
					Detail: &legisinfo.Detail{ID: 1, SummaryEn: "plain " + title},
				},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, sql := range []string{
		`UPDATE bills SET doc = jsonb_set(doc, '{summary,en}', '"a<img src=\"https://t.test/\">b"')`,
		`UPDATE bill_versions
			SET changes = '[{"field": "summary", "from": {"en": "a<img src=\"https://t.test/\">b", "fr": null},
				"to": {"en": null, "fr": "<img src=\"https://t.test/\">"}}]'
			WHERE version = 2`,
	} {
		if _, err := d.Pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	b, err := store.Bill(t.Context(), id)
	if err != nil || show(b.Summary.En) != "ab" {
		t.Errorf("%s, %v", show(b.Summary.En), err)
	}
	versions, err := store.Versions(t.Context(), id, 0, 10)
	if err != nil || len(versions) != 2 || string(versions[0].Changes[0].From) != `{"en":"ab","fr":null}` ||
		strings.Contains(string(versions[0].Changes[0].To), "img") {
		t.Errorf("%+v, %v", versions, err)
	}
}

// TestHostileTexts are made plain, bounded or none in whatever a bill and a politician have.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("Z", 10_000)
	d, err := legisinfo.ParseDetail(
		[]byte(`{"Id": 7, "StatuteYear": 4294969319, "StatuteChapter": 4294967304, "SponsorPersonName": "` + long + `", "ShortLegislativeSummaryEn": "` + strings.Repeat("s", 200_000) + `",
		"BillStages": {"HouseBillStages": [{"BillStageNameEn": "` + long + `", "Committee": {"CommitteeAcronym": "<b>\u202eX", "CommitteeNameEn": "Fish"}, "StateAsOfDate": "9999-12-31T23:59:59-12:00",
		"Sittings": [{"NameEn": "a", "Number": "=cmd|'/c'!A1", "Date": "1066-10-14T00:00:00"}, {"NameEn": "b", "Number": "` + long + `"}]}]}, "WebReferences": [{"TitleEn": "x", "UrlEn": "https://parl.ca@evil.test/"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	s := d.Stages[0]
	if d.Statute != 0 || d.StatuteYear != 0 || len(d.SponsorName) > 500 || len(d.SummaryEn) > 100_100 ||
		len(s.NameEn) > 500 || s.Since != "" || d.Committees[0].Acronym != "" || d.Committees[0].NameEn != "Fish" ||
		d.Sittings[0].Number != "" || d.Sittings[0].Date != "" || d.Sittings[1].Number != "" || d.References[0].URL.En != "" {
		t.Errorf("%+.500v", d)
	}
	for field, value := range map[string]string{
		"LatestActivityDateTime": "9999-12-31T23:59:59-12:00", "PassedHouseFirstReadingDateTime": "9999-12-31T23:30:00-05:00", "ReceivedRoyalAssentDateTime": "1600-01-01T00:00:00", "PassedSenateFirstReadingDateTime": "0000-01-01T00:00:00Z",
	} {
		item, err := legisinfo.ParseItem([]byte(`{"BillId": 1, "LongTitleEn": "An Act", "` + field + `": "` + value + `"}`))
		// the day is lost, and not the bill
		if err != nil || item.LatestActivity+item.HouseFirst+item.SenateFirst+item.RoyalAssent != "" ||
			item.LongTitleEn != "An Act" {
			t.Errorf("%s %s: %+v, %v", field, value, item, err)
		}
		if item, err := legisinfo.ParseItem([]byte(`{"BillId": 1, "` + field + `": "soon"}`)); err == nil {
			t.Errorf("%s soon was taken: %+v", field, item)
		}
	}
	for _, raw := range []string{`{"BillId": 4294967296}`, `{"BillId": 1e308}`, `{"BillId": -5}`} {
		if item, err := legisinfo.ParseItem([]byte(raw)); err == nil {
			t.Errorf("%s was taken: %+v", raw, item)
		}
	}
	for _, day := range []string{"9999-12-31", "0000-01-01", "1066-10-14"} {
		if b, err := openparliament.ParseBill([]byte(`{"introduced": "` + day + `", "number": "C-2"}`)); err != nil ||
			b.Introduced != "" || b.Number != "C-2" {
			t.Errorf("%s: %+v, %v", day, b, err)
		}
	}
	for _, raw := range []string{`{"introduced": "soon"}`, `{"legisinfo_id": -1}`, `{"legisinfo_id": 4294967296}`} {
		if b, err := openparliament.ParseBill([]byte(raw)); err == nil {
			t.Errorf("%s was taken: %+v", raw, b)
		}
	}
	p, err := openparliament.ParsePerson([]byte(
		`{"name": "A` + "\u202e" + long + `", "family_name": "` + long + `", "url": "/politicians/a/", "image": "/x\"><script>", "other_info": {"parl_mp_id": ["99999999999999"]}, "memberships": [{"start_date": "soon", "end_date": "9999-01-01"}, {"start_date": "2015-10-19"}]}`,
	))
	if err != nil || p.PersonID != 0 || p.Image != "" || len(p.Name) > 2100 || p.Memberships[0].Start != "" ||
		p.Memberships[0].End != "" || p.Memberships[1].Start != "2015-10-19" {
		t.Errorf("%+.300v, %v", p, err)
	}
}
