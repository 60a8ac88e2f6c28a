package server_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// provider is an identity provider that gives what it is told to give.
type provider struct {
	t   testing.TB
	key *rsa.PrivateKey
	*httptest.Server

	mu       sync.Mutex
	person   string              // who signs in next
	roles    map[string][]string // of people; nil: disabled
	nonces   map[string]string   // by code
	people   map[string]string   // by code, access token and refresh token that counts
	refresh  bool                // give refresh tokens
	again    bool                // and an identity token with a refreshed one
	userInfo bool                // has the endpoint
	status   int                 // answer everything with it
	hits     map[string]int
	claims   func(map[string]any)             // changes identity tokens
	sign     func(header, payload any) string // instead of the right way
	sub      string                           // what userinfo says instead
}

const clientID, clientSecret = "explorer", "a secret of the client"

func newProvider(t testing.TB) *provider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{
		t: t, key: key, roles: map[string][]string{}, nonces: map[string]string{}, people: map[string]string{},
		hits: map[string]int{}, refresh: true, again: true, userInfo: true,
	}
	p.Server = httptest.NewServer(p)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) config() *access.OIDCConfig {
	return &access.OIDCConfig{
		Issuer: p.URL, ClientID: clientID, ClientSecret: clientSecret,
		RedirectURL: "http://explorer.example/session/oidc/callback",
	}
}

// set changes the provider.
func (p *provider) set(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func encode(v any) string {
	raw, _ := json.Marshal(v)
	return base64.RawURLEncoding.EncodeToString(raw)
}

func (p *provider) signed(header, payload any) string {
	text := encode(header) + "." + encode(payload)
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, sum[:])
	if err != nil {
		p.t.Error(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func (p *provider) idToken(person, nonce string) string {
	now := time.Now()
	claims := map[string]any{
		"iss": p.URL, "sub": person, "aud": clientID, "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(),
		"email": person + "@example.org", "roles": p.roles[person],
	}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if p.claims != nil {
		p.claims(claims)
	}
	header := map[string]any{"alg": "RS256", "kid": "1", "typ": "JWT"}
	if p.sign != nil {
		return p.sign(header, claims)
	}
	return p.signed(header, claims)
}

// ServeHTTP implements http.Handler. It is long, because it has a case for each of the provider's addresses.
func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hits[r.URL.Path]++
	answer := func(status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	}
	if p.status != 0 {
		answer(p.status, map[string]string{"error": "unavailable"})
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		d := map[string]any{
			"issuer": p.URL, "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys",
			"id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}, "scopes_supported": []string{"openid", "profile", "email"},
		}
		if p.refresh {
			d["scopes_supported"] = []string{"openid", "profile", "email", "offline_access"}
		}
		if p.userInfo {
			d["userinfo_endpoint"] = p.URL + "/userinfo"
		}
		answer(200, d)
	case "/keys":
		e := big.NewInt(int64(p.key.E)).Bytes()
		answer(200, map[string]any{"keys": []any{map[string]any{
			"kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256", "n": base64.RawURLEncoding.EncodeToString(p.key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(e),
		}}})
	case "/authorize":
		q, code := r.URL.Query(), rand.Text()
		p.nonces[code], p.people[code] = q.Get("nonce"), p.person
		http.Redirect(
			w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(),
			http.StatusFound,
		)
	case "/token":
		_ = r.ParseForm()
		by, first := r.Form.Get("refresh_token"), r.Form.Get("grant_type") == "authorization_code"
		if first {
			by = r.Form.Get("code")
		}
		person, ok := p.people[by]
		if !ok || !first && p.roles[person] == nil {
			answer(400, map[string]string{"error": "invalid_grant"})
			return
		}
		delete(p.people, by) // each counts once
		out := map[string]any{"access_token": "at-" + rand.Text(), "token_type": "Bearer", "expires_in": 300}
		p.people[out["access_token"].(string)] = person
		if p.refresh {
			out["refresh_token"] = "rt-" + rand.Text()
			p.people[out["refresh_token"].(string)] = person
		}
		if first || p.again {
			out["id_token"] = p.idToken(person, p.nonces[by])
		}
		answer(200, out)
	case "/userinfo":
		person, ok := p.people[r.Header.Get("Authorization")[min(7, len(r.Header.Get("Authorization"))):]]
		if !ok || p.roles[person] == nil {
			answer(401, map[string]string{"error": "invalid_token"})
			return
		}
		sub := person
		if p.sub != "" {
			sub = p.sub
		}
		answer(200, map[string]any{"sub": sub, "email": person + "@example.org", "roles": p.roles[person]})
	default:
		answer(404, nil)
	}
}

// signIn signs a person in with a browser and gives the answer to it.
func (p *provider) signIn(b *browser, person string) answer {
	b.s.t.Helper()
	p.set(func() { p.person = person })
	begin := b.do("GET", "/session/oidc?return_to=/ui/runs", "")
	if begin.StatusCode != http.StatusFound {
		return begin
	}
	at := b.do("GET", begin.Header.Get("Location"), "")
	u, err := url.Parse(at.Header.Get("Location"))
	if err != nil {
		b.s.t.Fatal(err)
	}
	return b.do("GET", u.RequestURI(), "")
}

// enter is signIn of somebody who may.
func (p *provider) enter(s *site, person string) *browser {
	s.t.Helper()
	b := s.browser()
	if got := p.signIn(b, person); got.StatusCode != http.StatusFound || got.Header.Get("Location") != "/ui/runs" {
		s.t.Fatalf("sign-in of %s: %d %s %s", person, got.StatusCode, got.Header.Get("Location"), got.body)
	}
	return b
}

// TestIdentityTokens makes the provider issue invalid tokens.
func TestIdentityTokens(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.roles["ada"] = []string{"read"}
	s := guarded(t, func(c *access.Config) { c.OIDC = p.config() })
	now := time.Now()
	hmacOf := func(header, payload any) string {
		header.(map[string]any)["alg"] = "HS256"
		text := encode(header) + "." + encode(payload)
		mac := hmac.New(sha256.New, []byte(clientSecret))
		mac.Write([]byte(text))
		return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	for name, c := range map[string]struct {
		claims func(map[string]any)
		sign   func(header, payload any) string
		want   int
	}{
		"right":                      {nil, nil, 302},
		"azp is this client":         {func(c map[string]any) { c["azp"] = clientID }, nil, 302},
		"several audiences, and azp": {func(c map[string]any) { c["aud"], c["azp"] = []string{clientID, "other"}, clientID }, nil, 302},
		"a clock that is behind":     {func(c map[string]any) { c["iat"] = now.Add(30 * time.Second).Unix() }, nil, 302},
		"foreign azp":                {func(c map[string]any) { c["azp"] = "other" }, nil, 401},
		"azp is no text":             {func(c map[string]any) { c["azp"] = []string{clientID} }, nil, 401},
		"empty azp":                  {func(c map[string]any) { c["azp"] = "" }, nil, 401},
		"several audiences, no azp":  {func(c map[string]any) { c["aud"] = []string{clientID, "other"} }, nil, 401},
		"another audience":           {func(c map[string]any) { c["aud"] = "other" }, nil, 401},
		"no audience":                {func(c map[string]any) { delete(c, "aud") }, nil, 401},
		"empty sub":                  {func(c map[string]any) { c["sub"] = "" }, nil, 401},
		"sub of spaces":              {func(c map[string]any) { c["sub"] = "  " }, nil, 401},
		"no sub":                     {func(c map[string]any) { delete(c, "sub") }, nil, 401},
		"sub with NUL":               {func(c map[string]any) { c["sub"] = "a\x00b" }, nil, 401},
		"long sub":                   {func(c map[string]any) { c["sub"] = string(make([]byte, 300)) }, nil, 401},
		"future iat":                 {func(c map[string]any) { c["iat"] = now.Add(5 * time.Minute).Unix() }, nil, 401},
		"no iat":                     {func(c map[string]any) { delete(c, "iat") }, nil, 401},
		"expired":                    {func(c map[string]any) { c["exp"] = now.Add(-time.Minute).Unix() }, nil, 401},
		"no exp":                     {func(c map[string]any) { delete(c, "exp") }, nil, 401},
		"another issuer":             {func(c map[string]any) { c["iss"] = "https://evil.example" }, nil, 401},
		"another nonce":              {func(c map[string]any) { c["nonce"] = "x" }, nil, 401},
		"no nonce":                   {func(c map[string]any) { delete(c, "nonce") }, nil, 401},
		"alg none": {nil, func(_, payload any) string {
			return encode(map[string]any{"alg": "none"}) + "." + encode(payload) + "."
		}, 401},
		"HS256 with the secret": {nil, hmacOf, 401},
		"another key":           {nil, func(h, c any) string { s := p.signed(h, c); return s[:len(s)-8] + "AAAAAAAA" }, 401},
		"no token":              {nil, func(any, any) string { return "" }, 401},
	} {
		p.set(func() { p.claims, p.sign = c.claims, c.sign })
		b := s.browser()
		got := p.signIn(b, "ada")
		if got.StatusCode != c.want {
			t.Errorf("%s: %d, want %d: %s", name, got.StatusCode, c.want, got.body)
		}
		if in := decode[api.SessionState](t, b.do("GET", "/session", ""), 200).Identity != nil; in != (c.want == 302) {
			t.Errorf("%s: signed in %v", name, in)
		}
	}
}

// TestProviderThatIsAway counts the requests to a provider that does not answer: a server sends one and pauses.
func TestProviderThatIsAway(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	p.roles["ada"] = []string{"read"}
	p.status = http.StatusServiceUnavailable
	s := guarded(t, func(c *access.Config) { c.OIDC = p.config() })
	for i := range 20 {
		got := s.do("GET", "/session/oidc", "")
		decode[api.Problem](t, got, http.StatusServiceUnavailable)
		if after := got.Header.Get("Retry-After"); after == "" || i == 0 && after == "1" {
			t.Errorf("Retry-After %q", after)
		}
	}
	if n := p.hits["/.well-known/openid-configuration"]; n != 1 {
		t.Errorf("the provider was asked %d times", n)
	}

	// The same of its codes and keys: it goes away while somebody signs in.
	for _, path := range []string{"/token", "/keys"} {
		p := newProvider(t)
		p.roles["ada"] = []string{"read"}
		s := guarded(t, func(c *access.Config) { c.OIDC = p.config() })
		b := s.browser()
		at := b.do("GET", b.do("GET", "/session/oidc", "").Header.Get("Location"), "")
		u, err := url.Parse(at.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		if path == "/token" {
			p.status = http.StatusBadGateway
		} else {
			p.sign = func(h, c any) string { p.status = http.StatusBadGateway; return p.signed(h, c) } // after the code
		}
		got := b.do("GET", u.RequestURI(), "")
		decode[api.Problem](t, got, http.StatusServiceUnavailable)
		if got.Header.Get("Retry-After") == "" || p.hits[path] != 1 {
			t.Errorf("%s: Retry-After %q, asked %d times", path, got.Header.Get("Retry-After"), p.hits[path])
		}
		decode[api.Problem](t, s.browser().do("GET", "/session/oidc", ""), http.StatusServiceUnavailable)
	}
}

// TestSignInsThatBeganCostNothing has strangers begin sign-ins.
func TestSignInsThatBeganCostNothing(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	s := guarded(t, func(c *access.Config) { c.OIDC = p.config() })
	for i := range 20 {
		got := s.do(
			"GET", "/session/oidc?return_to=/ui/runs", "", "Cookie", fmt.Sprintf("explorer_session=stranger%d", i),
		)
		if got.StatusCode != http.StatusFound {
			t.Fatalf("begin: %d %s", got.StatusCode, got.body)
		}
		for _, c := range got.Cookies() {
			if c.Name != "explorer_sign_in" || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 600 ||
				len(c.Value) > 1000 {
				t.Errorf("cookie %+v", c)
			}
		}
	}
	var rows int
	if err := s.db.Pool.QueryRow(t.Context(), "SELECT count(*) FROM sessions").Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows, %v", rows, err)
	}
	// A cookie that was not given here is none.
	for _, value := range []string{"x", "eyJzIjoiYSJ9", ""} {
		decode[api.Problem](t, s.do("GET", "/session/oidc/callback?code=x&state=a", "", "Cookie", "explorer_sign_in="+value),
			http.StatusUnauthorized)
	}
}
