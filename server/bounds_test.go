package server_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// TestFaultsAreListedInPart sends bodies with thousands of faults. The answer lists twenty of them at most, says how
// many there are, and shows of each value and pointer no more than its beginning.
func TestFaultsAreListedInPart(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	s := setup(t)
	many := func(of string, n int) string { return strings.TrimSuffix(strings.Repeat(of+",", n), ",") }
	for body, want := range map[string]string{
		`{"config": {"a": [` + many(`"\u0000"`, 30_000) + `]}}`: "30,000 fields are invalid: ",
		`{"config": {` + many(`"a": 1`, 9_000) + `}}`:           "8,999 fields are invalid: /config/a: is there twice",
		`{` + many(`"\u0000": 1`, 500) + `}`:                    "999 fields are invalid: ",
		`{` + numberedKeys(500) + `}`:                           "500 fields are invalid: ",
		`{"config": {` + numberedKeys(9_000) + `}}`:             "9,000 fields are invalid: ",
	} {
		a := s.do("POST", "/assets/echo/materialize", body)
		p := decode[api.Problem](t, a, 422)
		if len(p.Errors) == 0 || len(p.Errors) > 20 || len(a.body) >= 16<<10 || !strings.HasPrefix(p.Detail, want) ||
			!strings.HasSuffix(p.Detail, " more") {
			t.Errorf(
				"%.40s…: %d errors in %d bytes, %.100s … %.20q, want %s", body, len(p.Errors), len(a.body), p.Detail,
				p.Detail[max(0, len(p.Detail)-20):], want,
			)
		}
	}
	// Of a long body, the first fault is enough.
	p := decode[api.Problem](t, s.do("POST", "/assets/echo/materialize", `{`+numberedKeys(5_000)+`}`), 422)
	if len(p.Errors) != 1 || p.Errors[0].Detail != `property "k00000" is unsupported` {
		t.Errorf("%+v", p)
	}
	for body, pointer := range map[string]string{
		`{"config": {"limit": "` + strings.Repeat("v", 900_000) + `"}}`:                     "/config/limit",
		`{"config": {"` + strings.Repeat("k", 900_000) + `": 1}}`:                           "/config/kkk",
		`{"` + strings.Repeat("/", 900_000) + `": 1}`:                                       "",
		`{"config": {"` + strings.Repeat("é", 9_000) + `": "\u0000"}}`:                      "/config/ééé",
		`{"partition": "` + strings.Repeat("p", 900_000) + `"}`:                             "/partition",
		`{"tags": {"` + strings.Repeat("t", 10_000) + `": "x"}}`:                            "/tags/ttt",
		`{"config": {"limit": ` + strings.Repeat("9", 900_000) + `}}`:                       "/config/limit",
		`{"config": {"limit": 1e1000001}}`:                                                  "/config/limit",
		`{"config": {"limit": 1e-1000001}}`:                                                 "/config/limit",
		`{"config": {"limit": 9e399}}`:                                                      "/config/limit",
		`{"config": {"a": ` + strings.Repeat("[", 63) + strings.Repeat("]", 63) + `}}`:      "/config/a",
		`{"config": {"a": [` + many("0", 41_000) + `]}}`:                                    "",
		`{"config": {"a": [` + many(`{"":0}`, 6_000) + `]}}`:                                "",
		`{"config": {"ops": {"echo": {"config": {"` + strings.Repeat("~", 900) + `":1}}}}}`: "/config/ops/echo/config/~0~0",
	} {
		a := s.do("POST", "/assets/echo/materialize", body)
		p := decode[api.Problem](t, a, 422)
		if len(p.Errors) != 1 || len(a.body) > 4<<10 || len(p.Errors[0].Pointer) > 210 ||
			!strings.HasPrefix(p.Errors[0].Pointer, pointer) {
			t.Errorf("%.60s…: %d bytes, %.500s: want it at %s", body, len(a.body), a.body, pointer)
		}
	}
	// As deep as it may be.
	a := s.do(
		"POST", "/assets/echo/materialize", `{"config": {"a": `+strings.Repeat("[", 62)+strings.Repeat("]", 62)+`}}`,
	)
	refused(t, a, 422, "/config/a")
	if strings.Contains(string(a.body), "deep") {
		t.Errorf("%s", a.body)
	}
	// As many partitions as a backfill may have.
	a = s.do("POST", "/backfills", `{"assets": ["parted"], "dry_run": true, "partitions": [`+many(`"a"`, 20_000)+`]}`)
	decode[api.BackfillPlan](t, a, 200)
}

func numberedKeys(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(`"k%05d": 0`, i)
	}
	return strings.Join(parts, ",")
}

// TestTargetsAreBounded refuses targets that are too long, whatever they lead to, in few words.
func TestTargetsAreBounded(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, path := range []string{"/healthz", "/bills", "/nothing", "/docs/", "/ui/", "/riverui/api/jobs"} {
		for query, status := range map[string]int{
			numbered("k%d", 9_900):             400,
			numbered("%d", 101):                400,
			"q=" + strings.Repeat("x", 16<<10): 400,
		} {
			a := s.do("GET", path+"?"+query, "")
			refused(t, a, status, "/query")
			if len(a.body) > 1000 {
				t.Errorf("%s: an answer of %d bytes", path, len(a.body))
			}
		}
		if a := s.do("GET", path+strings.Repeat("/x", 3_000), ""); a.StatusCode != 414 {
			t.Errorf("%s: %d of a long path", path, a.StatusCode)
		}
	}
	p := decode[api.Problem](t, s.do("GET", "/bills?"+numbered("k%d", 99), ""), 422)
	if len(p.Errors) != 20 || !strings.Contains(p.Detail, "99 fields are invalid") {
		t.Errorf("%+v", p)
	}
}

// TestPathsThatCannotBeStored has what Postgres does not store in a path, as the router hands it on: escaped where a
// slash is escaped too, else not.
func TestPathsThatCannotBeStored(t *testing.T) {
	t.Parallel()
	s := setup(t)
	for _, slug := range []string{"%ff", "a%2Fb%ff", "%25ff", "%00", "a%2F%00", "%2500", "a%2F%25ff"} {
		a := s.do("GET", "/politicians/"+slug, "")
		if strings.HasSuffix(slug, "%2F%25ff") { // it is a percent sign
			decode[api.Problem](t, a, 404)
			continue
		}
		refused(t, a, 422, "/path/slug")
	}
}

// TestSignInsAreShort checks that sign-in refuses long bodies.
func TestSignInsAreShort(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	decode[api.Problem](t, s.do("POST", "/session", `{"key": "`+strings.Repeat("k", 5_000)+`"}`), 413)
	decode[api.Problem](t, s.do("POST", "/session", `{"key": "`+strings.Repeat("k", 3_000)+`"}`), 422)
}
