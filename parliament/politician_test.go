package parliament_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
)

// The people are made up of the kinds of names and ridings that there are: given name, family name, riding.
var people = [][3]string{
	{"Jean-Pierre", "Blackburn", "Jonquière—Alma"},
	{"Jean", "Chrétien", "Saint-Maurice"},
	{"Pierre", "Poilievre", "Carleton"},
	{"Justin", "Trudeau", "Papineau"},
	{"Chris", "d'Entremont", "West Nova"},
	{"Erin", "O\u2019Toole", "Durham"},
	{"Pablo", "Rodriguez", "Honoré-Mercier"},
	{"Elizabeth", "May", "Saanich—Gulf Islands"},
	{"Bryan", "May", "Cambridge"},
	{"Sherry", "Romanado", "Longueuil—Charles-LeMoyne"},
	{"Marie-Ève", "Gaudreau-L'Heureux", "Laurentides—Labelle"},
	{"Li", "Wu", "Ajax"},
	{"John", "Williams", "St. Albert"},
	{"John", "Williamson", "New Brunswick Southwest"},
	{"Peter", "Kent", "Thornhill"},
	{"Mary", "Ng", "Markham—Thornhill"},
	{"Dominic", "LeBlanc", "Beauséjour"},
	{"Anna", "Roberts", "King—Vaughan"},
	{"Robert", "Annas", "Trudeau—Park"},
}

func slugOf(who [3]string) string {
	return strings.ToLower(strings.NewReplacer(" ", "-", "'", "", "\u2019", "").Replace(who[0] + "-" + who[1]))
}

func members(t testing.TB) (*parliament.Store, *db.DB) {
	t.Helper()
	d := dbtest.New(t)
	s := parliament.NewStore(d)
	for i, who := range people {
		m := openparliament.Member{Slug: slugOf(who), Name: who[0] + " " + who[1], Party: "Independent", Riding: who[2]}
		p := parliament.PoliticianOf(m, &openparliament.Person{
			Slug: m.Slug, Name: m.Name, GivenName: who[0], FamilyName: who[1], PersonID: i + 1,
			Memberships: []openparliament.Membership{{RidingFr: who[2]}},
		})
		if _, err := s.SavePolitician(t.Context(), newRun(t), m, p, i%2 == 0); err != nil {
			t.Fatal(err)
		}
	}
	return s, d
}

func find(t testing.TB, s *parliament.Store, f parliament.PoliticianFilter) []string {
	t.Helper()
	if f.Limit == 0 {
		f.Limit = 100
	}
	found, err := s.Politicians(t.Context(), f)
	if err != nil {
		t.Fatalf("%q: %v", f.Q, err)
	}
	slugs := []string{}
	for _, p := range found {
		slugs = append(slugs, p.Slug)
	}
	return slugs
}

func TestPoliticiansAsTyped(t *testing.T) {
	t.Parallel()
	s, _ := members(t)
	for q, want := range map[string]string{
		"jean pierre": "jean-pierre-blackburn", "Jean\u2011Pierre": "jean-pierre-blackburn", "JEAN–PIERRE": "jean-pierre-blackburn", "jeanpierre": "jean-pierre-blackburn", "blackburn, jean pierre": "jean-pierre-blackburn",
		"marie eve": "marie-ève-gaudreau-lheureux", "Marie‑Ève": "marie-ève-gaudreau-lheureux", "gaudreau lheureux": "marie-ève-gaudreau-lheureux", "gaudreau-l’heureux marie-eve": "marie-ève-gaudreau-lheureux",
		"Trudeau, Justin": "justin-trudeau", "trudeau justin": "justin-trudeau", "Justin Trudeau": "justin-trudeau", "Trudeau,Justin": "justin-trudeau", "trudeau": "justin-trudeau robert-annas",
		"d’entremont": "chris-dentremont", "d'Entremont": "chris-dentremont", "dentremont": "chris-dentremont", "D\u02bcENTREMONT, Chris": "chris-dentremont", "d entremont": "chris-dentremont",
		"O'Toole": "erin-otoole", "otoole": "erin-otoole", "O’Toole, Erin": "erin-otoole", "o`toole": "erin-otoole",
		"rodrigez": "pablo-rodriguez", "rodrgiuez": "pablo-rodriguez", "rodrigguez": "pablo-rodriguez", "rodriguex": "pablo-rodriguez", "pablo rodrigez": "pablo-rodriguez", "rodrigez, pablo": "pablo-rodriguez", "Hon. Pablo Rodriguez": "pablo-rodriguez", "l’hon. pablo rodrigez": "pablo-rodriguez", "Rt. Hon. Justin P. J. Trudeau": "justin-trudeau", "Hon. D’Entremont, Chris": "chris-dentremont", "justin p trudaeu": "justin-trudeau",
		"Jonquière-Alma": "jean-pierre-blackburn", "jonquiere alma": "jean-pierre-blackburn", "Jonquière–Alma": "jean-pierre-blackburn", "Jonquière--Alma": "jean-pierre-blackburn", "jonquiere—alma": "jean-pierre-blackburn",
		"longueuil charles lemoyne": "sherry-romanado", "Longueuil-Charles-LeMoyne": "sherry-romanado", "longueuil-charles lemoine": "sherry-romanado", "longueuil charles le moyne": "sherry-romanado",
		"st albert": "john-williams", "St. Albert": "john-williams", "honore mercier": "pablo-rodriguez", "saanich gulf islands": "elizabeth-may",
		"john williams": "john-williams john-williamson", "williamson john": "john-williamson", "elizabeth mey": "elizabeth-may", "leblanc": "dominic-leblanc", "leblnac": "dominic-leblanc", "mary nk": "mary-ng",
		"may": "bryan-may elizabeth-may", "rodri": "pablo-rodriguez", "trudeau papineau": "justin-trudeau", "anna roberts": "anna-roberts", "roberts anna": "anna-roberts", "annas robert": "robert-annas",
		// Nobody.
		"%": "", "_": "", "-": "", ",": "", "zz": "", "qz": "", "z q": "", "zzzzz": "", "xq": "", "hon": "pablo-rodriguez",
	} {
		if got := find(t, s, parliament.PoliticianFilter{Q: q}); !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%q finds %v, want %q", q, got, want)
		}
	}
	if got := find(t, s, parliament.PoliticianFilter{Q: " "}); len(got) != len(people) {
		t.Errorf("blank: %d", len(got))
	}
	// Who is found for sure is not guessed at where a filter leaves nobody.
	yes, no := true, false
	for q, want := range map[string]map[*bool]string{
		"rodriguez": {&yes: "pablo-rodriguez", &no: ""},
		"rodrigez":  {&yes: "pablo-rodriguez", &no: ""},
	} {
		for current, want := range want {
			if got := find(t, s, parliament.PoliticianFilter{Q: q, Current: current}); strings.Join(got, " ") != want {
				t.Errorf("%q, current %t: %v, want %q", q, *current, got, want)
			}
		}
	}
}

// TestPoliticiansEachAsTyped types each name and each riding in every way.
func TestPoliticiansEachAsTyped(t *testing.T) {
	t.Parallel()
	s, _ := members(t)
	for _, who := range people {
		for _, typed := range waysToType(who[0], who[1], who[2]) {
			got := find(t, s, parliament.PoliticianFilter{Q: typed.q})
			if place := slices.Index(got, slugOf(who)); place < 0 || typed.first && place > 0 {
				t.Errorf("%q finds %v, want %s", typed.q, got, slugOf(who))
			}
		}
	}
}

type typedName struct {
	q     string
	first bool // who is meant comes first
}

// waysToType are ways in which people type a name and a riding.
func waysToType(given, family, riding string) (out []typedName) {
	plain := strings.NewReplacer("é", "e", "è", "e", "ê", "e", "É", "E", "È", "E", "ô", "o", "Ô", "O", "ç", "c", "Ç", "C",
		"î", "i", "Î", "I", "ï", "i", "ë", "e", "à", "a", "â", "a", "û", "u", "ü", "u", "ö", "o")
	blank := strings.NewReplacer("-", " ", "—", " ", "–", " ", "'", " ", "’", " ", ".", " ")
	phone := strings.NewReplacer("-", "\u2011", "'", "’")
	name := given + " " + family
	for _, q := range []string{
		name, family + " " + given, family + ", " + given, strings.ToUpper(name), plain.Replace(name), phone.Replace(name),
		blank.Replace(plain.Replace(name)), blank.Replace(family + " " + given),
		strings.NewReplacer("'", "", "’", "").Replace(name),
	} {
		out = append(out, typedName{q, true})
	}
	for _, q := range []string{
		riding, strings.ReplaceAll(riding, "—", "-"), strings.ReplaceAll(riding, "—", " "),
		strings.ReplaceAll(riding, "—", "–"), strings.ReplaceAll(riding, "—", " - "), plain.Replace(blank.Replace(riding)),
		strings.ToLower(phone.Replace(riding)), name + " " + blank.Replace(riding),
	} {
		out = append(out, typedName{q, false})
	}
	// A letter wrong in the longest word of the family name.
	word := ""
	for _, w := range strings.Fields(blank.Replace(plain.Replace(family))) {
		if len(w) > len(word) {
			word = w
		}
	}
	if len(word) < 4 {
		return out
	}
	k := len(word) / 2
	for _, wrong := range []string{
		word[:k] + "x" + word[k+1:], word[:k] + word[k+1:], word[:k] + word[k:k+1] + word[k:],
		word[:k] + word[k+1:min(k+2, len(word))] + word[k:k+1] + word[min(k+2, len(word)):],
	} {
		out = append(out, typedName{given + " " + strings.Replace(plain.Replace(family), word, wrong, 1), true})
	}
	return out
}

// TestPoliticiansByPage has pages of one, of people who are found for sure and of those who are guessed at.
func TestPoliticiansByPage(t *testing.T) {
	t.Parallel()
	s, _ := members(t)
	for _, q := range []string{"", "a", "john williams", "may", "trudeau", "mey", "thornhil", "willims", "j"} {
		all := find(t, s, parliament.PoliticianFilter{Q: q})
		var paged []string
		var after *parliament.PoliticianCursor
		for {
			page, err := s.Politicians(t.Context(), parliament.PoliticianFilter{Q: q, After: after, Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			cursor := page[0].Cursor()
			after, paged = &cursor, append(paged, page[0].Slug)
			if len(paged) > len(people) {
				t.Fatalf("%q: pages without end: %v", q, paged)
			}
		}
		if len(all) == 0 || !slices.Equal(all, paged) {
			t.Errorf("%q: %v by page, %v at once", q, paged, all)
		}
	}
}

// TestPoliticianIndexedByOlderProgram writes a politician without the columns of this version.
func TestPoliticianIndexedByOlderProgram(t *testing.T) {
	t.Parallel()
	s, d := members(t)
	if _, err := d.Pool.Exec(t.Context(), `UPDATE politicians
	SET doc = jsonb_set(doc, '{name}', to_jsonb('Ada d’Angelo'::text)) WHERE slug = 'li-wu'`); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"d'angelo ada", "dangelo"} {
		if got := find(t, s, parliament.PoliticianFilter{Q: q}); fmt.Sprint(got) != "[li-wu]" {
			t.Errorf("%q: %v", q, got)
		}
	}
}
