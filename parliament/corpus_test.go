package parliament_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

// corpusFolder holds real records. It is no part of the project: tests that want it are skipped where it is not there.
const corpusFolder = "../../shared/replay/corpus"

// rawRecord is what the tests read of a record, apart from what they check.
type rawRecord struct {
	ID               int    `json:"Id"`
	NumberCode       string `json:"NumberCode"`
	ParliamentNumber int    `json:"ParliamentNumber"`
	SessionNumber    int    `json:"SessionNumber"`
	StatusNameEn     string `json:"StatusNameEn"`
	ReceivedAssent   string `json:"ReceivedRoyalAssentDateTime"`
	IsSessionOngoing bool   `json:"IsSessionOngoing"`
	DidReinstateNext bool   `json:"DidReinstateInNextSession"`
	IsProForma       bool   `json:"IsProForma"`
	HouseVoteDetails []rawDivision
	BillStages       *struct {
		HouseBillStages, SenateBillStages []struct{ Decisions []rawDivision }
	}
	SenateVoteDetails []rawDivision

	raw []byte
}

type rawDivision struct {
	DivisionNumber, DivisionVotesYeas, DivisionVotesNays, DivisionVotePaired, DivisionVoteTotal int
	DivisionSubjectEn, DivisionSubjectFr, DecisionResultNameEn, DecisionDateTime                string
	DecisionSittingDate                                                                         string
}

func (r rawRecord) session() string { return fmt.Sprintf("%d-%d", r.ParliamentNumber, r.SessionNumber) }

func (r rawRecord) id(t testing.TB) parliament.BillID { return billID(t, r.session(), r.NumberCode) }

// corpus reads all records.
func corpus(t testing.TB) []rawRecord {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(corpusFolder, "*.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("the replay server is not here")
	}
	var out []rawRecord
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(z)
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			r := rawRecord{raw: slices.Clone(lines.Bytes())}
			if err := json.Unmarshal(r.raw, &r); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			out = append(out, r)
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	return out
}

// parts are what is stored of a record, as the store gives them back.
func (r rawRecord) parts(t testing.TB) parliament.SourceRecords {
	t.Helper()
	d, err := legisinfo.ParseDetail(r.raw)
	if err != nil {
		t.Fatalf("%s: %v", r.id(t), err)
	}
	item := &legisinfo.Item{ID: r.ID, Session: r.session(), Number: r.NumberCode, StatusEn: r.StatusNameEn, Hash: "x"}
	if r.ReceivedAssent != "" {
		item.RoyalAssent = r.ReceivedAssent[:10]
	}
	d.ItemHash = item.Hash
	stored, err := json.Marshal(parliament.SourceRecords{Item: item, Detail: d})
	if err != nil {
		t.Fatal(err)
	}
	var p parliament.SourceRecords
	if err := json.Unmarshal(stored, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestCorpus compares what is given of every bill of five sessions with its record.
func TestCorpus(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	records := corpus(t)
	courses := map[string]*parliament.Course{}
	for _, r := range records {
		courses[r.id(t).String()] = parliament.CourseOf(r.id(t), r.parts(t))
	}
	t.Run("Divisions", func(t *testing.T) {
		t.Parallel()
		bySession := map[string]int{}
		for _, r := range records {
			bySession[r.session()] += checkDivisions(t, r, courses[r.id(t).String()].Votes)
		}
		if n := bySession["44-1"] + bySession["45-1"]; n != 557 {
			t.Errorf("%d divisions in 44-1 and 45-1, want 557", n)
		}
		if want := map[string]int{
			"36-1": 0, "41-1": 597, "43-2": 108, "44-1": 461, "45-1": 96,
		}; !maps.Equal(bySession, want) {
			t.Errorf("divisions %v, want %v", bySession, want)
		}
		for bill, n := range map[string]int{"44-1/C-11": 11, "44-1/C-18": 6, "45-1/C-5": 13} {
			if got := len(courses[bill].Votes); got != n {
				t.Errorf("%s has %d divisions, want %d", bill, got, n)
			}
		}
	})
	t.Run("Outcomes", func(t *testing.T) {
		t.Parallel()
		counts := map[string]map[string]int{}
		for _, r := range records {
			o := courses[r.id(t).String()].Outcome
			if o == nil {
				t.Errorf("%s: no outcome", r.id(t))
				continue
			}
			if counts[r.session()] == nil {
				counts[r.session()] = map[string]int{}
			}
			counts[r.session()][o.Code]++
			switch o.Code {
			case parliament.OutcomeLaw:
				if r.ReceivedAssent == "" || o.On == nil || *o.On != r.ReceivedAssent[:10] {
					t.Errorf("%s: law on %v, the record says %q", r.id(t), o.On, r.ReceivedAssent)
				}
			case parliament.OutcomeInProgress:
				if !r.IsSessionOngoing {
					t.Errorf("%s: in progress, and its session is over", r.id(t))
				}
			case parliament.OutcomeReinstated:
				if !r.DidReinstateNext {
					t.Errorf("%s: reinstated", r.id(t))
				}
			case parliament.OutcomeDied:
				if r.IsSessionOngoing || r.DidReinstateNext || r.IsProForma || r.ReceivedAssent != "" || o.On == nil {
					t.Errorf("%s: died on %v; %+v", r.id(t), o.On, r)
				}
			}
		}
		if want := map[string]map[string]int{
			"36-1": {"became_law": 86, "defeated": 6, "not_proceeded_with": 3, "pro_forma": 1, "died_on_order_paper": 342},
			"41-1": {"became_law": 83, "defeated": 27, "not_proceeded_with": 4, "dropped_from_order_paper": 3, "pro_forma": 2, "reinstated": 295, "died_on_order_paper": 33},
			"43-2": {"became_law": 28, "defeated": 16, "not_proceeded_with": 2, "dropped_from_order_paper": 1, "pro_forma": 2, "died_on_order_paper": 152},
			"44-1": {"became_law": 93, "defeated": 30, "not_proceeded_with": 9, "dropped_from_order_paper": 7, "pro_forma": 2, "died_on_order_paper": 271},
			"45-1": {"became_law": 29, "defeated": 10, "pro_forma": 2, "in_progress": 144},
		}; !reflect.DeepEqual(counts, want) {
			t.Errorf("outcomes %v, want %v", counts, want)
		}
	})
	t.Run("SessionEnds", func(t *testing.T) {
		t.Parallel()
		// Nothing happens to a bill after its session ended.
		for id, c := range courses {
			session, _, _ := strings.Cut(id, "/")
			for _, e := range c.Sittings {
				if end := parliament.SessionEnds[session]; end != "" && e.Date != nil && *e.Date > end {
					t.Errorf("%s came up on %s, after %s", id, *e.Date, end)
				}
			}
		}
	})
}

func checkDivisions(t *testing.T, r rawRecord, got []parliament.Vote) int {
	t.Helper()
	want := map[int]rawDivision{}
	for _, v := range r.HouseVoteDetails {
		v.DecisionSittingDate = v.DecisionDateTime
		want[v.DivisionNumber] = v
	}
	if r.BillStages != nil {
		for _, st := range slices.Concat(r.BillStages.HouseBillStages, r.BillStages.SenateBillStages) {
			for _, v := range st.Decisions {
				if _, ok := want[v.DivisionNumber]; v.DivisionNumber > 0 && !ok {
					v.DivisionVoteTotal = v.DivisionVotesYeas + v.DivisionVotesNays + v.DivisionVotePaired
					want[v.DivisionNumber] = v
				}
			}
		}
	}
	if len(got) != len(want) || len(r.SenateVoteDetails) > 0 {
		t.Errorf("%s: %d divisions, want %d (%d of the Senate)", r.id(t), len(got), len(want), len(r.SenateVoteDetails))
	}
	results := map[string]string{"Agreed To": "agreed_to", "Negatived": "negatived", "Tie": "tie"}
	seen := map[int]bool{}
	for i, v := range got {
		w := want[v.Number]
		if seen[v.Number] || v.Chamber != "house" || v.Yeas != w.DivisionVotesYeas || v.Nays != w.DivisionVotesNays ||
			v.Paired != w.DivisionVotePaired || v.Total != w.DivisionVoteTotal ||
			results[w.DecisionResultNameEn] != v.Result || v.Date == nil || *v.Date != w.DecisionSittingDate[:10] ||
			v.URL != fmt.Sprintf(
				"https://www.ourcommons.ca/members/en/votes/%d/%d/%d", r.ParliamentNumber, r.SessionNumber, v.Number,
			) {
			t.Errorf("%s: division %+v, the record has %+v", r.id(t), v, w)
		}
		if w.DecisionDateTime != "" && (v.At == nil || !strings.HasPrefix(*v.At, w.DecisionDateTime)) {
			t.Errorf("%s: division %d at %v, the record has %s", r.id(t), v.Number, v.At, w.DecisionDateTime)
		}
		if (w.DivisionSubjectEn == "") != (v.Subject.En == nil) || (w.DivisionSubjectFr == "") != (v.Subject.Fr == nil) {
			t.Errorf("%s: division %d has the subject %v, the record %q", r.id(t), v.Number, v.Subject, w.DivisionSubjectEn)
		}
		if i > 0 && *got[i-1].Date > *v.Date {
			t.Errorf("%s: division %d comes after a later one", r.id(t), v.Number)
		}
		seen[v.Number] = true
	}
	return len(got)
}
