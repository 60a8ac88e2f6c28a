package server_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// aged makes the roles of all sessions as old as that.
func (s *site) aged(age string) {
	s.exec("UPDATE sessions SET roles_read_at = now() - '" + age + "'::interval")
}

func (b *browser) scope() string {
	b.s.t.Helper()
	st := decode[api.SessionState](b.s.t, b.do("GET", "/session", ""), 200)
	if st.Identity == nil {
		return "none"
	}
	return string(st.Identity.Scope)
}

// TestRolesAreReadAgain changes what somebody may do while they are signed in, at providers of all kinds.
func TestRolesAreReadAgain(t *testing.T) {
	t.Parallel()
	for name, kind := range map[string]func(*provider){
		"refresh with an identity token": func(*provider) {},
		"refresh and userinfo":           func(p *provider) { p.again = false },
		"refresh without userinfo":       func(p *provider) { p.userInfo = false },
		"userinfo":                       func(p *provider) { p.refresh = false },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProvider(t)
			kind(p)
			p.roles["ada"] = []string{"operate"}
			s := guarded(t, func(c *access.Config) { c.OIDC = p.config() })
			one, two := p.enter(s, "ada"), p.enter(s, "ada")
			for _, step := range []struct {
				roles []string
				want  string
			}{{[]string{"read"}, "read"}, {[]string{"admin", "read"}, "admin"}, {[]string{"operate"}, "operate"}} {
				p.set(func() { p.roles["ada"] = step.roles })
				before := one.scope() // not due yet
				s.aged("5 minutes 1 second")
				if got := one.scope(); got != step.want {
					t.Errorf("with the roles %v: %s, %s before", step.roles, got, before)
				}
				if got := two.scope(); got != step.want { // it has tokens of its own
					t.Errorf("the other session, with the roles %v: %s", step.roles, got)
				}
			}
			for i, roles := range [][]string{{}, nil} { // no role, and disabled
				p.set(func() { p.roles["bob"] = []string{"read"} })
				b, other := p.enter(s, "bob"), p.enter(s, "bob")
				p.set(func() { p.roles["bob"] = roles })
				s.aged("6 minutes")
				if got := b.do("GET", "/jobs", ""); got.StatusCode != 401 {
					t.Errorf("%d: without a role: %d %s", i, got.StatusCode, got.body)
				}
				if got := other.do("GET", "/jobs", ""); got.StatusCode != 401 {
					t.Errorf("%d: the other session: %d", i, got.StatusCode)
				}
				var left int
				if err := s.db.Pool.QueryRow(t.Context(), "SELECT count(*) FROM sessions WHERE subject = 'bob'").
					Scan(&left); err != nil || left != 0 {
					t.Errorf("%d: %d sessions are left, %v", i, left, err)
				}
			}
		})
	}
}

// TestRolesThatCannotBeRead has the provider go away, tell of somebody else, or have no way to say.
func TestRolesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.refresh = false
	p.roles["ada"] = []string{"read"}
	s := guarded(t, func(c *access.Config) { c.OIDC = p.config() })
	b := p.enter(s, "ada")
	p.set(func() { p.sub = "eve" })
	s.aged("6 minutes")
	if got := b.scope(); got != "none" {
		t.Errorf("userinfo tells of another: %s", got)
	}
	// So at the sign-in, of somebody whose roles are told there alone.
	p.set(func() { p.claims = func(c map[string]any) { delete(c, "roles") } })
	decode[api.Problem](t, p.signIn(s.browser(), "ada"), http.StatusUnauthorized)
	p.set(func() { p.sub = "" })
	if got := p.enter(s, "ada").scope(); got != "read" {
		t.Errorf("roles that userinfo alone tells: %s", got)
	}
	p.set(func() { p.claims = nil })
	b = p.enter(s, "ada")
	p.set(func() { p.status = http.StatusServiceUnavailable })
	s.aged("4 minutes 30 seconds")
	if got := b.scope(); got != "read" { // nobody notices
		t.Errorf("away for a moment: %s", got)
	}
	s.aged("5 minutes 1 second")
	if got := b.do("GET", "/jobs", ""); got.StatusCode != 401 {
		t.Errorf("away for long: %d %s", got.StatusCode, got.body)
	}
	p.set(func() { p.status = 0 })
	if got := b.do("GET", "/jobs", ""); got.StatusCode != 401 {
		t.Errorf("back again: %d", got.StatusCode)
	}

	silent := newProvider(t)
	silent.refresh, silent.userInfo = false, false
	silent.roles["ada"] = []string{"read"}
	s = guarded(t, func(c *access.Config) { c.OIDC = silent.config() })
	b = silent.enter(s, "ada")
	s.aged("4 minutes") // a slow machine may add some
	if got := b.scope(); got != "read" {
		t.Errorf("at a provider that cannot be asked: %s", got)
	}
	s.aged("6 minutes")
	if got := b.scope(); got != "none" {
		t.Errorf("at a provider that cannot be asked, later: %s", got)
	}
}

// TestServersTakeTurns makes two servers read the roles of a session whose refresh token is valid once.
func TestServersTakeTurns(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.roles["ada"] = []string{"read"}
	s := guarded(t, func(c *access.Config) { c.OIDC = p.config() })
	other := s.another(func(c *access.Config) { c.OIDC = p.config() })
	b := p.enter(s, "ada")
	cookie := b.cookie()
	for range 3 {
		s.aged("6 minutes")
		statuses := make(chan int, 8)
		for i := range cap(statuses) {
			url := []string{s.url, other}[i%2]
			go func() {
				req, err := http.NewRequestWithContext(t.Context(), "GET", url+"/jobs", http.NoBody)
				if err != nil {
					statuses <- 0
					return
				}
				req.Header.Set("Cookie", cookie)
				resp, err := http.DefaultClient.Do(req)
				if err != nil {
					statuses <- 0
					return
				}
				resp.Body.Close()
				statuses <- resp.StatusCode
			}()
		}
		for range cap(statuses) {
			if got := <-statuses; got != 200 {
				t.Errorf("%d", got)
			}
		}
	}
	if n := p.hits["/token"]; n != 4 { // the sign-in, and three times the roles
		t.Errorf("the provider was asked for tokens %d times", n)
	}
}

func (b *browser) cookie() string {
	b.s.t.Helper()
	u := b.do("GET", "/session", "").Request.URL
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == access.CookieName {
			return c.Name + "=" + c.Value
		}
	}
	b.s.t.Fatal("no session")
	return ""
}

// TestTokensAreSealed looks for what a provider gave in what the database has.
func TestTokensAreSealed(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.roles["ada"] = []string{"read"}
	s := guarded(t, func(c *access.Config) { c.OIDC = p.config() })
	b := p.enter(s, "ada")
	_, token, _ := strings.Cut(b.cookie(), "=")
	var row string
	var data, sealed []byte
	if err := s.db.Pool.QueryRow(t.Context(), "SELECT to_jsonb(s)::text, data, tokens FROM sessions s").Scan(&row, &data,
		&sealed); err != nil || len(sealed) == 0 {
		t.Fatalf("sealed %d bytes, %v", len(sealed), err)
	}
	for secret := range p.people {
		if strings.Contains(row, secret) || bytes.Contains(data, []byte(secret)) ||
			bytes.Contains(sealed, []byte(secret)) {
			t.Errorf("%s is in the database", secret)
		}
	}
	if strings.Contains(row, token) || bytes.Contains(sealed, []byte("at-")) {
		t.Error("the session's token, or what it seals, is in the database")
	}
}

// TestRefusedSignInEndsTheOthers signs in a person who no longer has a role.
func TestRefusedSignInEndsTheOthers(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.roles["ada"], p.roles["bob"] = []string{"admin"}, []string{"read"}
	s := guarded(t, func(c *access.Config) { c.OIDC = p.config() })
	ada, bob := p.enter(s, "ada"), p.enter(s, "bob")
	p.set(func() { p.roles["ada"] = []string{"nothing"} })
	decode[api.Problem](t, p.signIn(s.browser(), "ada"), http.StatusForbidden)
	if got := ada.do("GET", "/jobs", ""); got.StatusCode != 401 {
		t.Errorf("the session before: %d", got.StatusCode)
	}
	if got := bob.do("GET", "/jobs", ""); got.StatusCode != 200 {
		t.Errorf("somebody else: %d", got.StatusCode)
	}
	// A new sign-in with fewer roles holds for the others too.
	p.set(func() { p.roles["ada"] = []string{"admin"} })
	ada = p.enter(s, "ada")
	p.set(func() { p.roles["ada"] = []string{"read"} })
	p.enter(s, "ada")
	if got := ada.scope(); got != "read" {
		t.Errorf("the session before has %s", got)
	}
}

// TestSessionsAreListedAndEnded is an admin's work.
func TestSessionsAreListedAndEnded(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.roles["ada"], p.roles["bob"] = []string{"operate"}, []string{"read"}
	s := guarded(t, func(c *access.Config) { c.OIDC = p.config() })
	id, key := s.key("root", access.ScopeAdmin, nil)
	root := s.browser()
	decode[api.SessionState](t, root.do("POST", "/session", fmt.Sprintf(`{"key": %q}`, key)), 200)
	ada, too, bob := p.enter(s, "ada"), p.enter(s, "ada"), p.enter(s, "bob")
	decode[api.Problem](t, ada.do("GET", "/sessions", ""), http.StatusForbidden)
	decode[api.Problem](t, s.do("DELETE", "/sessions?subject=ada", ""), http.StatusUnauthorized)

	list := decode[api.UserSessionList](t, root.do("GET", "/sessions", ""), 200)
	if len(list.Items) != 4 || list.NextCursor != nil {
		t.Fatalf("%+v", list)
	}
	last, first := list.Items[0], list.Items[3]
	if last.Name != "bob@example.org" || *last.Subject != "bob" || *last.Issuer != p.URL ||
		last.Kind != api.SignInMethodOidc || last.Scope != api.Read || last.KeyID != nil || last.Current ||
		last.Address != "127.0.0.1" || !strings.HasPrefix(last.Client, "Go-http-client") ||
		!last.ExpiresAt.After(time.Now()) || last.BeganAt.After(time.Now()) {
		t.Errorf("the last is %+v", last)
	}
	if first.Name != "root" || first.Kind != api.SignInMethodKey || *first.KeyID != id || first.Subject != nil ||
		first.Scope != api.Admin || !first.Current {
		t.Errorf("the first is %+v", first)
	}
	// Page by page, and by whose they are.
	var seen []string
	for at := "/sessions?limit=1"; ; {
		one := decode[api.UserSessionList](t, root.do("GET", at, ""), 200)
		seen = append(seen, one.Items[0].Name)
		if one.NextCursor == nil {
			break
		}
		at = "/sessions?limit=1&cursor=" + *one.NextCursor
	}
	if got := strings.Join(seen, " "); got != "bob@example.org ada@example.org ada@example.org root" {
		t.Errorf("page by page: %s", got)
	}
	for at, want := range map[string]int{
		"?subject=ada":                 2,
		"?subject=ada&issuer=" + p.URL: 2,
		"?subject=ada&issuer=x":        0,
		"?key_id=" + id.String():       1,
	} {
		if got := decode[api.UserSessionList](t, root.do("GET", "/sessions"+at, ""), 200); len(got.Items) != want {
			t.Errorf("%s: %d", at, len(got.Items))
		}
	}

	if got := root.do("DELETE", "/sessions/"+last.ID.String(), ""); got.StatusCode != http.StatusNoContent {
		t.Errorf("end: %d %s", got.StatusCode, got.body)
	}
	decode[api.Problem](t, root.do("DELETE", "/sessions/"+last.ID.String(), ""), http.StatusNotFound)
	decode[api.Problem](t, root.do("DELETE", "/sessions", ""), http.StatusUnprocessableEntity)
	decode[api.Problem](t, root.do("DELETE", "/sessions?issuer="+p.URL, ""), http.StatusUnprocessableEntity)
	decode[api.Problem](t, root.do("DELETE", "/sessions?subject=ada&key_id="+id.String(), ""),
		http.StatusUnprocessableEntity)
	if got := decode[api.EndedSessions](t, root.do("DELETE", "/sessions?subject=ada", ""), 200); got.Ended != 2 {
		t.Errorf("ended %d", got.Ended)
	}
	for name, b := range map[string]*browser{"ada": ada, "ada too": too, "bob": bob} {
		if got := b.do("GET", "/jobs", ""); got.StatusCode != 401 {
			t.Errorf("%s: %d", name, got.StatusCode)
		}
	}
	if got := decode[api.EndedSessions](t, root.do("DELETE", "/sessions?key_id="+id.String(), ""), 200); got.Ended != 1 {
		t.Errorf("ended %d", got.Ended)
	}
	decode[api.Problem](t, root.do("GET", "/sessions", ""), http.StatusUnauthorized)
}

// TestSessionsOfTheVersionBefore are rows that it wrote: they count, are listed, and end.
func TestSessionsOfTheVersionBefore(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	s := guarded(t, func(c *access.Config) { c.OIDC = p.config() })
	id, key := s.key("root", access.ScopeAdmin, nil)
	for token, values := range map[string]map[string]any{
		"of-a-key":    {"kind": "key", "name": "root", "scope": "admin", "subject": "", "key_id": id.String()},
		"of-a-person": {"kind": "oidc", "name": "ada@example.org", "scope": "operate", "subject": "ada"},
		"of-nobody":   {"oidc_state": "x"},
	} {
		expiry, hash := time.Now().Add(time.Hour), sha256.Sum256([]byte(token))
		data, err := scs.GobCodec{}.Encode(expiry, values)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.db.Pool.Exec(t.Context(), `INSERT INTO sessions (token, data, expiry)
			VALUES ($1, $2, $3)`, base64.RawURLEncoding.EncodeToString(hash[:]), data, expiry); err != nil {
			t.Fatal(err)
		}
	}
	list := decode[api.UserSessionList](t, s.do("GET", "/sessions", "", bearer(key)...), 200)
	if len(list.Items) != 2 {
		t.Fatalf("%+v", list.Items)
	}
	with := func(token string) int {
		return s.do("GET", "/keys", "", "Cookie", access.CookieName+"="+token).StatusCode
	}
	if a, b, c := with("of-a-key"), with("of-a-person"), with("of-nobody"); a != 200 || b != 403 || c != 401 {
		t.Errorf("%d %d %d", a, b, c)
	}
	s.aged("6 minutes") // nothing is kept to read the roles again
	if got := with("of-a-person"); got != 401 {
		t.Errorf("later: %d", got)
	}
}

// TestSignInBeginsAnew signs in with a browser that has a session of somebody else.
func TestSignInBeginsAnew(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	_, key := s.key("ops", access.ScopeRead, nil)
	b := s.browser()
	decode[api.SessionState](t, b.do("POST", "/session", fmt.Sprintf(`{"key": %q}`, key)), 200)
	before := b.cookie()
	decode[api.SessionState](t, b.do("POST", "/session", fmt.Sprintf(`{"key": %q}`, key)), 200)
	if b.cookie() == before {
		t.Error("the token is the same")
	}
	if got := s.do("GET", "/jobs", "", "Cookie", before); got.StatusCode != 401 {
		t.Errorf("the session before: %d", got.StatusCode)
	}
	got := s.do("POST", "/session", fmt.Sprintf(`{"key": %q}`, key), "Cookie", access.CookieName+"=chosen")
	if c := got.Cookies()[0]; c.Value == "chosen" || len(c.Value) < 40 {
		t.Errorf("cookie %+v", c)
	}
	for range 110 { // nobody fills the table
		decode[api.SessionState](t, s.do("POST", "/session", fmt.Sprintf(`{"key": %q}`, key)), 200)
	}
	var rows int
	if err := s.db.Pool.QueryRow(t.Context(), "SELECT count(*) FROM sessions").Scan(&rows); err != nil || rows != 100 {
		t.Errorf("%d sessions, %v", rows, err)
	}
}
