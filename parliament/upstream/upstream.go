// Package upstream requests JSON from public services. All processes together stay within a request rate and a number
// of requests in flight per service. Transient errors are retried, Retry-After is honoured, and a circuit breaker stops
// requests to a service that fails.
//
// The main types are Config and Client. Begin reading at New, Client.GetJSON and Client.GetList. budget.go has the
// limits of an answer's size.
package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// Config configures the client of one service.
type Config struct {
	// Source is the service's name in limits, logs and errors, e.g. "legisinfo".
	Source string
	// BaseURL has no slash at the end. Paths are appended to it.
	BaseURL string
	// UserAgent names the project and a contact.
	UserAgent string
	// RPS is the maximum number of requests per second, of all processes together; 0: no limit.
	RPS float64
	// MaxInFlight is the maximum number of concurrent requests, of all processes together; default 4.
	MaxInFlight int
	// Timeout is the time limit of one request, including its body; default 20 s.
	Timeout time.Duration
	// MaxBody is the maximum length of an answer, in bytes after decompression; default 64 MiB.
	MaxBody int64
	// RetryDelay is the delay before the first retry; default 500 ms. It doubles with each retry.
	RetryDelay time.Duration
	// DB stores the shared limits. Without it, the client has no limits and sends each request once, as for a check that
	// the service answers.
	DB *db.DB
	// Logger is required.
	Logger *slog.Logger
	// Metrics registers the client's metrics; nil: no metrics.
	Metrics prometheus.Registerer
	// Tracer records the spans of requests; nil: no spans. Requests do not carry the trace's context to the service.
	Tracer trace.TracerProvider
}

// Client sends requests to one service. It is safe for concurrent use.
type Client struct {
	cfg   Config
	base  *url.URL // without user and password
	user  *url.Userinfo
	http  *http.Client
	limit *limiter
	state *reporter
	exec  failsafe.Executor[any]
	gate  circuitbreaker.CircuitBreaker[any]
	meter *meters
}

const (
	maxAttempts   = 5
	maxTrying     = 30 * time.Second // no retry after that
	maxRetryAfter = 20 * time.Second // a service that asks for a longer pause is unavailable
	maxHold       = time.Hour        // the longest pause
	// breakerThreshold is the number of consecutive failures that open the circuit breaker, and breakerDelay how long it
	// stays open.
	breakerThreshold = 10
	breakerDelay     = 15 * time.Second
)

// New makes a client. BaseURL must be an http or https URL.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.BaseURL)
	switch {
	case err != nil: // whose text repeats the address, and that may have a password
		return nil, fmt.Errorf("%s: base URL: want http://host or https://host", cfg.Source)
	case base.Scheme != "http" && base.Scheme != "https" || base.Host == "" || base.RawQuery != "" || base.Fragment != "":
		return nil, fmt.Errorf("%s: base URL %q: want http://host or https://host", cfg.Source, PublicURL(cfg.BaseURL))
	}
	user := base.User
	if base.User = nil; user != nil {
		cfg.BaseURL = strings.TrimSuffix(base.String(), "/")
	}
	if cfg.RPS < 0 {
		return nil, fmt.Errorf("%s: requests per second %g: want 0 (no limit) or more", cfg.Source, cfg.RPS)
	}
	cfg = withDefaults(cfg)
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		MaxIdleConnsPerHost:    cfg.MaxInFlight,
		IdleConnTimeout:        30 * time.Second,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // read unpacks, so that it can count what comes
		MaxResponseHeaderBytes: 1 << 20,
	}
	meter, err := newMeters(cfg.Metrics, cfg.Source)
	if err != nil {
		return nil, fmt.Errorf("%s: metrics: %w", cfg.Source, err)
	}
	c := &Client{
		cfg: cfg, base: base, user: user,
		http:  &http.Client{Transport: transport, Timeout: cfg.Timeout, CheckRedirect: stay(base)},
		meter: meter,
	}
	if cfg.DB != nil {
		c.limit, c.state = newLimiter(cfg), newReporter(cfg)
	}
	if cfg.Tracer != nil {
		c.http.Transport = otelhttp.NewTransport(transport,
			otelhttp.WithTracerProvider(cfg.Tracer),
			otelhttp.WithPropagators(propagation.NewCompositeTextMapPropagator()), // the trace is not sent to the service
			otelhttp.WithSpanNameFormatter(func(string, *http.Request) string { return "GET " + cfg.Source }))
	}
	c.gate = c.breaker()
	c.exec = failsafe.With[any](retryPolicy(cfg))
	return c, nil
}

func withDefaults(cfg Config) Config {
	if cfg.MaxInFlight <= 0 {
		cfg.MaxInFlight = 4
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = 20 * time.Second
	}
	if cfg.MaxBody <= 0 {
		cfg.MaxBody = 64 << 20
	}
	if cfg.RetryDelay <= 0 {
		cfg.RetryDelay = 500 * time.Millisecond
	}
	return cfg
}

// retryPolicy returns the policy by which transient errors are retried.
func retryPolicy(cfg Config) retrypolicy.RetryPolicy[any] {
	return retrypolicy.NewBuilder[any]().
		HandleIf(func(_ any, err error) bool { return isTransient(err) }).
		AbortOnErrors(circuitbreaker.ErrOpen, context.Canceled).
		WithMaxAttempts(maxAttempts).WithMaxDuration(maxTrying).
		WithBackoff(cfg.RetryDelay, 10*time.Second).WithJitterFactor(0.2).
		WithDelayFunc(func(exec failsafe.ExecutionAttempt[any]) time.Duration {
			var s *StatusError
			if errors.As(exec.LastError(), &s) && s.RetryAfter > 0 {
				return s.RetryAfter * 5 / 4 // the jitter takes off a fifth at most
			}
			return -1 // the backoff above
		}).
		OnRetryScheduled(func(ev failsafe.ExecutionScheduledEvent[any]) {
			observerOf(ev.Context()).retrying(cfg.Source, ev.LastError(), ev.Attempts(), ev.Delay)
		}).
		ReturnLastFailure().Build()
}

// breaker makes the circuit breaker of a service. It logs, stores and counts each change of its state.
func (c *Client) breaker() circuitbreaker.CircuitBreaker[any] {
	return circuitbreaker.NewBuilder[any]().
		WithFailureThreshold(breakerThreshold).WithDelay(breakerDelay).
		OnOpen(func(circuitbreaker.StateChangedEvent) {
			c.cfg.Logger.Warn("source fails: no requests for a while", "source", c.cfg.Source, "for", breakerDelay)
			c.state.breaker(breakerDelay)
			c.meter.breaker.Set(1)
		}).
		OnClose(func(circuitbreaker.StateChangedEvent) {
			c.cfg.Logger.Info("source is available again", "source", c.cfg.Source)
			c.state.breaker(0)
			c.meter.breaker.Set(0)
		}).
		Build()
}

// URL returns the full address of a path such as "/bills/?limit=500", or of a host-relative link from the service.
func (c *Client) URL(path string) string { return c.cfg.BaseURL + path }

// Within returns the path of an address from the service, for use with URL. ok is false unless the address is
// host-relative or below BaseURL. No other address may be requested.
func (c *Client) Within(address string) (path string, ok bool) {
	if rest, below := strings.CutPrefix(address, c.cfg.BaseURL); below {
		address = rest
	}
	return address, strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//") &&
		!strings.ContainsAny(address, "\\#") && !strings.ContainsFunc(address, unicode.IsControl)
}

// get sends a request and calls f to read each answer. f may have read a part of an answer before it turns out to be
// broken and the request is retried.
func (c *Client) get(ctx context.Context, address string, f func(*scanner) error) error {
	if c.limit == nil {
		return c.send(ctx, address, f)
	}
	_, err := c.exec.WithContext(ctx).GetWithExecution(func(exec failsafe.Execution[any]) (any, error) {
		if !c.gate.TryAcquirePermit() {
			return nil, circuitbreaker.ErrOpen
		}
		err := c.once(exec.Context(), address, f)
		// The caller no longer waits. The transport's error is the cause of the context's end.
		if err != nil && exec.Context().Err() != nil {
			err = &leftError{context.Cause(exec.Context())}
		}
		c.judge(err)
		c.state.reportOutcome(exec.Context(), err)
		return nil, err
	})
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var held *heldError
	if isTransient(err) || isBusy(err) || errors.As(err, &held) || errors.Is(err, circuitbreaker.ErrOpen) {
		return &UnavailableError{Source: c.cfg.Source, Err: err}
	}
	return err
}

// judge reports the outcome of a request to the circuit breaker. A request that its caller left, or that our own limits
// refused, says nothing of the service. A half-open breaker counts it as a failure nevertheless.
func (c *Client) judge(err error) {
	var left *leftError
	var status *StatusError
	var body *BodyError
	var lost *slotLostError
	switch {
	case isTransient(err) && !errors.As(err, &lost):
		c.gate.RecordFailure()
	case err == nil, !errors.As(err, &left) && (errors.As(err, &status) || errors.As(err, &body)):
		c.gate.RecordSuccess()
	case c.gate.IsHalfOpen():
		c.gate.RecordFailure() // the only way to give the permit back
	}
}

// once sends one request when the limits allow it.
func (c *Client) once(ctx context.Context, address string, f func(*scanner) error) error {
	queuedAt := time.Now()
	held, release, err := c.limit.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	c.meter.waited.Observe(time.Since(queuedAt).Seconds())
	err = c.send(held, address, f)
	if lost := lostSlot(held); err != nil && lost != nil {
		return lost
	}
	return err
}

// send sends one request.
func (c *Client) send(ctx context.Context, address string, f func(*scanner) error) (err error) {
	sent := time.Now()
	defer func() { c.meter.answered(ctx, time.Since(sent), err) }()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Accept-Encoding", "gzip")
	if c.user != nil {
		password, _ := c.user.Password()
		req.SetBasicAuth(c.user.Username(), password)
	}
	observerOf(ctx).request(c.cfg.Source)
	resp, err := c.http.Do(req)
	if err != nil {
		var away *redirectError
		if errors.As(err, &away) {
			return &BodyError{URL: address, Reason: "cannot be had: " + away.reason}
		}
		return &networkError{err}
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	if resp.StatusCode != http.StatusOK {
		s := &StatusError{
			URL: address, Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
		}
		s.Got = got(resp, headOf(resp))
		if s.RetryAfter > 0 && c.limit != nil {
			c.limit.hold(ctx, min(s.RetryAfter, maxHold))
			c.state.held(ctx, min(s.RetryAfter, maxHold))
		}
		return s
	}
	return c.read(address, resp, f)
}

// retryAfter parses both forms of the Retry-After header; 0 if there is none.
func retryAfter(value string, now time.Time) time.Duration {
	if value == "" {
		return 0
	}
	if seconds, err := strconv.Atoi(value); err == nil && seconds >= 0 {
		return time.Duration(min(seconds, 86400)) * time.Second
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), 0)
	}
	return 0
}
