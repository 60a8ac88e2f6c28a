package access

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/server/access/internal/sql"
)

// CookieName is the name of the cookie that holds a session's token.
const CookieName = "explorer_session"

// The keys of a session's data, which the previous version of the program reads.
const (
	sessionKind    = "kind"
	sessionName    = "name"
	sessionScope   = "scope"
	sessionKey     = "key_id"
	sessionSubject = "subject"
)

// maxSessions is the maximum number of sessions of a person or a key; beyond it the oldest ends. storeTimeout bounds a
// query.
const maxSessions, storeTimeout = 100, 5 * time.Second

// ErrNoSession means that there is no such session.
var ErrNoSession = errors.New("no such session")

// sessionHash returns the hash under which a session is stored. Only the cookie has the token itself.
func sessionHash(token string) string {
	hash := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(hash[:])
}

// tokenOf returns the session token of a request; empty if it has none.
func tokenOf(r *http.Request) string {
	if cookie, err := r.Cookie(CookieName); err == nil && len(cookie.Value) <= 100 {
		return cookie.Value
	}
	return ""
}

// bySession returns the identity of a request's session; nil if there is none.
func (c *Control) bySession(r *http.Request, address string) (*Identity, error) {
	token := tokenOf(r)
	if token == "" {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), storeTimeout)
	defer cancel()
	row, err := c.findSession(ctx, token)
	if err != nil || row == nil {
		return nil, err
	}
	who, err := c.holder(ctx, row, token)
	if err == nil && who != nil && time.Since(row.SeenAt) > time.Minute {
		seen := sql.SessionSeenParams{
			Token: row.Token, Address: db.Printable(address, 100), Client: db.Printable(r.UserAgent(), 300),
		}
		if err := c.relaxed.SessionSeen(ctx, seen); err != nil {
			c.cfg.Logger.Warn("the last use of a session could not be recorded", "error", err)
		}
	}
	return who, err
}

// findSession reads a session; nil if there is none.
func (c *Control) findSession(ctx context.Context, token string) (*sql.FindSessionRow, error) {
	row, err := c.q.FindSession(ctx, sessionHash(token))
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the session: %w", err)
	}
	if row.Kind == nil { // the previous version of the program began it
		said, err := readSession(ctx, c.q, row.Token, row.Data)
		if err != nil {
			return nil, err
		}
		row.Kind, row.Name, row.Scope, row.KeyID = said.Kind, said.Name, said.Scope, said.KeyID
		row.Subject, row.Issuer = said.Subject, said.Issuer
	}
	return &row, nil
}

// holder returns the identity of a session: nil if it has none, ErrRefused if it is no longer valid.
func (c *Control) holder(ctx context.Context, row *sql.FindSessionRow, token string) (*Identity, error) {
	switch {
	case *row.Kind == KindKey && row.KeyID != nil:
		who, err := c.byKeyID(ctx, *row.KeyID) // the key may have been revoked since
		if err == nil {
			who.SessionID = &row.ID
			if who.ExpiresAt == nil || row.Expiry.Before(*who.ExpiresAt) {
				who.ExpiresAt = &row.Expiry
			}
		}
		return who, err
	case *row.Kind == KindOIDC:
		row, err := c.withRoles(row, token)
		if err != nil {
			return nil, err
		}
		scope, err := ParseScope(row.Scope)
		if err != nil {
			return nil, nil
		}
		return &Identity{
			Kind: KindOIDC, Name: row.Name, Subject: row.Subject, Issuer: row.Issuer, Scope: scope,
			ExpiresAt: &row.Expiry, SessionID: &row.ID, token: token,
		}, nil
	}
	return nil, nil
}

// readSession fills in the columns of a session that the previous version of the program began, from its data.
func readSession(ctx context.Context, q *sql.Queries, token string, data []byte) (sql.ReadSessionParams, error) {
	kind := ""
	p := sql.ReadSessionParams{Token: token, Kind: &kind}
	if _, values, err := (scs.GobCodec{}).Decode(data); err == nil {
		text := func(name string) string { s, _ := values[name].(string); return db.CleanText(s) }
		kind, p.Name = text(sessionKind), text(sessionName)
		p.Subject, p.Scope = text(sessionSubject), text(sessionScope)
		if id, err := uuid.Parse(text(sessionKey)); err == nil {
			p.KeyID = &id
		}
	}
	if err := q.ReadSession(ctx, p); err != nil {
		return p, fmt.Errorf("read the session: %w", err)
	}
	return p, nil
}

// SignIn begins a session with a key and sets its cookie. The error is ErrRefused if the key is not valid, and a
// LimitError for an address that has sent too many invalid keys.
func (c *Control) SignIn(w http.ResponseWriter, r *http.Request, address, key string) (*Identity, error) {
	who, err := c.guess(
		address, key, func() (*Identity, error) { return c.byKey(context.WithoutCancel(r.Context()), key) },
	)
	if err != nil {
		return nil, err
	}
	return who, c.begin(w, r, address, who, nil)
}

// begin begins a session of the identity, under a new token, and ends the session that the browser had. tokens are the
// provider's tokens for it; nil for a key.
func (c *Control) begin(w http.ResponseWriter, r *http.Request, address string, who *Identity, tokens *tokens) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), storeTimeout)
	defer cancel()
	if err := proven(ctx, who); err != nil {
		return err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	token, expiry := rand.Text()+rand.Text(), time.Now().UTC().Add(c.cfg.SessionLifetime).Truncate(time.Microsecond)
	p := sql.InsertSessionParams{
		Token: sessionHash(token), Expiry: expiry, ID: id, Kind: &who.Kind, Name: db.Printable(who.Name, 200),
		Subject: who.Subject, Issuer: who.Issuer, Scope: string(who.Scope), KeyID: who.KeyID,
		Address: db.Printable(address, 100), Client: db.Printable(r.UserAgent(), 300),
	}
	if p.Data, err = dataOf(who, expiry); err != nil {
		return err
	}
	if tokens != nil {
		if p.Tokens, err = tokens.sealed(token); err != nil {
			return err
		}
	}
	err = c.cfg.DB.Tx(ctx, func(tx pgx.Tx) error {
		q := sql.New(tx)
		if before := tokenOf(r); before != "" {
			if _, err := q.DeleteSession(ctx, sessionHash(before)); err != nil {
				return err
			}
		}
		if err := q.InsertSession(ctx, p); err != nil {
			return err
		}
		if who.Kind == KindOIDC { // a person has the same scope in all their sessions
			if err := q.RescopePerson(
				ctx, sql.RescopePersonParams{Scope: string(who.Scope), Issuer: who.Issuer, Subject: who.Subject},
			); err != nil {
				return err
			}
		}
		return q.TrimSessions(ctx, sql.TrimSessionsParams{
			Kind: &who.Kind, Issuer: who.Issuer, Subject: who.Subject, KeyID: who.KeyID, Keep: maxSessions,
		})
	})
	if err != nil {
		return fmt.Errorf("store the session: %w", err)
	}
	c.setCookie(w, CookieName, token, c.cfg.SessionLifetime)
	c.watch.checkNow()
	return nil
}

// setCookie sets a cookie; an empty value deletes it. Scripts cannot read it.
func (c *Control) setCookie(w http.ResponseWriter, name, value string, lifetime time.Duration) {
	cookie := &http.Cookie{ //nolint:gosec // Secure where the address of the server is
		Name: name, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: c.cfg.SecureCookies, MaxAge: int(lifetime.Seconds()), Expires: time.Now().Add(lifetime),
	}
	if value == "" {
		cookie.MaxAge, cookie.Expires = -1, time.Unix(1, 0)
	}
	http.SetCookie(w, cookie)
	w.Header().Add("Cache-Control", `no-cache="Set-Cookie"`)
}

// dataOf encodes a session as the previous version of the program reads it.
func dataOf(who *Identity, expiry time.Time) ([]byte, error) {
	values := map[string]any{
		sessionKind: who.Kind, sessionName: who.Name, sessionScope: string(who.Scope), sessionSubject: who.Subject,
	}
	if who.KeyID != nil {
		values[sessionKey] = who.KeyID.String()
	}
	return scs.GobCodec{}.Encode(expiry, values)
}

// SignOut ends the session of a request and deletes its cookie.
func (c *Control) SignOut(w http.ResponseWriter, r *http.Request) error {
	if token := tokenOf(r); token != "" {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), storeTimeout)
		defer cancel()
		if _, err := c.q.DeleteSession(ctx, sessionHash(token)); err != nil {
			return fmt.Errorf("end the session: %w", err)
		}
		c.watch.checkNow()
	}
	c.setCookie(w, CookieName, "", 0)
	return nil
}

// Whose selects sessions: those of a person, at any provider if Issuer is nil, or those of a key.
type Whose struct {
	Subject, Issuer *string
	KeyID           *uuid.UUID
}

// SessionKey is the position at which a page of sessions ended.
type SessionKey struct {
	BeganAt time.Time
	ID      uuid.UUID
}

// Session is a session of a person who signed in, without its secret.
type Session struct {
	ID uuid.UUID
	// Kind is KindKey or KindOIDC.
	Kind string
	Name string
	// Subject and Issuer identify a person at a provider; both are empty for a session of a key.
	Subject, Issuer string
	Scope           Scope
	KeyID           *uuid.UUID // nil if the session was not begun with a key
	BeganAt, SeenAt time.Time
	ExpiresAt       time.Time
	Address, Client string
}

// Sessions lists valid sessions, newest first.
func Sessions(ctx context.Context, on db.Querier, whose Whose, before *SessionKey, limit int) ([]Session, error) {
	q := sql.New(on)
	if err := readUnread(ctx, q); err != nil {
		return nil, err
	}
	p := sql.ListSessionsParams{
		Subject: whose.Subject, Issuer: whose.Issuer, KeyID: whose.KeyID,
		Limit: int32(limit), //nolint:gosec // a small number
	}
	if before != nil {
		p.Before, p.BeforeID = &before.BeganAt, &before.ID
	}
	rows, err := q.ListSessions(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("list sessions: %w", err)
	}
	sessions := make([]Session, len(rows))
	for i, s := range rows {
		sessions[i] = Session{
			ID: s.ID, Kind: kindOf(s.Kind), Name: s.Name, Subject: s.Subject, Issuer: s.Issuer, Scope: Scope(s.Scope),
			KeyID: s.KeyID, BeganAt: s.BeganAt, SeenAt: s.SeenAt, ExpiresAt: s.ExpiresAt, Address: s.Address,
			Client: s.Client,
		}
	}
	return sessions, nil
}

func kindOf(kind *string) string {
	if kind == nil {
		return ""
	}
	return *kind
}

// EndSession ends a session and returns it; ErrNoSession if there is none.
func EndSession(ctx context.Context, on db.Querier, id uuid.UUID) (Session, error) {
	q := sql.New(on)
	if err := readUnread(ctx, q); err != nil {
		return Session{}, err
	}
	s, err := q.EndSession(ctx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Session{}, fmt.Errorf("session %s: %w", id, ErrNoSession)
	}
	if err != nil {
		return Session{}, fmt.Errorf("end session %s: %w", id, err)
	}
	return Session{
		ID: s.ID, Kind: kindOf(s.Kind), Name: s.Name, Subject: s.Subject, Issuer: s.Issuer, Scope: Scope(s.Scope),
		KeyID: s.KeyID, BeganAt: s.BeganAt, SeenAt: s.SeenAt, ExpiresAt: s.Expiry, Address: s.Address, Client: s.Client,
	}, nil
}

// EndSessions ends all sessions of a person or a key and returns how many there were.
func EndSessions(ctx context.Context, on db.Querier, whose Whose) (int, error) {
	return endSessions(ctx, sql.New(on), whose)
}

func endSessions(ctx context.Context, q *sql.Queries, whose Whose) (int, error) {
	if err := readUnread(ctx, q); err != nil {
		return 0, err
	}
	rows, err := q.EndPerson(ctx, sql.EndPersonParams{Subject: whose.Subject, Issuer: whose.Issuer, KeyID: whose.KeyID})
	if err != nil {
		return 0, fmt.Errorf("end sessions: %w", err)
	}
	return len(rows), nil
}

// readUnread fills in the columns of sessions that the previous version of the program began.
func readUnread(ctx context.Context, q *sql.Queries) error {
	rows, err := q.UnreadSessions(ctx)
	if err != nil {
		return fmt.Errorf("read the sessions of the previous version: %w", err)
	}
	for _, row := range rows {
		if _, err := readSession(ctx, q, row.Token, row.Data); err != nil {
			return err
		}
	}
	return nil
}

// Sessions lists valid sessions, newest first.
func (c *Control) Sessions(ctx context.Context, whose Whose, before *SessionKey, limit int) ([]Session, error) {
	return Sessions(ctx, c.cfg.DB.Durable(), whose, before, limit)
}

// EndSession ends a session, on this server at once and on others within two seconds.
func (c *Control) EndSession(ctx context.Context, id uuid.UUID) error {
	_, err := EndSession(ctx, c.cfg.DB.Durable(), id)
	c.watch.checkNow()
	return err
}

// EndSessions ends all sessions of a person or a key, on this server at once and on others within two seconds. It
// returns how many there were.
func (c *Control) EndSessions(ctx context.Context, whose Whose) (int, error) {
	n, err := endSessions(ctx, c.q, whose)
	c.watch.checkNow()
	return n, err
}

// seal encrypts a value. The same secret and purpose open it.
func seal(secret, purpose string, value any) ([]byte, error) {
	aead, err := sealer(secret, purpose)
	if err != nil {
		return nil, err
	}
	plain, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, plain, []byte(purpose)), nil //nolint:gosec // it makes a nonce by chance
}

// unseal decrypts a value. It returns false if the value was not sealed with the same secret and purpose.
func unseal(secret, purpose string, sealed []byte, value any) bool {
	aead, err := sealer(secret, purpose)
	if err != nil {
		return false
	}
	plain, err := aead.Open(nil, nil, sealed, []byte(purpose))
	return err == nil && json.Unmarshal(plain, value) == nil
}

func sealer(secret, purpose string) (cipher.AEAD, error) {
	key, err := hkdf.Key(sha256.New, []byte(secret), nil, "parliament-explorer "+purpose, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
