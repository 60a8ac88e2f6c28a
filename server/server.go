// Package server is the HTTP API. It implements the operations of openapi.yaml on top of the engine and the store. It
// also serves the API documentation, the web UI, River UI and the profiles of net/http/pprof.
//
// New makes a Server from a Config, and Server.Serve answers requests. Package access, below this one, authenticates
// and authorizes them and writes the audit log.
//
// Begin with New in server.go and the routes in routes.go. handlers implements the operations; each file is named after
// the resource it serves, such as runs.go. problem.go maps errors to answers, validate.go checks requests against the
// contract, and admission.go limits how many requests are answered at once.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/singleflight"
	"riverqueue.com/riverui"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// Config configures a Server. DB, Engine, Store and Logger are required; all other fields are optional.
type Config struct {
	DB     *db.DB
	Engine *orchestrator.Engine
	Store  *parliament.Store
	Logger *slog.Logger
	// WebhookSecrets verify the events posted to webhook sensors, by sensor. An event is valid if one of them matches.
	WebhookSecrets map[string][]*standardwebhooks.Webhook
	// Access authenticates and authorizes requests. If nil, every request has full access.
	Access *access.Control
	// Embedder embeds queries for semantic search. If nil, semantic search is not available.
	Embedder *parliament.Embedder
	// PublicURL is the address at which browsers and feed readers reach the server. If empty, links use the address of
	// the request.
	PublicURL string
	// LoopbackOnly refuses requests whose Host header does not name this machine.
	LoopbackOnly bool
	// CORSOrigins are the sites whose pages may use the API, e.g. "https://bills.example.org".
	CORSOrigins []string
	// TrustedProxies are the proxies whose X-Forwarded-For header is trusted to name the client.
	TrustedProxies []*net.IPNet
	// Metrics is the registry that GET /metrics serves; the server adds its own metrics to it. If nil, the server makes
	// one.
	Metrics *prometheus.Registry
	// Tracer receives the spans of requests. If nil, requests are not traced.
	Tracer trace.TracerProvider
	// MaxConnections is the maximum number of open connections; default 4000. Where keys are required, half of them may
	// belong to clients that have not shown a key.
	MaxConnections int
	// Deep has nothing asked of the database but what requests need: River UI then estimates counts over its limit.
	Deep bool
	// sitemapPiece is how many addresses a file of the sitemap has, for tests.
	sitemapPiece int
	// Version and Revision are returned by GET /version; default "dev" and empty.
	Version, Revision string
}

// Server serves the HTTP API. Make one with New. Its methods may be called from any goroutine.
type Server struct {
	cfg     Config
	echo    *echo.Echo
	http    *http.Server
	riverUI *riverui.Handler
	metrics *metrics
	// admission limits the requests in progress, connections the open connections.
	admission   *admission
	connections *connections
	// crossOrigin detects requests that a browser sends for a page of another site.
	crossOrigin *http.CrossOriginProtection
}

// New makes a Server with all its routes. It does not listen: call Serve for that. New fails if a required field of cfg
// is missing, an origin is malformed or the contract cannot be loaded.
func New(cfg Config) (*Server, error) {
	if cfg.DB == nil || cfg.Engine == nil || cfg.Store == nil || cfg.Logger == nil {
		return nil, errors.New("server: DB, Engine, Store and Logger are required")
	}
	if cfg.Version == "" {
		cfg.Version = "dev"
	}
	if cfg.Access == nil {
		var err error
		if cfg.Access, err = access.New(access.Config{DB: cfg.DB, Logger: cfg.Logger}); err != nil {
			return nil, err
		}
	}
	if cfg.MaxConnections <= 0 {
		cfg.MaxConnections = 4000
	}
	strangers := cfg.MaxConnections
	if cfg.Access.Required() {
		strangers = (strangers + 1) / 2
	}
	s := &Server{
		cfg: cfg, echo: echo.New(), metrics: newMetrics(cfg),
		admission:   newAdmission(cfg.Access, int(cfg.DB.Pool.Config().MaxConns)),
		connections: newConnections(cfg.MaxConnections, strangers), crossOrigin: http.NewCrossOriginProtection(),
	}
	e := s.echo
	e.IPExtractor = ipExtractor(cfg.TrustedProxies)
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.handleError
	if err := s.useMiddleware(); err != nil {
		return nil, err
	}
	if err := s.mountOperations(); err != nil {
		return nil, err
	}
	e.GET("/", func(c echo.Context) error { return c.Redirect(http.StatusFound, "ui/") })
	e.GET("/docs", func(c echo.Context) error { return c.Redirect(http.StatusMovedPermanently, "docs/") })
	e.GET("/docs/*", echo.WrapHandler(docsHandler()), secure(policyDocs))
	if err := s.mountUI(); err != nil {
		return nil, err
	}
	if err := s.mountRobots(); err != nil {
		return nil, err
	}
	if err := s.mountRiverUI(); err != nil {
		return nil, err
	}
	s.mountProfiles()
	handler, err := s.handler()
	if err != nil {
		return nil, err
	}
	s.http = &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 60 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ConnContext: withConnection, ConnState: stateChanged, Protocols: protocols(), HTTP2: http2Limits(),
		// net/http would answer OPTIONS * before the request is counted.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// Handler returns the routes as a handler, for tests. It neither compresses answers nor answers HEAD.
func (s *Server) Handler() http.Handler { return s.echo }

// Serve answers requests on the listener until Shutdown is called. It returns nil after a shutdown.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if !s.cfg.Deep { // it counts jobs every few seconds, whether or not it is used
		if err := s.riverUI.Start(ctx); err != nil {
			return fmt.Errorf("start River UI: %w", err)
		}
	}
	if err := s.http.Serve(guarded{l, s.connections}); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown stops accepting connections and waits for requests in progress until ctx ends; then it closes their
// connections and returns an error. It also writes the pending audit entries. Stop the engine at the same time: event
// streams end only when it stops.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	s.cfg.Access.FlushAudit(ctx)
	return err
}

// observe measures and logs each request.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		started := time.Now()
		err := s.recordRefused(c, next(c))
		if err != nil {
			c.Error(err) // writes the answer, so that its status is known below
		}
		took := time.Since(started)
		s.recordEnd(c)
		waitForRest(c)
		r, status := c.Request(), c.Response().Status
		method := knownMethod(r)
		s.metrics.request(routeOf(c), method, status, took)
		attrs := []any{
			"method", method, "path", r.URL.Path, "status", status, "duration", took, "request_id", requestID(c),
		}
		if span := trace.SpanFromContext(r.Context()); span.SpanContext().IsValid() {
			span.SetName(method + " " + routeOf(c))
			attrs = append(attrs, "trace_id", span.SpanContext().TraceID().String())
		}
		s.cfg.Logger.Debug("request", attrs...)
		return nil
	}
}

func (s *Server) recoverPanic(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler { //nolint:errorlint // the very value
					panic(p)
				}
				err = &panicError{value: p, stack: stack()}
			}
		}()
		return next(c)
	}
}

func requestID(c echo.Context) string { return c.Response().Header().Get(echo.HeaderXRequestID) }

// writesEvery is the shortest interval between two checks that the database accepts writes, however often readiness is
// requested.
const writesEvery = 5 * time.Second

// handlers implements api.StrictServerInterface. Its methods are in files named after their resource. problem.go turns
// their errors into problem details.
type handlers struct {
	cfg     Config
	metrics *metrics
	status  *statusReader
	feeds   *feedCache
	// readiness runs one check for all requests that wait for it.
	readiness singleflight.Group
	writes    *db.WriteProbe
}

var _ api.StrictServerInterface = (*handlers)(nil)

type requestKey struct{}

// keepRequest puts the request into the context of strict handlers, which need parts of it that the generated code does
// not pass on: Accept, User-Agent and the body.
func keepRequest(f api.StrictHandlerFunc, _ string) api.StrictHandlerFunc {
	return func(c echo.Context, request any) (any, error) {
		r := c.Request()
		c.SetRequest(r.WithContext(context.WithValue(r.Context(), requestKey{}, requestInfo{
			accept: strings.Join(r.Header.Values(echo.HeaderAccept), ", "), userAgent: r.UserAgent(),
			remote: remoteAddress(c), operation: r.Method + " " + r.URL.Path,
			body: bodyOf(c, bodyKey), rawBody: bodyOf(c, rawBodyKey),
			identity: identityOf(c), request: r, writer: c.Response(),
			signedIn: func(who *access.Identity) { c.Set(identityKey, who) },
		})))
		return f(c, request)
	}
}

type requestInfo struct {
	accept, userAgent, remote, operation string
	body                                 []byte
	rawBody                              []byte           // as the client sent it
	identity                             *access.Identity // nil if the client is not authenticated
	// The remaining fields serve operations that set cookies.
	request  *http.Request
	writer   http.ResponseWriter
	signedIn func(*access.Identity)
}

func infoOf(ctx context.Context) requestInfo {
	i, _ := ctx.Value(requestKey{}).(requestInfo)
	return i
}
