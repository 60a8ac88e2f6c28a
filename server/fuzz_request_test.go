package server_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

func repeated(s string, size int) string { return strings.Repeat(s, max(1, size/len(s))) }

func unknownKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"k%05d": 0, `, i)
	}
	return "{" + strings.TrimSuffix(b.String(), ", ") + "}"
}

func numbered(format string, n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(format, i)
	}
	return strings.Join(parts, "&")
}

// hostile are requests that were made to cost much, by name. It is long, because it is a list.
func hostile() map[string]wireRequest {
	const asset, run, backfill = "/assets/echo/materialize", "/runs", "/backfills"
	deep := func(inner string, depth int) string {
		return strings.Repeat("[", depth) + inner + strings.Repeat("]", depth)
	}
	nuls := strings.TrimSuffix(strings.Repeat(`"\u0000",`, 60_000), ",")
	zeros := strings.TrimSuffix(repeated("0,", 900_000), ",")
	out := map[string]wireRequest{}
	post := func(name, target, body string, headers ...string) {
		who := admin
		if len(out)%4 == 0 {
			who = anybody
		}
		out[name] = wireRequest{who, "POST", target, body, append([]string{"Content-Type: application/json"}, headers...)}
	}
	// Those that are read before it is known who asks.
	for path, most := range map[string]int{"/session": 4 << 10, "/webhooks/hook": 64 << 10} {
		for name, body := range map[string]string{
			"NULs below lists": `{"key": ` + deep(nuls, 2500) + `}`, "many NULs": `{"key": [` + strings.TrimSuffix(repeated(`"\u0000",`, most-20), ",") + `]}`, "unknown keys": unknownKeys(8000),
			"some unknown keys": unknownKeys(most / 15), "zeros below lists": deep(zeros, 9000), "lists": deep("", most/2-10), "many lists": `{"key": [` + strings.TrimSuffix(repeated("[],", most-20), ",") + `]}`,
			"many objects": `{"key": [` + strings.TrimSuffix(repeated(`{"":0},`, most-20), ",") + `]}`, "a long key": `{"` + strings.Repeat("k", most-20) + `": 0}`, "a long value": `{"key": "` + strings.Repeat("v", most-20) + `"}`,
			"escapes": `{"key": "` + repeated(`\u0001`, most-20) + `"}`, "spaces": strings.Repeat(" ", most-2) + "{}", "a long number": `{"key": ` + strings.Repeat("9", most-20) + `}`,
			"the same keys": `{` + strings.TrimSuffix(repeated(`"":0,`, most-20), ",") + `}`, "too long": strings.Repeat("x", 1<<20+1), "signs in keys": `{"` + repeated(`\u0001\"~/`, most-20) + `": 0}`,
		} {
			out[path+": "+name] = wireRequest{nobody, "POST", path, body,
				[]string{"Content-Type: application/json", "webhook-id: a", "webhook-timestamp: 1", "webhook-signature: v1,a"}}
		}
	}
	for _, path := range []string{"/healthz", "/version", "/session", "/bills", "/nothing", "/riverui/api/jobs"} {
		out[path+": unknown parameters"] = wireRequest{nobody, "GET", path + "?" + numbered("k%d", 9900), "", nil}
		out[path+": some unknown parameters"] = wireRequest{
			nobody, "GET", path + "?" + numbered("%%01%%22~/k%d", 90), "", nil,
		}
		out[path+": semicolons"] = wireRequest{nobody, "GET", path + "?" + repeated(";", 60_000), "", nil}
		out[path+": a long parameter"] = wireRequest{nobody, "GET", path + "?q=" + repeated("%01", 16_000), "", nil}
		out[path+": ampersands"] = wireRequest{nobody, "GET", path + "?" + repeated("&", 60_000), "", nil}
		out[path+": a long path"] = wireRequest{nobody, "GET", path + repeated("/a", 60_000), "", nil}
		out[path+": an escaped path"] = wireRequest{nobody, "GET", path + "/" + repeated("%2f", 60_000), "", nil}
		out[path+": a long method"] = wireRequest{nobody, repeated("M", 60_000), path, "", nil}
		if path != "/session" && path != "/nothing" {
			continue
		}
		for _, name := range []string{
			"Accept", "Accept-Encoding", "If-None-Match", "Last-Event-ID", "Idempotency-Key", "Cookie", "Authorization",
			"Traceparent", "Tracestate", "Content-Type", "Content-Encoding", "Origin", "X-Request-Id", "X-Forwarded-For",
			"User-Agent", "If-Modified-Since", "Range", "Forwarded", "Sec-Fetch-Site", "Access-Control-Request-Headers",
			"Transfer-Encoding", "Referer", "Accept-Language",
		} {
			for _, of := range []string{
				"a,", `"",`, `"" `, "a;q=0.1,", "gzip;q=1,", "a=b;", "=;", "\xff", "127.0.0.1,", "a/b;a=b;", ";a*0=b", `W/"`,
				"Bearer ",
			} {
				headers := []string{name + ": " + repeated(of, 60_000)}
				if name == "Content-Type" {
					headers[0] = name + ": " + "application/json;" + repeated(of, 60_000)
				}
				out[fmt.Sprintf("%s: %s of %q", path, name, of)] = wireRequest{nobody, "GET", path, "", headers}
			}
			many := make([]string, 60_000/(len(name)+5))
			for i := range many {
				many[i] = name + ": " + "a"
			}
			out[fmt.Sprintf("%s: %s many times", path, name)] = wireRequest{nobody, "GET", path, "", many}
		}
		small := make([]string, 8000)
		for i := range small {
			small[i] = fmt.Sprintf("%04x:", i)
		}
		out[path+": many headers"] = wireRequest{nobody, "GET", path, "", small}
	}
	// Those of somebody who is known.
	for name, config := range map[string]string{
		"NULs below lists": deep(nuls, 2500), "many NULs": "[" + nuls + "]", "unknown keys": unknownKeys(8000), "many unknown keys": unknownKeys(60_000), "as many unknown keys as may be": unknownKeys(9_900), "zeros below lists": deep(zeros, 9000), "zeros": "[" + zeros + "]",
		"as many zeros as may be": "[" + strings.TrimSuffix(strings.Repeat("0,", 39_000), ",") + "]", "as many objects as may be": "[" + strings.TrimSuffix(strings.Repeat(`{"":0},`, 4_900), ",") + "]",
		"as many empty objects as may be": "[" + strings.TrimSuffix(strings.Repeat(`{},`, 9_900), ",") + "]", "as many lists as may be": "[" + strings.TrimSuffix(strings.Repeat(`[],`, 39_000), ",") + "]",
		"lists": deep("", 400_000), "sixty lists": deep("", 60), "a long number": `{"limit": ` + strings.Repeat("9", 1_000_000) + "}", "a large exponent": `{"limit": 1e1000000}`, "a huge exponent": `{"limit": 1e999999999}`, "a small exponent": `{"limit": 1e-1000000}`,
		"digits": `{"limit": 1` + strings.Repeat("0", 90) + `}`, "a fraction": `{"limit": 1e-400}`, "a long key": `{"` + strings.Repeat("k", 1_000_000) + `": 1}`, "a long value": `{"limit": "` + strings.Repeat("v", 1_000_000) + `"}`,
		"a value of escapes": `{"limit": "` + repeated(`\u0001`, 1_000_000) + `"}`, "operations": `{"ops": ` + unknownKeys(9_900) + `}`, "an asset's": `{"ops": {"echo": ` + unknownKeys(9_900) + `}}`, "an asset's config": `{"ops": {"echo": {"config": ` + unknownKeys(9_900) + `}}}`,
		"one unknown long key": `{"ops": {"echo": {"config": {"` + strings.Repeat("~", 900_000) + `": 1}}}}`, "the same keys": "{" + strings.TrimSuffix(repeated(`"limit":1,`, 900_000), ",") + "}",
	} {
		post("config: "+name, asset, `{"config": `+config+`}`)
		post("config of a backfill: "+name, backfill, `{"assets": ["parted"], "config": `+config+`}`)
	}
	values := func(format string, n int) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = fmt.Sprintf(format, i)
		}
		return strings.Join(parts, ",")
	}
	post("unknown keys", asset, unknownKeys(60_000))
	post("as many unknown keys as may be", asset, unknownKeys(9_900))
	post("unknown keys, all of which are looked for", asset, unknownKeys(1000))
	post("tags", asset, `{"tags": {`+values(`"a%d": "b"`, 9_900)+`}}`)
	post("tags that are none", asset, `{"tags": {`+values(`"a:%d": 1`, 1000)+`}}`)
	post("long tags", asset, `{"tags": {`+values(`"%020000d": "b"`, 49)+`}}`)
	post("assets that are none", run, `{"assets": [`+values(`"a%d"`, 500)+`]}`)
	post("the same assets", run, `{"assets": [`+strings.TrimSuffix(strings.Repeat(`"echo",`, 500), ",")+`]}`)
	post("too many assets", run, `{"assets": [`+values(`"a%d"`, 30_000)+`]}`)
	post("partitions", backfill, `{"assets": ["parted"], "dry_run": true, "partitions": [`+values(`"%d"`, 20_000)+`]}`)
	post("the same partition", backfill, `{"assets": ["parted"], "dry_run": true, "partitions": [`+
		strings.TrimSuffix(strings.Repeat(`"a",`, 20_000), ",")+`]}`)
	post("partitions that are numbers", backfill, `{"assets": ["parted"], "partitions": [`+values(`%d`, 30_000)+`]}`)
	post(
		"some partitions that are numbers", backfill, `{"assets": ["parted"], "partitions": [`+values(`%d`, 2_500)+`]}`,
	)
	post("an empty range", backfill, `{"assets": ["parted"], "range": {}}`)
	post("a range of none", backfill, `{"assets": ["parted"], "range": {"from": "`+strings.Repeat("é", 200)+`"}}`)
	for i, selection := range []string{
		"+++echo", repeated("+", 999), repeated("(", 999), repeated("not ", 996), repeated("echo,", 995) + "echo",
		repeated("*,", 998) + "*", repeated("+*+,", 996) + "*", repeated("9+", 998), repeated("*", 999),
		"key:" + repeated("*a", 990), repeated("[a-", 990), repeated("\\", 990), repeated("echo and ", 990) + "echo",
	} {
		quoted, _ := json.Marshal(selection)
		post(fmt.Sprintf("selection %d", i), run, `{"selection": `+string(quoted)+`}`)
		out[fmt.Sprintf("listed selection %d", i)] = wireRequest{
			admin, "GET", "/assets?selection=" + url.QueryEscape(selection), "", nil,
		}
	}
	for name, text := range map[string]string{
		"brackets": repeated("[", 256<<10), "braces": repeated("{a: ", 256<<10), "dashes": repeated("- ", 256<<10), "questions": repeated("? ", 256<<10), "commas": "[" + repeated(",", 256<<10-3) + "]", "zeros": "[" + repeated("0,", 256<<10-3) + "]",
		"lines": "config:\n" + repeated(" - a\n", 256<<10-10), "anchors": repeated("&a ", 256<<10), "an alias bomb": "a: &a [" + repeated("x,", 1000) + "]\nb: &b [" + repeated("*a,", 1000) + "]\nc: [" + repeated("*b,", 1000) + "]", "pairs": "config: [" + repeated("a: b, ", 256<<10-12) + "]",
		"tags": repeated("!a ", 256<<10), "a long key": repeated("k", 200<<10) + ": 1", "sixty lists": "config: " + deep("", 60), "seventy lists": "config: " + deep("", 70), "too long": repeated("a", 1<<20), "quotes": repeated(`"`, 256<<10), "documents": repeated("---\n", 256<<10),
	} {
		post("YAML: "+name, asset, text)
		a := out["YAML: "+name]
		a.headers = []string{"Content-Type: application/yaml"}
		out["YAML: "+name] = a
	}
	for i, q := range []string{
		strings.Repeat("-", 33), repeated("(", 200), repeated("a OR ", 200), repeated(`"`, 200), repeated(`"a" `, 200),
		repeated("-a ", 200), repeated("a ", 200), repeated("é", 200), repeated("C-1 ", 200), repeated("1 ", 200),
		repeated("'", 200), repeated("' a", 200), repeated("44-1 ", 200), repeated("|", 200),
		repeated("a|", 200), repeated("&!", 200), repeated(":*", 200), repeated("\\", 200), repeated("\u202e", 60),
		repeated("İ", 100), repeated("ﷺ", 60), repeated("%", 200), repeated("_", 200), "a\u0000"[:1],
		repeated("abcdefghijklmnopqrstuvwxyz", 200), "- -", "-\u00a0-", "\u200b", "\ufeff", "-'-", `"-"`, `-"-"`, "C-0",
		"C-99999999999", "S-00000", "0-0/C-1", "999-99 C-1",
	} {
		for _, path := range []string{
			"/search?q=", "/bills?q=", "/feeds/search.rss?q=", "/exports/bills.csv?q=", "/politicians?q=", "/bills?committee=",
			"/bills?sponsor=", "/bills?type=",
		} {
			out[fmt.Sprintf("text %d: %s", i, path)] = wireRequest{admin, "GET", path + url.QueryEscape(q), "", nil}
		}
	}
	out["many tags"] = wireRequest{admin, "GET", "/runs?" + numbered("tag=a%d:b", 99), "", nil}
	out["many types"] = wireRequest{admin, "GET", "/events?" + numbered("type=a%d", 99), "", nil}
	out["many statuses"] = wireRequest{admin, "GET", "/runs?status=" + repeated("-success,", 16_000), "", nil}
	return out
}

// operations are those of the contract, in an order that stays.
type contractOperation struct {
	method, path string
	params       []*openapi3.Parameter
	body         *openapi3.Schema
}

func operations(t testing.TB) []contractOperation {
	t.Helper()
	spec, err := api.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	var out []contractOperation
	for _, path := range spec.Paths.InMatchingOrder() {
		item := spec.Paths.Value(path)
		for method, op := range item.Operations() {
			o := contractOperation{method: method, path: path}
			for _, p := range slices.Concat(item.Parameters, op.Parameters) {
				o.params = append(o.params, p.Value)
			}
			if op.RequestBody != nil {
				o.body = op.RequestBody.Value.Content["application/json"].Schema.Value
			}
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b contractOperation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return out
}

// maker makes requests from the contract, and spoils them.
type maker struct {
	*rand.Rand
	extra string
}

func (m *maker) one(of ...string) string { return of[m.IntN(len(of))] }

// odd returns an invalid or unusual value.
func (m *maker) odd() string {
	return m.one(m.extra, m.extra, m.extra, "", "-1", "0", "NaN", "1e400", "2147483648", "9223372036854775808", "\x00",
		"\xff", "0001-01-01", "9999-12-31T23:59:60Z", "0000-00-00", "é", strings.Repeat("a", 300), repeated("a,", 4000),
		"null", "true", "[]", "{}", "*",
		"0197841c-2a00-7aaa-8000-000000000001", "00000000-0000-0000-0000-000000000000", "44-1", "999-99", "C-11", "-",
		strings.Repeat("-", 33), "/", "..", "%", "eyJsIjoicnVucyIsImsiOiIifQ", `"`, "'", "echo", "both", "nightly", "poll",
		"hook", "bills.rss", "search.rss", "bills.csv", "a:b")
}

// value is one of a schema, mostly as it should be, as text.
func (m *maker) value(s *openapi3.Schema, example any) string {
	if m.IntN(4) == 0 {
		return m.odd()
	}
	switch {
	case len(s.Enum) > 0:
		return fmt.Sprint(s.Enum[m.IntN(len(s.Enum))])
	case s.Type.Is("array"):
		return m.value(s.Items.Value, nil)
	case s.Type.Is("boolean"):
		return m.one("true", "false")
	case s.Type.Is("integer"):
		return fmt.Sprint(m.IntN(100))
	}
	if list, ok := example.([]any); ok && len(list) > 0 {
		example = list[0]
	}
	if example != nil && m.IntN(2) == 0 {
		return fmt.Sprint(example)
	}
	return m.one(
		"echo", "gated", "parted", "both", "echo_job", "nightly", "poll", "hook", "fine", "C-11", "44-1", "bills",
		"search.atom", "bills.ndjson", "a", m.extra,
	)
}

// json is a value of a schema as JSON, mostly as it should be.
func (m *maker) json(s *openapi3.Schema, depth int) any {
	if m.IntN(8) == 0 || depth > 6 {
		switch m.IntN(8) {
		case 0:
			return nil
		case 1:
			return m.odd()
		case 2:
			return m.Int64() - m.Int64()
		case 3:
			return strings.Split(strings.Repeat(m.odd()+"\n", m.IntN(50)), "\n")
		case 4:
			return json.RawMessage(
				m.one("1e400", "-0", "1.5", "1e-7", "99999999999999999999", `"\u0000"`, `{"a":1,"a":2}`, "1e99999"),
			)
		case 5:
			return map[string]any{m.odd(): m.odd(), m.extra: []any{}}
		case 6:
			return json.RawMessage(strings.Repeat("[", 1<<m.IntN(9)) + "0")
		}
		return true
	}
	switch {
	case len(s.Enum) > 0:
		return s.Enum[m.IntN(len(s.Enum))]
	case s.Type.Is("array"):
		list := []any{}
		for range m.IntN(4) {
			list = append(list, m.json(s.Items.Value, depth+1))
		}
		return list
	case s.Type.Is("boolean"):
		return m.IntN(2) == 0
	case s.Type.Is("integer"):
		return m.IntN(100)
	case s.Type.Is("object"):
		out := map[string]any{}
		for name, p := range s.Properties {
			if m.IntN(2) == 0 || slices.Contains(s.Required, name) {
				out[name] = m.json(p.Value, depth+1)
			}
		}
		if len(s.Properties) == 0 {
			out[m.one("limit", "ops", "a", "b", m.extra)] = m.one("1", "x", m.extra)
		}
		return out
	}
	return m.value(s, s.Example)
}

// request makes one from an operation.
func (m *maker) request(o contractOperation, who int) wireRequest {
	a := wireRequest{who: who, method: o.method, target: o.path, headers: []string{"X-Fuzz: 1"}}
	query := url.Values{}
	for _, p := range o.params {
		switch {
		case p.In == "path":
			a.target = strings.ReplaceAll(a.target, "{"+p.Name+"}", url.PathEscape(m.value(p.Schema.Value, p.Example)))
		case p.In == "query" && (p.Required || m.IntN(3) == 0):
			query.Add(p.Name, m.value(p.Schema.Value, p.Example))
			for p.Schema.Value.Type.Is("array") && m.IntN(2) == 0 {
				query.Add(p.Name, m.value(p.Schema.Value, p.Example))
			}
		case p.In == "header" && m.IntN(3) == 0:
			a.headers = append(a.headers, p.Name+": "+clean(m.value(p.Schema.Value, p.Example)))
		}
	}
	if m.IntN(10) == 0 {
		query.Add(m.odd(), m.odd())
	}
	if len(query) > 0 {
		a.target += "?" + query.Encode()
	}
	if m.IntN(20) == 0 {
		a.target += m.one("?", "&", "?&", ";", "%", "?a=%zz", "//", "?"+repeated("a&", 2000)) + url.PathEscape(m.extra)
	}
	if o.body != nil {
		raw, _ := json.Marshal(m.json(o.body, 0))
		a.body = string(raw)
		switch m.IntN(12) {
		case 0:
			at := m.IntN(len(a.body) + 1)
			a.body = a.body[:at] + m.extra + a.body[at:]
		case 1:
			a.body = m.extra
		case 2: // the middle of it many times
			i := m.IntN(len(a.body) + 1)
			j := i + m.IntN(len(a.body)-i+1)
			a.body = a.body[:i] + strings.Repeat(a.body[i:j], m.IntN(3000)) + a.body[j:]
		}
		media := m.one(
			"application/json", "application/json", "application/json", "application/json; charset=utf-8",
			"application/yaml", "text/plain", "multipart/form-data; boundary=a", m.extra,
		)
		a.headers = append(a.headers, "Content-Type: "+clean(media))
	}
	if m.IntN(10) == 0 {
		name := m.one("Accept", "Accept-Encoding", "If-None-Match", "Last-Event-ID", "Idempotency-Key", "Cookie", "Origin",
			"X-Request-Id", "Traceparent", "Content-Encoding", "If-Modified-Since", "User-Agent", "X-HTTP-Method-Override",
			"Host")
		a.headers = append(a.headers, name+": "+clean(strings.Repeat(m.odd(), m.IntN(20))))
	}
	switch m.IntN(20) {
	case 0:
		a.method = m.one("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW")
	case 1:
		a.headers = append(a.headers, "Accept: text/event-stream")
	}
	return a
}

// clean makes a text one line of a header.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}

// FuzzRequest makes requests from the contract and spoils them. Whatever is asked, and whoever asks, the answer is no
// internal error, one to a bad request is a short problem, and no request costs more than its budget.
func FuzzRequest(f *testing.F) {
	dbtest.Measures(f)
	b := newBench(f)
	ops := operations(f)
	seeds := hostile()
	names := make([]string, 0, len(seeds))
	for name := range seeds {
		names = append(names, name)
	}
	slices.Sort(names)
	// A negative operation is one of the requests that were made to cost much, so that they are the first to be tried.
	for i := range names {
		f.Add(uint64(0), -1-i, uint8(0), "")
	}
	for i := range ops {
		for who := range 3 {
			for round := range uint64(2) {
				f.Add(round, i, uint8(who), "x")
			}
		}
	}
	f.Fuzz(func(t *testing.T, seed uint64, op int, who uint8, extra string) {
		var a wireRequest
		if op < 0 {
			a = seeds[names[(-1-op)%len(names)]]
		} else {
			m := &maker{Rand: rand.New(rand.NewPCG(seed, uint64(op))), extra: extra}
			a = m.request(ops[op%len(ops)], int(who)%3)
		}
		if strings.Contains(a.target, " ") || a.method == http.MethodConnect {
			return
		}
		if got, err := b.check(a, true); err != nil {
			t.Errorf("%v\n%s\n%d", err, a, got.status)
		}
	})
}
