package cli_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/simulate"
)

// TestDoctorAsksForLists has both sources answer with status 200 and other things than a list of bills.
func TestDoctorAsksForLists(t *testing.T) {
	t.Parallel()
	world, err := simulate.NewWorld(simulate.Options{Bills: 20, AsOf: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	page := `<html><head><title>Sorry</title></head></html>`
	for name, c := range map[string]struct {
		faults                    string
		openParliament, legisinfo string // answers in place of the simulated ones
		env                       []string
		want, not                 []string
	}{
		"good":              {want: []string{"ok    OpenParliament         lists ", "ok    LEGISinfo              lists ", "bills of session 45-1"}, not: []string{"the list without"}},
		"pages":             {openParliament: page, legisinfo: page, want: []string{"warn  OpenParliament", "warn  LEGISinfo", `titled "Sorry"`, "is HTML, not JSON"}},
		"other JSON":        {openParliament: `{"objects": {}}`, legisinfo: `{"status": "ok"}`, want: []string{"it has no list of objects", "want a list"}},
		"other lists":       {openParliament: `{"objects": [{"title": "x"}], "pagination": {}}`, legisinfo: `[{"title": "x"}]`, want: []string{"warn  OpenParliament", "warn  LEGISinfo", "none of the 1 records of the list is a bill"}},
		"nothing":           {openParliament: `{"objects": [], "pagination": {}}`, legisinfo: `[]`, want: []string{"warn  OpenParliament         answers with a list that has no bill", "warn  LEGISinfo              answers with a list that has no bill"}},
		"no list of one":    {faults: "session=overview", want: []string{"warn  LEGISinfo              the list of session 45-1: ", "/legisinfo/en/overview", "fetches use the list without a session, which has "}},
		"no list":           {faults: "session=404&bare=overview", want: []string{"answered 404", "the list without a session: ", "/legisinfo/en/overview"}},
		"the other form":    {faults: "session=brief", want: []string{"ok    LEGISinfo              lists "}},
		"browsers alone":    {faults: "browsers=true", want: []string{"answered 403 Forbidden", "set USER_AGENT"}},
		"as a browser":      {faults: "browsers=true", env: []string{"USER_AGENT=Mozilla/5.0 (compatible; me@example.org)"}, want: []string{"ok    LEGISinfo              lists "}, not: []string{"CONTACT_EMAIL"}},
		"an odd user agent": {env: []string{"USER_AGENT=é"}, want: []string{`FAIL  configuration          USER_AGENT "é"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simulated := world.Handler(simulate.Faults{})
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := c.openParliament
				if strings.HasPrefix(r.URL.Path, "/legisinfo/") {
					answer = c.legisinfo
				}
				if answer == "" || strings.HasPrefix(r.URL.Path, "/control/") {
					simulated.ServeHTTP(w, r)
					return
				}
				_, _ = io.WriteString(w, answer)
			}))
			t.Cleanup(s.Close)
			if c.faults != "" {
				resp, err := http.Post(s.URL+"/control/faults?"+c.faults, "", nil)
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Fatal(resp, err)
				}
				_ = resp.Body.Close()
			}
			r := run(t, append(c.env, "DATA_DIR="+t.TempDir(), "OPENPARLIAMENT_URL="+s.URL, "LEGISINFO_URL="+s.URL+"/legisinfo",
				"EXPLORER_URL=http://127.0.0.1:1"), "doctor")
			for _, want := range c.want {
				if !strings.Contains(r.out, want) {
					t.Errorf("it does not say %q:\n%s%s", want, r.out, r.err)
				}
			}
			for _, not := range c.not {
				if strings.Contains(r.out, not) {
					t.Errorf("it says %q:\n%s", not, r.out)
				}
			}
		})
	}
}

// TestUserAgentIsSent runs an asset and looks at what the sources were told.
func TestUserAgentIsSent(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ env, want string }{
		"default":  {"CONTACT_EMAIL=Ada <ada@example.org>", "(+https://github.com/parliament-explorer/parliament-explorer; ada@example.org)"},
		"its own":  {"USER_AGENT=Mozilla/5.0 (me@example.org)", "Mozilla/5.0 (me@example.org)"},
		"no email": {"CONTACT_EMAIL=", "(+https://github.com/parliament-explorer/parliament-explorer)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			agents := make(chan string, 100)
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				agents <- r.UserAgent()
				http.NotFound(w, r)
			}))
			t.Cleanup(s.Close)
			run(t, []string{c.env, "DATA_DIR=" + t.TempDir(), "OPENPARLIAMENT_URL=" + s.URL, "LEGISINFO_URL=" + s.URL,
				"EXPLORER_URL=http://127.0.0.1:1"}, "doctor")
			close(agents)
			n := 0
			for agent := range agents {
				if n++; !strings.HasSuffix(agent, c.want) || strings.HasPrefix(agent, "Go-http") {
					t.Errorf("User-Agent %q, want %q", agent, c.want)
				}
			}
			if n < 2 {
				t.Errorf("%d requests", n)
			}
		})
	}
}
