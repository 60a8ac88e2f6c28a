package jobs_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/jobs"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
)

// harmful is a fault that a check must find.
type harmful struct {
	asset, check string
	fault        string
	// config is of the asset, prepare makes what it is made of.
	config  string
	prepare func(s *lab)
	// harm is done between a materialization whose check passes and one whose check does not.
	harm func(s *lab)
	// says is in the message of the check that does not pass.
	says string
}

const latestAsset, membersAsset = "fetch_latest_bills", "fetch_politicians"

// harms has at least one fault for every check of the pipeline: see TestChecks.
var harms = []harmful{
	{
		asset: latestAsset, check: "current_session_has_bills", fault: "nothing was introduced for nine months",
		config: `{"limit": 10}`,
		harm:   func(s *lab) { s.world.SetDay(time.Date(2028, 3, 1, 0, 0, 0, 0, time.UTC)) },
		says:   "want one since 2027-07-01",
	},
	{
		asset: latestAsset, check: "current_session_has_bills", fault: "a newer session is known", config: `{"limit": 10}`,
		prepare: func(s *lab) { s.made("parliament_sessions", `{}`) },
		harm:    func(s *lab) { s.exec(`INSERT INTO dynamic_partitions VALUES ('parliament_session', '46-1', now())`) },
		says:    "session 46-1 is known, and no bill of it is held",
	},
	{
		asset: latestAsset, check: "every_bill_has_a_title", fault: "a bill without one", config: `{"limit": 10}`,
		harm: func(s *lab) {
			id, err := parliament.ParseBillID("43-1", "C-5")
			if err != nil {
				s.t.Fatal(err)
			}
			if _, err := s.store.Save(s.t.Context(), [16]byte{1}, []parliament.Record{
				{
					ID: id, FetchedAt: time.Now(),
					SourceRecords: parliament.SourceRecords{OpenParliament: &openparliament.Bill{Session: "43-1", Number: "C-5"}},
				},
			}); err != nil {
				s.t.Fatal(err)
			}
		}, says: "without a title: 43-1/C-5",
	},
	{
		asset: latestAsset, check: "error_rate_below_10_percent", fault: "details are gone", config: `{"limit": 20}`,
		harm: func(s *lab) {
			s.exec(`UPDATE bills SET parts = jsonb_set(parts, '{detail}', 'null')`)
			s.spoiled(func(w http.ResponseWriter, r *http.Request) bool {
				gone := strings.Contains(r.URL.Path, "/bill/")
				if gone {
					http.NotFound(w, r)
				}
				return gone
			})
		}, says: "bills not enriched, of",
	},
	{
		asset: latestAsset, check: "no_bill_lags", fault: "a listed bill was never stored", config: `{"limit": 10}`,
		harm: func(s *lab) {
			s.exec(`INSERT INTO listed_bills VALUES ('44-1/C-999', '44-1', 'x', NULL, now() - interval '27 hours')`)
		}, says: "1 bills lag, 1 of them for more than 26h0m0s; 44-1/C-999",
	},
	{
		asset: "data_quality", check: "no_bill_lags", fault: "a bill changed and was not fetched", prepare: fetchAll,
		harm: func(s *lab) {
			s.exec(`UPDATE listed_bills SET item_hash = 'x', seen_at = now() - interval '27 hours' WHERE bill_id = '44-1/C-1'`)
		}, says: "1 bills lag, 1 of them for more than 26h0m0s; 44-1/C-1",
	},
	{
		asset: latestAsset, check: "error_rate_below_10_percent", fault: "LEGISinfo has no list", config: `{"limit": 20}`,
		harm: func(s *lab) {
			s.spoiled(func(w http.ResponseWriter, r *http.Request) bool {
				gone := strings.Contains(r.URL.Path, "/legisinfo/")
				if gone {
					http.NotFound(w, r)
				}
				return gone
			})
		}, says: "20 bills not enriched, of 20 bills",
	},
	{
		asset: "bill_statistics", check: "count_does_not_drop_by_half", fault: "half of all bills are gone",
		prepare: fetchAll,
		harm: func(s *lab) {
			s.exec(
				`DELETE FROM bills WHERE id IN (SELECT id FROM bills ORDER BY id LIMIT (SELECT (count(*) + 1) / 2 FROM bills))`,
			)
		}, says: "bills are left",
	},
	{
		asset: "bill_statistics", check: "count_does_not_drop_by_half",
		fault: "half of a session is gone, while another grew", prepare: fetchAll,
		harm: func(s *lab) {
			s.exec(`DELETE FROM bills WHERE id IN (SELECT id FROM bills WHERE parliament = 44 ORDER BY id LIMIT 15)`)
			dbtest.InsertRows(
				s.t, s.db, "bills",
				`SELECT (jsonb_populate_record(b, jsonb_build_object('id', id || 'X', 'suffix', 'X'))).* FROM bills b
					WHERE parliament = 45`,
			)
		}, says: "of session 44-1, 15 of 30",
	},
	{
		asset: "bill_statistics", check: "count_does_not_drop_by_half", fault: "a session is gone", prepare: fetchAll,
		harm: func(s *lab) { s.exec(`DELETE FROM bills WHERE parliament = 44`) }, says: "of session 44-1, 0 of 30",
	},
	{
		asset: membersAsset, check: "members_are_known", fault: "nobody is a member", config: `{"limit": 5}`,
		harm: func(s *lab) {
			s.exec(`UPDATE politicians SET is_current = false`)
			s.exec(
				`CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.is_current = false; RETURN NEW; END';
					CREATE TRIGGER never BEFORE UPDATE ON politicians FOR EACH ROW EXECUTE FUNCTION never()`,
			)
		}, says: "0 members now",
	},
	{
		asset: membersAsset, check: "members_are_known", fault: "members have no id any more", config: `{"limit": 5}`,
		harm: func(s *lab) { s.exec(`UPDATE politicians SET person_id = NULL`) }, says: "0 with a person id",
	},
	{
		asset: "generate_rss_feeds", check: "feeds_have_items", fault: "no item is written", prepare: func(*lab) {},
		harm: func(s *lab) { s.swallow("feed_items", "true"); fetchAll(s) }, says: "not in feeds",
	},
	{
		asset: "generate_rss_feeds", check: "feeds_have_items", fault: "one bill is left out", prepare: fetchAll,
		harm: func(s *lab) {
			s.swallow("feed_items", "NEW.bill_id = '45-1/C-1'")
			s.exec(`DELETE FROM feed_items WHERE bill_id = '45-1/C-1'`)
		}, says: "the latest change of 1 bills is not in feeds, such as 45-1/C-1",
	},
	{
		asset: "update_embeddings", check: "every_document_is_embedded", fault: "a bill is left out", prepare: fetchAll,
		harm: func(s *lab) {
			s.swallow("embeddings", "NEW.bill_id = '45-1/C-1'")
			s.exec(`DELETE FROM embeddings WHERE bill_id = '45-1/C-1'`)
		}, says: "2 documents have no embedding of their text, such as 45-1/C-1 (en), 45-1/C-1 (fr)",
	},
	{
		asset: "update_embeddings", check: "every_document_is_embedded", fault: "a text that changed is left as it was",
		prepare: fetchAll,
		harm: func(s *lab) {
			s.exec(`UPDATE embeddings SET hash = 'x', version = 0 WHERE bill_id = '45-1/C-1' AND language = 'fr'`)
			s.swallow("embeddings", "NEW.bill_id = '45-1/C-1'")
		}, says: "1 documents",
	},
	{
		asset: "data_quality", check: "no_bill_disappeared", fault: "one did", prepare: fetchAll,
		harm: func(s *lab) { s.exec(`UPDATE bills SET missing_since = now() WHERE id = '45-1/C-1'`) }, says: "1 bills",
	},
	{
		asset: "data_quality", check: "sources_agree", fault: "a title in a bill of a hundred and more differs",
		prepare: fetchAll,
		harm: func(s *lab) {
			s.exec(
				`UPDATE bills SET parts = jsonb_set(parts, '{openparliament,name_en}', '"Another Act"') WHERE id = '45-1/C-1'`,
			)
		}, says: "1 differences",
	},
}

func fetchAll(s *lab) {
	s.made("fetch_parliament_session_bills", `{"parliament": 44, "session": 1}`)
	s.made("fetch_parliament_session_bills", `{"parliament": 45, "session": 1}`)
}

// TestChecks does harm to what each check protects: it passes before, and not after.
func TestChecks(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	for _, f := range harms {
		t.Run(f.asset+"/"+f.check+"/"+f.fault, func(t *testing.T) {
			t.Parallel()
			s := newLab(t, labOptions{
				deps: func(d *jobs.Deps, s *lab) { d.Embedder = parliament.NewEmbedder(s.db, embedder(t, nil)) },
			})
			if f.prepare != nil {
				f.prepare(s)
			}
			config := f.config
			if config == "" {
				config = `{}`
			}
			s.made(f.asset, config)
			if r := s.check(f.asset, f.check); !r.Passed {
				t.Fatalf("all is well, but %s", r.Message)
			}
			f.harm(s)
			if run := s.run(f.asset, config); run.Status != orchestrator.StatusSuccess {
				t.Fatalf("the run ended as %s: %+v", run.Status, run.Steps[0].Error)
			}
			r := s.check(f.asset, f.check)
			if r.Passed || !strings.Contains(r.Message, f.says) {
				t.Errorf("passed: %v, %q; want %q", r.Passed, r.Message, f.says)
			}
			alert := slices.Contains(s.alerts(), "check:"+f.asset+"/"+f.check)
			if alert != (r.Severity == orchestrator.SeverityError) {
				t.Errorf("severity %s, alerts %v", r.Severity, s.alerts())
			}
		})
	}
}

// TestEveryCheckIsTested wants a fault for every check there is, and a description that says what it is for.
func TestEveryCheckIsTested(t *testing.T) {
	t.Parallel()
	defs, err := jobs.All(jobs.Deps{Store: &parliament.Store{}})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, a := range defs.Assets() {
		for _, c := range a.Checks {
			n++
			if c.Description == "" ||
				!slices.ContainsFunc(harms, func(f harmful) bool { return f.asset == a.Name && f.check == c.Name }) {
				t.Errorf("check %s of %s has no description, or no fault in TestChecks that it finds", c.Name, a.Name)
			}
		}
	}
	if n < 9 {
		t.Errorf("%d checks", n)
	}
}

// TestFreshnessOfThePipeline makes every asset with a policy late.
func TestFreshnessOfThePipeline(t *testing.T) {
	t.Parallel()
	defs, err := jobs.All(jobs.Deps{Store: &parliament.Store{}})
	if err != nil {
		t.Fatal(err)
	}
	last := time.Date(2026, 6, 18, 3, 15, 0, 0, time.UTC)
	n := 0
	for _, a := range defs.Assets() {
		if a.Freshness == nil {
			continue
		}
		n++
		for after, want := range map[time.Duration]string{
			time.Hour: orchestrator.FreshnessFresh, 72 * time.Hour: orchestrator.FreshnessLate,
		} {
			if state, _ := a.Freshness.State(&last, last.Add(after)); state != want {
				t.Errorf("%s is %s %s after it was made", a.Name, state, after)
			}
		}
	}
	if n < 2 {
		t.Errorf("%d assets have a policy", n)
	}
}

// TestLostBillsHoldBackReaders has a store lose bills: nothing that readers get is made of it, however often it is
// tried, until the bills are back or somebody says that it is so.
func TestLostBillsHoldBackReaders(t *testing.T) {
	t.Parallel()
	s := newLab(t, labOptions{})
	fetchAll(s)
	s.made("new_bills_job", `{}`)
	items := s.count(`SELECT count(*) FROM feed_items`)
	s.exec(
		`CREATE TABLE kept AS SELECT * FROM bills WHERE parliament = 45;
			CREATE TABLE kept_versions AS SELECT * FROM bill_versions WHERE bill_id LIKE '45-1/%'`,
	)
	s.exec(
		`UPDATE bills SET version = version + 1 WHERE parliament = 44;
			INSERT INTO bill_versions (bill_id, version, changes, created_at) SELECT id, version, '[]', now() FROM bills
			WHERE parliament = 44`,
	)
	s.exec(`DELETE FROM bills WHERE parliament = 45 AND id <> '45-1/C-1'`)
	held := s.count(`SELECT count(*) FROM feed_items`)
	for _, job := range []string{"publish_job", "new_bills_job", "publish_job"} {
		run := s.run(job, `{}`)
		want := maps.Clone(statusesOf(run))
		for asset := range want {
			want[asset] = orchestrator.StatusSkipped
		}
		want["bill_statistics"] = orchestrator.StatusSuccess
		if run.Status != orchestrator.StatusFailure || run.Error.Class != orchestrator.ClassCheck || len(want) < 2 ||
			!maps.Equal(statusesOf(run), want) {
			t.Errorf("%s ended as %s, %+v, %v", job, run.Status, run.Error, statusesOf(run))
		}
	}
	if n := s.count(`SELECT count(*) FROM feed_items`); n != held || held >= items {
		t.Errorf("%d items, %d before, %d at first", n, held, items)
	}
	if got := s.alerts(); !slices.Contains(got, "check:bill_statistics/count_does_not_drop_by_half") {
		t.Errorf("alerts %v", got)
	}

	s.made("publish_job", `{"ops": {"bill_statistics": {"config": {"accept_drop": true}}}}`)
	s.made("publish_job", `{}`) // what was accepted once stays so
	if got := s.alerts(); slices.Contains(got, "check:bill_statistics/count_does_not_drop_by_half") {
		t.Errorf("accepted, but alerts %v", got)
	}
	if n := s.count(`SELECT count(*) FROM feed_items`); n != held+30 {
		t.Errorf("%d items, want %d", n, held+30)
	}

	dbtest.InsertRows(t, s.db, "bills", "SELECT * FROM kept")
	dbtest.InsertRows(t, s.db, "bill_versions", "SELECT * FROM kept_versions")
	s.made("publish_job", `{}`) // back again, and counted
	s.exec(`DELETE FROM bills WHERE parliament = 45 AND id <> '45-1/C-1'`)
	if run := s.run("publish_job", `{}`); run.Status != orchestrator.StatusFailure {
		t.Errorf("lost again: %s", run.Status)
	}
}

// A slow loss is one too: each count is more than half of the one before, and less than half of what there was.
func TestSlowLossIsFound(t *testing.T) {
	t.Parallel()
	s := newLab(t, labOptions{})
	s.made("fetch_parliament_session_bills", `{"parliament": 45, "session": 1}`)
	passed := []bool{}
	for range 3 {
		s.made("bill_statistics", `{}`)
		passed = append(passed, s.check("bill_statistics", "count_does_not_drop_by_half").Passed)
		s.exec(`DELETE FROM bills WHERE id IN (SELECT id FROM bills ORDER BY id LIMIT (SELECT 2 * count(*) / 5 FROM bills))`)
	}
	if !slices.Equal(passed, []bool{true, true, false}) {
		t.Errorf("%v", passed)
	}
}

// The counts of a version of the program that did not know of the most are the most.
func TestStatisticsOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	s := newLab(t, labOptions{})
	s.made("fetch_parliament_session_bills", `{"parliament": 45, "session": 1}`)
	s.made("bill_statistics", `{}`)
	s.exec(
		`UPDATE materializations SET metadata = $1 WHERE asset = 'bill_statistics'`,
		json.RawMessage(`{"bills_total": 61, "bills_by_session": {"45-1": 61}}`),
	)
	for i := range 2 {
		s.made("bill_statistics", `{}`)
		if r := s.check("bill_statistics", "count_does_not_drop_by_half"); r.Passed || !strings.Contains(r.Message, "of 61") {
			t.Errorf("%d: %v %s", i, r.Passed, r.Message)
		}
	}
}

// No pause that Parliament took since the records begin is taken for an old session; a longer one is.
func TestPausesOfParliament(t *testing.T) {
	t.Parallel()
	s := newLab(t, labOptions{})
	s.made(latestAsset, `{"limit": 5}`)
	var day time.Time
	if err := s.db.Pool.QueryRow(t.Context(), `SELECT max(introduced_on) FROM bills`).Scan(&day); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[int]bool{0: true, 95: true, 165: true, 214: true, 260: false, 365: false} {
		t.Run(fmt.Sprint(after, " days"), func(t *testing.T) {
			t.Parallel()
			// The world stands still in the years after its last session: nothing is introduced any more.
			one := newLab(t, labOptions{
				deps: func(d *jobs.Deps, s *lab) { d.Now = func() time.Time { return day.AddDate(0, 0, after) } },
			})
			one.made(latestAsset, `{"limit": 5}`)
			if r := one.check(latestAsset, "current_session_has_bills"); r.Passed != want {
				t.Errorf("passed: %v, %s", r.Passed, r.Message)
			}
		})
	}
}
