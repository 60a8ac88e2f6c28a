package server_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/parliament-explorer/parliament-explorer/api"
)

const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G"

// hook posts a signed event; change may spoil it.
func (s *site) hook(sensor, id, body string, at time.Time, change func(http.Header)) answer {
	s.t.Helper()
	w, err := standardwebhooks.NewWebhook(webhookSecret)
	if err != nil {
		s.t.Fatal(err)
	}
	signature, err := w.Sign(id, at, []byte(body))
	if err != nil {
		s.t.Fatal(err)
	}
	h := http.Header{}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	h.Set("webhook-signature", signature)
	if change != nil {
		change(h)
	}
	var headers []string
	for k, v := range h {
		headers = append(headers, k, v[0])
	}
	return s.do("POST", "/webhooks/"+sensor, body, headers...)
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	s := setup(t)
	const body = `{"type": "x", "data": {"n": 1}}`
	now := time.Now()
	refused := func(name string, a answer, status int, detail string) {
		t.Helper()
		if p := decode[api.Problem](t, a, status); !strings.Contains(p.Detail, detail) {
			t.Errorf("%s: %q, want %q", name, p.Detail, detail)
		}
	}
	refused("stopped", s.hook("hook", "m0", body, now, nil), 409, "is stopped")
	s.do("POST", "/sensors/hook/start", "")
	refused("unknown", s.hook("nope", "m0", body, now, nil), 404, `sensor "nope" does not exist`)
	refused("of another kind", s.hook("poll", "m0", body, now, nil), 404, "webhook sensor")
	refused("no secret", s.hook("deaf", "m0", body, now, nil), 401, "no secret is configured")
	refused("wrong signature", s.hook("hook", "m0", body, now, func(h http.Header) {
		h.Set("webhook-signature", "v1,AAAA")
	}), 401, "signature")
	refused(
		"another id", s.hook("hook", "m0", body, now, func(h http.Header) { h.Set("webhook-id", "m1") }), 401,
		"signature",
	)
	refused(
		"no signature", s.hook("hook", "m0", body, now, func(h http.Header) { h.Del("webhook-signature") }), 401,
		"webhook-signature is missing",
	)
	refused("too old", s.hook("hook", "m0", body, now.Add(-6*time.Minute), nil), 401, "too old")
	refused("too new", s.hook("hook", "m0", body, now.Add(6*time.Minute), nil), 401, "too new")
	refused(
		"too long", s.hook("hook", "m0", `{"x":"`+strings.Repeat("x", 64<<10)+`"}`, now, nil), 413,
		"longer than 64 KiB",
	)
	refused("no JSON", s.hook("hook", "m0", `{`, now, nil), 400, "not valid JSON")

	for _, repeated := range []bool{false, true} {
		if r := decode[api.WebhookReceipt](t, s.hook("hook", "m1", body, now, nil), 202); r.Repeated != repeated ||
			r.WebhookID != "m1" {
			t.Errorf("receipt = %+v", r)
		}
	}
	s.until("its run", func() bool {
		return len(decode[api.RunList](t, s.do("GET", "/runs?tag=webhook:m1", ""), 200).Items) == 1
	})
	ticks := decode[api.SensorTickList](t, s.do("GET", "/sensors/hook/ticks?limit=500", ""), 200)
	found := 0
	for _, tick := range ticks.Items {
		found += len(tick.RunIds)
	}
	if found != 1 {
		t.Errorf("ticks = %+v", ticks.Items)
	}
}

func TestSensorsOverHTTP(t *testing.T) {
	t.Parallel()
	s := setup(t)
	list := decode[api.SensorList](t, s.do("GET", "/sensors", ""), 200)
	if len(list.Items) != 3 || list.Items[0].Name != "poll" || list.Items[0].Running ||
		list.Items[0].Kind != api.SensorKindPolling {
		t.Errorf("sensors = %+v", list.Items)
	}
	dry := decode[api.DryRun](t, s.do("GET", "/sensors/poll/dry-run", ""), 200)
	if dry.Status != "success" || len(dry.Runs) != 1 || *dry.Runs[0].Job != "echo_job" || dry.CursorBefore != nil ||
		*dry.CursorAfter != "1" || dry.Runs[0].Tags["sensor"] != "poll" {
		t.Errorf("dry run = %+v", dry)
	}
	if c := decode[api.SensorCursor](t, s.do("GET", "/sensors/poll/cursor", ""), 200); c.Cursor != nil {
		t.Errorf("the dry run moved the cursor to %v", *c.Cursor)
	}
	dry = decode[api.DryRun](t, s.do("GET", "/schedules/nightly/dry-run", ""), 200)
	if dry.Status != "success" || len(dry.Runs) != 1 || dry.Runs[0].Tags["schedule"] != "nightly" {
		t.Errorf("dry run = %+v", dry)
	}
	decode[api.Problem](t, s.do("GET", "/schedules/nope/dry-run", ""), 404)
	tick := decode[api.SensorTick](t, s.do("POST", "/sensors/poll/evaluate", ""), 200)
	if tick.Status != "success" || len(tick.RunIds) != 1 || tick.Kind != api.SensorTickKindManual {
		t.Errorf("tick = %+v", tick)
	}
	s.ended(tick.RunIds[0].String())
	if c := decode[api.SensorCursor](t, s.do("GET", "/sensors/poll/cursor", ""), 200); *c.Cursor != "1" {
		t.Errorf("cursor = %v", c.Cursor)
	}
	if st := decode[api.Sensor](t, s.do("PUT", "/sensors/poll/cursor", `{"cursor": null}`), 200); st.Cursor != nil ||
		st.LastTick == nil {
		t.Errorf("state = %+v", st)
	}
	decode[api.Sensor](t, s.do("POST", "/sensors/poll/start", ""), 200)
	if st := decode[api.Sensor](t, s.do("POST", "/sensors/poll/stop", ""), 200); st.Running {
		t.Errorf("state = %+v", st)
	}
	decode[api.Problem](t, s.do("GET", "/sensors/nope", ""), 404)
	decode[api.Problem](t, s.do("PUT", "/sensors/poll/cursor", `{}`), 422)
}

func TestPartitionsAndBackfillsOverHTTP(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for name, c := range map[string]struct{ method, path, body, pointer, detail string }{
		"unknown partition":     {"POST", "/assets/parted/materialize", `{"partition": "z"}`, "/partition", `"z" is not a partition of letter: it has a, b, c`},
		"not partitioned":       {"POST", "/assets/echo/materialize", `{"partition": "a"}`, "/partition", `"a": none of echo is partitioned`},
		"partition missing":     {"POST", "/assets/parted/materialize", `{}`, "/partition", "is required"},
		"bad selection":         {"POST", "/runs", `{"selection": "+nope"}`, "/selection", `"+nope": there is no asset "nope"`},
		"nothing chosen":        {"POST", "/runs", `{}`, "/assets", "is required, or a selection"},
		"both":                  {"POST", "/runs", `{"assets": ["echo"], "selection": "*"}`, "/selection", "is given beside assets"},
		"bad priority":          {"POST", "/runs", `{"assets": ["echo"], "priority": 9}`, "/priority", "9"},
		"bad query selection":   {"GET", "/assets/graph?selection=(echo", ``, "/query/selection", "a closing parenthesis is missing"},
		"backfill partition":    {"POST", "/backfills", `{"assets": ["parted"], "partitions": ["a", "z"]}`, "/partitions/1", `"z" is not a partition`},
		"backfill range":        {"POST", "/backfills", `{"assets": ["parted"], "range": {"from": "c", "to": "a"}}`, "/range", `"c" comes after "a"`},
		"backfill range end":    {"POST", "/backfills", `{"assets": ["parted"], "range": {"to": "z"}}`, "/range/to", `"z" is not a partition`},
		"backfill of nothing":   {"POST", "/backfills", `{"selection": "echo"}`, "/selection", `"echo": none of echo is partitioned`},
		"backfill empty range":  {"POST", "/backfills", `{"assets": ["parted"], "range": {}}`, "/range", "want from, to or both"},
		"backfill null range":   {"POST", "/backfills", `{"assets": ["parted"], "range": null}`, "/range", "null"},
		"backfill null from":    {"POST", "/backfills", `{"assets": ["parted"], "range": {"from": null}}`, "/range/from", "null"},
		"backfill empty from":   {"POST", "/backfills", `{"assets": ["parted"], "range": {"from": ""}}`, "/range/from", "1"},
		"backfill range words":  {"POST", "/backfills", `{"assets": ["parted"], "range": {"start": "a", "to": "b"}}`, "/range", `"start" is unsupported`},
		"backfill range array":  {"POST", "/backfills", `{"assets": ["parted"], "range": ["a", "b"]}`, "/range", "object"},
		"backfill two ways":     {"POST", "/backfills", `{"assets": ["parted"], "partitions": ["a"], "range": {}}`, "/range", "beside partitions"},
		"backfill concurrency":  {"POST", "/backfills", `{"assets": ["parted"], "concurrency": 0}`, "/concurrency", "0"},
		"backfill only":         {"POST", "/backfills", `{"assets": ["parted"], "only": "some"}`, "/only", "some"},
		"backfill bad config":   {"POST", "/backfills", `{"assets": ["parted"], "config": {"x": 1}}`, "/config/x", "is not a config field"},
		"backfill bad selector": {"POST", "/backfills", `{"selection": "group:"}`, "/selection", `there is no group ""`},
	} {
		p := decode[api.Problem](t, s.do(c.method, c.path, c.body), 422)
		if len(p.Errors) != 1 || p.Errors[0].Pointer != c.pointer || !strings.Contains(p.Errors[0].Detail, c.detail) {
			t.Errorf("%s: %+v, want %s %q", name, p.Errors, c.pointer, c.detail)
		}
	}
	decode[api.Problem](t, s.do("GET", "/assets/echo/partitions", ""), 409)
	plan := decode[api.BackfillPlan](t,
		s.do("POST", "/backfills", `{"selection": "parted", "range": {"from": "b"}, "dry_run": true}`), 200)
	if strings.Join(plan.Partitions, "") != "bc" || plan.Runs != 2 || plan.PartitionSet != "letter" {
		t.Errorf("plan = %+v", plan)
	}
	if all := decode[api.BackfillList](t, s.do("GET", "/backfills", ""), 200); len(all.Items) != 0 {
		t.Errorf("a dry run left something behind: %+v", all)
	}
	a := s.do("POST", "/backfills", `{"selection": "parted", "only": "missing"}`, "Idempotency-Key", "k")
	b := decode[api.Backfill](t, a, 202)
	if a.Header.Get("Location") != "/backfills/"+b.ID.String() || b.Total != 3 {
		t.Errorf("backfill = %+v at %s", b, a.Header.Get("Location"))
	}
	again := s.do("POST", "/backfills", `{"selection":"parted","only":"missing"}`, "Idempotency-Key", "k")
	if r := decode[api.Backfill](t, again, 202); r.ID != b.ID || again.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("replayed: %s, want %s", r.ID, b.ID)
	}
	s.until("it ends", func() bool {
		b = decode[api.Backfill](t, s.do("GET", "/backfills/"+b.ID.String(), ""), 200)
		return b.EndedAt != nil
	})
	if b.Status != api.BackfillStatusSuccess || b.Counts.Success != 3 {
		t.Errorf("backfill = %+v", b)
	}
	states := decode[api.AssetPartitions](t, s.do("GET", "/assets/parted/partitions", ""), 200)
	if states.Counts.Materialized != 3 || states.Items[1].Key != "b" ||
		states.Items[1].Status != api.AssetStatusMaterialized || states.Set.Name != "letter" {
		t.Errorf("partitions = %+v", states)
	}
	if runs := decode[api.RunList](t, s.do("GET", "/runs?backfill_id="+b.ID.String(), ""), 200); len(runs.Items) != 3 {
		t.Errorf("%d runs", len(runs.Items))
	}
	page := decode[api.BackfillPartitionList](t, s.do("GET", "/backfills/"+b.ID.String()+"/partitions?limit=2", ""), 200)
	rest := decode[api.BackfillPartitionList](t,
		s.do("GET", "/backfills/"+b.ID.String()+"/partitions?limit=2&cursor="+*page.NextCursor, ""), 200)
	if len(page.Items) != 2 || len(rest.Items) != 1 || rest.Items[0].Key != "c" {
		t.Errorf("pages = %+v, %+v", page, rest)
	}
	for _, op := range []string{"pause", "resume", "cancel", "retry"} {
		decode[api.Problem](t, s.do("POST", "/backfills/"+b.ID.String()+"/"+op, ""), 409)
	}
	decode[api.Problem](t, s.do("GET", "/backfills/nope", ""), 404)
	asset := decode[api.Asset](t, s.do("GET", "/assets/parted", ""), 200)
	if asset.Partitions == nil || !asset.Partitions.Required || len(asset.Checks) != 1 ||
		asset.Checks[0].LastResult == nil || !asset.Checks[0].LastResult.Passed ||
		asset.Freshness.State != api.FreshnessStateFresh {
		t.Errorf("asset = %+v", asset)
	}
	if r := decode[api.CheckResultList](t, s.do("GET", "/assets/parted/check-results?check=fine", ""),
		200); len(r.Items) != 3 {
		t.Errorf("%d results", len(r.Items))
	}
	graph := decode[api.AssetGraph](t, s.do("GET", "/assets/graph?selection=echo%2B", ""), 200)
	if len(graph.Nodes) != 2 || len(graph.Edges) != 1 || graph.Nodes[0].Status != api.AssetStatusMissing {
		t.Errorf("graph = %+v", graph)
	}
	run := s.start("/runs", `{"selection": "echo", "priority": 1}`)
	if run.Priority != 1 || run.Assets[0] != "echo" {
		t.Errorf("run = %+v", run)
	}
	if al := decode[api.AlertList](t, s.do("GET", "/alerts?open=true", ""), 200); len(al.Items) != 0 {
		t.Errorf("alerts = %+v", al)
	}
	decode[api.AlertChannelList](t, s.do("GET", "/alert-channels", ""), 200)
	decode[api.DeliveryList](t, s.do("GET", "/alert-deliveries", ""), 200)
	decode[api.Problem](t, s.do("POST", "/alert-channels/nope/test", ""), 404)
}
