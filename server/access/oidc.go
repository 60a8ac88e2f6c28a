package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"
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
	// RolesClaim is the claim that says what roles somebody has, a text or a list; dots lead into objects. Default "roles".
	RolesClaim string
	// Roles gives the scope of each role; without it, roles are named as scopes are.
	Roles map[string]Scope
}

// ErrProvider says that the provider does not answer as it should; its text is for the client.
var ErrProvider = errors.New("identity provider")

// ErrForbidden says that somebody is known and may do nothing here.
var ErrForbidden = errors.New("forbidden")

// ErrNoOIDC says that there is no provider.
var ErrNoOIDC = errors.New("this server has no identity provider: sign in with an API key")

// provider is asked for its discovery document when it is first needed, so that a server starts without it.
type provider struct {
	cfg    OIDCConfig
	client *http.Client

	found    atomic.Pointer[discovered] // nil: not found yet
	discover singleflight.Group         // one discovery for all who wait for it
}

// discovered is what the provider's discovery document told.
type discovered struct {
	oauth    *oauth2.Config
	verifier *oidc.IDTokenVerifier
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
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: 10 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}
	return &provider{cfg: cfg, client: &http.Client{Transport: transport, Timeout: 15 * time.Second}}
}

// configuration gives what the provider says of itself, which is asked for once. The discovery is for all who wait for
// it, so it goes on when one of them leaves.
func (p *provider) configuration(ctx context.Context) (*discovered, error) {
	if d := p.found.Load(); d != nil {
		return d, nil
	}
	answer := p.discover.DoChan("", func() (any, error) {
		// The context lives on in the provider, for its keys.
		found, err := oidc.NewProvider(oidc.ClientContext(context.Background(), p.client), p.cfg.Issuer)
		if err != nil {
			return nil, fmt.Errorf("%w %s does not answer as it should", ErrProvider, p.cfg.Issuer)
		}
		d := &discovered{
			oauth: &oauth2.Config{
				ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret, RedirectURL: p.cfg.RedirectURL, Endpoint: found.Endpoint(),
				Scopes: append([]string{oidc.ScopeOpenID}, p.cfg.Scopes...),
			},
			verifier: found.Verifier(&oidc.Config{ClientID: p.cfg.ClientID}),
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

// BeginSignIn gives the provider's address to send the browser to, and remembers in its session what must come back.
func (c *Control) BeginSignIn(w http.ResponseWriter, r *http.Request, returnTo string) (string, error) {
	if c.oidc == nil {
		return "", ErrNoOIDC
	}
	provider, err := c.oidc.configuration(r.Context())
	if err != nil {
		return "", err
	}
	ctx, err := c.load(r)
	if err != nil {
		return "", err
	}
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	c.sessions.Put(ctx, sessionState, state)
	c.sessions.Put(ctx, sessionNonce, nonce)
	c.sessions.Put(ctx, sessionVerifier, verifier)
	c.sessions.Put(ctx, sessionReturnTo, returnTo)
	if err := c.commit(ctx, w); err != nil {
		return "", err
	}
	return provider.oauth.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), nil
}

// CompleteSignIn exchanges what the provider sent for an identity, begins its session, and gives the path to go to.
// ErrRefused if what came back is not what was asked for, ErrForbidden for somebody without a role, ErrProvider.
func (c *Control) CompleteSignIn(w http.ResponseWriter, r *http.Request, code, state, refused string) (*Identity, string, error) {
	if c.oidc == nil {
		return nil, "", ErrNoOIDC
	}
	session, err := c.load(r)
	if err != nil {
		return nil, "", err
	}
	wanted, nonce, verifier := c.sessions.PopString(session, sessionState), c.sessions.PopString(session, sessionNonce), c.sessions.PopString(session, sessionVerifier)
	returnTo := c.sessions.PopString(session, sessionReturnTo)
	if wanted == "" || subtle.ConstantTimeCompare([]byte(wanted), []byte(state)) != 1 {
		return nil, "", &refusal{"this sign-in was not begun here, or took too long: begin again"}
	}
	if err := c.commit(session, w); err != nil { // it counts once
		return nil, "", err
	}
	if refused != "" {
		return nil, "", &refusal{"the identity provider refused: " + refused}
	}
	who, err := c.oidc.exchange(r.Context(), code, nonce, verifier)
	if err != nil {
		return who, "", err
	}
	return who, returnTo, c.begin(session, w, who)
}

func (p *provider) exchange(ctx context.Context, code, nonce, verifier string) (*Identity, error) {
	provider, err := p.configuration(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, p.client), 20*time.Second)
	defer cancel()
	token, err := provider.oauth.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		var refused *oauth2.RetrieveError
		if errors.As(err, &refused) {
			return nil, &refusal{"the identity provider does not take its code back: begin again"}
		}
		return nil, fmt.Errorf("%w %s does not answer as it should", ErrProvider, p.cfg.Issuer)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.verifier.Verify(ctx, raw)
	if err != nil || subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(nonce)) != 1 {
		return nil, &refusal{"the identity token does not hold: begin again"}
	}
	var claims map[string]any
	if err := id.Claims(&claims); err != nil {
		return nil, &refusal{"the identity token cannot be read"}
	}
	who := &Identity{Kind: KindOIDC, Name: nameOf(claims, id.Subject), Subject: id.Subject, Scope: p.scopeOf(claims)}
	if who.Scope == ScopeNone {
		return who, fmt.Errorf("%w: %s has no role here; the claim %s is to name one", ErrForbidden, who.Name, p.cfg.RolesClaim)
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

// scopeOf is the widest scope of somebody's roles.
func (p *provider) scopeOf(claims map[string]any) Scope {
	var value any = claims
	if direct, ok := claims[p.cfg.RolesClaim]; ok {
		value = direct
	} else {
		for part := range strings.SplitSeq(p.cfg.RolesClaim, ".") {
			object, _ := value.(map[string]any)
			value = object[part]
		}
	}
	roles, _ := value.([]any)
	if s, ok := value.(string); ok {
		for _, role := range strings.Fields(s) {
			roles = append(roles, role)
		}
	}
	best := ScopeNone
	for _, role := range roles {
		name, _ := role.(string)
		if scope, ok := p.cfg.Roles[name]; ok && !best.Includes(scope) {
			best = scope
		}
	}
	return best
}
