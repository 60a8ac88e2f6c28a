package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// scopeExtension is the extension of the contract that has the scope of an operation.
const scopeExtension = "x-required-scope"

const identityKey, operationKey, scopeKey = "identity", "operation", "scope"

// identify authenticates a request. An invalid key or session is returned as refused, not as an error, because some
// operations need no authentication.
func (s *Server) identify(c echo.Context) (refused, err error) {
	who, err := s.cfg.Access.Identify(c.Request(), c.RealIP())
	if who != nil && err == nil {
		c.Set(identityKey, who)
	}
	if errors.Is(err, access.ErrRefused) {
		return err, nil
	}
	return nil, err
}

func identityOf(c echo.Context) *access.Identity {
	who, _ := c.Get(identityKey).(*access.Identity)
	return who
}

// authorize lets requests through that have the permit, and applies the rate limit. operation is their name in the
// audit log; see record.
func (s *Server) authorize(operation string, p permit) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		next = s.forReaders(operation, p, next)
		return func(c echo.Context) error {
			c.Set(operationKey, operation)
			c.Set(scopeKey, p.scope)
			if err := s.admit(c, p); err != nil {
				return err
			}
			return s.watch(c, p.scope, next)
		}
	}
}

func (s *Server) admit(c echo.Context, p permit) error {
	r, header, scope := c.Request(), c.Response().Header(), p.scope
	if !s.cfg.Access.Required() {
		if err := s.crossOrigin.Check(r); err != nil {
			return crossSite()
		}
		return nil
	}
	if isProbe(r) {
		return nil // probes need no key, are not rate limited, and must work without the database
	}
	refused, err := s.identify(c)
	if err != nil {
		return err
	}
	who := identityOf(c)
	if who != nil {
		turnOf(c).known()
	}
	if s.reads(c, p) {
		c.Set(readerKey, true)
		return s.cfg.Access.AllowReader(header, c.RealIP())
	}
	if err := s.cfg.Access.Allow(header, who, c.RealIP()); err != nil {
		return err
	}
	// A browser sends the session cookie with requests that other sites start. It does not send keys.
	if r.Header.Get(echo.HeaderAuthorization) == "" && scope != access.ScopeSignature {
		if err := s.crossOrigin.Check(r); err != nil {
			return crossSite()
		}
	}
	switch {
	case scope == access.ScopeNone || scope == access.ScopeSignature:
		return nil
	case refused != nil:
		return unauthorized(header, refused.Error())
	case who == nil:
		return unauthorized(header, "this needs an API key, as Authorization: Bearer pex_..., or a session")
	case !who.Scope.Includes(scope):
		return &problem{
			status: http.StatusForbidden, kind: "forbidden",
			detail: fmt.Sprintf("this needs the scope %s; %s has %s", scope, who.Actor(), who.Scope),
		}
	}
	return nil
}

func unauthorized(header http.Header, detail string) *problem {
	header.Set(echo.HeaderWWWAuthenticate, "Bearer")
	return &problem{status: http.StatusUnauthorized, kind: "unauthorized", detail: detail}
}

func crossSite() *problem {
	return &problem{
		status: http.StatusForbidden, kind: "forbidden", detail: "a browser sent this for a page of another site",
	}
}

// loopbackOnly refuses requests whose Host header is not a loopback name. This prevents DNS rebinding, where a web page
// reaches this server through a host name of its own.
func loopbackOnly(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		u, err := url.Parse("//" + c.Request().Host)
		if err == nil {
			host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
			ip, ipErr := netip.ParseAddr(host)
			if host == "localhost" || strings.HasSuffix(host, ".localhost") || ipErr == nil && ip.IsLoopback() {
				return next(c)
			}
		}
		return &problem{
			status: http.StatusMisdirectedRequest, kind: "misdirected_request",
			detail: fmt.Sprintf(
				"this server answers on this machine only, as localhost, not as %q: "+
					"it would want authentication (AUTH=on) otherwise",
				c.Request().Host,
			),
		}
	}
}

// toSignIn redirects a browser that opens a page without being signed in to the sign-in page.
func toSignIn(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		err := next(c)
		var p *problem
		r := c.Request()
		if errors.As(err, &p) && p.status == http.StatusUnauthorized && r.Method == http.MethodGet &&
			strings.Contains(r.Header.Get(echo.HeaderAccept), "text/html") {
			return c.Redirect(
				http.StatusFound, "/ui/sign-in?return_to="+url.QueryEscape(access.SamePath(r.URL.RequestURI())),
			)
		}
		return err
	}
}

func (h *handlers) session(who *access.Identity) api.SessionState {
	out := api.SessionState{
		Authentication: api.Off, Methods: []api.SignInMethod{}, PublicRead: api.PublicRead(h.cfg.Access.PublicReading()),
	}
	if !h.cfg.Access.Required() {
		out.Identity = &api.Identity{Kind: api.IdentityKindAnonymous, Name: "everybody", Scope: api.Admin}
		return out
	}
	out.Authentication = api.Required
	out.Methods = append(out.Methods, api.SignInMethodKey)
	if h.cfg.Access.OIDC() {
		out.Methods = append(out.Methods, api.SignInMethodOidc)
	}
	if who != nil {
		out.Identity = &api.Identity{
			Kind: api.IdentityKind(who.Kind), Name: who.Name, Scope: api.Scope(who.Scope), ExpiresAt: who.ExpiresAt,
		}
	}
	return out
}

func (h *handlers) GetSession(
	ctx context.Context, _ api.GetSessionRequestObject,
) (api.GetSessionResponseObject, error) {
	return api.GetSession200JSONResponse(h.session(infoOf(ctx).identity)), nil
}

var errNoAuthentication = &problem{
	status: http.StatusConflict, kind: "conflict",
	detail: "this server wants no authentication: there is nothing to sign in to",
}

func (h *handlers) SignIn(ctx context.Context, req api.SignInRequestObject) (api.SignInResponseObject, error) {
	if !h.cfg.Access.Required() {
		return nil, errNoAuthentication
	}
	info := infoOf(ctx)
	who, err := h.cfg.Access.SignIn(info.writer, info.request, info.remote, req.Body.Key)
	if errors.Is(err, access.ErrRefused) {
		return nil, unauthorized(info.writer.Header(), err.Error())
	}
	if err != nil {
		return nil, err
	}
	info.signedIn(who)
	return api.SignIn200JSONResponse{Body: h.session(who)}, nil
}

func (h *handlers) SignOut(ctx context.Context, _ api.SignOutRequestObject) (api.SignOutResponseObject, error) {
	info := infoOf(ctx)
	if err := h.cfg.Access.SignOut(info.writer, info.request); err != nil {
		return nil, err
	}
	return api.SignOut204Response{}, nil
}

type redirect struct{ to string }

func (r redirect) send(w http.ResponseWriter) error {
	w.Header().Set(echo.HeaderLocation, r.to)
	w.Header().Set(echo.HeaderCacheControl, "no-store")
	w.WriteHeader(http.StatusFound)
	return nil
}

// VisitBeginSignInResponse implements the response of the operation.
func (r redirect) VisitBeginSignInResponse(w http.ResponseWriter) error { return r.send(w) }

// VisitCompleteSignInResponse implements the response of the operation.
func (r redirect) VisitCompleteSignInResponse(w http.ResponseWriter) error { return r.send(w) }

func (h *handlers) BeginSignIn(
	ctx context.Context, req api.BeginSignInRequestObject,
) (api.BeginSignInResponseObject, error) {
	info := infoOf(ctx)
	to, err := h.cfg.Access.BeginSignIn(info.writer, info.request, deref(req.Params.ReturnTo))
	if err != nil {
		return nil, err
	}
	return redirect{to}, nil
}

func (h *handlers) CompleteSignIn(
	ctx context.Context, req api.CompleteSignInRequestObject,
) (api.CompleteSignInResponseObject, error) {
	info, p := infoOf(ctx), req.Params
	refused := deref(p.Error)
	if d := deref(p.ErrorDescription); d != "" {
		refused += " (" + d + ")"
	}
	who, to, err := h.cfg.Access.CompleteSignIn(
		info.writer, info.request, info.remote, deref(p.Code), deref(p.State), refused,
	)
	if who != nil {
		info.signedIn(who)
	}
	if errors.Is(err, access.ErrRefused) {
		return nil, unauthorized(info.writer.Header(), err.Error())
	}
	if err != nil {
		return nil, err
	}
	return redirect{to}, nil
}

func apiKey(k access.Key) api.Key {
	return api.Key{
		ID: k.ID, Name: k.Name, Prefix: k.Prefix, Scope: api.Scope(k.Scope), CreatedBy: k.CreatedBy,
		CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt, LastUsedAt: k.LastUsedAt, RevokedAt: k.RevokedAt,
	}
}

func (h *handlers) ListKeys(ctx context.Context, _ api.ListKeysRequestObject) (api.ListKeysResponseObject, error) {
	keys, err := h.cfg.Access.Keys(ctx)
	if err != nil {
		return nil, err
	}
	return api.ListKeys200JSONResponse{Items: each(keys, apiKey)}, nil
}

func (h *handlers) CreateKey(ctx context.Context, req api.CreateKeyRequestObject) (api.CreateKeyResponseObject, error) {
	b := req.Body
	if b.ExpiresAt != nil && !b.ExpiresAt.After(time.Now()) {
		return nil, invalidField("/expires_at", "%s is over: want a time to come", b.ExpiresAt.Format(time.RFC3339))
	}
	k, key, err := h.cfg.Access.CreateKey(ctx, b.Name, access.Scope(b.Scope), b.ExpiresAt, actor(ctx))
	if err != nil {
		return nil, err
	}
	infoOf(ctx).writer.Header().Set(echo.HeaderCacheControl, "no-store")
	return api.CreateKey201JSONResponse{
		ID: k.ID, Name: k.Name, Prefix: k.Prefix, Scope: api.Scope(k.Scope), CreatedBy: k.CreatedBy,
		CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt, Key: key,
	}, nil
}

func (h *handlers) RevokeKey(ctx context.Context, req api.RevokeKeyRequestObject) (api.RevokeKeyResponseObject, error) {
	k, err := h.cfg.Access.RevokeKey(ctx, req.KeyID)
	if err != nil {
		return nil, err
	}
	return api.RevokeKey200JSONResponse(apiKey(k)), nil
}

func (h *handlers) ListAuditLog(
	ctx context.Context, req api.ListAuditLogRequestObject,
) (api.ListAuditLogResponseObject, error) {
	before, err := decodeCursor[int64]("audit", req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	limit := limitOf(req.Params.Limit)
	rows, err := h.cfg.Access.Audit(
		ctx,
		access.AuditFilter{Before: before, Actor: req.Params.Actor, Operation: req.Params.Operation, Limit: limit + 1},
	)
	if err != nil {
		return nil, err
	}
	rows, next := page("audit", rows, limit, func(r access.Audit) int64 { return r.ID })
	n, err := countOf(ctx, req.Params.Count, func(ctx context.Context, limit int) ([]access.Audit, error) {
		return h.cfg.Access.Audit(
			ctx, access.AuditFilter{Actor: req.Params.Actor, Operation: req.Params.Operation, Limit: limit},
		)
	})
	if err != nil {
		return nil, err
	}
	return api.ListAuditLog200JSONResponse{
		Items: each(rows, auditEntry), NextCursor: next, Total: n.total, TotalCapped: n.capped,
	}, nil
}
