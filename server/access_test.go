package server_test

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/oauth2-proxy/mockoidc"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/server"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// guarded is a site whose clients need keys or sessions. Its rate limits do not refill, unless change sets a clock.
func guarded(t *testing.T, change ...func(*access.Config)) *site {
	began := time.Now()
	return setup(t, func(cfg *server.Config) {
		ac := access.Config{
			Required: true, DB: cfg.DB, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return began },
		}
		for _, f := range change {
			f(&ac)
		}
		control, err := access.New(ac)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Access = control
	})
}

func (s *site) key(name string, scope access.Scope, expires *time.Time) (uuid.UUID, string) {
	s.t.Helper()
	row, key, err := access.CreateKey(s.t.Context(), s.db.Pool, name, scope, expires, "a test")
	if err != nil {
		s.t.Fatal(err)
	}
	return row.ID, key
}

func bearer(key string) []string { return []string{"Authorization", "Bearer " + key} }

func contract(t *testing.T) *openapi3.T {
	t.Helper()
	spec, err := api.GetSpec()
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// TestAuthorizationMatrix asks for every operation of the contract with each kind of credential, for each PUBLIC_READ.
// An allowed request is known by 422: it carries a parameter that no operation takes, so that nothing is done.
func TestAuthorizationMatrix(t *testing.T) {
	t.Parallel()
	for _, public := range []access.PublicRead{"", access.PublicNone, access.PublicData, access.PublicAll} {
		t.Run("PUBLIC_READ="+string(public), func(t *testing.T) {
			t.Parallel()
			authorizationMatrix(t, public)
		})
	}
}

// readByAnybody are the operations that PUBLIC_READ=data opens. The contract states them too; a change there must be
// meant.
var readByAnybody = []string{
	"ListBills", "ListBillChanges", "GetBill", "ListBillVersions", "ListBillStages", "ListBillVotes", "ListPoliticians",
	"GetPolitician", "SearchBills", "ListFeeds", "GetFeed", "ListExports", "GetExport",
}

// readByNobody are operations with the scope read that need a key whatever PUBLIC_READ is.
var readByNobody = []string{"ListSensorRunKeys", "ListAlertChannels", "ListAlertDeliveries", "GetMetrics"}

// authorizationMatrix is long, because it has every kind of credential.
func authorizationMatrix(t *testing.T, public access.PublicRead) {
	s := guarded(t, func(c *access.Config) { c.GuessLimit, c.PublicRead = 1_000_000, public })
	past, future := time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	_, read := s.key("r", access.ScopeRead, nil)
	_, operate := s.key("o", access.ScopeOperate, &future)
	_, admin := s.key("a", access.ScopeAdmin, nil)
	_, expired := s.key("late", access.ScopeAdmin, &past)
	id, revoked := s.key("gone", access.ScopeAdmin, nil)
	if _, err := access.RevokeKey(t.Context(), s.db.Pool, id); err != nil {
		t.Fatal(err)
	}
	credentials := []struct {
		name   string
		header []string
		scope  access.Scope // "": does not count
		reader bool         // reads what is public
	}{
		{"no key", nil, "", true},
		{"an ended session", []string{"Cookie", access.CookieName + "=ended"}, "", true},
		{"another scheme", []string{"Authorization", "Basic " + admin}, "", false},
		{"no key of ours", bearer("sk_live_1"), "", false},
		{"a wrong key", bearer(admin[:len(admin)-1] + "8"), "", false},
		{"an expired key", bearer(expired), "", false},
		{"a revoked key", bearer(revoked), "", false},
		{"read", bearer(read), access.ScopeRead, false},
		{"operate", bearer(operate), access.ScopeOperate, false},
		{"admin", bearer(admin), access.ScopeAdmin, false},
	}
	operations := 0
	for path, item := range contract(t).Paths.Map() {
		for method, op := range item.Operations() {
			operations++
			wanted := access.Scope(op.Extensions["x-required-scope"].(string))
			open := wanted == access.ScopeRead && (public == access.PublicData || public == access.PublicAll) &&
				slices.Contains(readByAnybody, op.OperationID) ||
				wanted == access.ScopeRead && public == access.PublicAll && !slices.Contains(readByNobody, op.OperationID)
			at := path
			for _, p := range slices.Concat(item.Parameters, op.Parameters) {
				if p.Value.In == "path" {
					at = strings.ReplaceAll(at, "{"+p.Value.Name+"}", fmt.Sprint(p.Value.Example))
				}
			}
			for _, c := range credentials {
				want := http.StatusUnprocessableEntity
				switch {
				case strings.EqualFold(op.OperationID, "completeSignIn"):
					want = http.StatusNotFound // this server has no provider
				case wanted == access.ScopeNone || wanted == access.ScopeSignature:
				case c.reader && open:
				case c.scope == "":
					want = http.StatusUnauthorized
				case !c.scope.Includes(wanted):
					want = http.StatusForbidden
				}
				got := s.do(method, at+"?no_such_parameter=1", "", c.header...)
				if got.StatusCode != want {
					t.Errorf(
						"%s (%s) with %s: %d, want %d: %s", op.OperationID, wanted, c.name, got.StatusCode, want,
						got.body,
					)
				}
				if challenge := got.Header.Get("WWW-Authenticate"); (want == http.StatusUnauthorized) != (challenge == "Bearer") {
					t.Errorf("%s with %s: WWW-Authenticate %q", op.OperationID, c.name, challenge)
				}
			}
		}
	}
	if operations < 60 {
		t.Errorf("only %d operations were found", operations)
	}

	for path, want := range map[string][4]int{ // no key, read, operate, admin
		"GET /riverui/api/queues":          {401, 200, 200, 200},
		"POST /riverui/api/jobs/cancel":    {401, 403, 403, 400}, // 400 is River UI's, for the missing body
		"GET /debug/pprof/cmdline":         {401, 403, 403, 200},
		"GET /ui/":                         {200, 200, 200, 200},
		"GET /docs/":                       {200, 200, 200, 200},
		"GET /nothing":                     {404, 404, 404, 404},
		"DELETE /assets/echo":              {405, 405, 405, 405},
		"OPTIONS /jobs/echo_job/runs":      {204, 204, 204, 204}, // which methods there are
		"POST /riverui/api/queues/x/pause": {401, 403, 403, 405},
	} {
		method, at, _ := strings.Cut(path, " ")
		for i, header := range [][]string{nil, bearer(read), bearer(operate), bearer(admin)} {
			if got := s.do(method, at, "", header...); got.StatusCode != want[i] {
				t.Errorf("%s with credential %d: %d, want %d: %.200s", path, i, got.StatusCode, want[i], got.body)
			}
		}
	}
}

// TestEveryRouteIsGuarded finds routes that are neither in the contract nor listed here.
func TestEveryRouteIsGuarded(t *testing.T) {
	s := guarded(t)
	known := map[string]bool{
		"/": true, "/robots.txt": true, "/sitemap.xml": true, "/sitemaps/:piece": true,
		"/docs": true, "/docs/*": true, "/ui": true, "/ui/*": true, "/ui/embed/bills/:session/:number": true, "/riverui": true, "/riverui/*": true,
	}
	for path := range contract(t).Paths.Map() {
		known[strings.NewReplacer("{", ":", "}", "").Replace(path)] = true
	}
	for _, r := range s.echo.Routes() {
		if !known[r.Path] && !strings.HasPrefix(r.Path, "/debug/pprof/") && r.Method != "echo_route_not_found" {
			t.Errorf("%s %s is not in the contract: say who may use it", r.Method, r.Path)
		}
	}
}

func TestKeysAndAudit(t *testing.T) {
	s := guarded(t)
	_, admin := s.key("root", access.ScopeAdmin, nil)
	made := decode[api.NewKey](t, s.do("POST", "/keys",
		`{"name": "dash", "scope": "operate", "expires_at": "2100-01-01T00:00:00Z"}`, bearer(admin)...), http.StatusCreated)
	if !strings.HasPrefix(made.Key, made.Prefix) || made.CreatedBy != "key root" || made.ExpiresAt == nil {
		t.Errorf("made %+v", made)
	}
	var stored string
	if err := s.db.Pool.QueryRow(t.Context(), "SELECT to_jsonb(k)::text FROM api_keys k WHERE id = $1", made.ID).
		Scan(&stored); err != nil || strings.Contains(stored, made.Key) {
		t.Errorf("stored %s, %v", stored, err)
	}
	run := decode[api.Run](t, s.do("POST", "/jobs/echo_job/runs", `{}`, bearer(made.Key)...), http.StatusAccepted)
	if run.Trigger.Name == nil || *run.Trigger.Name != "key dash" {
		t.Errorf("trigger %+v", run.Trigger)
	}
	decode[api.Problem](t, s.do("POST", "/keys", `{"name": "x", "scope": "admin"}`, bearer(made.Key)...),
		http.StatusForbidden)
	for body, field := range map[string]string{
		`{"name": "x", "scope": "all"}`: "/scope",
		`{"name": "", "scope": "read"}`: "/name",
		`{"scope": "read"}`:             "/name",
		`{"name": "x", "scope": "read", "expires_at": "2001-01-01T00:00Z"}`:    "/expires_at",
		`{"name": "x", "scope": "read", "expires_at": "2001-01-01T00:00:00Z"}`: "/expires_at",
	} {
		p := decode[api.Problem](t, s.do("POST", "/keys", body, bearer(admin)...), http.StatusUnprocessableEntity)
		if len(p.Errors) != 1 || p.Errors[0].Pointer != field {
			t.Errorf("%s: %+v, want %s", body, p.Errors, field)
		}
	}

	list := decode[api.KeyList](t, s.do("GET", "/keys", "", bearer(admin)...), http.StatusOK)
	if len(list.Items) != 2 || list.Items[0].ID != made.ID || list.Items[0].LastUsedAt == nil {
		t.Errorf("keys %+v", list.Items)
	}
	for range 2 {
		if k := decode[api.Key](t, s.do("DELETE", "/keys/"+made.ID.String(), "", bearer(admin)...),
			http.StatusOK); k.RevokedAt == nil {
			t.Errorf("revoked %+v", k)
		}
	}
	decode[api.Problem](t, s.do("GET", "/runs", "", bearer(made.Key)...), http.StatusUnauthorized)
	decode[api.Problem](t, s.do("DELETE", "/keys/"+uuid.NewString(), "", bearer(admin)...), http.StatusNotFound)

	log := decode[api.AuditLog](t, s.do("GET", "/audit-log?actor=key%20dash", "", bearer(admin)...), http.StatusOK)
	if len(log.Items) != 2 || log.Items[0].Operation != "createKey" || log.Items[0].Status != 403 ||
		log.Items[1].Operation != "startJobRun" || log.Items[1].Status != 202 ||
		log.Items[1].Path != "/jobs/echo_job/runs" || log.Items[1].KeyID == nil || *log.Items[1].KeyID != made.ID ||
		log.Items[1].RemoteAddress != "127.0.0.1" {
		t.Errorf("audit log %+v", log.Items)
	}
	first := decode[api.AuditLog](t, s.do("GET", "/audit-log?limit=3", "", bearer(admin)...), http.StatusOK)
	if len(first.Items) != 3 || first.NextCursor == nil {
		t.Fatalf("first page %+v", first)
	}
	second := decode[api.AuditLog](t, s.do("GET", "/audit-log?limit=3&cursor="+*first.NextCursor, "", bearer(admin)...),
		http.StatusOK)
	if len(second.Items) != 3 || second.Items[0].ID >= first.Items[2].ID {
		t.Errorf("second page %+v", second.Items)
	}
}

// browser keeps cookies and does not follow redirects.
type browser struct {
	s *site
	*http.Client
}

func (s *site) browser() *browser {
	jar, _ := cookiejar.New(nil)
	return &browser{s, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
}

func (b *browser) do(method, path, body string, headers ...string) answer {
	b.s.t.Helper()
	at := path
	if strings.HasPrefix(path, "/") {
		at = b.s.url + path
	}
	req, err := http.NewRequestWithContext(b.s.t.Context(), method, at, strings.NewReader(body))
	if err != nil {
		b.s.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := b.Do(req)
	if err != nil {
		b.s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		b.s.t.Fatal(err)
	}
	return answer{resp, raw}
}

func TestSession(t *testing.T) {
	s := guarded(t)
	id, key := s.key("ops", access.ScopeOperate, nil)
	b := s.browser()
	if st := decode[api.SessionState](t, b.do("GET", "/session", ""), 200); st.Authentication != api.Required ||
		st.Identity != nil || len(st.Methods) != 1 {
		t.Errorf("before: %+v", st)
	}
	page := b.do("GET", "/riverui/", "", "Accept", "text/html")
	if page.StatusCode != http.StatusFound || page.Header.Get("Location") != "/ui/sign-in?return_to=%2Friverui%2F" {
		t.Errorf("a page without a session: %d %s", page.StatusCode, page.Header.Get("Location"))
	}
	decode[api.Problem](t, b.do("POST", "/session", `{"key": "pex_wrong"}`), http.StatusUnauthorized)
	signed := b.do("POST", "/session", fmt.Sprintf(`{"key": %q}`, key))
	st := decode[api.SessionState](t, signed, 200)
	if st.Identity == nil || st.Identity.Name != "ops" || st.Identity.Scope != api.Operate {
		t.Errorf("signed in: %+v", st.Identity)
	}
	cookie := signed.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Name != access.CookieName {
		t.Errorf("cookie %+v", cookie)
	}
	var tokens int
	if err := s.db.Pool.QueryRow(t.Context(), "SELECT count(*) FROM sessions WHERE token = $1", cookie.Value).
		Scan(&tokens); err != nil || tokens != 0 {
		t.Errorf("the token is stored as it is: %d, %v", tokens, err)
	}
	decode[api.Run](t, b.do("POST", "/jobs/echo_job/runs", `{}`, "Sec-Fetch-Site", "same-origin"), http.StatusAccepted)
	for _, from := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"},
	} {
		decode[api.Problem](t, b.do("POST", "/jobs/echo_job/runs", `{}`, from...), http.StatusForbidden)
		decode[api.Problem](t, b.do("DELETE", "/session", "", from...), http.StatusForbidden)
	}
	// With a key there is nothing that a browser would add by itself.
	decode[api.Run](t, s.do("POST", "/jobs/echo_job/runs", `{}`,
		append(bearer(key), "Origin", "https://front.example", "Sec-Fetch-Site", "cross-site")...), http.StatusAccepted)

	other := s.browser()
	decode[api.SessionState](t, other.do("POST", "/session", fmt.Sprintf(`{"key": %q}`, key)), 200)
	if out := b.do("DELETE", "/session", ""); out.StatusCode != http.StatusNoContent {
		t.Errorf("sign out: %d", out.StatusCode)
	}
	decode[api.Problem](t, b.do("GET", "/runs", ""), http.StatusUnauthorized)
	stolen := s.do("GET", "/runs", "", "Cookie", access.CookieName+"="+cookie.Value)
	if stolen.StatusCode != http.StatusUnauthorized {
		t.Errorf("a session that ended: %d", stolen.StatusCode)
	}
	// The sessions of a revoked key end with it.
	decode[api.SessionState](t, other.do("GET", "/session", ""), 200)
	_, admin := s.key("admin", access.ScopeAdmin, nil)
	decode[api.Key](t, s.do("DELETE", "/keys/"+id.String(), "", bearer(admin)...), http.StatusOK)
	decode[api.Problem](t, other.do("GET", "/runs", ""), http.StatusUnauthorized)
}

func TestOIDC(t *testing.T) {
	provider, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = provider.Shutdown() })
	s := guarded(t, func(c *access.Config) {
		c.OIDC = &access.OIDCConfig{
			Issuer: provider.Issuer(), ClientID: provider.ClientID, ClientSecret: provider.ClientSecret,
			RedirectURL: "http://explorer.example/session/oidc/callback",
			Scopes:      []string{"email", "groups"}, RolesClaim: "groups",
			Roles: map[string]access.Scope{"staff": access.ScopeRead, "ops": access.ScopeOperate},
		}
	})
	// back signs somebody in at the provider and gives the address that the browser comes back to.
	back := func(b *browser, user mockoidc.User, returnTo string) *url.URL {
		t.Helper()
		provider.QueueUser(user)
		begin := b.do("GET", "/session/oidc?return_to="+url.QueryEscape(returnTo), "")
		if begin.StatusCode != http.StatusFound {
			t.Fatalf("begin: %d %s", begin.StatusCode, begin.body)
		}
		at := b.do("GET", begin.Header.Get("Location"), "")
		u, err := url.Parse(at.Header.Get("Location"))
		if err != nil || u.Host != "explorer.example" {
			t.Fatalf("the provider answers %d %s", at.StatusCode, at.body)
		}
		return u
	}
	b := s.browser()
	u := back(
		b, &mockoidc.MockUser{Subject: "1", Email: "ada@example.org", Groups: []string{"staff", "ops", "others"}},
		"/ui/runs?status=failure",
	)
	done := b.do("GET", u.RequestURI()+"&session_state=whatever", "")
	if done.StatusCode != http.StatusFound || done.Header.Get("Location") != "/ui/runs?status=failure" {
		t.Fatalf("complete: %d %s %s", done.StatusCode, done.Header.Get("Location"), done.body)
	}
	st := decode[api.SessionState](t, b.do("GET", "/session", ""), 200)
	if st.Identity == nil || st.Identity.Kind != api.IdentityKindOidc || st.Identity.Name != "ada@example.org" ||
		st.Identity.Scope != api.Operate || st.Identity.ExpiresAt == nil {
		t.Errorf("identity %+v", st.Identity)
	}
	run := decode[api.Run](t, b.do("POST", "/jobs/echo_job/runs", `{}`), http.StatusAccepted)
	if name := *run.Trigger.Name; !strings.HasPrefix(name, "oidc 1") ||
		!strings.HasSuffix(name, " (says it is ada@example.org)") {
		t.Errorf("trigger %v", *run.Trigger.Name)
	}
	if again := b.do("GET", u.RequestURI(), ""); again.StatusCode != http.StatusUnauthorized {
		t.Errorf("the code a second time: %d", again.StatusCode)
	}
	// What was begun in another browser does not count here.
	theirs := back(s.browser(), &mockoidc.MockUser{Subject: "2", Groups: []string{"ops"}}, "/ui/")
	if got := s.browser().do("GET", theirs.RequestURI(), ""); got.StatusCode != http.StatusUnauthorized ||
		len(got.Cookies()) != 0 {
		t.Errorf("another browser's sign-in: %d %s", got.StatusCode, got.body)
	}
	nobody := s.browser()
	p := decode[api.Problem](t,
		nobody.do("GET", back(nobody, &mockoidc.MockUser{Subject: "3", Email: "eve@example.org", Groups: []string{"others"}},
			"/ui/").RequestURI(), ""), http.StatusForbidden)
	if !strings.Contains(p.Detail, "eve@example.org") || !strings.Contains(p.Detail, "groups") {
		t.Errorf("detail %q", p.Detail)
	}
	decode[api.Problem](t, nobody.do("GET", "/runs", ""), http.StatusUnauthorized)
	for _, to := range []string{"https://evil.example/", "//evil.example", `/\evil.example`} {
		decode[api.Problem](t, b.do("GET", "/session/oidc?return_to="+url.QueryEscape(to), ""),
			http.StatusUnprocessableEntity)
	}
	_, admin := s.key("root", access.ScopeAdmin, nil)
	log := decode[api.AuditLog](t, s.do("GET", "/audit-log?operation=completeSignIn", "", bearer(admin)...), 200)
	var told []string
	for _, e := range log.Items {
		who, _, _ := strings.Cut(e.Actor, " at http")
		if e.ClaimedName != nil {
			who += " (" + *e.ClaimedName + ")"
		}
		told = append(told, fmt.Sprintf("%s %d", who, e.Status))
	}
	if want := []string{"oidc 3 (eve@example.org) 403", "api client at 127.0.0.1 401", "oidc 1 (ada@example.org) 401",
		"oidc 1 (ada@example.org) 302"}; !slices.Equal(told, want) {
		t.Errorf("audit log %q, want %q", told, want)
	}
	// A provider that is away is no reason not to start, and no mistake of the client's.
	_ = provider.Shutdown()
	away := guarded(t, func(c *access.Config) {
		c.OIDC = &access.OIDCConfig{
			Issuer: provider.Issuer(), ClientID: "x", RedirectURL: "http://explorer.example/session/oidc/callback",
		}
	})
	decode[api.Problem](t, away.do("GET", "/session/oidc", ""), http.StatusServiceUnavailable)
}

func TestWithoutAuthentication(t *testing.T) {
	s := setup(t, func(c *server.Config) { c.LoopbackOnly = true; c.CORSOrigins = []string{"https://front.example"} })
	if st := decode[api.SessionState](t, s.do("GET", "/session", ""), 200); st.Authentication != api.Off ||
		st.Identity == nil || st.Identity.Scope != api.Admin {
		t.Errorf("session %+v", st)
	}
	decode[api.Problem](t, s.do("POST", "/session", `{"key": "x"}`), http.StatusConflict)
	decode[api.Problem](t, s.do("POST", "/jobs/echo_job/runs", `{}`, "Origin", "https://evil.example"),
		http.StatusForbidden)
	decode[api.Run](t, s.do("POST", "/jobs/echo_job/runs", `{}`, "Origin", "https://front.example"), http.StatusAccepted)
	for host, want := range map[string]int{
		"localhost:8080": 200, "127.0.0.1": 200, "[::1]:80": 200, "app.localhost": 200, "evil.example": 421, "10.0.0.1": 421,
		"": 421, "127.0.0.1.evil.example": 421,
	} {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", s.url+"/jobs", http.NoBody)
		req.Host = host
		if host == "" {
			req.Host = "@"
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != want && (host != "" || resp.StatusCode != 400) {
			t.Errorf("Host %q: %d, want %d", host, resp.StatusCode, want)
		}
	}
	preflight := s.do(
		"OPTIONS", "/jobs/echo_job/runs", "", "Origin", "https://front.example", "Access-Control-Request-Method",
		"POST",
	)
	if preflight.StatusCode != 204 || preflight.Header.Get("Access-Control-Allow-Origin") != "https://front.example" ||
		preflight.Header.Get("Access-Control-Allow-Credentials") != "" {
		t.Errorf("preflight: %d %v", preflight.StatusCode, preflight.Header)
	}
	if got := s.do("OPTIONS", "/jobs/echo_job/runs", "", "Origin", "https://evil.example", "Access-Control-Request-Method",
		"POST"); got.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another origin: %v", got.Header)
	}
}
