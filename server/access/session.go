package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// CookieName is of the cookie that holds a session's token.
const CookieName = "explorer_session"

// What a session holds.
const (
	sessionKind    = "kind"
	sessionName    = "name"
	sessionScope   = "scope"
	sessionKey     = "key_id"
	sessionSubject = "subject"

	sessionState    = "oidc_state"
	sessionNonce    = "oidc_nonce"
	sessionVerifier = "oidc_verifier"
	sessionReturnTo = "oidc_return_to"
)

// sessionStore implements scs.CtxStore on our tables.
type sessionStore struct{ q *db.Queries }

// FindCtx implements scs.CtxStore.
func (s sessionStore) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	data, err := s.q.FindSession(ctx, token)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, false, nil
	}
	return data, err == nil, err
}

// CommitCtx implements scs.CtxStore.
func (s sessionStore) CommitCtx(ctx context.Context, token string, b []byte, expiry time.Time) error {
	return s.q.CommitSession(ctx, db.CommitSessionParams{Token: token, Data: b, Expiry: expiry})
}

// DeleteCtx implements scs.CtxStore.
func (s sessionStore) DeleteCtx(ctx context.Context, token string) error {
	return s.q.DeleteSession(ctx, token)
}

// Find implements scs.Store.
func (s sessionStore) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit implements scs.Store.
func (s sessionStore) Commit(token string, b []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, b, expiry)
}

// Delete implements scs.Store.
func (s sessionStore) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

// load reads the session of a request; it is empty if there is none.
func (c *Control) load(r *http.Request) (context.Context, error) {
	token := ""
	if cookie, err := r.Cookie(CookieName); err == nil && len(cookie.Value) <= 100 {
		token = cookie.Value
	}
	ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
	defer cancel()
	loaded, err := c.sessions.Load(ctx, token)
	if err != nil {
		return nil, fmt.Errorf("read the session: %w", err)
	}
	return context.WithoutCancel(loaded), nil
}

func (c *Control) bySession(r *http.Request) (*Identity, error) {
	if _, err := r.Cookie(CookieName); err != nil {
		return nil, nil
	}
	ctx, err := c.load(r)
	if err != nil {
		return nil, err
	}
	kind := c.sessions.GetString(ctx, sessionKind)
	until := c.sessions.Deadline(ctx)
	switch kind {
	case KindKey:
		id, err := uuid.Parse(c.sessions.GetString(ctx, sessionKey))
		if err != nil {
			return nil, nil
		}
		who, err := c.byKeyID(ctx, id) // the key may have been revoked meanwhile
		if err == nil && (who.ExpiresAt == nil || until.Before(*who.ExpiresAt)) {
			who.ExpiresAt = &until
		}
		return who, err
	case KindOIDC:
		scope, err := ParseScope(c.sessions.GetString(ctx, sessionScope))
		if err != nil {
			return nil, nil
		}
		return &Identity{Kind: KindOIDC, Name: c.sessions.GetString(ctx, sessionName), Subject: c.sessions.GetString(ctx, sessionSubject), Scope: scope, ExpiresAt: &until}, nil
	}
	return nil, nil
}

// SignIn begins a session with a key. ErrRefused if the key does not count; a LimitError for an address that guesses too
// much.
func (c *Control) SignIn(w http.ResponseWriter, r *http.Request, address, key string) (*Identity, error) {
	if c.guesses.perMinute > 0 {
		if err := c.guesses.room(Network(address), 1); err != nil {
			return nil, err
		}
	}
	who, err := c.guess(address, key, func() (*Identity, error) { return c.byKey(context.WithoutCancel(r.Context()), key) })
	if err != nil {
		return nil, err
	}
	ctx, err := c.load(r)
	if err != nil {
		return nil, err
	}
	return who, c.begin(ctx, w, who)
}

// begin makes the session that is loaded in ctx the identity's, under a new token.
func (c *Control) begin(ctx context.Context, w http.ResponseWriter, who *Identity) error {
	if err := c.sessions.Clear(ctx); err != nil {
		return err
	}
	if err := c.sessions.RenewToken(ctx); err != nil {
		return err
	}
	c.sessions.Put(ctx, sessionKind, who.Kind)
	c.sessions.Put(ctx, sessionName, who.Name)
	c.sessions.Put(ctx, sessionScope, string(who.Scope))
	c.sessions.Put(ctx, sessionSubject, who.Subject)
	if who.KeyID != nil {
		c.sessions.Put(ctx, sessionKey, who.KeyID.String())
	}
	return c.commit(ctx, w)
}

func (c *Control) commit(ctx context.Context, w http.ResponseWriter) error {
	limited, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	token, expiry, err := c.sessions.Commit(limited)
	if err != nil {
		return fmt.Errorf("keep the session: %w", err)
	}
	c.sessions.WriteSessionCookie(ctx, w, token, expiry)
	return nil
}

// SignOut ends the session of a request.
func (c *Control) SignOut(w http.ResponseWriter, r *http.Request) error {
	ctx, err := c.load(r)
	if err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := c.sessions.Destroy(limited); err != nil {
		return fmt.Errorf("end the session: %w", err)
	}
	c.sessions.WriteSessionCookie(ctx, w, "", time.Time{})
	return nil
}
