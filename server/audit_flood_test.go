package server_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/server"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// TestAuditIsNotFilled sends far more refused requests from one address than get entries.
func TestAuditIsNotFilled(t *testing.T) {
	t.Parallel()
	for name, header := range map[string][]string{"nobody": nil, "a key": {"key"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var control *access.Control
			s := setup(t, func(cfg *server.Config) {
				var err error
				if control, err = access.New(access.Config{Required: true, DB: cfg.DB,
					Logger: slog.New(slog.DiscardHandler)}); err != nil {
					t.Fatal(err)
				}
				cfg.Access = control
			})
			_, key := s.key("reader", access.ScopeRead, nil)
			if header != nil {
				header = bearer(key)
			}
			const sent = 300
			for range sent {
				if a := s.do("POST", "/jobs/"+strings.Repeat("x", 4000)+"/runs", `{}`, header...); a.StatusCode != 401 &&
					a.StatusCode != 403 {
					t.Fatalf("%d %s", a.StatusCode, a.body)
				}
			}
			all := s.entries()
			if len(all) != 60 {
				t.Errorf("%d entries, want 60", len(all))
			}
			if more := all[len(all)-1].More; more < (sent-60)/2 { // at least to the last doubling
				t.Errorf("%d more, of %d", more, sent-60)
			}
			control.FlushAudit(t.Context())
			all = s.entries()
			var bytes int
			for _, e := range all {
				bytes += len(e.Path) + len(e.Actor) + len(e.Client) + len(e.RequestID) + 100
			}
			if last := all[len(all)-1]; last.More != sent-60 || bytes > 60*1500 {
				t.Errorf("%d more, want %d; %d bytes", last.More, sent-60, bytes)
			}
			// What is done has an entry all the same.
			_, operate := s.key("ops", access.ScopeOperate, nil)
			decode[api.Run](t, s.do("POST", "/jobs/echo_job/runs", `{}`, bearer(operate)...), http.StatusAccepted)
			if all := s.entries(); all[len(all)-1].Status != 202 || all[len(all)-1].Actor != "key ops" {
				t.Errorf("the last entry is %+v", all[len(all)-1])
			}
		})
	}
}

// TestStrangersAreCounted begins more sign-ins from one address than it may.
func TestStrangersAreCounted(t *testing.T) {
	t.Parallel()
	s := guarded(t, func(c *access.Config) { c.RateLimit = 0 })
	_, key := s.key("ops", access.ScopeRead, nil)
	statuses := map[int]int{}
	for range 70 {
		statuses[s.do("DELETE", "/session", "").StatusCode]++
	}
	if statuses[204] != 60 || statuses[429] != 10 {
		t.Errorf("sign-outs of nobody: %v", statuses)
	}
	for range 70 { // who proves who they are is not a stranger
		decode[api.SessionState](t, s.do("POST", "/session", fmt.Sprintf(`{"key": %q}`, key)), 200)
	}
	if n := len(s.entries()); n != 130 {
		t.Errorf("%d entries", n)
	}
}
