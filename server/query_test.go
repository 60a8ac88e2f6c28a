package server_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/server"
)

// TestQueriesThatCannotBeRead asks as clients do that build their queries by hand, on addresses of every kind.
func TestQueriesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for path, pointer := range map[string]string{
		"/bills?session=44-1;limit=1":              "/query/session",
		"/exports/bills.csv?session=44-1;law=true": "/query/session",
		"/runs?status=failure;limit=3":             "/query/status",
		"/feeds/bills.rss?lang=fr;x":               "/query/lang",
		"/session?%":                               "/query/%",
		"/session/oidc?return_to=%2":               "/query/return_to",
		"/session/oidc/callback?code=a;state=b":    "/query/code",
		"/metrics?name=%gg":                        "/query/name",
		"/nothing?a;b":                             "/query/a",
		"/riverui/api/jobs?state=running;limit=1":  "/query/state",
		"/debug/pprof/cmdline?a=%":                 "/query/a",
		"/bills?q=100%":                            "/query/q",
		"/bills?q=caf\xe9":                         "/query/q",
		"/bills?q=a&&law=true;":                    "/query/law",
	} {
		refused(t, s.do("GET", path, ""), 400, pointer)
	}
	// What can be read is: an escaped semicolon, empty parts, a plus, letters as they are. Pages read their queries
	// themselves.
	for path, status := range map[string]int{
		"/bills?q=a%3Bb": 200,
		"/bills?&q=a&":   200,
		"/bills?q=a+b":   200,
		"/bills?q=été":   200,
		"/ui/?q=a;b":     200,
		"/docs/?a=%":     200,
	} {
		if got := s.do("GET", path, ""); got.StatusCode != status {
			t.Errorf("%s: %d, want %d: %.200s", path, got.StatusCode, status, got.body)
		}
	}
	// The answer is bounded, whatever was asked.
	a := s.do("GET", "/bills?"+strings.Repeat("x=%&", 10_000), "")
	if p := decode[api.Problem](t, a, 400); len(p.Errors) > 50 {
		t.Errorf("%d faults are listed", len(p.Errors))
	}
}

func TestRepeatedParameters(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.ended(s.start("/assets/echo/materialize", `{"tags": {"a": "1", "b": "2"}}`).ID.String())
	refused(t, s.do("GET", "/runs?limit=1&limit=2", ""), 400, "/query/limit")
	refused(t, s.do("GET", "/runs?limit=1&limit=1", ""), 400, "/query/limit")
	refused(t, s.do("GET", "/exports/bills.csv?session=44-1&session=45-1", ""), 400, "/query/session")
	// A list counts each time.
	for query, want := range map[string]int{"tag=a:1&tag=b:2": 1, "tag=a:1&tag=b:3": 0, "tag=a:1&tag=a:1": 1} {
		if got := decode[api.RunList](t, s.do("GET", "/runs?"+query, ""), 200); len(got.Items) != want {
			t.Errorf("%s: %d runs, want %d", query, len(got.Items), want)
		}
	}
	refused(t, s.do("GET", "/runs?tag=a:2&tag=a:1", ""), 422, "/query/tag/1") // a run has one value of a key
	a := s.plain("POST", "/jobs/echo_job/runs", "", http.Header{"Idempotency-Key": {"a", "b"}})
	refused(t, a, 400, "/header/Idempotency-Key")
}

func TestTimesThatAreNone(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for value, want := range map[string]string{
		"2026-06-30T10:00:00":       "has no time zone",
		"2026-06-30T10:00":          "has no time zone",
		"2026-06-30 10:00:00":       "has no time zone",
		"2026-06-30T10:00:00+02:00": "%2B", // the + is a space
		"2026-06-30":                "2026-06-30T00:00:00Z",
		"2026-06-30 10:00:00Z":      "2026-06-30T10:00:00Z",
		"2026-06-30t10:00:00z":      "2026-06-30T10:00:00Z",
		"2026-06-30T23:59:60Z":      "out of range",
		"2026-02-30T23:59:00Z":      "out of range",
		"soon":                      "RFC 3339",
	} {
		for _, at := range []string{"/bills?updated_since=", "/runs?created_after=", "/bills/changes?since="} {
			name := at[strings.Index(at, "?")+1 : len(at)-1]
			a := s.do("GET", at+strings.ReplaceAll(value, " ", "%20"), "")
			refused(t, a, a.StatusCode, "/query/"+name)
			if a.StatusCode/100 != 4 || !strings.Contains(string(a.body), want) ||
				strings.Contains(string(a.body), "[0-9]") {
				t.Errorf("%s%s: %d %s, want %q", at, value, a.StatusCode, a.body, want)
			}
		}
	}
	a := s.do("POST", "/keys", `{"name": "x", "scope": "read", "expires_at": "2099-01-01T00:00:00"}`)
	if refused(t, a, 422, "/expires_at"); !strings.Contains(string(a.body), "has no time zone") {
		t.Errorf("%s", a.body)
	}
	if got := s.do("GET", "/bills?updated_since="+url.QueryEscape("2026-06-30T10:00:00.5+02:00"),
		""); got.StatusCode != 200 {
		t.Errorf("a good time: %d %s", got.StatusCode, got.body)
	}
}

// TestCursorsOfNoList gives every list cursors that no list gave: each is refused, and none is an error of the server.
func TestCursorsOfNoList(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ops := s.operations()
	s.saveBill("44-1", "C-12", "2022-02-03", "Another")
	s.savePolitician("grace-hopper", 8)
	s.ended(s.start("/assets/echo/materialize", "").ID.String())
	given := map[string]string{}
	for _, at := range []string{"/bills", "/bills/changes", "/politicians", "/runs"} {
		var page struct {
			NextCursor string `json:"next_cursor"`
		}
		a := s.do("GET", at+"?limit=1", "")
		if mustRead(t, a.body, &page); page.NextCursor == "" {
			t.Fatalf("%s: %s", at, a.body)
		}
		given[at] = page.NextCursor
		if a := s.do("GET", at+"?limit=1&cursor="+page.NextCursor, ""); a.StatusCode != 200 {
			t.Errorf("%s: its own cursor: %d %s", at, a.StatusCode, a.body)
		}
	}
	bill := func(introduced, id string) string { return `{"l":"bills","k":{"i":` + introduced + `,"b":` + id + `}}` }
	const c11 = `{"Parliament":44,"Session":1,"Prefix":"C","Digits":11,"Suffix":""}`
	texts := []string{
		"", "{}", "null", "[]", `"x"`, `{"l":"bills"}`, `{"l":"bills","k":null}`, `{"l":"nothing","k":1}`, "{\"l\":\"\xff\",\"k\":1}",
		bill(`"2022-02-02\u0000"`, c11), bill(`"2022-02-31"`, c11), bill(`"99999-01-01"`, c11), bill(`"x"`, c11),
		bill("1", c11), "{" + bill(`""`, c11),
		bill(`""`, strings.Replace(c11, `"C"`, `"C\u0000"`, 1)), bill(`""`, strings.Replace(c11, `"C"`, "\"\xff\"", 1)),
		bill(`""`, strings.Replace(c11, "11", "99999999999", 1)),
		bill(`""`, strings.Replace(c11, "44", "-1", 1)), bill(`""`, strings.Replace(c11, "11", "1e300", 1)),
		bill(`""`, "{}"), bill(`""`, c11) + " ", bill(`""`, c11[:len(c11)-1]+`,"x":1}`),
		`{"l":"changes","k":{"x":1,"b":"a\u0000","v":1}}`, `{"l":"changes","k":{"x":18446744073709551615,"b":"","v":1}}`, `{"l":"changes","k":{"x":-1,"b":"","v":1}}`,
		`{"l":"changes","k":{"x":1,"b":"","v":99999999999}}`, `{"l":"changes","k":{"x":1,"b":"","v":1,"s":"x"}}`, `{"l":"changes","k":{"x":1,"b":"","v":1,"s":"99999-01-01T00:00:00Z"}}`,
		`{"l":"politicians","k":{"k":"\u0000","s":""}}`, `{"l":"politicians","k":{"k":"","s":"a\u0000"}}`, "{\"l\":\"politicians\",\"k\":{\"k\":\"\xff\",\"s\":\"\"}}", `{"l":"politicians","k":{"r":99999999999,"k":"","s":""}}`,
		`{"l":"runs","k":"0197841c-2a00-7aaa-8000-00000000000"}`, `{"l":"runs","k":"\u0000"}`, `{"l":"runs","k":{}}`, `{"l":"audit","k":99999999999999999999}`, `{"l":"audit","k":1.5}`, `{"l":"alerts","k":[]}`,
		`{"L":"runs","K":"0197841c-2a00-7aaa-8000-000000000001"}`, `{"l":"runs","l":"runs","k":"0197841c-2a00-7aaa-8000-000000000001"}`,
	}
	cursors := []string{
		"zzz", "%00", "%ff", "====", strings.Repeat("A", 400), given["/bills"] + "=", "%20" + given["/bills"],
		given["/bills"] + "%0A",
	}
	for _, text := range texts {
		cursors = append(
			cursors, base64.RawURLEncoding.EncodeToString([]byte(text)),
			base64.StdEncoding.EncodeToString([]byte(text)),
		)
	}
	for _, c := range given {
		cursors = append(cursors, c[:len(c)-1], c[:len(c)/2], c[1:], c)
	}
	lists := 0
	for _, op := range ops {
		if !slices.ContainsFunc(op.params, func(p *openapi3.Parameter) bool { return p.Name == "cursor" }) {
			continue
		}
		lists++
		for _, c := range cursors {
			if c == given[op.path] {
				continue
			}
			refused(t, s.do("GET", op.path+"?cursor="+strings.ReplaceAll(c, "+", "%2B"), ""), 400, "/query/cursor")
		}
	}
	if lists < 10 {
		t.Errorf("only %d lists were asked", lists)
	}
}

func TestHostsOfThisMachine(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *server.Config) { c.LoopbackOnly = true })
	for host, want := range map[string]int{
		"localhost": 200, "LocalHost": 200, "LOCALHOST.": 200, "LocalHost:8080": 200, "localhost.:8080": 200, "api.LOCALHOST": 200, "127.0.0.1:80": 200, "[::1]:8080": 200, "127.9.9.9": 200,
		"localhost.example.org": 421, "notlocalhost": 421, "example.org": 421, "10.0.0.1": 421, "localhost..": 421, "": 421,
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", s.url+"/version", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if req.Host = host; host == "" {
			continue // net/http puts in the address
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("Host %q: %d, want %d", host, resp.StatusCode, want)
		}
	}
}

func TestPagesOfOtherSites(t *testing.T) {
	t.Parallel()
	s := setup(t, func(c *server.Config) { c.CORSOrigins = []string{"https://front.example"} })
	preflight := s.plain("OPTIONS", "/bills", "", http.Header{"Origin": {"https://front.example"},
		"Access-Control-Request-Method": {"GET"}, "Access-Control-Request-Headers": {"if-modified-since"}})
	allowed := strings.Split(preflight.Header.Get("Access-Control-Allow-Headers"), ",")
	for _, want := range []string{
		"Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "If-Modified-Since", "Last-Event-ID",
	} {
		if !slices.Contains(allowed, want) {
			t.Errorf("a page may not send %s: %q", want, allowed)
		}
	}
	if methods := preflight.Header.Get("Access-Control-Allow-Methods"); preflight.StatusCode != 204 ||
		!strings.Contains(methods, "HEAD") || preflight.Header.Get("Allow") != methods {
		t.Errorf("preflight: %d, %v", preflight.StatusCode, preflight.Header)
	}
	a := s.plain("GET", "/bills", "", http.Header{"Origin": {"https://front.example"}})
	exposed := strings.Split(a.Header.Get("Access-Control-Expose-Headers"), ",")
	for _, want := range []string{
		"Content-Disposition", "Location", "ETag", "Retry-After", "RateLimit", "RateLimit-Policy", "Idempotency-Replayed",
		"X-Request-Id",
	} {
		if !slices.Contains(exposed, want) {
			t.Errorf("a page does not see %s: %q", want, exposed)
		}
	}
}

func TestKeysOfTags(t *testing.T) {
	t.Parallel()
	s := setup(t)
	long := strings.Repeat("k", 101)
	for key, ok := range map[string]bool{
		"reason": true, "dagster/schedule_name": true, "two words": true, "été": true, long[1:]: true, "a=b": true, "": false,
		":": false, "a:b": false, " ": false, " a": false, "a ": false, "a\tb": false, "a\n": false, long: false,
	} {
		tags := string(mustJSON(t, map[string]string{key: "line one\nline: two"}))
		pointer := "/tags/" + strings.ReplaceAll(key, "/", "~1")
		for path, body := range map[string]string{
			"/assets/echo/materialize": `{"tags": ` + tags + `}`, "/jobs/echo_job/runs": `{"tags": ` + tags + `}`, "/runs": `{"assets": ["echo"], "tags": ` + tags + `}`,
			"/backfills": `{"assets": ["parted"], "dry_run": true, "tags": ` + tags + `}`,
		} {
			a := s.do("POST", path, body)
			switch {
			case !ok:
				refused(t, a, 422, pointer)
			case a.StatusCode/100 != 2:
				t.Errorf("%s with the key %q: %d %s", path, key, a.StatusCode, a.body)
			}
		}
		found := s.do("GET", "/runs?tag="+url.QueryEscape(key+":line one\nline: two"), "")
		switch {
		case ok:
			if got := decode[api.RunList](t, found, 200); len(got.Items) != 3 {
				t.Errorf("%q: %d runs are found, want 3", key, len(got.Items))
			}
		case key == "a:b" || key == long: // a key a; a key that no run has
		default:
			refused(t, found, 422, "/query/tag/0")
		}
	}
}

func TestMarkedWebhook(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.do("POST", "/sensors/hook/start", "")
	// The signature is of the bytes that were sent, the mark among them.
	if got := s.hook("hook", "msg_1", "\uFEFF"+`{"type": "x"}`, time.Now(), nil); got.StatusCode != 202 {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func mustRead(t *testing.T, raw []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatalf("%v in %s", err, raw)
	}
}
