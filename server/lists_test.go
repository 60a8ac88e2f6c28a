package server_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/api"
)

// TestRunsByStatus lists the runs of several statuses, and of all but some.
func TestRunsByStatus(t *testing.T) {
	t.Parallel()
	s := setup(t)
	good := s.start("/assets/echo/materialize", "").ID.String()
	s.ended(good)
	bad := s.start("/assets/gated/materialize", "").ID.String()
	s.gate <- struct{}{}
	s.ended(bad)
	open := s.start("/assets/gated/materialize", "").ID.String()
	canceled := s.start("/assets/gated/materialize", "").ID.String()
	s.do("POST", "/runs/"+canceled+"/cancel", "")
	s.ended(canceled)
	names := map[string]string{good: "good", bad: "bad", open: "open", canceled: "canceled"}
	for query, want := range map[string]string{
		"": "canceled open bad good", "status=failure": "bad", "status=failure,canceled": "canceled bad", "status=canceled&status=failure": "canceled bad", "status=success&status=failure,canceled": "canceled bad good",
		"status=-success": "canceled open bad", "status=-success,-canceled": "open bad", "status=-success&status=-canceled": "open bad", "status=success,failure,-success": "bad", "status=success,-success": "",
		"status=failure&asset=gated": "bad", "status=-failure&asset=gated": "canceled open", "status=failure%2Ccanceled&limit=1": "canceled", "status=queued,started": "open", "status=failure,failure": "bad",
	} {
		list := decode[api.RunList](t, s.do("GET", "/runs?"+query, ""), 200)
		var got []string
		for _, r := range list.Items {
			got = append(got, names[r.ID.String()])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %q", query, got, want)
		}
	}
	for _, query := range []string{
		"status=", "status=failed", "status=failure,", "status=--success", "status=-", "status=success&status=nope",
	} {
		p := decode[api.Problem](t, s.do("GET", "/runs?"+query, ""), 422)
		if len(p.Errors) != 1 || p.Errors[0].Pointer != "/query/status" {
			t.Errorf("%s: %+v", query, p)
		}
	}
	close(s.gate)
	s.ended(open)
}

// TestTotals counts every list that takes count=true: as many as its pages have, whatever the cursor.
func TestTotals(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.saveBills(1, someBills...)
	changed := someBills[0]
	changed.titleEn = "Another title"
	s.saveBills(2, changed)
	s.savePolitician("ada-byron", 7)
	s.savePolitician("ada-byron-1", 9)
	backfill := decode[api.Backfill](t, s.do("POST", "/backfills", `{"assets": ["parted"], "concurrency": 3}`), 202).
		ID.String()
	var last string
	for range 3 {
		last = s.start("/jobs/echo_job/runs", "").ID.String()
		s.ended(last)
		decode[api.SensorTick](t, s.do("POST", "/sensors/poll/evaluate", ""), 200)
		s.ended(s.start("/schedules/nightly/run", "").ID.String())
	}
	s.exec(`INSERT INTO run_keys (sensor, key, run_id, created_at) SELECT 'poll', 'k' || i, gen_random_uuid(), now()
		FROM generate_series(1, 4) AS i`)
	s.exec(`INSERT INTO alerts (id, cause, severity, title, detail, data, occurrences, opened_at, last_at, tell_at)
		SELECT gen_random_uuid(), 'c' || i, 'warn', 't', 'd', '{}', 1, now(), now(), '2999-01-01'
		FROM generate_series(1, 3) AS i`)
	s.exec(`INSERT INTO deliveries (id, alert_id, channel, kind, status, attempts, created_at) SELECT gen_random_uuid(),
		(SELECT id FROM alerts LIMIT 1), 'ops', 'firing', 'delivered', 1, now() FROM generate_series(1, 3) AS i`)
	s.exec(`INSERT INTO fetch_logs (id, asset, source, status, records_attempted, records_succeeded, records_failed,
		duration_seconds, params, errors, created_at)
		SELECT gen_random_uuid(), 'a', 's', 'success', 1, 1, 0, 1, '{}', '[]', now() FROM generate_series(1, 3) AS i`)
	s.until("the backfill has ended", func() bool {
		return decode[api.Backfill](t, s.do("GET", "/backfills/"+backfill, ""), 200).EndedAt != nil
	})
	s.settled()
	paths := map[string][]string{ // by operation, with what narrows it
		"listAssetMaterializations": {"/assets/echo/materializations", "/assets/parted/materializations?partition=a"}, "listAssetCheckResults": {"/assets/parted/check-results", "/assets/parted/check-results?check=nope"},
		"listRuns": {"/runs", "/runs?status=-success", "/runs?asset=echo", "/runs?status=success&job=echo_job"}, "listRunEvents": {"/runs/" + last + "/events", "/runs/" + last + "/events?after=1000000"},
		"listScheduleTicks": {"/schedules/nightly/ticks"}, "listSensorTicks": {"/sensors/poll/ticks"}, "listSensorRunKeys": {"/sensors/poll/run-keys", "/sensors/poll/run-keys?prefix=k"},
		"listBackfills": {"/backfills", "/backfills?status=failure"}, "listBackfillPartitions": {"/backfills/" + backfill + "/partitions"}, "listAlerts": {"/alerts", "/alerts?open=true"}, "listAlertDeliveries": {"/alert-deliveries?channel=ops", "/alert-deliveries?channel=x"},
		"listBills": {"/bills", "/bills?q=rivers", "/bills?q=%25", "/bills?sort=updated&order=asc&chamber=senate", "/bills?sponsor=nobody"}, "listBillChanges": {"/bills/changes", "/bills/changes?chamber=senate", "/bills/changes?since=2999-01-01T00:00:00Z"},
		"listBillVersions": {"/bills/44-1/C-11/versions"}, "listPoliticians": {"/politicians", "/politicians?q=byorn", "/politicians?q=nobody"}, "listFetchLogs": {"/fetch-logs", "/fetch-logs?status=failure"}, "listAuditLog": {"/audit-log", "/audit-log?operation=startBackfill"},
	}
	var spec struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(s.do("GET", "/openapi.json", "").body, &spec); err != nil {
		t.Fatal(err)
	}
	for _, item := range spec.Paths {
		for method, raw := range item {
			var op struct {
				OperationID string
				Parameters  []struct {
					Ref string `json:"$ref"`
				}
			}
			if method == "parameters" || json.Unmarshal(raw, &op) != nil {
				continue
			}
			counts := slices.ContainsFunc(op.Parameters, func(p struct {
				Ref string `json:"$ref"`
			}) bool {
				return strings.HasSuffix(p.Ref, "/Count")
			})
			if counts != (len(paths[op.OperationID]) > 0) {
				t.Errorf("%s: takes count %t, tested %t", op.OperationID, counts, !counts)
			}
		}
	}
	type page struct {
		Items       []json.RawMessage
		NextCursor  *string `json:"next_cursor"`
		Total       *int
		TotalCapped *bool `json:"total_capped"`
		More        *bool
	}
	for _, path := range slices.Concat(slices.Collect(maps.Values(paths))...) {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			sep := "?"
			if strings.Contains(path, "?") {
				sep = "&"
			}
			get := func(query string) (p page) {
				a := s.do("GET", path+sep+query, "")
				if err := json.Unmarshal(a.body, &p); err != nil || a.StatusCode != 200 {
					t.Fatalf("%d: %s", a.StatusCode, a.body)
				}
				return p
			}
			n, cursor := 0, ""
			for {
				p := get("count=true&limit=2" + cursor)
				if n += len(p.Items); p.Total == nil || p.TotalCapped == nil || *p.TotalCapped {
					t.Fatalf("%+v", p)
				}
				if p.NextCursor == nil || p.More != nil && !*p.More {
					if *p.Total != n {
						t.Errorf("total %d, but %d items on the pages", *p.Total, n)
					}
					return
				}
				cursor = "&cursor=" + url.QueryEscape(*p.NextCursor)
				if q := get("limit=2"); q.Total != nil || q.TotalCapped != nil {
					t.Errorf("not asked, but %+v", q)
				}
			}
		})
	}
}

// TestTotalCapped stops counting at ten thousand.
func TestTotalCapped(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.exec(`INSERT INTO run_keys (sensor, key, run_id, created_at) SELECT 'poll', 'k' || i, gen_random_uuid(), now()
		FROM generate_series(1, 10000) AS i`)
	if l := decode[api.RunKeyList](t, s.do("GET", "/sensors/poll/run-keys?count=true&limit=1", ""),
		200); *l.Total != 10_000 || *l.TotalCapped {
		t.Errorf("%d, %t", *l.Total, *l.TotalCapped)
	}
	s.exec(`INSERT INTO run_keys (sensor, key, run_id, created_at) SELECT 'poll', 'm' || i, gen_random_uuid(), now()
		FROM generate_series(1, 500) AS i`)
	if l := decode[api.RunKeyList](t, s.do("GET", "/sensors/poll/run-keys?count=true&limit=1", ""),
		200); *l.Total != 10_000 || !*l.TotalCapped {
		t.Errorf("%d, %t", *l.Total, *l.TotalCapped)
	}
	if l := decode[api.RunKeyList](t, s.do("GET", "/sensors/poll/run-keys?count=true&limit=1&prefix=m", ""),
		200); *l.Total != 500 || *l.TotalCapped {
		t.Errorf("%d, %t", *l.Total, *l.TotalCapped)
	}
	decode[api.Problem](t, s.do("GET", "/runs?count=maybe", ""), 422)
	decode[api.Problem](t, s.do("GET", "/jobs?count=true", ""), 422) // all are on its one page
}

// TestRunKeys looks at the keys of a sensor and forgets one, after which the sensor starts a run by it again.
func TestRunKeys(t *testing.T) {
	t.Parallel()
	s := setup(t)
	first := decode[api.SensorTick](t, s.do("POST", "/sensors/poll/evaluate", ""), 200)
	if again := decode[api.SensorTick](t, s.do("POST", "/sensors/poll/evaluate", ""), 200); len(again.RunIds) != 0 ||
		len(again.RepeatedKeys) != 1 {
		t.Fatalf("%+v", again)
	}
	list := decode[api.RunKeyList](t, s.do("GET", "/sensors/poll/run-keys", ""), 200)
	if len(list.Items) != 1 || list.Items[0].Key != "1" || list.Items[0].RunID != first.RunIds[0] ||
		list.NextCursor != nil {
		t.Fatalf("%+v", list)
	}
	forget := func(sensor, key string) answer {
		return s.do("DELETE", "/sensors/"+sensor+"/run-keys?key="+url.QueryEscape(key), "")
	}
	if k := decode[api.RunKey](t, forget("poll", "1"), 200); k.Key != "1" || k.RunID != first.RunIds[0] {
		t.Errorf("%+v", k)
	}
	for _, a := range []answer{
		forget("poll", "1"), forget("nope", "1"), forget("hook", "1"), s.do("GET", "/sensors/nope/run-keys", ""),
	} {
		decode[api.Problem](t, a, 404)
	}
	for _, a := range []answer{
		forget("poll", ""), s.do("DELETE", "/sensors/poll/run-keys", ""), s.do("GET", "/sensors/poll/run-keys?prefix=", ""),
	} {
		decode[api.Problem](t, a, 422)
	}
	for _, a := range []answer{
		forget("poll", "a\x00"), s.do("GET", "/sensors/poll/run-keys?cursor=eyJsIjoicnVucyJ9", ""),
	} {
		decode[api.Problem](t, a, 400)
	}
	if third := decode[api.SensorTick](t, s.do("POST", "/sensors/poll/evaluate", ""), 200); len(third.RunIds) != 1 ||
		third.RunIds[0] == first.RunIds[0] {
		t.Errorf("%+v", third)
	}
	// Keys are any text, of which many are of the same moment.
	odd := []string{
		"44-1/C-11", "a b", "a%b", "a_b", `a\b`, "https://example.org/?x=1&y=2#z", "é", "..", "A", "a", "aa", "+",
	}
	for _, key := range odd {
		if _, err := s.db.Pool.Exec(t.Context(), `INSERT INTO run_keys (sensor, key, run_id, created_at)
			VALUES ('hook', $1, $2, '2026-01-01'), ('deaf', $1, $2, '2026-01-01')`, key, uuid.New()); err != nil {
			t.Fatal(err)
		}
	}
	keys := func(query string) (all []string) {
		for cursor := ""; ; {
			list := decode[api.RunKeyList](t, s.do("GET", "/sensors/hook/run-keys?limit=3&"+query+cursor, ""), 200)
			for _, k := range list.Items {
				all = append(all, k.Key)
			}
			if list.NextCursor == nil {
				slices.Sort(all)
				return all
			}
			cursor = "&cursor=" + *list.NextCursor
		}
	}
	if got, want := keys(""), slices.Sorted(slices.Values(odd)); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for _, key := range odd {
		if got := keys("key=" + url.QueryEscape(key)); !slices.Equal(got, []string{key}) {
			t.Errorf("key %q: %q", key, got)
		}
		var want []string
		for _, k := range odd {
			if strings.HasPrefix(k, key) {
				want = append(want, k)
			}
		}
		slices.Sort(want)
		if got := keys("prefix=" + url.QueryEscape(key)); !slices.Equal(got, want) {
			t.Errorf("prefix %q: %q, want %q", key, got, want)
		}
	}
	for _, key := range odd {
		decode[api.RunKey](t, forget("hook", key), 200)
	}
	if got := keys(""); len(got) != 0 {
		t.Errorf("left: %q", got)
	}
	audit := decode[api.AuditLog](t, s.do("GET", "/audit-log?operation=forgetSensorRunKey&count=true", ""), 200)
	// And what was refused.
	if *audit.Total != len(odd)+1+5 || audit.Items[0].Status != 200 ||
		audit.Items[0].Path != "/sensors/hook/run-keys?key=%2B" {
		t.Errorf("%d, %+v", *audit.Total, audit.Items[0])
	}
}

// TestBillFilters narrows and sorts over HTTP, and says which parameter is at fault.
func TestBillFilters(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.saveBills(1, someBills...)
	s.saveBills(
		2, bill{"44-1", "C-119", "An Act about 11 things", "", "", "2022-03-01", "Royal assent received", 7, "", ""},
	)
	s.savePolitician("ada-byron", 7)
	s.settled()
	for query, want := range map[string]string{
		"chamber=S%C3%A9nat": "44-1/S-203", "year=2022": "44-1/C-119 44-1/C-12 44-1/C-11", "committee=chpc": "44-1/C-11", "sponsor=Ada+Byron&chamber=Senate": "44-1/S-203", "sponsor=ada-byron&chamber=senate": "", "sponsor=9": "44-1/S-203 43-2/C-11", "type=government&session=43-2": "43-2/C-11 43-2/C-201",
		"q=11": "44-1/C-11 43-2/C-11", "q=c11&year=2020": "43-2/C-11", "q=C+11+44-1": "44-1/C-11", "sort=introduced&order=asc&year=2022": "44-1/C-11 44-1/C-12 44-1/C-119",
		"sort=updated&session=44-1": "44-1/C-119 44-1/C-11 44-1/C-12 44-1/S-203", "sort=latest_activity": "44-1/C-119 44-1/C-12 44-1/C-11 44-1/S-203 43-2/C-11 43-2/C-201", "sort=latest_activity&order=asc": "43-2/C-201 43-2/C-11 44-1/S-203 44-1/C-11 44-1/C-12 44-1/C-119",
	} {
		var got []string
		for cursor := ""; ; {
			list := decode[api.BillList](t, s.do("GET", "/bills?limit=2&count=true&"+query+cursor, ""), 200)
			for _, b := range list.Items {
				got = append(got, b.ID)
			}
			if *list.Total != len(strings.Fields(want)) {
				t.Errorf("%s: total %d", query, *list.Total)
			}
			if list.NextCursor == nil {
				break
			}
			cursor = "&cursor=" + *list.NextCursor
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", query, got, want)
		}
		if strings.Contains(query, "sort") {
			continue
		}
		ids := strings.Fields(want)
		slices.Sort(ids)
		var exported []string
		for line := range strings.Lines(string(s.do("GET", "/exports/bills.csv?"+query, "").body)) {
			if id, _, _ := strings.Cut(line, ","); id != "id" {
				exported = append(exported, id)
			}
		}
		if !slices.Equal(exported, ids) {
			t.Errorf("export %s: %v, want %v", query, exported, ids)
		}
		if strings.Contains(query, "q=") {
			continue
		}
		var changed []string
		for _, c := range decode[api.BillChangeList](t, s.do("GET", "/bills/changes?"+query, ""), 200).Items {
			changed = append(changed, c.Bill)
		}
		if slices.Sort(changed); !slices.Equal(changed, ids) {
			t.Errorf("changes %s: %v, want %v", query, changed, ids)
		}
	}
	for _, path := range []string{"/bills?", "/bills/changes?", "/exports/bills.ndjson?"} {
		for query, pointer := range map[string]string{
			"chamber=lords": "/query/chamber", "type=pro+forma": "/query/type", "year=22": "/query/year", "year=x": "/query/year", "committee=": "/query/committee", "sponsor=": "/query/sponsor", "session=44": "/query/session",
		} {
			p := decode[api.Problem](t, s.do("GET", path+query, ""), http.StatusUnprocessableEntity)
			if len(p.Errors) == 0 || p.Errors[0].Pointer != pointer {
				t.Errorf("%s%s: %+v", path, query, p)
			}
		}
	}
	// A cursor is of its order, and those of before go on to be read.
	list := decode[api.BillList](t, s.do("GET", "/bills?limit=1&sort=updated", ""), 200)
	for query, status := range map[string]int{
		"sort=latest_activity":   400,
		"":                       400,
		"sort=updated&order=asc": 400,
		"sort=name":              422,
		"order=down":             422,
	} {
		p := decode[api.Problem](t, s.do("GET", "/bills?"+query+"&cursor="+*list.NextCursor, ""), status)
		if len(p.Errors) == 0 {
			t.Errorf("%s: %+v", query, p)
		}
	}
	list = decode[api.BillList](t, s.do("GET", "/bills?limit=1&sort=introduced", ""), 200)
	if next := decode[api.BillList](t, s.do("GET", fmt.Sprintf("/bills?limit=1&cursor=%s", *list.NextCursor), ""),
		200); next.Items[0].ID != "44-1/C-12" {
		t.Errorf("%s", next.Items[0].ID)
	}
}
