package server_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/klauspost/compress/zstd"

	"github.com/parliament-explorer/parliament-explorer/api"
)

// operation is an operation of the contract as the tests of all operations use it.
type operation struct {
	*openapi3.Operation
	method, path string // with values for its parameters
	params       []*openapi3.Parameter
}

func (o operation) String() string { return o.method + " " + o.path + " (" + o.OperationID + ")" }

// operations gives every operation of the contract with a path that leads somewhere on the site. A path parameter that
// is not known here fails the test: a new one wants a value.
func (s *site) operations() []operation {
	s.t.Helper()
	s.saveBill("44-1", "C-11", "2022-02-02", "An Act about broadcasting")
	s.savePolitician("ada-byron", 7)
	s.updateFeeds()
	run := s.start("/assets/echo/materialize", "{}")
	s.ended(run.ID.String())
	backfill := decode[api.Backfill](s.t, s.do("POST", "/backfills", `{"assets": ["parted"]}`), 202)
	s.until("the backfill to end", func() bool {
		return decode[api.Backfill](s.t, s.do("GET", "/backfills/"+backfill.ID.String(), ""), 200).EndedAt != nil
	})
	values := map[string]string{
		"asset": "parted", "job": "echo_job", "schedule": "nightly", "sensor": "hook", "run_id": run.ID.String(), "backfill_id": backfill.ID.String(), "session": "44-1",
		"number": "C-11", "slug": "ada-byron", "feed": "bills.rss", "export": "bills.csv", "channel": "none", "key_id": "0197841c-2a00-7aaa-8000-000000000001",
	}
	doc, err := openapi3.NewLoader().LoadFromData(s.do("GET", "/openapi.json", "").body)
	if err != nil {
		s.t.Fatal(err)
	}
	var out []operation
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			o := operation{Operation: op, method: method, path: path}
			for _, p := range slices.Concat(item.Parameters, op.Parameters) {
				o.params = append(o.params, p.Value)
				if p.Value.In != "path" {
					continue
				}
				value, ok := values[p.Value.Name]
				if !ok {
					if value = fmt.Sprint(p.Value.Example); p.Value.Example == nil {
						s.t.Errorf(
							"%s %s: no value for the path parameter %s: add one to this test", method, path,
							p.Value.Name,
						)
					}
				}
				o.path = strings.ReplaceAll(o.path, "{"+p.Value.Name+"}", value)
			}
			out = append(out, o)
		}
	}
	if len(out) < 60 {
		s.t.Fatalf("only %d operations were found", len(out))
	}
	slices.SortFunc(out, func(a, b operation) int { return strings.Compare(a.OperationID, b.OperationID) })
	return out
}

// getStatuses are what GET answers where it is not 200 on the site. An operation that is neither here nor answers 200
// fails the tests: it wants a value for its parameters, or its status here.
var getStatuses = map[string]int{
	"beginSignIn": 404, "completeSignIn": 404, // there is no provider
	"searchBills": 422, // q is required
}

// streams never end; endless is what GET answers with them alone.
var endless = map[string]bool{"streamEvents": true}

// plain sends a request as it is, without transparent compression.
func (s *site) plain(method, path, body string, header http.Header) answer {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header = header.Clone()
	if req.Header == nil {
		req.Header = http.Header{}
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{resp, raw}
}

// unpacked is the body as it was before it was compressed.
func (a answer) unpacked(t testing.TB) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(a.body)
	var err error
	switch a.Header.Get("Content-Encoding") {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "zstd":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(r); err == nil {
			defer z.Close()
			r = z
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// refused checks that a request is refused with a status and a fault at a pointer, told in words.
func refused(t *testing.T, a answer, status int, pointer string) {
	t.Helper()
	if a.StatusCode != status || a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf(
			"%s %s: %d %s, want %d: %s", a.Request.Method, a.Request.URL, a.StatusCode, a.Header.Get("Content-Type"),
			status, a.body,
		)
		return
	}
	p := decode[api.Problem](t, a, status)
	if !slices.ContainsFunc(p.Errors, func(f api.FieldError) bool { return f.Pointer == pointer && f.Detail != "" }) {
		t.Errorf("%s %s: no fault at %s: %s", a.Request.Method, a.Request.URL, pointer, a.body)
	}
}

// TestOperationsAnswerHead asks for every GET by HEAD too.
func TestOperationsAnswerHead(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, op := range s.operations() {
		if op.method != "GET" {
			continue
		}
		want := getStatuses[op.OperationID]
		if want == 0 {
			want = 200
		}
		for _, accept := range []string{"", "text/event-stream"} {
			header := http.Header{"Accept-Encoding": {"gzip"}}
			if accept != "" {
				ok := op.Responses.Status(200)
				if ok == nil || ok.Value.Content[accept] == nil {
					continue
				}
				header.Set("Accept", accept)
				if op.OperationID == "listRunEvents" {
					header.Set("Last-Event-Id", "0") // from the first on
				}
			}
			head := s.plain("HEAD", op.path, "", header)
			if head.StatusCode != want || len(head.body) > 0 {
				t.Errorf("HEAD of %s: %d with %d bytes, want %d", op, head.StatusCode, len(head.body), want)
			}
			if accept != "" || endless[op.OperationID] {
				if got := head.Header.Get("Content-Type"); got != "text/event-stream" {
					t.Errorf("HEAD of the stream of %s: %q", op, got)
				}
				continue
			}
			get := s.plain("GET", op.path, "", header)
			if get.StatusCode != want {
				t.Errorf("%s: %d, want %d: %.300s", op, get.StatusCode, want, get.body)
			}
			for _, name := range []string{
				"Content-Type", "Content-Encoding", "ETag", "Last-Modified", "Cache-Control", "Vary", "Content-Disposition", "Link",
				"Location", "Content-Security-Policy",
			} {
				if name == "Content-Encoding" && op.OperationID == "getExport" {
					continue // which is not made for HEAD, so its size is not known
				}
				if g, h := get.Header.Values(name), head.Header.Values(name); !slices.Equal(g, h) {
					t.Errorf("%s: %s is %q, and %q of HEAD", op, name, g, h)
				}
			}
		}
	}
}

// TestOperationsNameTheirMethods asks every path for its methods, and by one that it does not have.
func TestOperationsNameTheirMethods(t *testing.T) {
	t.Parallel()
	s := setup(t)
	methods := map[string][]string{}
	for _, op := range s.operations() {
		methods[op.path] = append(methods[op.path], op.method)
		if op.method == "GET" {
			methods[op.path] = append(methods[op.path], "HEAD")
		}
	}
	for path, want := range methods {
		for method, status := range map[string]int{"OPTIONS": 204, "PATCH": 405} {
			a := s.plain(method, path, "", nil)
			allowed := strings.Split(a.Header.Get("Allow"), ", ")
			if a.StatusCode != status {
				t.Errorf("%s %s: %d, want %d", method, path, a.StatusCode, status)
			}
			for _, m := range want {
				if !slices.Contains(allowed, m) {
					t.Errorf("%s %s: Allow %q is without %s", method, path, allowed, m)
				}
			}
			if len(allowed) != len(want)+1 { // and OPTIONS
				t.Errorf("%s %s: Allow %q, want %q and OPTIONS", method, path, allowed, want)
			}
		}
	}
}

// TestOperationsReadTheirParameters sends every operation queries that cannot be read, and every parameter twice and
// with a value that it cannot have.
func TestOperationsReadTheirParameters(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, op := range s.operations() {
		// 503: the server is full, or its database away.
		for _, status := range []int{http.StatusBadRequest, http.StatusServiceUnavailable} {
			if op.Responses.Status(status) == nil &&
				(status == http.StatusBadRequest || op.OperationID != "getHealth") {
				t.Errorf("%s: the contract does not say that it can answer %d", op, status)
			}
		}
		for query, pointer := range map[string]string{
			"limit=1;x=2": "/query/limit", "x=%zz": "/query/x", "x=%": "/query/x", "x=%e9": "/query/x", "x=a%00": "/query/x", "%zz=1": "/query/%zz", "a=1&x;y": "/query/x",
		} {
			refused(t, s.do(op.method, op.path+"?"+query, ""), 400, pointer)
		}
		for _, p := range op.params {
			schema := p.Schema.Value
			list := schema.Type.Is("array")
			separated, _ := p.Extensions["x-comma-separated"].(bool) // several are as one with commas
			example := fmt.Sprint(p.Example)
			if p.Example == nil && len(p.Examples) == 0 {
				t.Errorf("%s: the parameter %s has no example", op, p.Name)
			}
			if list {
				schema = schema.Items.Value
			}
			switch p.In {
			case "header":
				if p.Name == "If-None-Match" {
					continue
				}
				header := http.Header{"Content-Type": {"application/json"}}
				header[http.CanonicalHeaderKey(p.Name)] = []string{example, example}
				refused(t, s.plain(op.method, op.path, "", header), 400, "/header/"+p.Name)
			case "query":
				at := op.path + "?" + p.Name + "="
				if !list && !separated {
					refused(t, s.do(op.method, at+"1&"+p.Name+"=2", ""), 400, "/query/"+p.Name)
				}
				pointer := "/query/" + p.Name
				if list {
					pointer += "/0"
				}
				var bad []string
				switch {
				case schema.Format == "uuid":
					bad = []string{"xyz", "0197841c-2a00-7aaa-8000-00000000000", ""}
				case schema.Format == "date-time":
					bad = []string{
						"yesterday", "2026-06-30", "2026-06-30T23:59:60Z", "2026-02-30T00:00:00Z",
						"2026-06-30T10:00:00", "2026-06-30T10:00:00+02:00", "2026-06-30T25:00:00Z", "",
					}
				case schema.Format == "date":
					bad = []string{"yesterday", "2026-02-30", "2026-6-1"}
				case schema.Type.Is("integer"):
					bad = []string{"x", "1.5", "99999999999999999999", "-99999999999999999999", "1e3"}
				case schema.Type.Is("boolean"):
					bad = []string{"maybe", "TRUE1", "2"}
				case len(schema.Enum) > 0:
					bad = []string{"nope", "NOPE"}
				case schema.Pattern != "":
					bad = []string{":", "\\"}
				case schema.MaxLength == nil:
					t.Errorf("%s: %s takes anything: want a pattern, a format or maxLength", op, p.Name)
				default:
					bad = []string{strings.Repeat("x", int(*schema.MaxLength)+1)}
				}
				for _, value := range bad {
					a := s.do(op.method, at+value, "")
					if a.StatusCode != 400 && a.StatusCode != 422 {
						t.Errorf("%s: %s=%s: %d", op, p.Name, value, a.StatusCode)
						continue
					}
					refused(t, a, a.StatusCode, pointer)
					problem := decode[api.Problem](t, a, a.StatusCode)
					for _, f := range problem.Errors {
						if len(value) > 100 {
							value = value[:90]
						}
						if value = strings.ReplaceAll(value, "+", " "); f.Pointer == pointer &&
							(!strings.Contains(
								f.Detail, strings.ReplaceAll(value, `\`, `\\`),
							) || strings.Contains(f.Detail, "[0-9]") || strings.Contains(f.Detail, `\s`)) {
							t.Errorf("%s: %s=%s: %s", op, p.Name, value, f.Detail)
						}
					}
				}
			}
		}
	}
}

// TestOperationsReadTheirBodies sends every operation that takes a body the same one in several ways.
func TestOperationsReadTheirBodies(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, op := range s.operations() {
		if op.RequestBody == nil {
			continue
		}
		media := op.RequestBody.Value.Content["application/json"]
		if media == nil {
			t.Errorf("%s takes no JSON: say here what it takes", op)
			continue
		}
		send := func(contentType, body string) answer {
			return s.plain(op.method, op.path, body, http.Header{"Content-Type": {contentType}})
		}
		// {"": 1} is refused, after it has been read: so nothing is done by it.
		for _, contentType := range []string{
			"application/json", "Application/JSON", "APPLICATION/JSON; Charset=UTF-8", `application/json;charset="utf-8"; x=y`,
			"application/json ;", "application/json; charset",
		} {
			for _, mark := range []string{"", "\uFEFF"} {
				a := send(contentType, mark+`{"": 1}`)
				if op.OperationID == "receiveWebhook" { // takes anything, if it is signed
					decode[api.Problem](t, a, 401)
				} else {
					decode[api.Problem](t, a, 422)
				}
			}
		}
		for _, contentType := range []string{
			"", "text/plain", "application/jsonp", "application/x-www-form-urlencoded", "json",
		} {
			decode[api.Problem](t, send(contentType, `{}`), 415)
		}
		for body, pointer := range map[string]string{
			`{"limit": 5, "limit": 500}`:                          "/limit",
			`{"limit": 5, "li\u006dit": 5}`:                       "/limit",
			`{"config": {"a/b": [0, {"x": 1, "y": {}, "x": 2}]}}`: "/config/a~1b/1/x",
			`{"a": {"b": 1}, "a": {"c": 1}}`:                      "/a",
			`{"": "", "": ""}`:                                    "/",
			"\uFEFF" + `{"a": {"k": {"k": 1, "k": "k"}}}`:         "/a/k/k",
		} {
			a := send("Application/JSON", body)
			refused(t, a, 422, pointer)
			if !strings.Contains(string(a.body), "twice") {
				t.Errorf("%s: %s: %s", op, body, a.body)
			}
		}
	}
}

// requiredQuery returns the query of an operation with the contract's examples of the parameters that it requires.
func (o operation) requiredQuery() string {
	query := url.Values{}
	for _, p := range o.params {
		if p.In == "query" && p.Required {
			query.Set(p.Name, fmt.Sprint(p.Example))
		}
	}
	if len(query) == 0 {
		return ""
	}
	return "?" + query.Encode()
}

// TestOperationsRevalidate requests everything with an ETag a second time.
func TestOperationsRevalidate(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, op := range s.operations() {
		if op.method != "GET" || endless[op.OperationID] {
			continue
		}
		op.path += op.requiredQuery()
		a := s.plain("GET", op.path, "", nil)
		tag := a.Header.Get("ETag")
		if promised := op.Responses.Status(304) != nil; promised != (tag != "") {
			t.Errorf("%s: %d, ETag %q; the contract has 304: %v: %.200s", op, a.StatusCode, tag, promised, a.body)
		}
		if tag == "" {
			continue
		}
		many := strings.Repeat(`"an old one, with a comma", `, 1000)
		for name, lines := range map[string][]string{
			"the tag": {tag}, "strong": {strings.TrimPrefix(tag, "W/")}, "any": {"*"}, "several": {`"x", ` + tag + `,"y"`}, "several lines": {`"x"`, tag, `"y"`}, "no space": {`"x",` + tag}, "many": {many + tag},
		} {
			for _, method := range []string{"GET", "HEAD"} {
				for _, coding := range []string{"", "gzip", "zstd"} {
					got := s.plain(
						method, op.path, "", http.Header{"If-None-Match": lines, "Accept-Encoding": {coding}},
					)
					if got.StatusCode != 304 || len(got.body) > 0 {
						t.Errorf(
							"%s %s with %s, %q: %d %.200s", method, op.path, name, coding, got.StatusCode, got.body,
						)
					}
					for _, header := range []string{"ETag", "Cache-Control", "Vary", "Last-Modified"} {
						if !slices.Equal(got.Header.Values(header), a.Header.Values(header)) {
							t.Errorf(
								"%s: %s is %q, and %q with 304", op, header, a.Header.Values(header),
								got.Header.Values(header),
							)
						}
					}
				}
			}
		}
		for name, lines := range map[string][]string{
			"another": {`"x"`},
			"part":    {tag[:len(tag)-3] + `"`},
			"in one":  {`"x, ` + strings.Trim(tag, `W/"`) + ` y"`},
			"none":    {""},
		} {
			if got := s.plain("GET", op.path, "", http.Header{"If-None-Match": lines}); got.StatusCode != 200 ||
				!bytes.Equal(got.body, a.body) {
				t.Errorf("%s with %s: %d %.200s", op, name, got.StatusCode, got.body)
			}
		}
		if got := s.plain("GET", op.path, "", http.Header{"Accept-Encoding": {"zstd"}}); got.Header.Get("ETag") != tag ||
			!strings.HasPrefix(tag, "W/") {
			t.Errorf("%s: ETag %q, and %q compressed", op, tag, got.Header.Get("ETag"))
		}
	}
}

// TestOperationsCompress asks every GET for every coding.
func TestOperationsCompress(t *testing.T) {
	t.Parallel()
	s := setup(t)
	ops := s.operations()
	for i := range 30 {
		s.saveBill("44-1", fmt.Sprintf("C-%d", 200+i), "2022-02-02", "An Act to do much the same as all the others do")
	}
	compressed := 0
	for _, op := range ops {
		if op.method != "GET" || endless[op.OperationID] {
			continue
		}
		whole := s.plain("GET", op.path, "", nil)
		if got := whole.Header.Get("Content-Encoding"); got != "" {
			t.Errorf("%s is %s, which nobody asked for", op, got)
		}
		if !slices.Contains(whole.Header.Values("Vary"), "Accept-Encoding") {
			t.Errorf("%s: Vary %q", op, whole.Header.Values("Vary"))
		}
		changes := slices.Contains(
			[]string{"getStatus", "getMetrics", "getReadiness", "listBackfills", "getBackfill", "listRuns", "dryRunSchedule",
				"dryRunSensor"},
			op.OperationID,
		)
		for _, coding := range []string{"gzip", "zstd"} {
			a := s.plain("GET", op.path, "", http.Header{"Accept-Encoding": {coding}})
			want := coding
			if whole.Header.Get("Content-Length") != "" && len(whole.body) < 1024 || whole.StatusCode != 200 {
				want = ""
			}
			if got := a.Header.Get("Content-Encoding"); got != want && !changes {
				t.Errorf("%s: %d bytes, coding %q, want %q", op, len(whole.body), got, want)
			}
			unpacked := a.unpacked(t)
			if !changes && !bytes.Equal(unpacked, whole.body) {
				t.Errorf("%s: %s gives %.100s, not %.100s", op, coding, unpacked, whole.body)
			}
			if want != "" && len(a.body) < len(whole.body) {
				compressed++
			}
			if a.Header.Get("Content-Type") == "application/json" && !json.Valid(unpacked) {
				t.Errorf("%s: %.100s", op, unpacked)
			}
		}
		if got := s.plain("GET", op.path, "",
			http.Header{"Accept-Encoding": {"gzip;q=0, zstd;q=0, identity"}}); got.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s is compressed for a client that does not want it", op)
		}
	}
	if compressed < 10 {
		t.Errorf("only %d answers were smaller", compressed)
	}
}
