package parliament_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

// aBill is a made-up bill to be searched for. Its texts are written as the sources write theirs: with all kinds of
// hyphens, apostrophes, quotation marks, blanks and ligatures.
type aBill struct{ session, number, shortEn, shortFr, titleEn, titleFr, summaryFr string }

var searched = []aBill{
	{"45-1", "C-2", "Strong Borders Act", "Loi visant une frontière forte", "An Act respecting the security of the border", "Loi concernant la sécurité de la frontière", ""},
	{"45-1", "C-3", "", "", "An Act to amend the Citizenship Act (2025)", "Loi modifiant la Loi sur la citoyenneté (2025)", ""},
	{"45-1", "C-4", "Affordability Act", "Loi sur l’abordabilité", "An Act respecting certain affordability measures", "Loi concernant certaines mesures d’abordabilité", ""},
	{"45-1", "C-11", "Military Justice Act", "Loi sur la justice militaire", "An Act to amend the National Defence Act", "Loi modifiant la Loi sur la défense nationale", ""},
	{"45-1", "S-6", "", "", "An Act to implement the Canada—Newfoundland and Labrador Accord", "Loi de mise en œuvre de l’Accord Canada—Terre‑Neuve‑et‑Labrador", ""},
	{"44-1", "C-11", "Online Streaming Act", "Loi sur la diffusion continue en ligne", "An Act to amend the Broadcasting Act and to make related amendments", "Loi modifiant la Loi sur la radiodiffusion", ""},
	{"44-1", "C-18", "Online News Act", "Loi sur les nouvelles en ligne", "An Act respecting online communications platforms that make news available", "Loi concernant les plateformes de communication en ligne", ""},
	{"44-1", "S-203", "Federal Framework on Autism Act", "Loi relative au cadre fédéral sur l'autisme", "An Act respecting autism spectrum disorder", "Loi concernant le trouble du spectre de l’autisme", ""},
	{"44-1", "C-203", "", "", "An Act to amend the Criminal Code (assault)", "Loi modifiant le Code criminel (voies de fait)", ""},
	{"44-1", "C-204", "", "", "An Act to amend the Criminal Code", "Loi modifiant le Code criminel", ""},
	{"43-2", "C-204", "", "", "An Act to amend the Criminal Code", "Loi modifiant le «\u00a0Code\u202fcriminel\u00a0»", ""},
	{"43-2", "C-11", "Digital Charter Act", "Loi sur la charte du numérique", "An Act to enact the Consumer Privacy Act", "Loi édictant la Loi sur la vie privée des consommateurs", ""},
	{"43-2", "C-18", "", "", "An Act to implement the Canada-United Kingdom Agreement", "Loi portant mise en oeuvre de l'Accord Canada–Royaume-Uni", ""},
	{"43-2", "C-205", "", "", "An Act respecting the environment", "Loi concernant l’environnement", "<p>La pr\u00e9sente loi prot\u00e8ge l&#39;environnement jusqu\u2019\u00e0 la fin.</p>"},
	{"43-2", "C-206", "", "", "An Act respecting plants", "Loi concernant l'environnement et les plantes", ""},
	{"43-2", "C-207", "", "", "An Act respecting the state", "Loi concernant l’État et l’eau", ""},
	{"43-2", "C-208", "", "", "An Act respecting the state’s assets", "Loi concernant l'état des biens", ""},
	{"43-2", "C-209", "", "", "An Act respecting children’s and veterans’ health", "Loi sur la santé d’enfants", ""},
	{"43-2", "C-210", "", "", "An Act respecting firearms\u00a0owners", "Loi concernant les armes à feu", ""},
	{"43-2", "C-211", "", "", "An Act respecting re\u00adinsurance", "Loi sur l'assurance\u2011emploi", ""},
	{"43-2", "C-212", "", "", "An Act respecting the o\ufb03ce of a \u201cchief actuary\u201d", "Loi concernant le bureau de l’actuaire", ""},
	{"39-1", "C-23A", "", "", "An Act to amend another Act", "Loi modifiant une autre loi", ""},
	{"39-1", "C-1250", "", "", "An Act respecting streaming in rivers", "Loi concernant les courants", ""},
	{"39-1", "C-2022", "", "", "An Act respecting nothing in 1999", "Loi concernant rien en 1999", ""},
}

func searchable(t testing.TB) (*parliament.Store, *db.DB) {
	t.Helper()
	d := dbtest.New(t)
	s := parliament.NewStore(d)
	var records []parliament.Record
	for i, b := range searched {
		item := &legisinfo.Item{ID: i + 1, Session: b.session, Number: b.number, ShortTitleEn: b.shortEn,
			ShortTitleFr: b.shortFr, LongTitleEn: b.titleEn, LongTitleFr: b.titleFr,
			HouseFirst: fmt.Sprintf(
				"20%s-02-%02d", b.session[:2], i+1,
			), StatusEn: "At second reading in the House of Commons", TypeEn: "House Government Bill", Hash: "1"}
		detail := &legisinfo.Detail{ItemHash: "1", ID: i + 1, Reader: legisinfo.Reader, SummaryFr: b.summaryFr}
		records = append(records, parliament.Record{
			ID: billID(t, b.session, b.number), SourceRecords: parliament.SourceRecords{Item: item, Detail: detail},
			FetchedAt: time.Now(),
		})
	}
	if _, err := s.Save(t.Context(), newRun(t), records); err != nil {
		t.Fatal(err)
	}
	return s, d
}

func ids(r *parliament.SearchResult) []string {
	out := []string{}
	for _, h := range r.Hits {
		out = append(out, h.Bill.ID)
	}
	return out
}

// The bills that queries below find.
const (
	elevens   = "45-1/C-11 44-1/C-11 43-2/C-11"
	eighteens = "44-1/C-18 43-2/C-18"
	both      = "45-1/C-11 44-1/C-11 44-1/C-18 43-2/C-11 43-2/C-18"
	code      = "44-1/C-203 44-1/C-204 43-2/C-204"
	nature    = "43-2/C-205 43-2/C-206"
)

// TestSearchAsTyped searches with queries as phones, word processors and people write them. Results for numbers alone
// have this order.
func TestSearchAsTyped(t *testing.T) {
	t.Parallel()
	s, _ := searchable(t)
	for _, q := range []struct {
		q, want string
		exact   bool
	}{
		// Hyphens.
		{"C-11", elevens, true},
		{"C\u201011", elevens, true},
		{"C\u201111", elevens, true},
		{"C\u201211", elevens, true},
		{"C\u201311", elevens, true},
		{"C\u201411", elevens, true},
		{"C\u201511", elevens, true},
		{"C\u221211", elevens, true},
		{"C\ufe5811", elevens, true},
		{"C\ufe6311", elevens, true},
		{"C\uff0d11", elevens, true},
		{"C\u00ad3", "45-1/C-3", true},
		{"c\u00ad11", elevens, true},
		{"S\u20136", "45-1/S-6", true},
		{"S\u00ad6", "45-1/S-6", true},
		{"\uff23\uff0d\uff11\uff11", elevens, true},
		{"C\u200b-\u206011\ufeff", elevens, true},
		{"assurance-emploi", "43-2/C-211", false},
		{"assurance\u2011emploi", "43-2/C-211", false},
		{"assurance\u2013emploi", "43-2/C-211", false},
		{"assur\u00adance emploi", "43-2/C-211", false},
		{"reinsurance", "43-2/C-211", false},
		{"terre-neuve", "45-1/S-6", false},
		{"terre neuve-et\u2212labrador", "45-1/S-6", false},
		{"canada\u2014terre-neuve", "45-1/S-6", false},
		{"canada-newfoundland", "45-1/S-6", false},
		// Apostrophes.
		{"l'environnement", nature, false},
		{"l\u2019environnement", nature, false},
		{"L\u2018ENVIRONNEMENT", nature, false},
		{"l\u02bcenvironnement", nature, false},
		{"l\u2032environnement", nature, false},
		{"l\uff07environnement", nature, false},
		{"l`environnement", nature, false},
		{"l\u00b4environnement", nature, false},
		{"l environnement", nature, false},
		{"l\u2019État", "43-2/C-207 43-2/C-208", false},
		{"l'etat", "43-2/C-207 43-2/C-208", false},
		{"d\u2019abordabilité", "45-1/C-4", false},
		{"jusqu'à", "43-2/C-205", false},
		{"jusqu\u2019a", "43-2/C-205", false},
		{"children\u2019s", "43-2/C-209", false},
		{"children's health", "43-2/C-209", false},
		{"childrens health", "43-2/C-209", false},
		{"veterans\u2019", "43-2/C-209", false},
		// Quotation marks.
		{`"Code criminel"`, code, false},
		{"« Code criminel »", code, false},
		{"«\u00a0Code\u202fcriminel\u00a0»", code, false},
		{"“Code criminel”", code, false},
		{"„Code criminel“", code, false},
		{"‹Code criminel›", code, false},
		{"‟Code criminel„", code, false},
		{"＂Code criminel＂", code, false},
		{"″Code criminel″", code, false},
		{"‘Code criminel’", code, false},
		{"'Code criminel'", code, false},
		{"»Code criminel«", code, false},
		{`"criminel Code"`, "", false},
		{"« criminel Code »", "", false},
		{`"Code criminel`, code, false},
		{`Code" criminel`, code, false},
		{"« l’environnement »", nature, false},
		{"“chief actuary”", "43-2/C-212", false},
		// Ligatures, accents, white space, width, case.
		{"mise en oeuvre", "45-1/S-6 43-2/C-18", false},
		{"mise en œuvre", "45-1/S-6 43-2/C-18", false},
		{"MISE EN ŒUVRE", "45-1/S-6 43-2/C-18", false},
		{"office actuary", "43-2/C-212", false},
		{"o\ufb03ce actuary", "43-2/C-212", false},
		{"frontie\u0300re forte", "45-1/C-2", false},
		{"FRONTIÈRE\u2009FORTE", "45-1/C-2", false},
		{"frontiere\u3000forte", "45-1/C-2", false},
		{"firearms owners", "43-2/C-210", false},
		{"ｆｉｒｅａｒｍｓ", "43-2/C-210", false},
		{"fire\u200barms", "43-2/C-210", false},
		// Numbers.
		{"c11", elevens, true},
		{"C 11", elevens, true},
		{"C.11", elevens, true},
		{"c_11", elevens, true},
		{"C - 11", elevens, true},
		{"C-011", elevens, true},
		{"bill c-11", elevens, true},
		{"Bill C–11", elevens, true},
		{"projet de loi C-11", elevens, true},
		{"le projet de loi C‑11", elevens, true},
		{`"C-11"`, elevens, true},
		{"« C-11 »", elevens, true},
		{"C-2 C-3 C-4", "45-1/C-2 45-1/C-3 45-1/C-4", true},
		{"C-4, C-3, C-2", "45-1/C-4 45-1/C-3 45-1/C-2", true},
		{"C-2, 3 and 4", "45-1/C-2 45-1/C-3 45-1/C-4", true},
		{"C-11 C-18", both, true},
		{"C-11/C-18", both, true},
		{"C-11,C-18", both, true},
		{"C-11 and C-18", both, true},
		{"C-11 et C-18", both, true},
		{"C-11 & C-18", both, true},
		{"C‑11–C‑18", both, true},
		{"C-18; S-203", "44-1/C-18 44-1/S-203 43-2/C-18", true},
		{"C-11 and/or C-18", both, true},
		{"(C-11)", elevens, true},
		{"C-11\u2019s", elevens, true},
		{"c2c3", "", false},
		{"44-1/C-11", "44-1/C-11", true},
		{"44‑1/C‑11", "44-1/C-11", true},
		{"C-11 44-1", "44-1/C-11", true},
		{"44-1 C-11", "44-1/C-11", true},
		{"C-11 (44-1)", "44-1/C-11", true},
		{"44–1, C–11", "44-1/C-11", true},
		{"Bill C-11, 44th Parliament", "44-1/C-11", true},
		{"C-11, 44th Parliament, 1st session", "44-1/C-11", true},
		{"C-11 44e législature, 1re session", "44-1/C-11", true},
		{"C-11 C-18 44-1", "44-1/C-11 44-1/C-18", true},
		{"44-1/C-11 43-2/C-18", "44-1/C-11 43-2/C-18", true},
		{"C-11 44-1, C-18 43-2", "44-1/C-11 43-2/C-18", true},
		{"C-11 40-1", "", true},
		{"C-999", "", true},
		{"11", elevens, true},
		{"203", "44-1/C-203 44-1/S-203", true},
		{"11, 203", "45-1/C-11 44-1/C-11 44-1/C-203 44-1/S-203 43-2/C-11", true},
		{"bill 203", "44-1/C-203 44-1/S-203", true},
		{"no. 6", "45-1/S-6", true},
		{"203 44-1", "44-1/C-203 44-1/S-203", true},
		{"c23a", "39-1/C-23A", true},
		{"C-23A", "39-1/C-23A", true},
		{"C\u201123A", "39-1/C-23A", true},
		{"23a", "39-1/C-23A", true},
		{"C-23", "", true},
		{"c1250", "39-1/C-1250", true},
		{"2022", "39-1/C-2022", true},
		{"1999", "39-1/C-2022", false}, // no bill has this number
		// Whole titles.
		{"Online Streaming Act", "44-1/C-11", true},
		{"the online streaming act", "44-1/C-11", true},
		{"Loi sur la diffusion continue en ligne", "44-1/C-11", true},
		{"la loi sur l'abordabilite", "45-1/C-4", true},
		{"An Act to amend the Criminal Code", "44-1/C-204 43-2/C-204", true},
		{"act to amend the criminal code", "44-1/C-204 43-2/C-204", true},
		{"Loi modifiant le Code criminel", "44-1/C-204 43-2/C-204", true},
		{"Loi modifiant le « Code criminel »", "44-1/C-204 43-2/C-204", true},
		{"the “Online Streaming Act”", "44-1/C-11", true},
		{"“Online Streaming Act”", "44-1/C-11", false},
		{"C-11 Online Streaming Act", "44-1/C-11", true},
		{"Bill C-11: Online Streaming Act", "44-1/C-11", true},
		{"C‑204 — An Act to amend the Criminal Code (43‑2)", "43-2/C-204", true},
		{"Bill C-11 (Online Streaming Act)", "44-1/C-11", true},
		{"projet de loi C\u201118, Loi sur les nouvelles en ligne", "44-1/C-18", true},
		// More than a number.
		{"C-11 streaming", elevens + " 39-1/C-1250", false},
		{"bill C-18 online", eighteens + " 44-1/C-11", false},
		// What is left out.
		{"streaming", "44-1/C-11 39-1/C-1250", false},
		{"streaming -C-11", "39-1/C-1250", false},
		{`streaming -"C-11"`, "39-1/C-1250", false},
		{"streaming −C‑11", "39-1/C-1250", false},
		{"streaming –c11", "39-1/C-1250", false},
		{"streaming -« C-11 »", "39-1/C-1250", false},
		{"streaming -44-1/C-11", "39-1/C-1250", false},
		{"streaming -43-2/C-11", "44-1/C-11 39-1/C-1250", false},
		{"streaming -rivers", "44-1/C-11", false},
		{"streaming (-rivers)", "44-1/C-11", false},
		{`streaming -"in rivers"`, "44-1/C-11", false},
		{"C-11 -streaming", "45-1/C-11 43-2/C-11", true},
		{"C-11 -C-11", "", true},
		{"C-11 C-18 -C-18", elevens, true},
		{"C-11 -44-1/C-11", "45-1/C-11 43-2/C-11", true},
		{"streamng -C-11", "", false}, // who asks so exactly means it
		{"Online Streaming Act - C-11", "44-1/C-11", true},
		// A letter wrong.
		{"streeming", "44-1/C-11 39-1/C-1250", false},
		{"environnment", nature, false},
		{"broadcasitng", "44-1/C-11", false},
		{"broadc", "44-1/C-11", false},
		{"citizenshop", "45-1/C-3", false},
		// Alternatives, and a session beside words.
		{"firearms or autism", "43-2/C-210 44-1/S-203", false},
		{"44-1 online", "44-1/C-11 44-1/C-18", false},
		{"privacy 43-2", "43-2/C-11", false},
		{"", "", false}, {"-", "", false}, {`"`, "", false}, {"«»", "", false}, {"’", "", false}, {"qu'il", "", false},
	} {
		r, err := s.Search(t.Context(), parliament.SearchQuery{Q: q.q, Mode: parliament.SearchLexical, Limit: 100}, nil)
		if err != nil {
			t.Fatalf("%q: %v", q.q, err)
		}
		got, want := ids(r), strings.Fields(q.want)
		if !q.exact {
			slices.Sort(got)
			slices.Sort(want)
		}
		if !slices.Equal(got, want) || r.Total != len(want) || r.Exact != q.exact {
			t.Errorf("%q finds %v, total %d, exact %t, want %v, %t", q.q, got, r.Total, r.Exact, want, q.exact)
		}
		n := 0
		for _, f := range r.Facets["session"] {
			n += f.Count
		}
		if n != r.Total {
			t.Errorf("%q: %d bills, the sessions' have %d", q.q, r.Total, n)
		}
	}
}

// TestSearchRoughly looks for what no bill has all of: what is found shares much with it.
func TestSearchRoughly(t *testing.T) {
	t.Parallel()
	s, _ := searchable(t)
	for q, want := range map[string]string{
		"online streaming platforms bill": "44-1/C-11 44-1/C-18",
		"autism in newfoundland":          "44-1/S-203 45-1/S-6",
		"zebras autism":                   "44-1/S-203",
	} {
		r, err := s.Search(t.Context(), parliament.SearchQuery{Q: q, Mode: parliament.SearchLexical, Limit: 100}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := ids(r)
		for _, id := range strings.Fields(want) {
			if !slices.Contains(got, id) {
				t.Errorf("%q finds %v, want %s too", q, got, id)
			}
		}
		if !r.Fuzzy || r.Exact || r.Total > 6 {
			t.Errorf("%q: %+v of %d", q, got, r.Total)
		}
	}
}

// TestSearchIndexedByOlderProgram writes a bill without the columns of this version: the trigger fills them.
func TestSearchIndexedByOlderProgram(t *testing.T) {
	t.Parallel()
	s, d := searchable(t)
	if _, err := d.Pool.Exec(t.Context(), `UPDATE bills
	SET doc = jsonb_set(doc, '{title,fr}', to_jsonb('Loi sur l’hygiène'::text)) WHERE id = '45-1/C-2'`); err != nil {
		t.Fatal(err)
	}
	r, err := s.Search(t.Context(), parliament.SearchQuery{Q: "l'hygiene", Mode: parliament.SearchLexical, Limit: 10}, nil)
	if err != nil || !slices.Equal(ids(r), []string{"45-1/C-2"}) {
		t.Errorf("%v, %v", ids(r), err)
	}
}

func TestSearchMarks(t *testing.T) {
	t.Parallel()
	s, _ := searchable(t)
	for q, want := range map[string]string{
		"l'autisme":             "Loi concernant le trouble du spectre de l’<mark>autisme</mark>",
		"assurance emploi":      "Loi sur l&#39;<mark>assurance</mark>\u2011<mark>emploi</mark>",
		"« Code criminel »":     "Loi modifiant le « <mark>Code</mark> <mark>criminel</mark> »",
		"protège environnement": "présente loi <mark>protège</mark> l&#39;<mark>environnement</mark> jusqu",
		"childrens health":      "An Act respecting <mark>children</mark>’s and veterans’ <mark>health</mark>",
	} {
		r, err := s.Search(t.Context(),
			parliament.SearchQuery{Q: q, Mode: parliament.SearchLexical, Limit: 10, Headlines: true}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, h := range r.Hits {
			for _, m := range h.Highlights {
				all = append(all, m.HTML)
			}
		}
		if !slices.Contains(all, want) {
			t.Errorf("%q marks %q, want %q", q, all, want)
		}
	}
}

// TestBillsAsTyped narrows the list of bills.
func TestBillsAsTyped(t *testing.T) {
	t.Parallel()
	s, _ := searchable(t)
	for q, want := range map[string]string{
		"C\u201111": elevens, "c11": elevens, "C–11": elevens, "C\u00ad11": elevens, "bill c-11": elevens, "C-11 44-1": "44-1/C-11", "44-1/C-11": "44-1/C-11", "C-11/C-18": both, "C-1": elevens + " " + eighteens + " 39-1/C-1250",
		"203": "44-1/C-203 44-1/S-203", "23a": "39-1/C-23A", "l'environnement": nature, "l\u2019Environnement": nature, "« Code criminel »": code, "Code\u00a0criminel": code, "mise en oeuvre": "45-1/S-6 43-2/C-18",
		"Terre-Neuve": "45-1/S-6", "broadcas": "44-1/C-11", "reinsurance": "43-2/C-211", "oﬃce": "43-2/C-212", "frontiere": "45-1/C-2", "%": "", "_": "", `\`: "", "«": "", "zzz": "", "C-2 C-3": "45-1/C-2 45-1/C-3",
	} {
		bills, err := s.Bills(t.Context(), parliament.BillFilter{Q: q, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		got, wanted := []string{}, strings.Fields(want)
		for _, b := range bills {
			got = append(got, b.ID)
		}
		slices.Sort(got)
		slices.Sort(wanted)
		if !slices.Equal(got, wanted) {
			t.Errorf("%q: %v, want %v", q, got, wanted)
		}
	}
	all, err := s.Bills(t.Context(), parliament.BillFilter{Q: "  ", Limit: 100})
	if err != nil || len(all) != len(searched) {
		t.Errorf("%d, %v", len(all), err)
	}
}

// TestPlain makes texts plain, in the locale that the database has.
func TestPlain(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	for in, want := range map[string]string{
		"É": "e", "ÇA": "ca", "ŒUVRE": "oeuvre", "Æther": "aether", "Straße STRAẞE": "strasse strasse", "ﬁsc ﬂeur oﬃce": "fisc fleur office", "Ｃ－１１": "c-11", "Øre Łódź Đà Þór": "ore lodz da thor",
		"a\u00a0b\u202fc\u2009d\u3000e\u2003f\tg\r\nh": "a b c d e f g h", "\u200ba\u200cb\u200dc\u2060d\ufeff": "abcd", "C\u00ad3": "c-3", "s\u00ad203 envi\u00adron\u00adment": "s-203 environment", "abc\u00ad3": "abc3",
		"‐‑‒–—―−﹘﹣－": "----------", "’‘ʼʹ′＇`´ʻ‛": "''''''''''", "“”„«»‹›″＂‟❝": `"""""""""""`, "½ № ™ 5º": "1 2 no tm 5o", "\u202eabc\u202c": "abc", "😀 a • b … c": "a b ... c",
		"ΑΘΉΝΑΣ": "αθηνασ", "МОСКВА": "москва", "ᐃᓄᒃᑎᑐᑦ": "ᐃᓄᒃᑎᑐᑦ", "日本": "日本", "e\u0301": "e", "\u0301": "", "": "", "İı": "ii",
	} {
		var got, again string
		if err := d.Pool.QueryRow(t.Context(), "SELECT explorer_plain($1), explorer_plain(explorer_plain($1))", in).Scan(&got,
			&again); err != nil ||
			got != want || again != got {
			t.Errorf("%q is %q, then %q, want %q (%v)", in, got, again, want, err)
		}
	}
}

// FuzzSearch searches for any text: there is an answer, without what was left out. A search that takes a minute, on
// however busy a machine, hangs.
func FuzzSearch(f *testing.F) {
	for _, seed := range []string{
		"C-11 -C-11", `"`, "''", "-", "--", "-(", ":*", "a:*", "a:A & b | !c <-> d", "& | !", "\\", "%_", "\u202e", "\ud7ff",
		"\ufffd", "\u0301\u0301", "'a' 'b", "😀", "44-1", "44-1/", "C-", "-44-1/C-11",
		strings.Repeat(`"`, 1000), strings.Repeat("-", 1000), strings.Repeat("(", 1000), strings.Repeat(":*", 500),
		strings.Repeat("&|!", 333), strings.Repeat("😀", 250), strings.Repeat("\u0301", 500), strings.Repeat("\u200f", 333),
		strings.Repeat("a ", 500), strings.Repeat("C-1 ", 250), strings.Repeat("-a ", 333), strings.Repeat("' ", 500),
		strings.Repeat("or ", 333), strings.Repeat("| ", 500), strings.Repeat("44-1 ", 200), strings.Repeat("a-", 500),
		strings.Repeat("é", 500), "\xff\xfe", "a\x00b",
	} {
		f.Add(seed)
	}
	s, _ := searchable(f)
	f.Fuzz(func(t *testing.T, q string) {
		if runes := []rune(q); len(runes) > 1000 { // the contract's bound
			q = string(runes[:1000])
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r, err := s.Search(ctx, parliament.SearchQuery{Q: q, Mode: parliament.SearchLexical, Limit: 20, Headlines: true}, nil)
		if err != nil {
			t.Fatalf("%q: %v", q, err)
		}
		if r.Total > len(searched) || len(r.Hits) > r.Total {
			t.Errorf("%q: %d of %d", q, len(r.Hits), r.Total)
		}
		without, err := s.Search(
			ctx, parliament.SearchQuery{Q: q + " -C-11", Mode: parliament.SearchLexical, Limit: 100}, nil,
		)
		if err != nil {
			t.Fatalf("%q: %v", q, err)
		}
		for _, h := range without.Hits {
			if h.Bill.Number == "C-11" && strings.Count(q, `"`)%2 == 0 && !strings.ContainsAny(q, "'") && len(q) < 900 &&
				plainQuotes(q) {
				t.Errorf("%q finds C-11, which was left out", q)
			}
		}
		if _, err := s.Bills(ctx, parliament.BillFilter{Q: q, Limit: 10}); err != nil {
			t.Fatalf("%q: %v", q, err)
		}
		if _, err := s.Politicians(ctx, parliament.PoliticianFilter{Q: q, Limit: 10}); err != nil {
			t.Fatalf("%q: %v", q, err)
		}
	})
}

// plainQuotes says that a text is ASCII, so that no other quotation mark opens a phrase in it.
func plainQuotes(q string) bool {
	return strings.IndexFunc(q, func(r rune) bool { return r > 0x7e || r < ' ' }) < 0
}
