package server

import (
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	"riverqueue.com/riverui"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/server/access"
	"github.com/parliament-explorer/parliament-explorer/web"
)

// ipExtractor returns the function that finds the address of a client. It reads X-Forwarded-For only if there are
// trusted proxies.
func ipExtractor(trusted []*net.IPNet) echo.IPExtractor {
	if len(trusted) == 0 {
		return echo.ExtractIPDirect()
	}
	trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, n := range trusted {
		trust = append(trust, echo.TrustIPRange(n))
	}
	return echo.ExtractIPFromXFFHeader(trust...)
}

// useMiddleware installs the middleware of all routes, outermost first.
func (s *Server) useMiddleware() error {
	s.echo.Use(withRequestID, s.observe, s.admission.admit, allowHead, secure(policyAPI), s.recoverPanic, boundTarget)
	if len(s.cfg.CORSOrigins) > 0 {
		if err := s.allowOrigins(s.cfg.CORSOrigins); err != nil {
			return err
		}
	}
	if s.cfg.LoopbackOnly {
		s.echo.Use(loopbackOnly)
	}
	s.echo.Use(readableQuery)
	return nil
}

// allowOrigins lets pages of other sites use the API.
func (s *Server) allowOrigins(origins []string) error {
	s.echo.Use(middleware.CORSWithConfig(middleware.CORSConfig{
		AllowOrigins: origins, MaxAge: 600,
		AllowHeaders: []string{
			echo.HeaderAuthorization, echo.HeaderContentType, "Idempotency-Key", "If-None-Match",
			echo.HeaderIfModifiedSince, "Last-Event-ID",
		},
		ExposeHeaders: []string{
			"ETag", echo.HeaderLocation, "Idempotency-Replayed", "RateLimit", "RateLimit-Policy",
			echo.HeaderRetryAfter, echo.HeaderXRequestID, echo.HeaderContentDisposition, "Link", echo.HeaderAllow,
		},
	}))
	if s.cfg.Access.Required() { // such pages send a key, which needs no trusted origin
		return nil
	}
	for _, origin := range origins {
		if err := s.crossOrigin.AddTrustedOrigin(origin); err != nil {
			return fmt.Errorf("origin %q: want scheme://host", origin)
		}
	}
	return nil
}

// mountOperations mounts the operations of the contract.
func (s *Server) mountOperations() error {
	checks, err := s.requestChecks()
	if err != nil {
		return err
	}
	lagging, err := replicaOperations()
	if err != nil {
		return err
	}
	h := &handlers{
		cfg: s.cfg, metrics: s.metrics, status: &statusReader{cfg: s.cfg}, feeds: newFeedCache(),
		writes: &db.WriteProbe{DB: s.cfg.DB, Every: writesEvery},
	}
	strict := api.NewStrictHandler(h, []api.StrictMiddlewareFunc{mayLag(lagging), streamLists, keepRequest})
	api.RegisterHandlersWithOptions(s.echo, strict, api.RegisterHandlersOptions{OperationMiddlewares: checks})
	return nil
}

// mountUI mounts the web UI at /ui/.
func (s *Server) mountUI() error {
	ui, err := web.Handler()
	if err != nil {
		return fmt.Errorf("mount the web UI: %w", err)
	}
	s.echo.GET("/ui", func(c echo.Context) error { return c.Redirect(http.StatusMovedPermanently, "ui/") })
	handler := echo.WrapHandler(http.StripPrefix("/ui", ui))
	s.echo.GET("/ui/*", handler, secure(policyUI), s.describePages)
	s.echo.GET("/ui/embed/bills/:session/:number", handler, secure(policyUI), embeddable, s.describePages)
	return nil
}

// mountRiverUI mounts River UI at /riverui/. Reading needs the scope read. Everything else needs admin and is recorded
// in the audit log, because canceling, retrying and deleting jobs and pausing queues there bypasses the engine.
func (s *Server) mountRiverUI() (err error) {
	s.riverUI, err = riverui.NewHandler(&riverui.HandlerOpts{
		Endpoints: riverui.NewEndpoints(s.cfg.Engine.River(), nil), Logger: s.cfg.Logger, Prefix: "/riverui",
	})
	if err != nil {
		return fmt.Errorf("mount River UI: %w", err)
	}
	river := echo.WrapHandler(withWayBack(s.riverUI))
	read := s.authorize("riverui", permit{scope: access.ScopeRead})(river)
	change := s.authorize("riverui", permit{scope: access.ScopeAdmin})(s.record(river))
	s.echo.GET("/riverui", func(c echo.Context) error { return c.Redirect(http.StatusMovedPermanently, "riverui/") })
	s.echo.Any("/riverui/*", func(c echo.Context) error {
		if m := c.Request().Method; m == http.MethodGet || m == http.MethodHead {
			return read(c)
		}
		c.Request().Body = http.MaxBytesReader(c.Response(), c.Request().Body, maxBody)
		return change(c)
	}, secure(policyRiverUI), toSignIn)
	return nil
}

// mountProfiles mounts the profiles of net/http/pprof, which need the scope admin.
func (s *Server) mountProfiles() {
	admin := s.authorize("pprof", permit{scope: access.ScopeAdmin})
	s.echo.GET("/debug/pprof/*", echo.WrapHandler(http.HandlerFunc(pprof.Index)), admin, shortProfile)
	s.echo.GET("/debug/pprof/cmdline", echo.WrapHandler(http.HandlerFunc(pprof.Cmdline)), admin)
	s.echo.GET("/debug/pprof/profile", echo.WrapHandler(http.HandlerFunc(pprof.Profile)), admin, shortProfile)
	s.echo.GET("/debug/pprof/symbol", echo.WrapHandler(http.HandlerFunc(pprof.Symbol)), admin)
	s.echo.GET("/debug/pprof/trace", echo.WrapHandler(http.HandlerFunc(pprof.Trace)), admin, shortProfile)
}

// handler wraps the routes with compression, HEAD and, if a tracer is configured, tracing.
func (s *Server) handler() (http.Handler, error) {
	compressed, err := compress(s.echo)
	if err != nil {
		return nil, err
	}
	handler := bindStreams(answerHead(compressed))
	if s.cfg.Tracer == nil {
		return handler, nil
	}
	return otelhttp.NewHandler(handler, "request",
		otelhttp.WithTracerProvider(s.cfg.Tracer),
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithFilter(traced),
	), nil
}

// traced reports whether a request gets a span. Files of the web UI, probes and scrapes do not.
func traced(r *http.Request) bool {
	return !strings.HasPrefix(r.URL.Path, "/ui/") &&
		!slices.Contains([]string{"/healthz", "/readyz", "/metrics"}, r.URL.Path)
}
