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
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// OIDCConfig configures an OpenID Connect provider and the scopes of its roles.
type OIDCConfig struct {
	// Issuer is the provider's address, at which it serves its discovery document.
	Issuer string
	// ClientID and ClientSecret are the credentials that the provider issued for this program; a public client has no
	// secret.
	ClientID, ClientSecret string
	// RedirectURL is the address of /session/oidc/callback as browsers reach it.
	RedirectURL string
	// Scopes are requested besides openid; default profile and email.
	Scopes []string
	// RolesClaim is the claim that holds a person's roles, a text or a list. Dots lead into objects. Default "roles".
	RolesClaim string
	// Roles maps roles to scopes. If empty, roles have the names of scopes.
	Roles map[string]Scope
}

// ErrForbidden means that a person is authenticated and has no role here.
var ErrForbidden = errors.New("forbidden")

// ErrNoOIDC means that no provider is configured.
var ErrNoOIDC = errors.New("this server has no identity provider: sign in with an API key")

// provider is an identity provider. Its discovery document is read when it is first needed, so that a server starts
// without the provider.
type provider struct {
	cfg    OIDCConfig
	client *http.Client
	guard  *guardedTransport

	found    atomic.Pointer[discovered] // nil until it has been read
	discover singleflight.Group         // one discovery for all requests that wait for it
}

// discovered is the content of the provider's discovery document.
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

// away returns the error for a provider that does not answer as it should.
func (p *provider) away() error {
	return &ProviderError{Issuer: p.cfg.Issuer, RetryAfter: max(p.guard.away(), time.Second)}
}

// configuration returns the content of the discovery document, which is read once. All requests that wait share the
// discovery, so it goes on when one of them leaves.
func (p *provider) configuration(ctx context.Context) (*discovered, error) {
	if d := p.found.Load(); d != nil {
		return d, nil
	}
	answer := p.discover.DoChan("", func() (any, error) {
		// The provider keeps this client, to read its keys.
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
		// A refresh token lets roles be read again. It is requested if the provider lists the scope for it.
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

// signInLifetime bounds the time of a sign-in at the provider.
const signInLifetime = 10 * time.Minute

// pending is a sign-in that has begun. The browser keeps it in a cookie, so that sign-ins that strangers begin take no
// space on the server.
type pending struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	ReturnTo string `json:"r"`
	Until    int64  `json:"u"` // Unix time
}

// pendingPurpose is the purpose for which a pending sign-in is sealed. The secret is the client secret, which all
// servers have. That of a public client is empty. This is safe: the cookie is the browser's own, is accepted only
// together with its own state, and holds nothing that is trusted.
func (p *provider) pendingPurpose() string {
	return strings.Join([]string{"sign-in", p.cfg.Issuer, p.cfg.ClientID, p.cfg.RedirectURL}, "\x00")
}

// pendingCookie is the name of the cookie of a pending sign-in. Over HTTPS its prefix keeps other sites below the same
// domain from setting it.
func (c *Control) pendingCookie() string {
	if c.cfg.SecureCookies {
		return "__Host-explorer_sign_in"
	}
	return "explorer_sign_in"
}

// BeginSignIn returns the provider's address to which to send the browser, and sets the cookie of the pending sign-in.
// The error is ErrNoOIDC or ErrProvider.
func (c *Control) BeginSignIn(w http.ResponseWriter, r *http.Request, returnTo string) (string, error) {
	if c.oidc == nil {
		return "", ErrNoOIDC
	}
	provider, err := c.oidc.configuration(r.Context())
	if err != nil {
		return "", err
	}
	if away := c.oidc.guard.away(); away > 0 { // the code that comes back could not be exchanged
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

// pendingOf returns the pending sign-in with which a browser comes back from the provider.
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

// CompleteSignIn exchanges the provider's answer for an identity, begins its session, and returns the path to which to
// send the browser. The error is ErrRefused if the answer does not belong to a pending sign-in, ErrForbidden for a
// person without a role, whose other sessions end then, and ErrProvider if the provider does not answer.
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
		if err := proven(r.Context(), who); err != nil { // the audit entry comes first
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

// exchange exchanges a code for an identity and tokens. Codes that the provider refuses count as guesses: an address
// with too many of them gets a LimitError, and the provider is not asked. Neither is it asked for a sign-in that was
// completed or attempted before.
func (c *Control) exchange(
	w http.ResponseWriter, r *http.Request, address, code string, begun pending,
) (*Identity, *tokens, error) {
	bucket := addressKey(address)
	end, err := c.guesses.enter(bucket)
	if err != nil {
		return nil, nil, err
	}
	defer end()
	c.setCookie(w, c.pendingCookie(), "", 0) // it is valid once, even if the browser keeps it
	if !c.completed.first(begun.State) {
		return nil, nil, &refusal{"this sign-in has been completed, or has failed: begin again"}
	}
	who, tokens, err := c.oidc.exchange(r.Context(), code, begun.Nonce, begun.Verifier)
	if errors.Is(err, ErrRefused) {
		c.guesses.bucket(bucket).AllowN(c.cfg.Now(), 1)
	}
	return who, tokens, err
}

// states remembers the sign-ins that have come back to this server, for as long as they are valid.
type states struct {
	mu   sync.Mutex
	seen *recent[struct{}]
}

func newStates() *states {
	return &states{seen: newRecent[struct{}](signInLifetime)}
}

// first reports whether a state comes back for the first time.
func (s *states) first(state string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, seen := s.seen.get(state); seen {
		return false
	}
	s.seen.add(state, struct{}{})
	return true
}

// exchange exchanges a code for an identity and tokens.
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

// refused returns a refusal if the provider refused the request, and ErrProvider if it does not answer as it should.
func (p *provider) refused(err error, reason string) error {
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) && refused.Response != nil && refused.Response.StatusCode >= 400 &&
		refused.Response.StatusCode < 500 && refused.Response.StatusCode != http.StatusTooManyRequests {
		return &refusal{reason}
	}
	return p.away()
}

// verify checks an identity token as OpenID Connect Core 1.0, section 3.1.3.7, requires, and returns its claims.
func (p *provider) verify(
	ctx context.Context, provider *discovered, raw string,
) (*oidc.IDToken, map[string]any, error) {
	id, err := provider.verifier.Verify(ctx, raw) // signature, issuer, audience, expiry
	if err != nil {
		if p.guard.away() > 0 { // the provider's keys could not be read
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

// validSubject reports whether a text can identify a person. OpenID Connect allows at most 255 ASCII characters; other
// printable characters are accepted too.
func validSubject(s string) bool {
	return strings.TrimSpace(s) != "" && len(s) <= 255 && db.Printable(s, 255) == s
}

// userInfo reads a person's claims from the provider. The error is ErrRefused if their token is no longer valid.
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

// identity returns the person that the claims are about. The error is ErrForbidden if they have no role.
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

// nameOf returns the name to show for a person.
func nameOf(claims map[string]any, subject string) string {
	for _, claim := range []string{"email", "preferred_username", "name"} {
		if s, _ := claims[claim].(string); s != "" {
			return s
		}
	}
	return subject
}

// rolesOf returns a person's roles. told is false if the claims have no roles at all.
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

// scopeOf returns the widest scope of a person's roles.
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
