package parliament_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
)

// narrowable stores a few bills of every type, with what lists are narrowed and sorted by. It is long, because it has a
// line for each bill.
func narrowable(t *testing.T) *parliament.Store {
	t.Helper()
	d := dbtest.New(t)
	s := parliament.NewStore(d)
	heritage := legisinfo.Committee{
		Acronym: "CHPC", Chamber: "house", NameEn: "Standing Committee on Canadian Heritage",
		NameFr: "Comité permanent du patrimoine canadien",
	}
	women := legisinfo.Committee{
		Acronym: "FEWO", Chamber: "house", NameEn: "Standing Committee on the Status of Women",
		NameFr: "Comité permanent de la condition féminine",
	}
	transport := legisinfo.Committee{
		Acronym: "TRCM", Chamber: "senate", NameEn: "Standing Senate Committee on Transport and Communications",
		NameFr: "Comité sénatorial permanent des transports et des communications",
	}
	const (
		houseGov      = "House Government Bill|Projet de loi émanant du gouvernement (Cdc)"
		privateMember = "Private Member’s Bill|Projet de loi émanant d’un député"
		senateGov     = "Senate Government Bill|Projet de loi émanant du gouvernement (Sénat)"
		senatePublic  = "Senate Public Bill|Projet de loi d'intérêt public du Sénat"
		senatePrivate = "Senate Private Bill|Projet de loi d'intérêt privé (Sénat)"
	)
	for i, b := range []struct {
		session, number, kind, introduced, activity, sponsor string
		person                                               int
		committees                                           []legisinfo.Committee
	}{
		{"44-1", "C-11", houseGov, "2022-02-02", "2023-04-27T14:00:00-04:00", "Hon. Pablo Rodriguez", 25451, []legisinfo.Committee{heritage, transport}},
		{"44-1", "C-110", houseGov, "2022-02-02", "2023-04-27T18:00:00Z", "Hon. François-Philippe Champagne", 88633, nil}, // the same moment as C-11
		{"44-1", "C-230", privateMember, "2021-12-31", "", "Élise O'Brien", 0, []legisinfo.Committee{women}},
		{"43-2", "C-11", houseGov, "2020-11-17", "2021-01-05T10:00:00-05:00", "Hon. Navdeep Bains", 59237, nil},
		{"44-1", "S-2", senateGov, "2022-01-01", "2022-06-01T09:30:00-04:00", "Hon. Marc Gold", 88888, []legisinfo.Committee{transport}},
		{"44-1", "S-210", senatePublic, "", "2024-02-30T00:00:00Z", "Hon. Julie Miville-Dechêne", 77777, nil}, // no such day
		{"44-1", "S-1001", senatePrivate, "2022-12-31", "2022-12-31T23:00:00-05:00", "Hon. Marc Gold", 88888, nil},
	} {
		id, err := parliament.ParseBillID(b.session, b.number)
		if err != nil {
			t.Fatal(err)
		}
		en, fr, _ := strings.Cut(b.kind, "|")
		chamber := "house"
		if strings.HasPrefix(b.number, "S") {
			chamber = "senate"
		}
		item := &legisinfo.Item{ID: i + 1, Session: b.session, Number: b.number, LongTitleEn: "An Act about 11 things",
			TypeEn: en, TypeFr: fr, Chamber: chamber, HouseFirst: b.introduced, LatestActivity: b.activity,
			SponsorID: b.person, SponsorName: b.sponsor, Hash: "x"}
		record := parliament.Record{
			ID: id, FetchedAt: time.Now(),
			SourceRecords: parliament.SourceRecords{
				Item: item,
				Detail: &legisinfo.Detail{
					ID: i + 1, ItemHash: "x", Reader: legisinfo.Reader, Committees: b.committees,
					Government: strings.Contains(en, "Government"),
				},
			},
		}
		if _, err := s.Save(t.Context(), uuid.Must(uuid.NewV7()), []parliament.Record{record}); err != nil {
			t.Fatal(err)
		}
	}
	m := openparliament.Member{
		Slug: "pablo-rodriguez", Name: "Pablo Rodriguez", Party: "Liberal", Riding: "Honoré-Mercier", Province: "QC",
	}
	p := parliament.PoliticianOf(m, &openparliament.Person{
		Slug: m.Slug, Name: m.Name, GivenName: "Pablo", FamilyName: "Rodriguez", PersonID: 25451,
	})
	if _, err := s.SavePolitician(t.Context(), uuid.UUID{1}, m, p, true); err != nil {
		t.Fatal(err)
	}
	dbtest.Settled(t, d) // changes show in the order of their commits
	return s
}

func idsOf(bills []parliament.StoredBill) string {
	ids := make([]string, len(bills))
	for i, b := range bills {
		ids[i] = b.ID
	}
	return strings.Join(ids, " ")
}

// TestBillsNarrowed narrows lists and exports by what people type.
func TestBillsNarrowed(t *testing.T) {
	t.Parallel()
	s := narrowable(t)
	const (
		government = "44-1/C-11 44-1/C-110 44-1/S-2 43-2/C-11"
		senate     = "44-1/S-1001 44-1/S-2 44-1/S-210"
		house      = "44-1/C-11 44-1/C-110 44-1/C-230 43-2/C-11"
	)
	type filter = parliament.BillFilter
	for _, c := range []struct {
		filters []filter
		want    string
	}{
		{[]filter{{Type: "government"}, {Type: "Government Bill"}, {Type: "GOVERNMENT bills"}, {Type: "gouvernement"}, {Type: "Projet de loi émanant du gouvernement"}, {Type: "projet de loi emanant du Gouvernement"}}, government},
		{[]filter{{Type: "House Government Bill"}, {Type: "house-government"}, {Type: "house_government_bill"}, {Type: "Projet de loi émanant du gouvernement (Cdc)"}, {Type: "government", Chamber: "House of Commons"}}, "44-1/C-11 44-1/C-110 43-2/C-11"},
		{[]filter{{Type: "private member's"}, {Type: "Private Member’s Bill"}, {Type: "private-member"}, {Type: "private_member"}, {Type: "private members' bills"}, {Type: "Projet de loi émanant d'un député"}, {Type: "députés"}}, "44-1/C-230"},
		{[]filter{{Type: "senate public bill"}, {Type: "d’intérêt public"}, {Type: "public"}}, "44-1/S-210"},
		{[]filter{{Type: "Senate Private Bill"}, {Type: "intérêt privé"}}, "44-1/S-1001"},
		{[]filter{{Type: "House Private Bill"}}, ""},
		{[]filter{{Chamber: "senate"}, {Chamber: "Senate"}, {Chamber: "Sénat"}, {Chamber: " le SENAT "}, {Chamber: "the Senate of Canada"}, {Chamber: "Sénat du Canada"}}, senate},
		{[]filter{{Chamber: "house"}, {Chamber: "House of Commons"}, {Chamber: "the house of commons"}, {Chamber: "Chambre des communes"}, {Chamber: "La Chambre"}, {Chamber: "Commons"}}, house},
		{[]filter{{Year: 2022}}, "44-1/S-1001 44-1/C-11 44-1/C-110 44-1/S-2"},
		{[]filter{{Year: 2021}}, "44-1/C-230"},
		{[]filter{{Year: 1999}, {Year: 1}}, ""},
		{[]filter{{Committee: "CHPC"}, {Committee: "chpc"}, {Committee: "Canadian Heritage"}, {Committee: "Standing Committee on Canadian Heritage"}, {Committee: "patrimoine canadien"}, {Committee: "Comité permanent du patrimoine canadien"}}, "44-1/C-11"},
		{[]filter{{Committee: "Status of Women"}, {Committee: "the status of women"}, {Committee: "CONDITION FEMININE"}}, "44-1/C-230"},
		{[]filter{{Committee: "trcm"}, {Committee: "Transport and Communications"}, {Committee: "Comité sénatorial permanent des transports et des communications"}}, "44-1/C-11 44-1/S-2"},
		{[]filter{{Committee: "XXXX"}, {Committee: "heritage"}, {Committee: "%"}, {Committee: "--"}}, ""},
		{[]filter{{Sponsor: "pablo-rodriguez"}, {Sponsor: "Pablo Rodríguez"}, {Sponsor: "RODRIGUEZ, Pablo"}, {Sponsor: "Hon. Pablo Rodriguez"}, {Sponsor: "25451"}, {Sponsor: " Pablo-Rodriguez"}}, "44-1/C-11"},
		{[]filter{{Sponsor: "Marc Gold"}, {Sponsor: "marc-gold"}, {Sponsor: "the Honourable Marc Gold"}, {Sponsor: "88888"}}, "44-1/S-1001 44-1/S-2"},
		{[]filter{{Sponsor: "Elise O’Brien"}, {Sponsor: "élise o'brien"}}, "44-1/C-230"},
		{[]filter{{Sponsor: "Gold"}, {Sponsor: "nobody"}, {Sponsor: "-1"}, {Sponsor: "0"}, {Sponsor: "%"}, {Sponsor: "Hon."}}, ""},
		{[]filter{{Q: "c11"}, {Q: "C 11"}, {Q: "c-11"}, {Q: "C–11"}, {Q: "11"}, {Q: "bill 11"}}, "44-1/C-11 43-2/C-11"},
		{[]filter{{Q: "C-11 44-1"}, {Q: "44-1/c11"}, {Q: "11", Parliament: 44, Session: 1}, {Q: "c11", Year: 2022}}, "44-1/C-11"},
		{[]filter{{Q: "C-11, S-2"}, {Q: "c11 s2"}}, "44-1/C-11 44-1/S-2 43-2/C-11"},
		{[]filter{{Q: "23"}, {Q: "c23"}}, "44-1/C-230"}, // no bill is 23: as far as it was typed
		{[]filter{{Type: "government", Chamber: "senate", Year: 2022, Committee: "TRCM", Sponsor: "marc gold"}}, "44-1/S-2"},
	} {
		for _, f := range c.filters {
			f.Limit = 100
			bills, err := s.Bills(t.Context(), f)
			if err != nil || idsOf(bills) != c.want {
				t.Errorf("%+v: %q, %v, want %q", f, idsOf(bills), err, c.want)
			}
			exported, err := s.Export(t.Context(), f, "", 100)
			want := strings.Fields(c.want)
			slices.Sort(want)
			if got := strings.Fields(idsOf(exported)); err != nil || !slices.Equal(got, want) {
				t.Errorf("export %+v: %v, %v, want %v", f, got, err, want)
			}
		}
	}
	for _, c := range []struct {
		f     filter
		field string
	}{
		{filter{Type: "pro forma"}, "type"}, {filter{Type: "bill"}, "type"}, {filter{Type: "%"}, "type"}, {filter{Type: "government private"}, "type"},
		{filter{Chamber: "lords"}, "chamber"}, {filter{Chamber: "?"}, "chamber"},
	} {
		var wrong *parliament.FilterError
		if _, err := s.Bills(t.Context(), c.f); !errors.As(err, &wrong) || wrong.Field != c.field ||
			!strings.Contains(wrong.Detail, "want ") {
			t.Errorf("%+v: %v, want a fault of %s", c.f, err, c.field)
		}
	}
}

// TestBillsSorted reads every order in pages of each size: nothing is left out or given twice.
func TestBillsSorted(t *testing.T) {
	t.Parallel()
	s := narrowable(t)
	// Two bills are updated in one transaction, so at the same moment.
	var again []parliament.Record
	for _, number := range []string{"C-230", "C-11"} {
		id, err := parliament.ParseBillID("44-1", number)
		if err != nil {
			t.Fatal(err)
		}
		held, err := s.Held(t.Context(), []string{id.String()})
		if err != nil {
			t.Fatal(err)
		}
		parts := held[id.String()]
		item := *parts.Item
		item.LongTitleEn, item.Hash = "Another title", "y"
		again = append(again, parliament.Record{
			ID: id, FetchedAt: time.Now(), SourceRecords: parliament.SourceRecords{Item: &item},
		})
	}
	if _, err := s.Save(t.Context(), uuid.Must(uuid.NewV7()), again); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sort      string
		ascending bool
		want      string
	}{
		{"", false, "44-1/S-1001 44-1/C-11 44-1/C-110 44-1/S-2 44-1/C-230 43-2/C-11 44-1/S-210"},
		{parliament.ByIntroduction, false, "44-1/S-1001 44-1/C-11 44-1/C-110 44-1/S-2 44-1/C-230 43-2/C-11 44-1/S-210"},
		{parliament.ByIntroduction, true, "43-2/C-11 44-1/C-230 44-1/S-2 44-1/C-11 44-1/C-110 44-1/S-1001 44-1/S-210"},
		{parliament.ByLatestActivity, false, "44-1/C-11 44-1/C-110 44-1/S-1001 44-1/S-2 43-2/C-11 44-1/C-230 44-1/S-210"},
		{parliament.ByLatestActivity, true, "43-2/C-11 44-1/S-2 44-1/S-1001 44-1/C-11 44-1/C-110 44-1/C-230 44-1/S-210"},
		{parliament.ByUpdate, false, "44-1/C-11 44-1/C-230 44-1/S-1001 44-1/S-210 44-1/S-2 43-2/C-11 44-1/C-110"},
		{parliament.ByUpdate, true, "44-1/C-110 43-2/C-11 44-1/S-2 44-1/S-210 44-1/S-1001 44-1/C-11 44-1/C-230"},
	} {
		for size := 1; size <= 8; size++ {
			t.Run(fmt.Sprintf("%s, ascending %t, %d a page", c.sort, c.ascending, size), func(t *testing.T) {
				t.Parallel()
				var all []parliament.StoredBill
				f := parliament.BillFilter{Sort: c.sort, Ascending: c.ascending, Limit: size}
				for {
					bills, err := s.Bills(t.Context(), f)
					if err != nil {
						t.Fatal(err)
					}
					if all = append(all, bills...); len(bills) < size || len(all) > 20 {
						break
					}
					last := bills[size-1].Cursor(c.sort)
					f.After = &last
				}
				if got := idsOf(all); got != c.want {
					t.Errorf("%s\nwant %s", got, c.want)
				}
			})
		}
	}
}

// TestChangesNarrowed follows the changes of some bills.
func TestChangesNarrowed(t *testing.T) {
	t.Parallel()
	s := narrowable(t)
	for _, c := range []struct {
		f    parliament.BillFilter
		want string
	}{
		{parliament.BillFilter{Chamber: "Sénat"}, "44-1/S-2 44-1/S-210 44-1/S-1001"},
		{parliament.BillFilter{Parliament: 43, Session: 2}, "43-2/C-11"},
		{parliament.BillFilter{Committee: "trcm", Sponsor: "Marc Gold"}, "44-1/S-2"},
		{parliament.BillFilter{Type: "private member's"}, "44-1/C-230"},
		{parliament.BillFilter{Year: 2022}, "44-1/C-11 44-1/C-110 44-1/S-2 44-1/S-1001"},
	} {
		var got []string
		at := parliament.ChangeCursor{}
		for {
			changes, next, err := s.Changes(t.Context(), c.f, at, 2)
			if err != nil {
				t.Fatal(err)
			}
			for _, change := range changes {
				got = append(got, change.BillID)
			}
			if at = next; len(changes) < 2 {
				break
			}
		}
		want := strings.Fields(c.want)
		if slices.Sort(got); !slices.Equal(got, slices.Sorted(slices.Values(want))) {
			t.Errorf("%+v: %v, want %v", c.f, got, want)
		}
	}
}
