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

	"github.com/google/uuid"
	"github.com/hashicorp/golang-lru/v2/expirable"
	"golang.org/x/sync/singleflight"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/server/access/internal/sql"
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
	Subject   string // at the provider, which is Issuer: together they tell people apart, names do not
	Issuer    string
	SessionID *uuid.UUID // nil: no session, a key was sent
	ExpiresAt *time.Time

	token string // of a session at a provider, to read its roles again
}

// Actor is the identity as records name it, as far as it is proven: "key dashboard", or "oidc 248289761001 at
// https://id.example.org". What a provider says that somebody is called proves nothing, and is Claim.
func (i *Identity) Actor() string {
	if i.Kind != KindOIDC {
		return i.Kind + " " + i.Name
	}
	actor := KindOIDC + " " + subjectWord(i.Subject)
	if i.Issuer != "" {
		actor += " at " + subjectWord(i.Issuer)
	}
	return actor
}

// Claim is what the identity is called by its own account; empty if that is proven, or nothing is known.
func (i *Identity) Claim() string {
	if i.Kind != KindOIDC || i.Name == i.Subject {
		return ""
	}
	return i.Name
}

// Label is the actor and, told as such, the claim.
func (i *Identity) Label() string {
	if claim := i.Claim(); claim != "" {
		return i.Actor() + " (says it is " + claim + ")"
	}
	return i.Actor()
}

// subjectWord is a subject or an issuer as one word, so that neither can look like something else.
func subjectWord(s string) string { return strings.ReplaceAll(s, " ", `\x20`) }

// limitKey tells identities apart for the rate limit.
func (i *Identity) limitKey() string {
	if i.KeyID != nil {
		return i.KeyID.String()
	}
	return i.Kind + " " + i.Issuer + " " + i.Subject
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
	// GuessLimit is how many keys that do not count an address may send in a minute, whatever RateLimit is; default 30.
	// Past it, nothing that the address sends is looked up, but what counted lately.
	GuessLimit int
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
	q       *sql.Queries
	relaxed *sql.Queries
	known   *expirable.LRU[string, sql.ApiKey] // by hash or id; so a revoked key works for keyCache at most
	limits  *limiter
	guesses *limiter // of addresses that send keys which do not count
	strays  *limiter // of addresses that send sessions which do not count: a page may, until somebody signs in
	// proven are hashes of keys and sessions that counted lately: who sends one of them does not guess.
	proven *expirable.LRU[string, struct{}]
	live   liveSet
	asks   singleflight.Group
	watch  *watcher
	oidc   *provider
	// completed are the sign-ins at the provider that came back.
	completed *states

	refusals    *windows     // entries of refused requests, by sender
	strangers   *windows     // requests that change something and are nobody's, by address
	afterMinute func(func()) // does something when the minute is over
}

// keyCache is how long a key is taken for what it was. provenCache is how long what counted is no guess.
const keyCache, provenCache = time.Second, time.Hour

// maxGuesses is how many keys that do not count an address may send in a minute, maxStrays how many sessions.
const maxGuesses, maxStrays = 30, 600

// New makes a Control.
func New(cfg Config) (*Control, error) {
	if cfg.DB == nil || cfg.Logger == nil {
		return nil, errors.New("access: DB and Logger are required")
	}
	if cfg.SessionLifetime <= 0 {
		cfg.SessionLifetime = 12 * time.Hour
	}
	if cfg.GuessLimit <= 0 {
		cfg.GuessLimit = maxGuesses
	}
	c := &Control{
		cfg: cfg, q: sql.New(cfg.DB.Durable()), relaxed: sql.New(cfg.DB.NoWait()),
		known: expirable.NewLRU[string, sql.ApiKey](10_000, nil, keyCache), limits: newLimiter(cfg.RateLimit),
		guesses: newLimiter(cfg.GuessLimit), strays: newLimiter(maxStrays),
		proven:    expirable.NewLRU[string, struct{}](10_000, nil, provenCache),
		completed: newStates(), refusals: newWindows(maxRefused), strangers: newWindows(maxStrangers),
		afterMinute: func(f func()) { time.AfterFunc(time.Minute, f) },
	}
	c.watch = newWatcher(c)
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
	// A session that has ended is no guess: a page goes on asking until somebody signs in. It counts by itself, and as
	// a request of the address.
	return c.limited(address, secretHash(secretSession, cookie.Value), func(who *Identity, err error) *limiter {
		if err == nil && who == nil || errors.Is(err, ErrRefused) {
			return c.strays
		}
		return nil
	}, func() (*Identity, error) { return c.bySession(r, address) }, c.limits, c.strays, c.guesses)
}

// guess asks whose key it is, and counts one that does not count.
func (c *Control) guess(address, key string, ask func() (*Identity, error)) (*Identity, error) {
	return c.limited(address, secretHash(secretKey, key), func(_ *Identity, err error) *limiter {
		if errors.Is(err, ErrRefused) {
			return c.guesses
		}
		return nil
	}, ask, c.guesses)
}

// limited asks who sent something secret, of which what is the secretHash, unless its address has no room for it in one
// of the limits. What counted lately is asked for in any case, so that nobody who is known pays for the guesses of
// others at the same address. What did not is refused even if it is right, so that guessing tells nothing. Requests
// that send the same at the same time share one answer.
func (c *Control) limited(
	address, what string, count func(*Identity, error) *limiter, ask func() (*Identity, error), limits ...*limiter,
) (*Identity, error) {
	bucket := addressKey(address)
	who, err, _ := c.asks.Do(bucket+what, func() (any, error) {
		if _, proven := c.proven.Get(what); !proven {
			for _, l := range limits {
				end, err := l.enter(bucket)
				if err != nil {
					return (*Identity)(nil), err
				}
				defer end()
			}
		}
		who, err := ask()
		switch {
		case err == nil && who != nil:
			c.proven.Add(what, struct{}{})
		case err == nil || errors.Is(err, ErrRefused):
			c.proven.Remove(what)
		}
		if l := count(who, err); l != nil {
			l.bucket(bucket).AllowN(time.Now(), 1)
		}
		return who, err
	})
	return who.(*Identity), err
}
