// Package server is the HTTP side: it implements the contract in openapi.yaml on top of the engine and the store, and
// mounts the documentation and River UI beside it.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/prometheus/client_golang/prometheus"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/singleflight"
	"riverqueue.com/riverui"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/server/access"
	"github.com/parliament-explorer/parliament-explorer/web"
)

// Config is everything a server needs; all fields are required but Version and Revision.
type Config struct {
	DB     *db.DB
	Engine *orchestrator.Engine
	Store  *parliament.Store
	Logger *slog.Logger
	// WebhookSecrets verify the events posted to webhook sensors, by sensor; any of several may be the one.
	WebhookSecrets map[string][]*standardwebhooks.Webhook
	// Access decides who may do what; nil: everybody everything.
	Access *access.Control
	// Embedder embeds queries for search by meaning; nil: no embeddings endpoint is configured.
	Embedder *parliament.Embedder
	// PublicURL is where browsers and feed readers reach the server; empty: where they asked.
	PublicURL string
	// LoopbackOnly refuses requests by any other name than this machine's own.
	LoopbackOnly bool
	// CORSOrigins are the sites whose pages may use the API, e.g. "https://bills.example.org".
	CORSOrigins []string
	// TrustedProxies are those whose X-Forwarded-For tells where a request came from.
	TrustedProxies []*net.IPNet
	// Metrics is what GET /metrics gives; the server adds its own. Nil: those alone.
	Metrics *prometheus.Registry
	// Tracer is where the spans of requests go; nil: nowhere.
	Tracer trace.TracerProvider
	// MaxConnections bounds the connections there are at once; default 4000. Half of them may be of clients that have not
	// shown a key, where keys are required.
	MaxConnections int
	// Version and Revision are what GET /version says; default "dev" and empty.
	Version, Revision string
}

// Server answers HTTP. Make one with New.
type Server struct {
	cfg     Config
	echo    *echo.Echo
	http    *http.Server
	riverUI *riverui.Handler
	metrics *metrics
	// admission bounds what requests take together, connections what those who send them do.
	admission   *admission
	connections *connections
	// crossOrigin finds requests that a browser sends for a page of another site.
	crossOrigin *http.CrossOriginProtection
}

// New makes a server; Serve starts it.
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
		cfg: cfg, echo: echo.New(), metrics: newMetrics(cfg), admission: newAdmission(cfg.Access),
		connections: newConnections(cfg.MaxConnections, strangers), crossOrigin: http.NewCrossOriginProtection(),
	}
	e := s.echo
	e.IPExtractor = echo.ExtractIPDirect()
	if len(cfg.TrustedProxies) > 0 {
		trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
		for _, n := range cfg.TrustedProxies {
			trust = append(trust, echo.TrustIPRange(n))
		}
		e.IPExtractor = echo.ExtractIPFromXFFHeader(trust...)
	}
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.handleError
	e.Use(
		withRequestID,
		s.observe,
		s.admission.admit,
		allowHead,
		secure(policyAPI),
		s.recoverPanic,
		boundTarget,
	)
	if len(cfg.CORSOrigins) > 0 {
		e.Use(middleware.CORSWithConfig(middleware.CORSConfig{
			AllowOrigins: cfg.CORSOrigins, MaxAge: 600,
			AllowHeaders: []string{echo.HeaderAuthorization, echo.HeaderContentType, "Idempotency-Key", "If-None-Match", echo.HeaderIfModifiedSince, "Last-Event-ID"},
			ExposeHeaders: []string{
				"ETag", echo.HeaderLocation, "Idempotency-Replayed", "RateLimit", "RateLimit-Policy", echo.HeaderRetryAfter, echo.HeaderXRequestID,
				echo.HeaderContentDisposition, "Link", echo.HeaderAllow,
			},
		}))
		if !cfg.Access.Required() { // else it is a key that is sent from there
			for _, origin := range cfg.CORSOrigins {
				if err := s.crossOrigin.AddTrustedOrigin(origin); err != nil {
					return nil, fmt.Errorf("origin %q: want scheme://host", origin)
				}
			}
		}
	}
	if cfg.LoopbackOnly {
		e.Use(loopbackOnly)
	}
	e.Use(readableQuery)
	checks, err := s.requestChecks()
	if err != nil {
		return nil, err
	}
	lagging, err := replicaOperations()
	if err != nil {
		return nil, err
	}
	strict := api.NewStrictHandler(&handlers{cfg: cfg, metrics: s.metrics, status: &statusReader{cfg: cfg}, feeds: newFeedCache(), writes: &db.WriteProbe{DB: cfg.DB, Every: writesEvery}}, []api.StrictMiddlewareFunc{mayLag(lagging), streamLists, keepRequest})
	api.RegisterHandlersWithOptions(e, strict, api.RegisterHandlersOptions{OperationMiddlewares: checks})

	docs := echo.WrapHandler(docsHandler())
	e.GET("/docs", func(c echo.Context) error { return c.Redirect(http.StatusMovedPermanently, "docs/") })
	e.GET("/docs/*", docs, secure(policyDocs))
	ui, err := web.Handler()
	if err != nil {
		return nil, fmt.Errorf("mount the web UI: %w", err)
	}
	ui = http.StripPrefix("/ui", ui)
	e.GET("/ui", func(c echo.Context) error { return c.Redirect(http.StatusMovedPermanently, "ui/") })
	e.GET("/ui/*", echo.WrapHandler(ui), secure(policyUI))
	e.GET("/", func(c echo.Context) error { return c.Redirect(http.StatusFound, "ui/") })

	s.riverUI, err = riverui.NewHandler(&riverui.HandlerOpts{Endpoints: riverui.NewEndpoints(cfg.Engine.River(), nil), Logger: cfg.Logger, Prefix: "/riverui"})
	if err != nil {
		return nil, fmt.Errorf("mount River UI: %w", err)
	}
	e.GET("/riverui", func(c echo.Context) error { return c.Redirect(http.StatusMovedPermanently, "riverui/") })
	// Looking is for all who may read; canceling, retrying and deleting jobs and pausing queues go around the engine.
	river := echo.WrapHandler(s.riverUI)
	look, change := s.authorize("riverui", access.ScopeRead)(river), s.authorize("riverui", access.ScopeAdmin)(s.record(river))
	e.Any("/riverui/*", func(c echo.Context) error {
		if m := c.Request().Method; m == http.MethodGet || m == http.MethodHead {
			return look(c)
		}
		c.Request().Body = http.MaxBytesReader(c.Response(), c.Request().Body, maxBody)
		return change(c)
	}, secure(policyRiverUI), toSignIn)

	admin := s.authorize("pprof", access.ScopeAdmin)
	e.GET("/debug/pprof/*", echo.WrapHandler(http.HandlerFunc(pprof.Index)), admin, shortProfile)
	e.GET("/debug/pprof/cmdline", echo.WrapHandler(http.HandlerFunc(pprof.Cmdline)), admin)
	e.GET("/debug/pprof/profile", echo.WrapHandler(http.HandlerFunc(pprof.Profile)), admin, shortProfile)
	e.GET("/debug/pprof/symbol", echo.WrapHandler(http.HandlerFunc(pprof.Symbol)), admin)
	e.GET("/debug/pprof/trace", echo.WrapHandler(http.HandlerFunc(pprof.Trace)), admin, shortProfile)

	compressed, err := compress(e)
	if err != nil {
		return nil, err
	}
	handler := answerHead(compressed)
	if cfg.Tracer != nil {
		handler = otelhttp.NewHandler(handler, "request", otelhttp.WithTracerProvider(cfg.Tracer), otelhttp.WithPropagators(propagation.TraceContext{}),
			otelhttp.WithFilter(func(r *http.Request) bool {
				return !strings.HasPrefix(r.URL.Path, "/ui/") && !slices.Contains([]string{"/healthz", "/readyz", "/metrics"}, r.URL.Path)
			}))
	}
	s.http = &http.Server{
		Handler: handler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 60 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ConnContext: withConnection, ConnState: stateChanged, DisableGeneralOptionsHandler: true, // it would answer before anything counts
		ErrorLog: slog.NewLogLogger(cfg.Logger.Handler(), slog.LevelDebug),
	}
	return s, nil
}

// Handler is the server as a handler, for tests.
func (s *Server) Handler() http.Handler { return s.echo }

// Serve answers on the listener until Shutdown.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if err := s.riverUI.Start(ctx); err != nil {
		return fmt.Errorf("mount River UI: %w", err)
	}
	if err := s.http.Serve(guarded{l, s.connections}); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown lets requests in progress end, as long as ctx allows. Stop the engine at the same time: it ends the event
// streams, which would go on otherwise.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	s.cfg.Access.FlushAudit(ctx)
	return err
}

// observe counts and logs requests.
func (s *Server) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		started := time.Now()
		err := s.recordRefused(c, next(c))
		if err != nil {
			c.Error(err) // writes the answer, so that its status is known here
		}
		took := time.Since(started)
		s.recordEnd(c)
		waitForRest(c)
		r, status := c.Request(), c.Response().Status
		method := knownMethod(r)
		s.metrics.request(routeOf(c), method, status, took)
		attrs := []any{"method", method, "path", r.URL.Path, "status", status, "duration", took, "request_id", requestID(c)}
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

// writesEvery is how often it is tried whether the database takes writes, however often readiness is asked for.
const writesEvery = 5 * time.Second

// handlers implements api.StrictServerInterface. Its methods are in the files named after what they are about; their
// errors become problem details in problem.go.
type handlers struct {
	cfg     Config
	metrics *metrics
	status  *statusReader
	feeds   *feedCache
	// readiness is one look for all who wait for it.
	readiness singleflight.Group
	writes    *db.WriteProbe
}

var _ api.StrictServerInterface = (*handlers)(nil)

type requestKey struct{}

// keepRequest gives strict handlers the request, for what the contract does not pass on: Accept, User-Agent, the body.
func keepRequest(f api.StrictHandlerFunc, _ string) api.StrictHandlerFunc {
	return func(c echo.Context, request any) (any, error) {
		r := c.Request()
		c.SetRequest(r.WithContext(context.WithValue(r.Context(), requestKey{}, requestInfo{
			accept: strings.Join(r.Header.Values(echo.HeaderAccept), ", "), userAgent: r.UserAgent(), remote: remoteAddress(c), operation: r.Method + " " + r.URL.Path,
			body: bodyOf(c, bodyKey), rawBody: bodyOf(c, rawBodyKey),
			identity: identityOf(c), request: r, writer: c.Response(), signedIn: func(who *access.Identity) { c.Set(identityKey, who) },
		})))
		return f(c, request)
	}
}

type requestInfo struct {
	accept, userAgent, remote, operation string
	body                                 []byte
	rawBody                              []byte           // as it was sent
	identity                             *access.Identity // nil: not known
	// For what sets cookies.
	request  *http.Request
	writer   http.ResponseWriter
	signedIn func(*access.Identity)
}

func infoOf(ctx context.Context) requestInfo {
	i, _ := ctx.Value(requestKey{}).(requestInfo)
	return i
}
