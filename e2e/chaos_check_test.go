//go:build unix

package e2e_test

import (
	"encoding/json"
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// lastFetch brings the bills up to date, so that they can be compared with the source.
func (c *chaos) lastFetch() {
	for _, sensor := range []string{"new_bills_sensor", "fetch_failure_sensor"} { // or they start runs while we look
		if status, body := c.post(c.nodes[0], "/sensors/"+sensor+"/stop", "", nil); status != 200 {
			c.t.Errorf("stop %s: %d %s", sensor, status, body)
		}
	}
	for _, s := range c.sessions() {
		parliament, session, _ := strings.Cut(s, "-")
		status, raw := c.post(c.nodes[0], "/assets/fetch_parliament_session_bills/materialize",
			fmt.Sprintf(`{"config": {"parliament": %s, "session": %s}}`, parliament, session), nil)
		var run struct{ ID string }
		if status != 202 || json.Unmarshal(raw, &run) != nil {
			c.t.Fatalf("fetch %s: %d %s", s, status, raw)
		}
		c.accepted[uuid.NewString()] = run.ID
	}
	c.settle(3 * time.Minute)
}

// sourceBills are the numbers and English titles that the source has, by session.
func (c *chaos) sourceBills(session string) map[string]string {
	out := map[string]string{}
	for at := "/bills/?format=json&limit=500&session=" + session; at != ""; {
		resp, err := chaosClient.Get(c.source + at)
		if err != nil {
			c.t.Fatal(err)
		}
		var page struct {
			Objects []struct {
				Number string
				Name   map[string]string
			}
			Pagination struct {
				NextURL *string `json:"next_url"`
			}
		}
		err = json.NewDecoder(resp.Body).Decode(&page)
		resp.Body.Close()
		if err != nil {
			c.t.Fatal(err)
		}
		for _, b := range page.Objects {
			out[b.Number] = b.Name["en"]
		}
		if at = ""; page.Pagination.NextURL != nil {
			at = *page.Pagination.NextURL
		}
	}
	return out
}

func (c *chaos) sessions() (out []string) {
	rows, err := c.db.Pool.Query(c.t.Context(), "SELECT DISTINCT split_part(id, '/', 1) FROM bills ORDER BY 1")
	if err != nil {
		c.t.Fatal(err)
	}
	if out, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		c.t.Fatal(err)
	}
	return out
}

// check reads the tables.
func (c *chaos) check() {
	var keys, ids []string
	for key, id := range c.accepted {
		keys, ids = append(keys, key), append(ids, id)
	}
	c.complain("accepted runs that are not there", `SELECT id FROM unnest($1::text[]) AS id
		WHERE NOT EXISTS (SELECT FROM runs WHERE runs.id = id::uuid)`, ids)
	c.follows()
	c.backfills()
	c.stormEnds()
	c.withinLimits()
	c.report("answers that no request may get", c.wrong, nil)
	c.complain("fetches not logged once", `SELECT s.run_id || ' ' || s.asset || ' ' || count(f.id) FROM steps s
		LEFT JOIN fetch_logs f ON f.run_id = s.run_id AND f.asset = s.asset AND f.status IN ('success', 'partial_success')
WHERE s.asset LIKE 'fetch%' AND s.status = 'success' GROUP BY s.run_id, s.asset HAVING count(f.id) <> 1`)
	c.complain("fetches logged that nobody did", `SELECT f.run_id || ' ' || count(*) FROM fetch_logs f
		GROUP BY f.run_id, f.asset
HAVING count(*) > (SELECT count(*) FROM events e WHERE e.run_id = f.run_id AND e.asset = f.asset
AND e.type IN ('step_success', 'step_failure', 'step_up_for_retry', 'step_canceled'))`)
	c.complain("idempotency keys with another run", `SELECT k.key || ' ' || k.run_id FROM idempotency_keys k
		JOIN unnest($1::text[], $2::text[]) AS mine(key, run) ON mine.key = k.key
		WHERE k.run_id::text <> mine.run`, keys, ids)
	c.complain("canceled runs that nobody canceled", `SELECT id::text FROM runs WHERE status = 'canceled'
		AND NOT id::text = ANY($1) AND NOT coalesce(backfill_id::text = ANY($1), false)`, c.canceled())
	c.noLeaks(len(c.nodes))
	c.refused = c.pgLog.check(c.t)
	c.complain("bills with versions missing or there twice", `SELECT b.id || ' ' || b.version || ' ' || count(*)
		FROM bills b LEFT JOIN bill_versions v ON v.bill_id = b.id GROUP BY b.id
		HAVING count(*) <> b.version OR max(v.version) <> b.version`)
	c.complain("versions that change nothing", `SELECT bill_id || ' ' || version FROM bill_versions
		WHERE version > 1 AND changes = '[]'`)
	for _, session := range c.sessions() {
		want := c.sourceBills(session)
		got := map[string]string{}
		rows, err := c.db.Pool.Query(c.t.Context(), "SELECT doc->>'number', doc->'title'->>'en' FROM bills WHERE id LIKE $1",
			session+"/%")
		if err != nil {
			c.t.Fatal(err)
		}
		var number, title string
		if _, err := pgx.ForEachRow(rows, []any{&number, &title},
			func() error { got[number] = title; return nil }); err != nil {
			c.t.Fatal(err)
		}
		for number, title := range want {
			if got[number] != strings.Join(strings.Fields(html.UnescapeString(title)), " ") {
				c.t.Errorf("bill %s/%s is %q, at the source %q", session, number, got[number], title)
			}
		}
	}
}

func (c *chaos) canceled() (out []string) {
	out = []string{}
	for id := range c.cancels {
		out = append(out, id)
	}
	return out
}

var workerPid = regexp.MustCompile(`worker \S+-(\d+)-[0-9a-f]{8} is dead`)

// longestRecovery is the longest time from a kill to the moment that a step of the killed process was given to another.
func (c *chaos) longestRecovery() (longest time.Duration) {
	rows, err := c.db.Pool.Query(c.t.Context(), "SELECT at, message FROM events WHERE type = 'step_requeued'")
	if err != nil {
		c.t.Fatal(err)
	}
	var at time.Time
	var message string
	_, err = pgx.ForEachRow(rows, []any{&at, &message}, func() error {
		if m := workerPid.FindStringSubmatch(message); m != nil {
			pid, _ := strconv.Atoi(m[1])
			if killed, ok := c.kills[pid]; ok {
				longest = max(longest, at.Sub(killed))
			}
		}
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return longest
}
