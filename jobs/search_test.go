package jobs_test

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/embed"
)

// searches are what people look for, with the bills of the replay server that must be among the first ten.
var searches = []struct {
	kind, q string
	want    string
}{
	{"number", "c11", "45-1/C-11 44-1/C-11 43-2/C-11 41-1/C-11 36-1/C-11"},
	{"number", "C-11", "45-1/C-11 44-1/C-11 43-2/C-11 41-1/C-11 36-1/C-11"},
	{"number", "bill s-203", "45-1/S-203 44-1/S-203 43-2/S-203 41-1/S-203"},
	{"number", "44-1/C-27", "44-1/C-27"},
	{"number", "S 211", "44-1/S-211 45-1/S-211"},
	{"typo", "broadcasing", "44-1/C-11 43-2/C-10"},
	{"typo", "copyrigth modernization", "41-1/C-11"},
	{"typo", "telecomunications", "44-1/C-26"},
	{"typo", "fisherys act", "43-2/C-257"},
	{"typo", "reconcilliation council", "44-1/C-29"},
	{"French", "diffusion continue en ligne", "44-1/C-11"},
	{"French", "langues officielles", "44-1/C-13 43-2/C-32"},
	{"French", "armes à feu", "43-2/C-21 44-1/C-21 41-1/C-19"},
	{"French", "aide medicale a mourir", "44-1/C-39 45-1/C-218"},
	{"French", "citoyenneté", "36-1/C-63"},
	{"French", "assurance-emploi", "44-1/S-236 36-1/C-299"},
	{"French", "autisme", "41-1/C-351 41-1/S-206 44-1/S-203 41-1/C-219"},
	{"French", "thérapie de conversion", "43-2/C-6 44-1/C-4"},
	{"phrase", `"Fisheries Act"`, "43-2/C-257"},
	{"phrase", `"Modern Slavery"`, "43-2/S-216"},
	{"phrase", `"Budget Implementation Act, 1999"`, "36-1/C-71"},
	{"phrase", `"Online Streaming Act"`, "44-1/C-11"},
	{"phrase", `"Indian Act" -obligations`, "41-1/C-428 45-1/S-2 44-1/C-38"},
	{"words", "medical assistance in dying", "45-1/C-260 44-1/C-39 45-1/S-231 45-1/C-218 44-1/C-314"},
	{"words", "greenhouse gas pollution pricing", "44-1/C-234 43-2/C-206"},
	{"words", "guaranteed livable basic income", "45-1/C-253 45-1/S-206 44-1/C-223 44-1/S-233"},
	{"words", "autism", "41-1/C-351 41-1/S-206 44-1/S-203 41-1/C-219"},
	{"words", "air passengers bill of rights", "41-1/C-439 41-1/C-459"},
	{"words", "railway safety", "44-1/C-33 36-1/C-58 41-1/S-4"},
	{"words", "kindness week", "43-2/S-223"},
	{"words", "organ donation", "36-1/C-511 41-1/C-477"},
	{"words", "firearms", "43-2/C-21 44-1/C-21 41-1/C-19"},
	{"words", "plastics", "44-1/C-380 44-1/S-234 43-2/C-204"},
	{"concept", "conversion therapy ban", "43-2/C-6 44-1/C-4"},
	{"concept", "single event sports betting", "43-2/C-13 43-2/C-218"},
	{"concept", "forced labour in supply chains", "44-1/S-211 44-1/C-243"},
	{"concept", "drunk driving impaired", "36-1/C-82 36-1/C-87"},
	{"concept", "regulating artificial intelligence and privacy", "44-1/C-27"},
	{"concept", "stop food being thrown away waste", "43-2/C-283 44-1/C-360"},
	{"concept", "climate net zero emissions accountability", "43-2/C-12 43-2/C-215"},
}

// typed are queries as people type them. With a least number of bills they are of words, which find more, those of want
// first; without, those of want are all that is found, in this order.
var typed = []struct {
	q, want string
	least   int
}{
	{"C\u201111", "45-1/C-11 44-1/C-11 43-2/C-11 41-1/C-11 36-1/C-11", 0},
	{"C–11", "45-1/C-11 44-1/C-11 43-2/C-11 41-1/C-11 36-1/C-11", 0},
	{"C−11", "45-1/C-11 44-1/C-11 43-2/C-11 41-1/C-11 36-1/C-11", 0},
	{"bill c-11", "45-1/C-11 44-1/C-11 43-2/C-11 41-1/C-11 36-1/C-11", 0},
	{"projet de loi C–11", "45-1/C-11 44-1/C-11 43-2/C-11 41-1/C-11 36-1/C-11", 0},
	{"S–6", "45-1/S-6 44-1/S-6 41-1/S-6 36-1/S-6", 0},
	{"C\u00ad3", "45-1/C-3 44-1/C-3 43-2/C-3 41-1/C-3 36-1/C-3", 0},
	{"C-11 44-1", "44-1/C-11", 0},
	{"44-1/C-11", "44-1/C-11", 0},
	{"C-11 (44-1)", "44-1/C-11", 0},
	{"C-2 C-3 C-4 44-1", "44-1/C-2 44-1/C-3 44-1/C-4", 0},
	{"C-11 C-18 44-1", "44-1/C-11 44-1/C-18", 0},
	{"C-11/C-18 44-1", "44-1/C-11 44-1/C-18", 0},
	{"11", "45-1/C-11 44-1/C-11 44-1/S-11 43-2/C-11 41-1/C-11 41-1/S-11 36-1/C-11 36-1/S-11", 0},
	{"203", "45-1/C-203 45-1/S-203 44-1/C-203 44-1/S-203 43-2/C-203 43-2/S-203 41-1/C-203 41-1/S-203 36-1/C-203", 0},
	{"Online Streaming Act", "44-1/C-11", 0},
	{"the Online Streaming Act", "44-1/C-11", 0},
	{"Loi sur la diffusion continue en ligne", "44-1/C-11", 0},
	{"Bill C-11: Online Streaming Act", "44-1/C-11", 0},
	{"An Act to amend the Criminal Code", "45-1/C-225 41-1/C-37 41-1/C-55 41-1/S-9 36-1/C-426 36-1/C-444", 0},
	{"l’environnement", "", 43},
	{"« Code criminel »", "", 278},
}

// alike are queries that find the same.
var alike = [][]string{
	{"l'environnement", "l’environnement", "l‘environnement", "L’ENVIRONNEMENT", "l environnement"},
	{"d'assurance", "d’assurance", "d\u02bcassurance"},
	{"l'État", "l’État", "l'etat"},
	{"jusqu'à", "jusqu’à", "jusqu’a"},
	{`"Code criminel"`, "« Code criminel »", "“Code criminel”", "„Code criminel“", "‹Code criminel›", "«\u00a0Code\u202fcriminel\u00a0»"},
	{"assurance-emploi", "assurance‑emploi", "assurance–emploi"},
	{"mise en oeuvre", "mise en œuvre", "MISE EN ŒUVRE"},
	{"C-2 C-3 C-4", "C-2, C-3/C-4", "C‑2 C‑3 C‑4", "c2 c3 c4", "C-4; C-3 and C-2"},
}

// TestPoliticiansAsTyped types the name and the riding of everybody whom the records know, in the ways in which people
// do.
func TestPoliticiansAsTyped(t *testing.T) {
	t.Parallel()
	p := newPipeline(t, startReplay(t, lastDay), 0)
	p.succeed(t, "fetch_politicians", `{"current_only": false, "limit": 5000}`)
	everybody, err := p.store.Politicians(t.Context(), parliament.PoliticianFilter{Limit: 5000})
	if err != nil || len(everybody) < 400 {
		t.Fatalf("%d, %v", len(everybody), err)
	}
	keyboard := strings.NewReplacer("-", " ", "—", " ", "–", " ", "'", " ", "’", " ", ".", " ")
	dashed, missed := 0, 0
	for i, who := range everybody {
		if who.GivenName == nil || who.FamilyName == nil {
			continue
		}
		given, family := *who.GivenName, *who.FamilyName
		type way struct {
			q     string
			first bool
		}
		// Names in all these ways would take minutes: each person has one, a letter wrong in one, and the riding in three.
		ways := []way{
			{who.Name, true}, {family + ", " + given, true}, {family + " " + given, true}, {keyboard.Replace(who.Name), true}, {strings.ToUpper(keyboard.Replace(family + " " + given)), true},
			{strings.NewReplacer("-", "\u2011", "'", "’").Replace(who.Name), true}, {strings.NewReplacer("'", "", "’", "").Replace(who.Name), true},
		}
		ways = []way{ways[i%len(ways)]}
		if letters := []rune(family); len(letters) >= 6 && !strings.ContainsAny(family, " -'’.") {
			k := len(letters) / 2
			wrong := []way{{given + " " + string(letters[:k]) + string(letters[k+1:]), true}, {
				given + " " + string(letters[:k]) + "x" + string(letters[k+1:]), true,
			},
				{given + " " + string(letters[:k]) + string(letters[k]) + string(letters[k:]), true}, {string(letters[:k]) + string(letters[k+1]) + string(letters[k]) + string(letters[k+2:]) + ", " + given, true}}
			ways = append(ways, wrong[i%len(wrong)])
		}
		if who.Riding.En != nil {
			riding := *who.Riding.En
			if strings.Contains(riding, "—") {
				dashed++
			}
			for _, to := range []string{"-", " ", []string{"–", " - ", "--", "—", "\u2011"}[i%5]} {
				ways = append(ways, way{strings.ReplaceAll(riding, "—", to), false})
			}
			ways = append(
				ways, []way{{keyboard.Replace(riding), false}, {who.Name + ", " + keyboard.Replace(riding), false}}[i%2],
			)
		}
		for _, w := range ways {
			found, err := p.store.Politicians(t.Context(), parliament.PoliticianFilter{Q: w.q, Limit: 100})
			if err != nil {
				t.Fatalf("%q: %v", w.q, err)
			}
			place := slices.IndexFunc(found, func(p parliament.StoredPolitician) bool { return p.Slug == who.Slug })
			if place < 0 || w.first && found[place].Name != found[0].Name { // two may have one name
				missed++
				t.Errorf("%q: %s is at %d of %d", w.q, who.Name, place, len(found))
			}
		}
	}
	t.Logf("%d people, %d ridings with a long dash, %d missed", len(everybody), dashed, missed)
	if dashed < 100 {
		t.Errorf("%d ridings with a long dash", dashed)
	}
}

// standIn answers as an embeddings endpoint does: texts that share words or parts of them are near.
func standIn(t testing.TB) *embed.Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var q struct{ Input []string }
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			t.Error(err)
		}
		type datum struct {
			Index     int       `json:"index"`
			Embedding []float64 `json:"embedding"`
		}
		var data []datum
		for i, text := range q.Input {
			data = append(data, datum{i, bagOfParts(text)})
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": data, "usage": map[string]int{"total_tokens": len(q.Input)}})
	}))
	t.Cleanup(s.Close)
	c, err := embed.New(embed.Config{URL: s.URL, Model: "bag-of-parts"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func bagOfParts(text string) []float64 {
	v := make([]float64, 256)
	seen := map[string]bool{}
	for _, word := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) }) {
		if len(word) < 4 || seen[word] {
			continue
		}
		seen[word] = true
		for i := 0; i+4 <= len(word); i++ {
			h := fnv.New32a()
			h.Write([]byte(word[i : i+4]))
			v[h.Sum32()%256] += 1 / math.Sqrt(float64(len(word)))
		}
	}
	v[0] += .001
	return v
}

// TestSearchRecall looks for forty things in the real bills. EMBEDDINGS_URL and EMBEDDINGS_MODEL name another endpoint
// than the stand-in.
func TestSearchRecall(t *testing.T) {
	p := newPipeline(t, startReplay(t, lastDay), 0)
	for _, s := range []string{
		`{"parliament": 45, "session": 1}`, `{"parliament": 44, "session": 1}`, `{"parliament": 43, "session": 2}`,
		`{"parliament": 41, "session": 1}`, `{"parliament": 36, "session": 1}`,
	} {
		p.succeed(t, "fetch_parliament_session_bills", s)
	}
	client := standIn(t)
	if url := os.Getenv("EMBEDDINGS_URL"); url != "" {
		var err error
		if client, err = embed.New(embed.Config{URL: url, Model: os.Getenv("EMBEDDINGS_MODEL")}); err != nil {
			t.Fatal(err)
		}
	}
	meaning := parliament.NewEmbedder(p.db, client)
	counts, err := meaning.Update(t.Context(), 64, func(int) {})
	if err != nil || counts.Embedded < 3000 {
		t.Fatalf("%+v, %v", counts, err)
	}
	if again, err := meaning.Update(t.Context(), 64, func(int) {}); err != nil || again.Embedded != 0 ||
		again.Requests != 0 {
		t.Errorf("nothing changed, but %+v, %v", again, err)
	}
	for _, s := range typed {
		for _, mode := range []string{parliament.SearchLexical, parliament.SearchHybrid} {
			r, err := p.store.Search(t.Context(), parliament.SearchQuery{Q: s.q, Mode: mode, Limit: 100}, meaning)
			if err != nil {
				t.Fatal(err)
			}
			if s.least > 0 && mode == parliament.SearchHybrid { // by meaning there are more
				continue
			}
			first := strings.Fields(s.want)
			var got []string
			for _, h := range r.Hits {
				got = append(got, h.Bill.ID)
			}
			if s.least > 0 && r.Total < s.least || s.least == 0 && r.Total != len(first) ||
				!slices.Equal(got[:min(len(first), len(got))], first) || r.Exact != (s.least == 0) {
				t.Errorf("%s %q: %d found, exact %t: %v, want %v", mode, s.q, r.Total, r.Exact, got[:min(10, len(got))], s)
			}
		}
	}
	for _, same := range alike {
		totals := map[string]int{}
		for _, q := range same {
			r, err := p.store.Search(t.Context(), parliament.SearchQuery{Q: q, Mode: parliament.SearchLexical, Limit: 1}, nil)
			if err != nil {
				t.Fatal(err)
			}
			totals[q] = r.Total
			if r.Total == 0 || r.Total != totals[same[0]] {
				t.Errorf("found: %v", totals)
			}
		}
		t.Log(totals)
	}
	for q, out := range map[string]string{
		"streaming -C-11": "C-11", `streaming -"C-11"`: "C-11", "streaming −C‑11": "C-11", "en ligne -C–18": "C-18",
		"C-11 act -44-1/C-11": "44-1/C-11",
	} {
		for _, mode := range []string{parliament.SearchLexical, parliament.SearchHybrid, parliament.SearchSemantic} {
			r, err := p.store.Search(t.Context(), parliament.SearchQuery{Q: q, Mode: mode, Limit: 100}, meaning)
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range r.Hits {
				if h.Bill.Number == out || h.Bill.ID == out {
					t.Errorf("%s %q finds %s by %v", mode, q, h.Bill.ID, h.FoundBy)
				}
			}
		}
	}
	for mode, least := range map[string]float64{parliament.SearchLexical: 1, parliament.SearchHybrid: .95} {
		found, wanted := map[string]float64{}, map[string]float64{}
		for _, s := range searches {
			r, err := p.store.Search(t.Context(), parliament.SearchQuery{Q: s.q, Mode: mode, Limit: 10}, meaning)
			if err != nil {
				t.Fatal(err)
			}
			if mode == parliament.SearchHybrid && r.NotByMeaning != "" {
				t.Errorf("%s: not by meaning: %s", s.q, r.NotByMeaning)
			}
			var got []string
			for _, h := range r.Hits {
				got = append(got, h.Bill.ID)
			}
			want := strings.Fields(s.want)
			n := 0
			for _, id := range want {
				if slices.Contains(got, id) {
					n++
				}
			}
			for _, kind := range []string{s.kind, "all"} {
				found[kind] += float64(n) / float64(len(want))
				wanted[kind]++
			}
			if most := 60; mode == parliament.SearchLexical && r.Total > most && s.kind != "phrase" {
				t.Errorf("%q finds %d bills, want %d at most", s.q, r.Total, most)
			}
			if n < len(want) {
				t.Logf("%s %q: %d of %v in %v", mode, s.q, n, want, got)
			}
		}
		line := mode + " recall@10:"
		for _, kind := range []string{"number", "typo", "French", "phrase", "words", "concept", "all"} {
			line += fmt.Sprintf(" %s %.2f", kind, found[kind]/wanted[kind])
		}
		t.Log(line)
		if recall := found["all"] / wanted["all"]; recall < least {
			t.Errorf("%s recall@10 is %.2f, want %.2f", mode, recall, least)
		}
	}
}
