// Package access authenticates and authorizes requests. It holds the API keys, the sessions of people who signed in
// with a key or at an OpenID Connect provider, the scopes, the rate limits and the audit log.
//
// Control is the main type. Control.Identify identifies the sender of a request, Scope.Includes checks the sender's
// scope, Control.Allow limits the sender's rate, Control.Watch ends requests whose sender loses access, and
// Control.Begin and Control.Complete write the audit log. The package functions of the same names as methods, such as
// CreateKey, take a pool or a transaction instead, for commands without a server.
//
// Begin reading with Control.Identify in this file; keys.go, session.go and oidc.go have the three ways to
// authenticate.
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
	"golang.org/x/sync/singleflight"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/server/access/internal/sql"
)

// Scope is what an identity may do. Each scope includes those before it.
type Scope string

// The scopes, and the values that stand for no scope.
const (
	ScopeNone    Scope = "none"
	ScopeRead    Scope = "read"
	ScopeOperate Scope = "operate"
	ScopeAdmin   Scope = "admin"
	// ScopeSignature marks operations that authenticate the sender by the signature of the request.
	ScopeSignature Scope = "signature"
)

var order = []Scope{ScopeNone, ScopeRead, ScopeOperate, ScopeAdmin}

// Includes reports whether s is enough for an operation that needs other.
func (s Scope) Includes(other Scope) bool {
	return slices.Index(order, other) >= 0 && slices.Index(order, s) >= slices.Index(order, other)
}

// ParseScope parses read, operate or admin. Any other text is an error.
func ParseScope(s string) (Scope, error) {
	if i := slices.Index(order, Scope(s)); i > 0 {
		return order[i], nil
	}
	return "", fmt.Errorf("scope %q: want read, operate or admin", s)
}

// The kinds of identities.
const (
	KindKey       = "key"
	KindOIDC      = "oidc"
	KindAnonymous = "anonymous"
)

// Identity is the authenticated sender of a request.
type Identity struct {
	Kind      string
	Name      string
	Scope     Scope
	KeyID     *uuid.UUID
	Subject   string // the person's id at the provider Issuer; the two identify a person, a name does not
	Issuer    string
	SessionID *uuid.UUID // nil if the request sent a key
	ExpiresAt *time.Time

	token string // of a session from a provider, to read its roles again
}

// Actor returns the identity as records name it, as far as it is proven: "key dashboard", or "oidc 248289761001 at
// https://id.example.org". The name that a provider gives for a person proves nothing; see Claim.
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

// Claim returns the name that the provider gives for the person. It is empty for keys, whose name is proven, and if
// there is no such name.
func (i *Identity) Claim() string {
	if i.Kind != KindOIDC || i.Name == i.Subject {
		return ""
	}
	return i.Name
}

// Label returns the actor and the claim, marked as a claim.
func (i *Identity) Label() string {
	if claim := i.Claim(); claim != "" {
		return i.Actor() + " (says it is " + claim + ")"
	}
	return i.Actor()
}

// subjectWord makes one word of a subject or an issuer, so that neither can imitate another text.
func subjectWord(s string) string { return strings.ReplaceAll(s, " ", `\x20`) }

// limitKey identifies the identity for the rate limit.
func (i *Identity) limitKey() string {
	if i.KeyID != nil {
		return i.KeyID.String()
	}
	return i.Kind + " " + i.Issuer + " " + i.Subject
}

// ErrRefused means that a key or a session is not valid. The error's text is safe to show to the client.
var ErrRefused = errors.New("refused")

type refusal struct{ reason string }

func (r *refusal) Error() string        { return r.reason }
func (r *refusal) Is(target error) bool { return target == ErrRefused }

// Config configures a Control. DB and Logger are required.
type Config struct {
	// Required makes operations need a key or a session. Otherwise every request has full access.
	Required bool
	// RateLimit is the number of requests per minute for each key, each person and each unauthenticated address; 0
	// means no limit. Each server counts on its own.
	RateLimit int
	// PublicRead is what may be read without a key or a session; default PublicNone.
	PublicRead PublicRead
	// ReaderLimit is the number of requests per minute of each address that reads without a key or a session; 0 means
	// no limit.
	ReaderLimit int
	// GuessLimit is the number of invalid keys that an address may send per minute, whatever RateLimit is; default 30.
	// Beyond it, nothing that the address sends is looked up, except keys and sessions that were valid lately.
	GuessLimit int
	// SessionLifetime is how long a session lasts; default 12 h.
	SessionLifetime time.Duration
	// SecureCookies restricts cookies to HTTPS.
	SecureCookies bool
	// OIDC configures the provider at which people sign in. If nil, they sign in with keys only.
	OIDC *OIDCConfig
	// Now is the clock of the rate limits; default time.Now.
	Now func() time.Time
	// DB and Logger are required.
	DB     *db.DB
	Logger *slog.Logger
}

// Control authenticates and authorizes requests. Make one with New. Its methods may be called from any goroutine.
type Control struct {
	cfg     Config
	q       *sql.Queries
	relaxed *sql.Queries
	known   *recent[sql.ApiKey] // by hash or id; a revoked key works for keyCache at most
	limits  *limiter
	readers *limiter // requests of readers, by address
	guesses *limiter // invalid keys, by address
	strays  *limiter // invalid sessions, by address: a page sends one until somebody signs in
	// proven holds the hashes of keys and sessions that were valid lately. Sending one of them is not a guess.
	proven *recent[struct{}]
	live   liveSet
	asks   singleflight.Group
	watch  *watcher
	oidc   *provider
	// completed holds the sign-ins that have come back from the provider.
	completed *states

	refusals    *windows     // audit entries of refused requests, by sender
	strangers   *windows     // unauthenticated requests that change something, by address
	afterMinute func(func()) // runs a function after a minute
}

// keyCache is how long a key that was read is used without reading it again. provenCache is how long a valid key or
// session is remembered as valid, so that sending it is not a guess.
const keyCache, provenCache = time.Second, time.Hour

// maxGuesses is the default number of invalid keys that an address may send per minute. maxStrays is the number of
// invalid sessions.
const maxGuesses, maxStrays = 30, 600

// New makes a Control. It fails if DB or Logger is missing.
func New(cfg Config) (*Control, error) {
	if cfg.DB == nil || cfg.Logger == nil {
		return nil, errors.New("access: DB and Logger are required")
	}
	if cfg.PublicRead == "" {
		cfg.PublicRead = PublicNone
	}
	if cfg.SessionLifetime <= 0 {
		cfg.SessionLifetime = 12 * time.Hour
	}
	if cfg.GuessLimit <= 0 {
		cfg.GuessLimit = maxGuesses
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	limits := func(perMinute int) *limiter { return newLimiter(perMinute, cfg.Now) }
	c := &Control{
		cfg: cfg, q: sql.New(cfg.DB.Durable()), relaxed: sql.New(cfg.DB.NoWait()),
		known: newRecent[sql.ApiKey](keyCache), limits: limits(cfg.RateLimit),
		readers: limits(cfg.ReaderLimit), guesses: limits(cfg.GuessLimit), strays: limits(maxStrays),
		proven:    newRecent[struct{}](provenCache),
		completed: newStates(), refusals: newWindows(maxRefused), strangers: newWindows(maxStrangers),
		afterMinute: func(f func()) { time.AfterFunc(time.Minute, f) },
	}
	c.watch = newWatcher(c)
	if cfg.OIDC != nil {
		c.oidc = newProvider(*cfg.OIDC)
	}
	return c, nil
}

// Required reports whether operations need a key or a session.
func (c *Control) Required() bool { return c.cfg.Required }

// OIDC reports whether a provider is configured.
func (c *Control) OIDC() bool { return c.oidc != nil }

// Identify returns the sender of a request, or nil if the request has neither a key nor a session. The error is
// ErrRefused if the key or session is not valid, and a LimitError, without a database query, if the address has sent
// too many invalid ones.
func (c *Control) Identify(r *http.Request, address string) (*Identity, error) {
	if !c.cfg.Required {
		return nil, nil
	}
	r = r.WithContext(context.WithoutCancel(r.Context())) // other requests may wait for the same lookup
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
	// An ended session is not a guess: a page keeps sending it until somebody signs in. It is counted on its own, and
	// as a request of the address.
	return c.limited(address, secretHash(secretSession, cookie.Value), func(who *Identity, err error) *limiter {
		if err == nil && who == nil || errors.Is(err, ErrRefused) {
			return c.strays
		}
		return nil
	}, func() (*Identity, error) { return c.bySession(r, address) }, c.limits, c.strays, c.guesses)
}

// guess looks up a key and counts an invalid one as a guess.
func (c *Control) guess(address, key string, ask func() (*Identity, error)) (*Identity, error) {
	return c.limited(address, secretHash(secretKey, key), func(_ *Identity, err error) *limiter {
		if errors.Is(err, ErrRefused) {
			return c.guesses
		}
		return nil
	}, ask, c.guesses)
}

// limited looks up the sender of a secret, whose secretHash is what, unless the address has exhausted one of the
// limits. A secret that was valid lately is always looked up, so that a known client is not blocked by the guesses of
// others at the same address. Any other secret is refused even if it is right, so that guessing reveals nothing.
// Concurrent requests with the same secret share one lookup.
func (c *Control) limited(
	address, what string, count func(*Identity, error) *limiter, ask func() (*Identity, error), limits ...*limiter,
) (*Identity, error) {
	bucket := addressKey(address)
	who, err, _ := c.asks.Do(bucket+what, func() (any, error) {
		if _, proven := c.proven.get(what); !proven {
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
			c.proven.add(what, struct{}{})
		case err == nil || errors.Is(err, ErrRefused):
			c.proven.remove(what)
		}
		if l := count(who, err); l != nil {
			l.bucket(bucket).AllowN(l.now(), 1)
		}
		return who, err
	})
	return who.(*Identity), err
}
