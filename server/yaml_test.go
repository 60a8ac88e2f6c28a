package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/api"
)

// TestYAMLBodies starts things by YAML where the contract has it, and nowhere else.
func TestYAMLBodies(t *testing.T) {
	t.Parallel()
	s := setup(t)
	asYAML := []string{"Content-Type", "application/yaml"}
	limitOf := func(r api.Run) int {
		var c struct {
			Limit int
			Ops   map[string]struct{ Config struct{ Limit int } }
		}
		if err := json.Unmarshal(r.Config, &c); err != nil {
			t.Error(err)
		}
		return c.Limit + c.Ops["echo"].Config.Limit
	}
	for name, c := range map[string]struct {
		path, body string
		want       int
	}{
		"Dagster's shape":  {"/assets/echo/materialize", "# few\nconfig:\n  ops:\n    echo:\n      config:\n        limit: 7\n", 7},
		"bare":             {"/assets/echo/materialize", "config: {limit: 010}", 10},
		"a float":          {"/assets/echo/materialize", "config: {limit: 5.0}", 5},
		"a job":            {"/jobs/echo_job/runs", "---\nconfig:\n  limit: 8\ntags:\n  answer: no\n  day: 2026-05-01\n", 8},
		"chosen assets":    {"/runs", "assets: [echo]\nconfig: {limit: 9}\npriority: 1\n", 9},
		"JSON is YAML":     {"/runs", `{"assets": ["echo"], "config": {"limit": 11}}`, 11},
		"nothing":          {"/jobs/echo_job/runs", "# nothing\n", 50},
		"nothing at all":   {"/jobs/echo_job/runs", " ", 50},
		"YAML 1.2":         {"/assets/echo/materialize", "%YAML 1.2\n---\nconfig: {limit: 12}\n", 12},
		"Windows' endings": {"/assets/echo/materialize", "config:\r\n  limit: 13\r\n", 13},
	} {
		r := s.start(c.path, c.body, asYAML...)
		if got := limitOf(r); got != c.want {
			t.Errorf("%s: limit %d, want %d", name, got, c.want)
		}
		if name == "a job" && (r.Tags["answer"] != "no" || r.Tags["day"] != "2026-05-01") {
			t.Errorf("tags %v", r.Tags)
		}
		if name == "chosen assets" && r.Priority != 1 {
			t.Errorf("priority %d", r.Priority)
		}
	}
	for _, media := range []string{
		"application/yaml", "Application/YAML; charset=utf-8", "application/x-yaml", "text/yaml", "text/x-yaml",
	} {
		if got := limitOf(s.start("/assets/echo/materialize", "config: {limit: 14}", "Content-Type", media)); got != 14 {
			t.Errorf("%s: limit %d", media, got)
		}
	}
	if got := limitOf(s.start("/assets/echo/materialize", `{"config": {"limit": 15}}`, "Content-Type",
		"application/json; charset=utf-8")); got != 15 {
		t.Errorf("JSON: limit %d", got)
	}
	plan := decode[api.BackfillPlan](t,
		s.do("POST", "/backfills", "assets:\n- parted\ndry_run: true\nrange: {from: b}\n", asYAML...), http.StatusOK)
	if plan.Runs != 2 {
		t.Errorf("%+v", plan)
	}
	done := s.start("/assets/echo/materialize", "", asYAML...)
	s.ended(done.ID.String())
	if r := s.start("/runs/"+done.ID.String()+"/retry", "from_failure: false", asYAML...); r.ParentRunID == nil ||
		*r.ParentRunID != done.ID {
		t.Errorf("%+v", r)
	}
	// The same request, however it is written.
	one := s.start(
		"/assets/echo/materialize", "config: {limit: 5}", "Content-Type", "application/yaml", "Idempotency-Key", "k",
	)
	if two := s.start("/assets/echo/materialize", `{"config": {"limit": 5}}`, "Idempotency-Key", "k"); two.ID != one.ID {
		t.Error("the same request started two runs")
	}

	for name, c := range map[string]struct {
		body    string
		status  int
		pointer string
	}{
		"a doubled key":         {"config:\n  limit: 5\n  limit: 500\n", 422, "/config/limit"},
		"a doubled key on top":  {"config: {limit: 5}\nconfig: {limit: 6}", 422, "/config"},
		"an alias":              {"config: &a {limit: 5}\ntags: *a", 422, "/config"},
		"a tag":                 {"config: {limit: !!int \"5\"}", 422, "/config/limit"},
		"infinity":              {"config: {limit: .inf}", 422, "/config/limit"},
		"a text for a number":   {"config: {limit: no}", 422, "/config/limit"},
		"beyond the schema":     {"config: {limit: 501}", 422, "/config/limit"},
		"Dagster's, wrong":      {"config: {ops: {echo: {config: {lmit: 5}}}}", 422, "/config/ops/echo/config/lmit"},
		"an unknown field":      {"confg: {limit: 5}", 422, ""},
		"a sequence":            {"- 1", 422, ""},
		"NUL":                   {`config: {limit: "\0"}`, 422, "/config/limit"},
		"a bracket left open":   {"config: {limit: 5", 400, ""},
		"two documents":         {"config: {}\n---\nconfig: {}\n", 400, ""},
		"YAML 1.1":              {"%YAML 1.1\n---\nconfig: {}\n", 400, ""},
		"not UTF-8":             {"config: \xff", 400, ""},
		"a tab":                 {"config:\n\tlimit: 5", 400, ""},
		"over a megabyte":       {"# " + strings.Repeat("x", 1<<20), 413, ""},
		"deep":                  {strings.Repeat("[", 20_000), 400, ""},
		"many aliases, of many": {"a: &a [" + strings.Repeat("x,", 1000) + "]\nb: &b [" + strings.Repeat("*a,", 1000) + "]\nc: [" + strings.Repeat("*b,", 1000) + "]", 422, "/a"},
	} {
		p := decode[api.Problem](t, s.do("POST", "/assets/echo/materialize", c.body, asYAML...), c.status)
		switch {
		case c.status != 422:
			if len(p.Errors) != 0 {
				t.Errorf("%s: %+v", name, p)
			}
		case len(p.Errors) == 0 || p.Errors[0].Pointer != c.pointer:
			t.Errorf("%s: %+v, want it at %q", name, p, c.pointer)
		}
	}
	for _, c := range [][3]string{
		{"PUT", "/sensors/poll/cursor", "cursor: x"}, {"POST", "/webhooks/hook", "a: b"}, {"POST", "/keys", "name: x\nscope: read"}, {"POST", "/session", "key: x"},
	} {
		p := decode[api.Problem](t, s.do(c[0], c[1], c[2], asYAML...), 415)
		if strings.Contains(p.Detail, "or application/yaml") {
			t.Errorf("%v: %s", c, p.Detail)
		}
	}
	if p := decode[api.Problem](t, s.do("POST", "/jobs/echo_job/runs", "x", "Content-Type", "text/plain"),
		415); !strings.HasSuffix(p.Detail, "want application/json or application/yaml") {
		t.Errorf("%s", p.Detail)
	}
}
