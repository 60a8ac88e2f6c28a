package server

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// sessionKey is the position at which a page of sessions ended.
type sessionKey struct {
	At time.Time `json:"a"`
	ID uuid.UUID `json:"i"`
}

// Valid reports whether a session can have begun at that time.
func (k *sessionKey) Valid() bool { return k.At.Year() >= 2000 && k.At.Year() <= 9999 }

func (h *handlers) ListSessions(
	ctx context.Context, req api.ListSessionsRequestObject,
) (api.ListSessionsResponseObject, error) {
	p := req.Params
	list, limit := "sessions", limitOf(p.Limit)
	from, err := decodeCursor[sessionKey](list, p.Cursor)
	if err != nil {
		return nil, err
	}
	var before *access.SessionKey
	if from != nil {
		before = &access.SessionKey{BeganAt: from.At, ID: from.ID}
	}
	rows, err := h.cfg.Access.Sessions(
		ctx, access.Whose{Subject: p.Subject, Issuer: p.Issuer, KeyID: p.KeyID}, before, limit+1,
	)
	if err != nil {
		return nil, err
	}
	rows, next := page(list, rows, limit, func(s access.Session) sessionKey { return sessionKey{s.BeganAt, s.ID} })
	who := infoOf(ctx).identity
	return api.ListSessions200JSONResponse{NextCursor: next, Items: each(rows, func(s access.Session) api.UserSession {
		out := apiSession(s)
		out.Current = who != nil && who.SessionID != nil && *who.SessionID == s.ID
		return out
	})}, nil
}

func apiSession(s access.Session) api.UserSession {
	out := api.UserSession{
		ID: s.ID, Kind: api.SignInMethod(s.Kind), Name: s.Name, KeyID: s.KeyID, Scope: api.Scope(s.Scope),
		BeganAt: s.BeganAt, SeenAt: s.SeenAt, ExpiresAt: s.ExpiresAt,
		Address: s.Address, Client: s.Client,
	}
	if s.Subject != "" {
		out.Subject = &s.Subject
	}
	if s.Issuer != "" {
		out.Issuer = &s.Issuer
	}
	return out
}

func (h *handlers) EndSession(
	ctx context.Context, req api.EndSessionRequestObject,
) (api.EndSessionResponseObject, error) {
	if err := h.cfg.Access.EndSession(ctx, req.SessionID); err != nil {
		return nil, err
	}
	return api.EndSession204Response{}, nil
}

func (h *handlers) EndSessions(
	ctx context.Context, req api.EndSessionsRequestObject,
) (api.EndSessionsResponseObject, error) {
	p := req.Params
	switch {
	case p.Subject == nil && p.KeyID == nil:
		return nil, invalidField(
			"/query/subject", "want a person (subject) or a key (key_id) whose sessions are to end",
		)
	case p.KeyID != nil && (p.Subject != nil || p.Issuer != nil):
		return nil, invalidField("/query/key_id", "want a person (subject) or a key (key_id), not both")
	}
	n, err := h.cfg.Access.EndSessions(ctx, access.Whose{Subject: p.Subject, Issuer: p.Issuer, KeyID: p.KeyID})
	if err != nil {
		return nil, err
	}
	return api.EndSessions200JSONResponse{Ended: n}, nil
}
