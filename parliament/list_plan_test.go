package parliament_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
)

// explaining has Postgres plan queries for their arguments, and keeps the plan instead of the rows.
type explaining struct {
	db.Querier
	plan string
}

func (e *explaining) Query(ctx context.Context, query string, args ...any) (pgx.Rows, error) {
	rows, err := e.Querier.Query(ctx, "EXPLAIN (COSTS OFF) "+query, args...)
	if err != nil {
		return nil, err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	e.plan = strings.Join(lines, "\n")
	return e.Querier.Query(ctx, "SELECT 1 WHERE false")
}

// TestPlansOfBillLists reads a page of ten thousand bills along an index, in every order and from every place.
func TestPlansOfBillLists(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	for _, statement := range []string{
		`ALTER TABLE bills DISABLE TRIGGER bills_index_insert`, // which takes longest, and is not looked at
		`INSERT INTO bills (id, parliament, session, prefix, digits, suffix, introduced_on, status_code, law, search, doc,
			content_hash, parts, version, first_seen_at, updated_at)
		 SELECT format('%s-1/C-%s', 35 + i / 1000, i % 1000 + 1), 35 + i / 1000, 1, 'C', i % 1000 + 1, '',
		 '1995-01-01'::date + i, 'X', i % 9 = 0, 'x',
		        jsonb_build_object('id', i, 'private_member_bill', i % 1000 <> 0, 'home_chamber',
		        CASE WHEN i % 4 = 0 THEN 'senate' ELSE 'house' END, 'bill_type', jsonb_build_object('en',
		        CASE WHEN i % 1000 = 0 THEN 'Senate Private Bill' ELSE 'Private Member''s Bill' END),
		            'latest_activity_at', to_char('1995-01-01'::date + i + 30, 'YYYY-MM-DD') || 'T12:00:00-05:00', 'sponsor',
		            jsonb_build_object('person_id', i % 300 + 1, 'name', 'Person ' || i % 300),
		            'committees', jsonb_build_array(jsonb_build_object('acronym', 'C' || i % 100, 'name',
		            jsonb_build_object('en', 'Committee ' || i % 100))), 'title', repeat('An Act respecting plans. ', 20)),
		        '\x00', '{}', 1, now(), '2020-01-01'::timestamptz + i / 500 * interval '1 hour'
		 FROM generate_series(0, 9999) AS i`,
		`ANALYZE bills`, `ANALYZE bill_index`,
	} {
		if _, err := d.Pool.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	day := time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)
	base := func() sql.ListBillsParams {
		return sql.ListBillsParams{Ids: []string{}, Kinds: []string{}, SponsorIds: []int64{}, Sort: "introduced", Limit: 51}
	}
	after := func(p sql.ListBillsParams) sql.ListBillsParams {
		p.After = true
		p.AfterAt = day.AddDate(10, 0, 0).Add(10 * time.Hour)
		p.AfterActivity = &day
		p.AfterIntroduced = &day
		p.AfterPrefix = "C"
		p.AfterDigits = 7
		p.AfterID = "40-1/C-7"
		return p
	}
	explain := func(p sql.ListBillsParams) string {
		t.Helper()
		e := &explaining{Querier: d.Pool}
		if _, err := sql.New(db.CustomPlan{Querier: e}).ListBills(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		return e.plan
	}
	for _, order := range []struct {
		sort      string
		ascending bool
		index     string
	}{
		{"introduced", false, "bills_list_idx"}, {"introduced", true, "bills_earliest_idx"}, {"updated", false, "bills_updated_desc_idx"}, {"updated", true, "bills_updated_order_idx"},
		{"latest_activity", false, "bills_activity_desc_idx"}, {"latest_activity", true, "bills_activity_idx"},
	} {
		for name, change := range map[string]func(*sql.ListBillsParams){
			"all": func(*sql.ListBillsParams) {}, "chamber": func(p *sql.ListBillsParams) { p.Chamber = new("senate") }, "type": func(p *sql.ListBillsParams) { p.Kinds = []string{"private", "member"} },
		} {
			p := base()
			p.Sort, p.Ascending = order.sort, order.ascending
			change(&p)
			for place, p := range map[string]sql.ListBillsParams{"the first page": p, "a later page": after(p)} {
				plan := explain(p)
				if !strings.Contains(plan, "using "+order.index) || strings.Contains(plan, "Sort") ||
					strings.Contains(plan, "Seq Scan") {
					t.Errorf(
						"%s, ascending %t, %s, %s: want %s and nothing sorted:\n%s", order.sort, order.ascending, name, place,
						order.index, plan,
					)
				}
				if place == "a later page" && !strings.Contains(plan, "Index Cond") {
					t.Errorf("%s, ascending %t, %s: reads all pages before:\n%s", order.sort, order.ascending, name, plan)
				}
			}
		}
	}
	// What few bills have is found by its own index, whatever the order.
	for index, change := range map[string]func(*sql.ListBillsParams){
		"bills_words_idx":   func(p *sql.ListBillsParams) { p.Committee = new("c7") },
		"bills_sponsor_idx": func(p *sql.ListBillsParams) { p.Sponsored, p.SponsorIds, p.SponsorName = true, []int64{7}, "none" },
	} {
		p := base()
		p.Sort = "updated"
		change(&p)
		if plan := explain(p); !strings.Contains(plan, index) || strings.Contains(plan, "Seq Scan") {
			t.Errorf("want %s:\n%s", index, plan)
		}
	}
	// A page takes milliseconds; what takes a second is no index.
	var took []time.Duration
	q := sql.New(db.CustomPlan{Querier: d.Pool})
	for i := range 100 {
		p := base()
		p.Sort = []string{"introduced", "updated", "latest_activity"}[i%3]
		p.Ascending, p.Chamber = i%2 == 0, new("senate")
		started := time.Now()
		if _, err := q.ListBills(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		took = append(took, time.Since(started))
	}
	slices.Sort(took)
	t.Logf("a page of ten thousand bills: p50 %s, p99 %s", took[50], took[98])
}
