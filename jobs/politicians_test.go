package jobs_test

import (
	"fmt"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

// politicians fetches politicians, and counts the lists and the records that were asked for.
func (p pipeline) politicians(t testing.TB, r source, config string) (lists, records int) {
	t.Helper()
	r.post(t, "/reset")
	if run, _ := p.materialize(t, "fetch_politicians", config); run.Status != orchestrator.StatusSuccess {
		t.Fatalf("%s: %s, %s", config, run.Status, p.messages(t, run))
	}
	op, _ := r.stats(t)
	lists = op.ByPath["/politicians/"]
	return lists, op.path("/politicians/") - lists
}

const (
	membersNow = `{"limit": 5000}`
	everybody  = `{"limit": 5000, "current_only": false}`
)

// TestPoliticiansInBothModes fetches members and everybody in turns. The list of everybody has names alone; that is no
// change of anybody.
func TestPoliticiansInBothModes(t *testing.T) {
	t.Parallel()
	r := startSmallSimulation(t, lastDay)
	p := newPipeline(t, r, 0)
	_, members := p.politicians(t, r, membersNow)
	_, former := p.politicians(t, r, everybody)
	if n := p.count(t, `SELECT count(*) FROM politicians`); members == 0 || former == 0 || n != members+former {
		t.Fatalf("%d members and %d others were asked for, %d are stored", members, former, n)
	}
	for i, config := range []string{everybody, membersNow, everybody, membersNow, membersNow, everybody} {
		if lists, records := p.politicians(t, r, config); records != 0 || lists > 2 {
			t.Errorf("fetch %d, %s: %d lists and %d records", i, config, lists, records)
		}
	}
	// A new database, the other way around.
	q := newPipeline(t, r, 0)
	if lists, records := q.politicians(t, r, everybody); lists != 2 || records != members+former {
		t.Errorf("everybody first: %d lists and %d records", lists, records)
	}
	if lists, records := q.politicians(t, r, membersNow); lists != 1 || records != 0 {
		t.Errorf("and then members: %d lists and %d records", lists, records)
	}
	if n := q.count(
		t, `SELECT count(*) FROM politicians WHERE party IS NULL OR doc -> 'riding' ->> 'en' IS NULL`,
	); n != 0 {
		t.Errorf("%d have no party or no riding", n)
	}
}

// TestPoliticiansOfRecords does the same with some of the recorded people.
func TestPoliticiansOfRecords(t *testing.T) {
	t.Parallel()
	forEachSource(t, lastDay, func(t *testing.T, r source) {
		p := newPipeline(t, r, 0)
		p.politicians(t, r, `{"limit": 25}`)
		p.politicians(t, r, `{"limit": 25, "current_only": false}`)
		for _, config := range []string{`{"limit": 25}`, `{"limit": 25, "current_only": false}`, `{"limit": 25}`} {
			if lists, records := p.politicians(t, r, config); records != 0 || lists > 3 {
				t.Errorf("%s: %d lists and %d records", config, lists, records)
			}
		}
	})
}

// TestPoliticiansChange: a party that changed, a member who left and one who came back are noticed in either mode, by
// one record each.
func TestPoliticiansChange(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]string{"members": membersNow, "everybody": everybody} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := startSmallSimulation(t, lastDay)
			p := newPipeline(t, r, 0)
			p.politicians(t, r, config)
			var slug string
			if err := p.db.Pool.QueryRow(
				t.Context(), `SELECT slug FROM politicians WHERE is_current AND party <> 'Concord' ORDER BY sort_key DESC LIMIT 1`,
			).Scan(&slug); err != nil {
				t.Fatal(err)
			}
			for _, step := range []struct {
				change, want string
				current      bool
			}{
				{"party=Concord", "Concord", true}, {"left=true", "Concord", false}, {"left=false&party=Harvest", "Harvest", true},
			} {
				r.post(t, "/members?slug="+slug+"&"+step.change)
				for i := range 2 {
					if _, records := p.politicians(t, r, config); records != 1-i {
						t.Errorf("%s, fetch %d: %d records", step.change, i, records)
					}
				}
				got, err := p.store.Politician(t.Context(), slug)
				if err != nil || got.Party.En == nil || *got.Party.En != step.want || got.Current != step.current ||
					(got.Memberships[0].EndedOn == nil) != step.current {
					t.Errorf("%s: %+v, %v", step.change, got, err)
				}
			}
		})
	}
}

// TestOldRecordsAreRenewed: a record that was asked for long ago is asked for again, some in each fetch and the oldest
// first. So are those of which an older version of the program did not note when that was.
func TestOldRecordsAreRenewed(t *testing.T) {
	t.Parallel()
	r := startSmallSimulation(t, lastDay)
	p := newPipeline(t, r, 0)
	_, all := p.politicians(t, r, everybody)
	if all <= 50 {
		t.Fatalf("%d people are too few", all)
	}
	age := func(set string, want ...int) {
		t.Helper()
		if _, err := p.db.Pool.Exec(t.Context(), `UPDATE politicians SET `+set); err != nil {
			t.Fatal(err)
		}
		for i, n := range want {
			if _, records := p.politicians(t, r, everybody); records != n {
				t.Errorf("%s: fetch %d asked for %d records, want %d", set, i, records, n)
			}
		}
	}
	var want []int
	for left := all; left > 0; left -= 50 {
		want = append(want, min(50, left))
	}
	age(`asked_at = now() - interval '89 days'`, 0)
	age(`asked_at = now() - interval '91 days'`, append(want, 0)...)
	age(`asked_at = NULL`, append(want, 0)...)
	if n := p.count(
		t, fmt.Sprintf(`SELECT count(*) FROM politicians WHERE updated_at > first_seen_at OR %d = 0`, all),
	); n != 0 {
		t.Errorf("%d changed, though nothing did", n)
	}
}
