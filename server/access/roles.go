package access

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/jackc/pgx/v5"
	"golang.org/x/oauth2"

	"github.com/parliament-explorer/parliament-explorer/server/access/internal/sql"
)

// rolesAge is the maximum age of a person's roles: a session whose roles could not be read again by then ends. rolesDue
// is the age from which they are read again, so that an outage of the provider of up to a minute has no effect.
const rolesAge, rolesDue = 5 * time.Minute, 4 * time.Minute

// readTimeout bounds one read of a person's roles. It is shorter than the lease of the query AskForRoles (15 s).
const readTimeout = 12 * time.Second

// maxTokens is the maximum size in bytes of the provider's tokens. Larger ones are not stored, and the session ends
// when its roles are too old.
const maxTokens = 64 << 10

// tokens are the provider's tokens of a session, to read its roles again.
type tokens struct {
	Access  string `json:"a"`
	Refresh string `json:"r,omitempty"`
	Type    string `json:"t,omitempty"`
}

const tokensPurpose = "tokens"

// sealed returns the tokens as the database stores them, encrypted with the session's token. Only the browser's cookie
// has that token, so reading the database reveals nothing.
func (t *tokens) sealed(session string) ([]byte, error) {
	if len(t.Access)+len(t.Refresh) > maxTokens {
		return nil, nil
	}
	return seal(session, tokensPurpose, t)
}

// withRoles returns the session with roles that are not too old. While the provider is away, the session keeps its
// roles until they reach rolesAge.
func (c *Control) withRoles(row *sql.FindSessionRow, token string) (*sql.FindSessionRow, error) {
	age := time.Duration(row.RolesAge * float64(time.Second))
	if c.oidc == nil || row.Issuer != "" && row.Issuer != c.oidc.cfg.Issuer {
		return nil, c.endSession(
			row, "the identity provider of this session is not this server's any more: sign in again",
		)
	}
	if age < rolesDue {
		return row, nil
	}
	read := c.asks.DoChan("roles "+row.Token, func() (any, error) { return c.readRoles(row, token) })
	if age < rolesAge {
		return row, nil // the read goes on in the background
	}
	answer := <-read
	if errors.Is(answer.Err, ErrProvider) {
		return nil, c.endSession(row, "the identity provider could not be asked what you may do: sign in again")
	}
	fresh, _ := answer.Val.(*sql.FindSessionRow)
	return fresh, answer.Err
}

// readRoles reads a person's roles again. If they have no role any more, or that cannot be determined, the session ends
// and the error is ErrRefused. If the provider is away, it is ErrProvider.
func (c *Control) readRoles(row *sql.FindSessionRow, token string) (*sql.FindSessionRow, error) {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	// A refresh token may be valid once only, so the servers take turns.
	claimed, err := c.q.AskForRoles(ctx, sql.AskForRolesParams{Token: row.Token, RolesReadAt: row.RolesReadAt})
	if err != nil {
		return nil, err
	}
	if claimed == 0 {
		return c.readElsewhere(ctx, row, token)
	}
	var kept tokens
	if !unseal(token, tokensPurpose, row.Tokens, &kept) {
		return nil, c.endSession(row, "what you may do cannot be read again: sign in again")
	}
	who, kept, err := c.oidc.reread(ctx, kept, row.Subject)
	switch {
	case errors.Is(err, ErrForbidden):
		if err := c.endPerson(ctx, who); err != nil {
			return nil, err
		}
		return nil, &refusal{"you have no role here any more"}
	case errors.Is(err, ErrRefused):
		return nil, c.endSession(row, err.Error())
	case err != nil:
		if err := c.q.RolesNotRead(context.WithoutCancel(ctx), row.Token); err != nil {
			c.cfg.Logger.Warn("a failed read of roles could not be recorded", "error", err)
		}
		return nil, err
	}
	p := sql.RolesReadParams{Token: row.Token, Name: who.Name, Scope: string(who.Scope)}
	if p.Data, err = dataOf(who, row.Expiry); err != nil {
		return nil, err
	}
	if p.Tokens, err = kept.sealed(token); err != nil {
		return nil, err
	}
	if err := c.q.RolesRead(ctx, p); err != nil {
		return nil, err
	}
	if err := c.q.RescopePerson(
		ctx, sql.RescopePersonParams{Scope: p.Scope, Issuer: who.Issuer, Subject: who.Subject},
	); err != nil {
		return nil, err
	}
	if p.Scope != row.Scope {
		c.watch.checkNow()
	}
	return c.still(ctx, token)
}

// still reads a session again; it is ErrRefused if the session has ended.
func (c *Control) still(ctx context.Context, token string) (*sql.FindSessionRow, error) {
	row, err := c.findSession(ctx, token)
	if err == nil && row == nil {
		err = &refusal{"this session has ended: sign in again"}
	}
	return row, err
}

// readElsewhere waits for another server that is reading the roles of a session.
func (c *Control) readElsewhere(
	ctx context.Context, row *sql.FindSessionRow, token string,
) (*sql.FindSessionRow, error) {
	for {
		now, err := c.still(ctx, token)
		switch {
		case err != nil:
			return nil, err
		case now.RolesReadAt.After(row.RolesReadAt):
			return now, nil
		case now.RolesAskedUntil == nil: // the other server got no answer
			return nil, c.oidc.away()
		}
		select {
		case <-ctx.Done():
			return nil, c.oidc.away()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// reread asks the provider for a person's roles again, with the refresh token if there is one, or with the access
// token. The error is ErrRefused if the roles can no longer be determined, ErrForbidden if the person has no role, and
// ErrProvider if the provider is away.
func (p *provider) reread(ctx context.Context, kept tokens, subject string) (*Identity, tokens, error) {
	provider, err := p.configuration(ctx)
	if err != nil {
		return nil, kept, err
	}
	ctx = oidc.ClientContext(ctx, p.client)
	token := &oauth2.Token{AccessToken: kept.Access, TokenType: kept.Type}
	if kept.Refresh != "" {
		token, err = provider.oauth.TokenSource(ctx, &oauth2.Token{RefreshToken: kept.Refresh}).Token()
		if err != nil {
			return nil, kept, p.refused(err, "the identity provider has ended your session: sign in again")
		}
		kept = tokens{Access: token.AccessToken, Refresh: token.RefreshToken, Type: token.TokenType}
		if raw, ok := token.Extra("id_token").(string); ok && raw != "" {
			id, claims, err := p.verify(ctx, provider, raw)
			if err == nil && id.Subject != subject {
				err = &refusal{"the identity provider tells of somebody else: sign in again"}
			}
			if err != nil {
				return nil, kept, err
			}
			if _, told := p.rolesOf(claims); told {
				who, err := p.identity(claims, subject)
				return who, kept, err
			}
		}
	}
	if provider.provider.UserInfoEndpoint() == "" || token.AccessToken == "" {
		return nil, kept, &refusal{"what you may do cannot be read again: sign in again"}
	}
	claims, err := p.userInfo(ctx, provider, token, subject)
	if err != nil {
		return nil, kept, err
	}
	if _, told := p.rolesOf(claims); !told { // the provider sends roles at sign-in only
		return nil, kept, &refusal{"what you may do cannot be read again: sign in again"}
	}
	who, err := p.identity(claims, subject)
	return who, kept, err
}

// rolesLost is the operation of the audit entries of sessions that the server ended on its own, because the person has
// no role any more or their roles could not be read again. The person is the actor.
const rolesLost = "rolesLost"

// endSession ends a session and returns the reason as an ErrRefused.
func (c *Control) endSession(row *sql.FindSessionRow, reason string) error {
	who := &Identity{Kind: KindOIDC, Name: row.Name, Subject: row.Subject, Issuer: row.Issuer}
	end := func(ctx context.Context, q *sql.Queries) (int, error) {
		n, err := q.DeleteSession(ctx, row.Token)
		return int(n), err
	}
	err := c.endRecorded(context.Background(), who, "/sessions/"+row.ID.String(), end)
	if err != nil {
		return err
	}
	return &refusal{reason}
}

// endPerson ends all sessions of a person who has no role any more.
func (c *Control) endPerson(ctx context.Context, who *Identity) error {
	path := "/sessions?" + url.Values{"subject": {who.Subject}, "issuer": {who.Issuer}}.Encode()
	return c.endRecorded(ctx, who, path, func(ctx context.Context, q *sql.Queries) (int, error) {
		return endSessions(ctx, q, Whose{Subject: &who.Subject, Issuer: &who.Issuer})
	})
}

// endRecorded ends sessions, if there are any, and writes the audit entry in the same transaction.
func (c *Control) endRecorded(
	ctx context.Context, who *Identity, path string, end func(context.Context, *sql.Queries) (int, error),
) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	err := c.cfg.DB.Tx(ctx, func(tx pgx.Tx) error {
		q := sql.New(tx)
		n, err := end(ctx, q)
		if err != nil || n == 0 {
			return err
		}
		entry := Entry{
			Operation: rolesLost, Method: "SERVER", Path: path, Status: http.StatusOK, Remote: "local", Who: who,
		}
		if _, err := q.InsertAudit(ctx, entry.row()); err != nil {
			return &AuditError{Err: err}
		}
		return nil
	})
	if err == nil {
		c.watch.checkNow()
	}
	return err
}
