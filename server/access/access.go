// Package access knows who asks and what they may do: API keys, sessions of people who signed in with a key or at an
// OpenID Connect provider, scopes, rates, and the record of who did what.
package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/google/uuid"
	"github.com/hashicorp/golang-lru/v2/expirable"
	"golang.org/x/sync/singleflight"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// Scope is what one may do; each includes those before it.
type Scope string

// The scopes, and what operations that want none say.
const (
	ScopeNone    Scope = "none"
	ScopeRead    Scope = "read"
	ScopeOperate Scope = "operate"
	ScopeAdmin   Scope = "admin"
	// ScopeSignature is of operations that know who asks by the request's signature.
	ScopeSignature Scope = "signature"
)

var order = []Scope{ScopeNone, ScopeRead, ScopeOperate, ScopeAdmin}

// Includes says whether who has s may do what wants other.
func (s Scope) Includes(other Scope) bool {
	return slices.Index(order, other) >= 0 && slices.Index(order, s) >= slices.Index(order, other)
}

// ParseScope reads read, operate or admin.
func ParseScope(s string) (Scope, error) {
	if i := slices.Index(order, Scope(s)); i > 0 {
		return order[i], nil
	}
	return "", fmt.Errorf("scope %q: want read, operate or admin", s)
}

// Kinds of identities.
const (
	KindKey       = "key"
	KindOIDC      = "oidc"
	KindAnonymous = "anonymous"
)

// Identity is who asks.
type Identity struct {
	Kind      string
	Name      string
	Scope     Scope
	KeyID     *uuid.UUID
	Subject   string // at the provider
	ExpiresAt *time.Time
}

// Actor is the identity as records name it, e.g. "key dashboard".
func (i *Identity) Actor() string { return i.Kind + " " + i.Name }

// limitKey tells identities apart for the rate limit.
func (i *Identity) limitKey() string {
	if i.KeyID != nil {
		return i.KeyID.String()
	}
	return i.Kind + " " + i.Subject
}

// ErrRefused says that a key or a session does not count; its text is for the client.
var ErrRefused = errors.New("refused")

type refusal struct{ reason string }

func (r *refusal) Error() string        { return r.reason }
func (r *refusal) Is(target error) bool { return target == ErrRefused }

// Config says who may do what.
type Config struct {
	// Required: operations want a key or a session. Otherwise everybody may do everything.
	Required bool
	// RateLimit is how many requests a minute a key may send, or a person, or an address that is nobody's; 0: no limit.
	// Each server counts for itself.
	RateLimit int
	// SessionLifetime is how long somebody stays signed in; default 12 h.
	SessionLifetime time.Duration
	// SecureCookies are sent over HTTPS alone.
	SecureCookies bool
	// OIDC is the provider where people sign in; nil: with keys only.
	OIDC *OIDCConfig
	// DB and Logger are required.
	DB     *db.DB
	Logger *slog.Logger
}

// Control decides. Make one with New.
type Control struct {
	cfg     Config
	q       *db.Queries
	relaxed *db.Queries
	known   *expirable.LRU[string, db.ApiKey] // by hash or id; so a revoked key works for keyCache at most
	limits  *limiter
	guesses *limiter // of addresses that send keys which do not count
	// proven are hashes of keys and sessions that counted lately: who sends one of them does not guess.
	proven   *expirable.LRU[string, struct{}]
	keys     keySet
	asking   *inFlight // the lookups of what may be a guess, by bucket
	asks     singleflight.Group
	sessions *scs.SessionManager
	oidc     *provider
}

// keyCache is how long a key is taken for what it was. provenCache is how long what counted is no guess.
const keyCache, provenCache = time.Second, time.Hour

// New makes a Control.
func New(cfg Config) (*Control, error) {
	if cfg.DB == nil || cfg.Logger == nil {
		return nil, errors.New("access: DB and Logger are required")
	}
	if cfg.SessionLifetime <= 0 {
		cfg.SessionLifetime = 12 * time.Hour
	}
	c := &Control{
		cfg: cfg, q: cfg.DB.Queries(), relaxed: cfg.DB.RelaxedQueries(),
		known: expirable.NewLRU[string, db.ApiKey](10_000, nil, keyCache), limits: newLimiter(cfg.RateLimit), guesses: newLimiter(min(maxGuesses, cfg.RateLimit)),
		proven: expirable.NewLRU[string, struct{}](10_000, nil, provenCache), asking: newInFlight(),
	}
	c.sessions = scs.New()
	c.sessions.Store = sessionStore{c.q}
	c.sessions.HashTokenInStore = true
	c.sessions.Lifetime = cfg.SessionLifetime
	c.sessions.Cookie = scs.SessionCookie{Name: CookieName, HttpOnly: true, Path: "/", Persist: true, SameSite: http.SameSiteLaxMode, Secure: cfg.SecureCookies}
	if cfg.OIDC != nil {
		c.oidc = newProvider(*cfg.OIDC)
	}
	return c, nil
}

// Required says whether operations want a key or a session.
func (c *Control) Required() bool { return c.cfg.Required }

// OIDC says whether people can sign in at a provider.
func (c *Control) OIDC() bool { return c.oidc != nil }

// Identify says who sent a request: nil if it does not say. ErrRefused if it says something that does not count. An
// address that guesses too much gets a LimitError, and the database is not asked.
func (c *Control) Identify(r *http.Request, address string) (*Identity, error) {
	if !c.cfg.Required {
		return nil, nil
	}
	r = r.WithContext(context.WithoutCancel(r.Context())) // others may wait for the same
	if header := r.Header.Get("Authorization"); header != "" {
		scheme, key, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return c.guess(address, header, func() (*Identity, error) {
				return nil, &refusal{"Authorization: want `Bearer` and an API key"}
			})
		}
		key = strings.TrimSpace(key)
		return c.guess(address, key, func() (*Identity, error) { return c.byKey(r.Context(), key) })
	}
	cookie, err := r.Cookie(CookieName)
	if err != nil {
		return nil, nil
	}
	// A session that has ended is no guess: a page goes on asking until somebody signs in. It counts as a request of
	// the address.
	return c.limited(c.limits, addressKey(address), "session "+cookie.Value, func() (*Identity, error) { return c.bySession(r) })
}

// guess asks whose key it is, and counts one that does not count.
func (c *Control) guess(address, key string, ask func() (*Identity, error)) (*Identity, error) {
	address = Network(address)
	who, err := c.limited(c.guesses, address, key, ask)
	if errors.Is(err, ErrRefused) && c.guesses.perMinute > 0 {
		c.guesses.bucket(address).AllowN(time.Now(), 1)
	}
	return who, err
}

// limited asks who sent something secret, unless a bucket has no room for it beside what is being asked already. What
// counted lately, or is a key, is asked for in any case, so that nobody pays for the guesses of others at the same address. Requests
// that send the same at the same time share one answer.
func (c *Control) limited(l *limiter, bucket, secret string, ask func() (*Identity, error)) (*Identity, error) {
	what := string(hashKey(secret)) // of a key it is what the database has
	who, err, _ := c.asks.Do(bucket+what, func() (any, error) {
		_, proven := c.proven.Get(what)
		if !proven && l.perMinute > 0 {
			beside := c.asking.begin(bucket)
			defer c.asking.end(bucket)
			if err := l.room(bucket, beside); err != nil && !c.isKey(what) {
				return (*Identity)(nil), err
			}
		}
		who, err := ask()
		switch {
		case err == nil && who != nil:
			c.proven.Add(what, struct{}{})
		case err == nil || errors.Is(err, ErrRefused):
			c.proven.Remove(what)
		}
		return who, err
	})
	return who.(*Identity), err
}

// Record writes into the audit log. The request has been answered: it fails silently but for the server's own log.
func (c *Control) Record(ctx context.Context, e db.InsertAuditParams) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	e.Path, e.Actor = db.CleanText(e.Path), db.CleanText(e.Actor)
	if err := c.relaxed.InsertAudit(ctx, e); err != nil {
		c.cfg.Logger.Error("the audit log could not be written", "error", err, "actor", e.Actor, "operation", e.Operation, "path", e.Path, "status", e.Status)
	}
}

// Audit reads the audit log, newest first; the filters may be nil.
func (c *Control) Audit(ctx context.Context, p db.ListAuditParams) ([]db.AuditLog, error) {
	return c.cfg.DB.ListQueries().ListAudit(ctx, p)
}
