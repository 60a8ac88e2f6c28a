package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/hashicorp/golang-lru/v2/expirable"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// OIDCConfig describes an OpenID Connect provider, and what its people may do.
type OIDCConfig struct {
	// Issuer is the provider's address, where its discovery document is.
	Issuer string
	// ClientID and ClientSecret are what the provider gave this program; a public client has no secret.
	ClientID, ClientSecret string
	// RedirectURL is the address of /session/oidc/callback as browsers reach it.
	RedirectURL string
	// Scopes are asked for besides openid; default profile and email.
	Scopes []string
	// RolesClaim is the claim that says what roles somebody has, a text or a list; dots lead into objects. Default
	// "roles".
	RolesClaim string
	// Roles gives the scope of each role; without it, roles are named as scopes are.
	Roles map[string]Scope
}

// ErrForbidden says that somebody is known and may do nothing here.
var ErrForbidden = errors.New("forbidden")

// ErrNoOIDC says that there is no provider.
var ErrNoOIDC = errors.New("this server has no identity provider: sign in with an API key")

// provider is asked for its discovery document when it is first needed, so that a server starts without it.
type provider struct {
	cfg    OIDCConfig
	client *http.Client
	guard  *guardedTransport

	found    atomic.Pointer[discovered] // nil: not found yet
	discover singleflight.Group         // one discovery for all who wait for it
}

// discovered is what the provider's discovery document told.
type discovered struct {
	oauth    *oauth2.Config
	verifier *oidc.IDTokenVerifier
	provider *oidc.Provider
}

func newProvider(cfg OIDCConfig) *provider {
	if cfg.Scopes == nil {
		cfg.Scopes = []string{"profile", "email"}
	}
	if cfg.RolesClaim == "" {
		cfg.RolesClaim = "roles"
	}
	if len(cfg.Roles) == 0 {
		cfg.Roles = map[string]Scope{"read": ScopeRead, "operate": ScopeOperate, "admin": ScopeAdmin}
	}
	p := &provider{cfg: cfg}
	p.client, p.guard = newClient()
	return p
}

// away is the error for a provider that does not answer as it should.
func (p *provider) away() error {
	return &ProviderError{Issuer: p.cfg.Issuer, RetryAfter: max(p.guard.away(), time.Second)}
}

// configuration gives what the provider says of itself, which is asked for once. The discovery is for all who wait for
// it, so it goes on when one of them leaves.
func (p *provider) configuration(ctx context.Context) (*discovered, error) {
	if d := p.found.Load(); d != nil {
		return d, nil
	}
	answer := p.discover.DoChan("", func() (any, error) {
		// The client lives on in the provider, for its keys.
		found, err := oidc.NewProvider(oidc.ClientContext(context.Background(), p.client), p.cfg.Issuer)
		if err != nil {
			return nil, p.away()
		}
		d := &discovered{
			oauth: &oauth2.Config{
				ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret, RedirectURL: p.cfg.RedirectURL,
				Endpoint: found.Endpoint(),
				Scopes:   append([]string{oidc.ScopeOpenID}, p.cfg.Scopes...),
			},
			verifier: found.Verifier(&oidc.Config{ClientID: p.cfg.ClientID}),
			provider: found,
		}
		if !webAddress(d.oauth.Endpoint.AuthURL) {
			return nil, p.away()
		}
		// With a refresh token roles can be read again; it is asked for where the provider says that it gives one.
		var more struct {
			Scopes []string `json:"scopes_supported"`
		}
		if found.Claims(&more) == nil && slices.Contains(more.Scopes, oidc.ScopeOfflineAccess) &&
			!slices.Contains(d.oauth.Scopes, oidc.ScopeOfflineAccess) {
			d.oauth.Scopes = append(d.oauth.Scopes, oidc.ScopeOfflineAccess)
		}
		p.found.Store(d)
		return d, nil
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-answer:
		d, _ := r.Val.(*discovered)
		return d, r.Err
	}
}

// signInLifetime is how long somebody may take to sign in at the provider.
const signInLifetime = 10 * time.Minute

// pending is a sign-in that began. The browser keeps it, in a cookie: strangers who begin many cost nothing.
type pending struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	ReturnTo string `json:"r"`
	Until    int64  `json:"u"` // Unix time
}

// pendingPurpose is what a pending sign-in is sealed for. The secret is the client's, which all servers have: of a
// public client it is empty, and nothing depends on it, since the cookie is the browser's own, counts for what comes
// back with its state alone, and says nothing that is believed.
func (p *provider) pendingPurpose() string {
	return strings.Join([]string{"sign-in", p.cfg.Issuer, p.cfg.ClientID, p.cfg.RedirectURL}, "\x00")
}

// pendingCookie is of the cookie of a sign-in that began; over HTTPS no other site below the same domain can set it.
func (c *Control) pendingCookie() string {
	if c.cfg.SecureCookies {
		return "__Host-explorer_sign_in"
	}
	return "explorer_sign_in"
}

// BeginSignIn gives the provider's address to send the browser to, and has the browser remember what must come back.
func (c *Control) BeginSignIn(w http.ResponseWriter, r *http.Request, returnTo string) (string, error) {
	if c.oidc == nil {
		return "", ErrNoOIDC
	}
	provider, err := c.oidc.configuration(r.Context())
	if err != nil {
		return "", err
	}
	if away := c.oidc.guard.away(); away > 0 { // the browser would come back with a code that cannot be exchanged
		return "", c.oidc.away()
	}
	begun := pending{
		State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), ReturnTo: SamePath(returnTo),
		Until: time.Now().Add(signInLifetime).Unix(),
	}
	sealed, err := seal(c.oidc.cfg.ClientSecret, c.oidc.pendingPurpose(), begun)
	if err != nil {
		return "", err
	}
	c.setCookie(w, c.pendingCookie(), base64.RawURLEncoding.EncodeToString(sealed), signInLifetime)
	return provider.oauth.AuthCodeURL(
		begun.State, oidc.Nonce(begun.Nonce), oauth2.S256ChallengeOption(begun.Verifier),
	), nil
}

// pendingOf is the sign-in that a browser began and comes back from.
func (c *Control) pendingOf(r *http.Request, state string) (begun pending, ok bool) {
	cookie, err := r.Cookie(c.pendingCookie())
	if err != nil || len(cookie.Value) > 4096 {
		return begun, false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || !unseal(c.oidc.cfg.ClientSecret, c.oidc.pendingPurpose(), sealed, &begun) {
		return begun, false
	}
	return begun, begun.State != "" && time.Now().Unix() < begun.Until &&
		subtle.ConstantTimeCompare([]byte(begun.State), []byte(state)) == 1
}

// CompleteSignIn exchanges what the provider sent for an identity, begins its session, and gives the path to go to.
// ErrRefused if what came back is not what was asked for, ErrForbidden for somebody without a role, whose other
// sessions end then, ErrProvider.
func (c *Control) CompleteSignIn(
	w http.ResponseWriter, r *http.Request, address, code, state, refused string,
) (*Identity, string, error) {
	if c.oidc == nil {
		return nil, "", ErrNoOIDC
	}
	begun, ok := c.pendingOf(r, state)
	if !ok {
		return nil, "", &refusal{"this sign-in was not begun here, or took too long: begin again"}
	}
	if refused != "" {
		c.setCookie(w, c.pendingCookie(), "", 0)
		return nil, "", &refusal{"the identity provider refused: " + db.Printable(refused, 500)}
	}
	who, tokens, err := c.exchange(w, r, address, code, begun)
	if errors.Is(err, ErrForbidden) {
		if err := proven(r.Context(), who); err != nil { // nothing ends without an entry
			return who, "", err
		}
		if err := c.endPerson(r.Context(), who); err != nil {
			return who, "", fmt.Errorf("end the sessions of one who has no role any more: %w", err)
		}
		return who, "", err
	}
	if err != nil {
		return who, "", err
	}
	return who, SamePath(begun.ReturnTo), c.begin(w, r, address, who, tokens)
}

// exchange makes an identity of a code. Codes that the provider does not take count as guesses: an address that guesses
// too much gets a LimitError, and the provider is not asked. Nor is it for a sign-in that has been completed, or was to
// be.
func (c *Control) exchange(
	w http.ResponseWriter, r *http.Request, address, code string, begun pending,
) (*Identity, *tokens, error) {
	bucket := addressKey(address)
	end, err := c.guesses.enter(bucket)
	if err != nil {
		return nil, nil, err
	}
	defer end()
	c.setCookie(w, c.pendingCookie(), "", 0) // it counts once, also if the browser keeps it
	if !c.completed.first(begun.State) {
		return nil, nil, &refusal{"this sign-in has been completed, or has failed: begin again"}
	}
	who, tokens, err := c.oidc.exchange(r.Context(), code, begun.Nonce, begun.Verifier)
	if errors.Is(err, ErrRefused) {
		c.guesses.bucket(bucket).AllowN(time.Now(), 1)
	}
	return who, tokens, err
}

// states remembers the sign-ins that came back to this server, for as long as they could.
type states struct {
	mu   sync.Mutex
	seen *expirable.LRU[string, struct{}]
}

func newStates() *states {
	return &states{seen: expirable.NewLRU[string, struct{}](10_000, nil, signInLifetime)}
}

// first says whether a state comes back for the first time.
func (s *states) first(state string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen.Contains(state) {
		return false
	}
	s.seen.Add(state, struct{}{})
	return true
}

// exchange makes an identity of a code.
func (p *provider) exchange(ctx context.Context, code, nonce, verifier string) (*Identity, *tokens, error) {
	provider, err := p.configuration(ctx)
	if err != nil {
		return nil, nil, err
	}
	ctx = oidc.ClientContext(context.WithValue(ctx, signInKey{}, true), p.client)
	token, err := provider.oauth.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		return nil, nil, p.refused(err, "the identity provider does not take its code back: begin again")
	}
	raw, _ := token.Extra("id_token").(string)
	id, claims, err := p.verify(ctx, provider, raw)
	if err == nil && subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 {
		err = &refusal{"the identity token does not hold: begin again"}
	}
	if err != nil {
		return nil, nil, err
	}
	if _, told := p.rolesOf(claims); !told && provider.provider.UserInfoEndpoint() != "" {
		more, err := p.userInfo(ctx, provider, token, id.Subject)
		if err != nil {
			return nil, nil, err
		}
		for name, value := range more {
			if _, ok := claims[name]; !ok {
				claims[name] = value
			}
		}
	}
	who, err := p.identity(claims, id.Subject)
	return who, &tokens{Access: token.AccessToken, Refresh: token.RefreshToken, Type: token.TokenType}, err
}

// refused tells a refusal of the provider from a provider that does not answer as it should.
func (p *provider) refused(err error, reason string) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode >= 400 &&
		refused.Response.StatusCode < 500 && refused.Response.StatusCode != http.StatusTooManyRequests {
		return &refusal{reason}
	}
	return p.away()
}

// verify reads an identity token and holds it to what OpenID Connect Core 1.0 wants, 3.1.3.7.
func (p *provider) verify(
	ctx context.Context, provider *discovered, raw string,
) (*oidc.IDToken, map[string]any, error) {
	id, err := provider.verifier.Verify(ctx, raw) // signature, issuer, audience, expiry
	if err != nil {
		if p.guard.away() > 0 { // its keys could not be read
			return nil, nil, p.away()
		}
		return nil, nil, &refusal{"the identity token does not hold: begin again"}
	}
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		return nil, nil, &refusal{"the identity token cannot be read"}
	}
	azp, given := claims["azp"]
	switch {
	case given && azp != p.cfg.ClientID:
		return nil, nil, &refusal{"the identity token was given to another client"}
	case len(id.Audience) > 1 && !given:
		return nil, nil, &refusal{"the identity token is for several, and does not say to whom it was given"}
	case !validSubject(id.Subject):
		return nil, nil, &refusal{"the identity token does not say whose it is"}
	case id.IssuedAt.IsZero() || id.IssuedAt.Unix() <= 0 || id.IssuedAt.After(time.Now().Add(time.Minute)):
		return nil, nil, &refusal{"the identity token was issued at a time to come: compare the clocks"}
	}
	return id, claims, nil
}

// validSubject says whether a text can tell people apart: at most 255 characters of ASCII, says OpenID Connect; others
// are taken that can be read.
func validSubject(s string) bool {
	return strings.TrimSpace(s) != "" && len(s) <= 255 && db.Printable(s, 255) == s
}

// userInfo asks the provider who somebody is. ErrRefused if their token does not count any more.
func (p *provider) userInfo(
	ctx context.Context, provider *discovered, token *oauth2.Token, subject string,
) (map[string]any, error) {
	ctx, status := withStatus(oidc.ClientContext(ctx, p.client))
	info, err := provider.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		if *status >= 400 && *status < 500 && *status != http.StatusTooManyRequests {
			return nil, &refusal{"the identity provider does not know this session any more: sign in again"}
		}
		return nil, p.away()
	}
	var claims map[string]any
	if err := info.Claims(&claims); err != nil || info.Subject != subject {
		return nil, &refusal{"the identity provider tells of somebody else: sign in again"}
	}
	return claims, nil
}

// identity is who the claims are about; ErrForbidden without a role.
func (p *provider) identity(claims map[string]any, subject string) (*Identity, error) {
	who := &Identity{
		Kind: KindOIDC, Name: db.Printable(nameOf(claims, subject), 200), Subject: subject, Issuer: p.cfg.Issuer,
		Scope: p.scopeOf(claims),
	}
	if who.Scope == ScopeNone {
		return who, fmt.Errorf(
			"%w: %s has no role here; the claim %s is to name one", ErrForbidden, who.Name, p.cfg.RolesClaim,
		)
	}
	return who, nil
}

// nameOf is what people know somebody by.
func nameOf(claims map[string]any, subject string) string {
	for _, claim := range []string{"email", "preferred_username", "name"} {
		if s, _ := claims[claim].(string); s != "" {
			return s
		}
	}
	return subject
}

// rolesOf are somebody's roles, and whether the claims tell of any.
func (p *provider) rolesOf(claims map[string]any) (roles []any, told bool) {
	var value any = claims
	if direct, ok := claims[p.cfg.RolesClaim]; ok {
		value = direct
	} else {
		for part := range strings.SplitSeq(p.cfg.RolesClaim, ".") {
			object, _ := value.(map[string]any)
			value = object[part]
		}
	}
	roles, told = value.([]any)
	if s, ok := value.(string); ok {
		told = true
		for _, role := range strings.Fields(s) {
			roles = append(roles, role)
		}
	}
	return roles, told
}

// scopeOf is the widest scope of somebody's roles.
func (p *provider) scopeOf(claims map[string]any) Scope {
	roles, _ := p.rolesOf(claims)
	best := ScopeNone
	for _, role := range roles {
		name, _ := role.(string)
		if scope, ok := p.cfg.Roles[name]; ok && !best.Includes(scope) {
			best = scope
		}
	}
	return best
}
