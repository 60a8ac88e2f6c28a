package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// TestSessionsThatEndAreRecorded takes roles away from people who are signed in: their sessions end with an entry of
// the audit log, and without one they do not.
func TestSessionsThatEndAreRecorded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		roles func(*provider)
		again bool // signs in again, and does not go on with the session
		want  []string
	}{
		"roles read again":       {func(p *provider) { p.roles["ada"] = []string{} }, false, []string{"rolesLost 200 /sessions?"}},
		"disabled":               {func(p *provider) { p.roles["ada"] = nil }, false, []string{"rolesLost 200 /sessions/"}},
		"the provider goes away": {func(p *provider) { p.status = http.StatusServiceUnavailable }, false, []string{"rolesLost 200 /sessions/"}},
		"another sign-in":        {func(p *provider) { p.roles["ada"] = []string{} }, true, []string{"completeSignIn 403 /session/oidc/callback", "rolesLost 200 /sessions?"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			p.roles["ada"], p.refresh = []string{"read"}, name != "roles read again" // a refresh token counts once
			s := guarded(t, func(c *access.Config) { c.OIDC = p.config() })
			b := p.enter(s, "ada")
			p.set(func() { c.roles(p) })
			lose := func() answer {
				t.Helper()
				if c.again {
					return p.signIn(s.browser(), "ada")
				}
				s.aged("6 minutes")
				s.exec("UPDATE sessions SET roles_asked_until = NULL")
				return b.do("GET", "/jobs", "")
			}
			left := func() (n int) {
				t.Helper()
				if err := s.db.Pool.QueryRow(t.Context(), "SELECT count(*) FROM sessions WHERE subject = 'ada'").
					Scan(&n); err != nil {
					t.Fatal(err)
				}
				return n
			}
			s.exec(`ALTER TABLE audit_log ADD CONSTRAINT never
				CHECK (operation NOT IN ('rolesLost', 'completeSignIn')) NOT VALID`)
			decode[api.Problem](t, lose(), http.StatusServiceUnavailable)
			if n := left(); n != 1 {
				t.Errorf("%d sessions are left without an entry", n)
			}
			s.exec("ALTER TABLE audit_log DROP CONSTRAINT never")
			s.exec("UPDATE audit_log SET operation = 'before'")
			if got := lose(); got.StatusCode != http.StatusUnauthorized && got.StatusCode != http.StatusForbidden {
				t.Errorf("%d %s", got.StatusCode, got.body)
			}
			if n := left(); n != 0 {
				t.Errorf("%d sessions are left", n)
			}
			var told []string
			for _, e := range s.entries() {
				if e.Operation == "before" || e.Operation == "beginSignIn" {
					continue
				}
				if e.Actor != "oidc ada at "+p.URL || e.Subject != "ada" || e.Issuer != p.URL ||
					e.ClaimedName != "ada@example.org" {
					t.Errorf("%+v", e)
				}
				told = append(told, fmt.Sprintf("%s %d %s", e.Operation, e.Status, e.Path))
			}
			if !slices.EqualFunc(told, c.want, strings.HasPrefix) {
				t.Errorf("audit log %q, want %q", told, c.want)
			}
		})
	}
}
