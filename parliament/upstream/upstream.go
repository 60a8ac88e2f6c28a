// Package upstream asks public services for JSON politely: all processes together keep to a rate and to a number of
// requests in flight, faults that pass are retried, Retry-After is obeyed, and a service that is down is left alone.
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

// Config describes one service.
type Config struct {
	// Source names the service in limits, logs and errors, e.g. "legisinfo".
	Source string
	// BaseURL has no slash at the end. Paths are appended to it.
	BaseURL string
	// UserAgent names the project and a contact.
	UserAgent string
	// RPS is the most requests in any second, of all processes together; 0: no limit.
	RPS float64
	// MaxInFlight is the most requests at once, of all processes together; default 4.
	MaxInFlight int
	// Timeout ends one request, body included; default 20 s.
	Timeout time.Duration
	// MaxBody is the longest answer taken, in bytes after decompression; default 64 MiB.
	MaxBody int64
	// RetryDelay is the wait before the second try, doubled before each further one; default 500 ms.
	RetryDelay time.Duration
	// DB holds the shared limits. Without it, the client keeps to none and asks once: for somebody who looks whether a
	// service answers.
	DB *db.DB
	// Logger is required.
	Logger *slog.Logger
	// Metrics is where counters go; nil: nowhere.
	Metrics prometheus.Registerer
	// Tracer is where the spans of requests go; nil: nowhere. The service is told nothing of them.
	Tracer trace.TracerProvider
}

// Client asks one service. It is safe for use by several goroutines.
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
	maxTrying     = 30 * time.Second // no new try after that
	maxRetryAfter = 20 * time.Second // a service that wants to be left alone for longer is unavailable
	maxHold       = time.Hour        // and is left alone so long at the most
	// breakerThreshold is how many faults in a row close the way to a service, and breakerDelay for how long.
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
			otelhttp.WithPropagators(propagation.NewCompositeTextMapPropagator()), // the service is told nothing
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

// retryPolicy is how requests that failed in passing are made again.
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

// breaker makes the circuit breaker of a service. It reports when it opens and closes.
func (c *Client) breaker() circuitbreaker.CircuitBreaker[any] {
	return circuitbreaker.NewBuilder[any]().
		WithFailureThreshold(breakerThreshold).WithDelay(breakerDelay).
		OnOpen(func(circuitbreaker.StateChangedEvent) {
			c.cfg.Logger.Warn("source is failing: not asking it for a while", "source", c.cfg.Source, "for", breakerDelay)
			c.state.breaker(breakerDelay)
			c.meter.breaker.Set(1)
		}).
		OnClose(func(circuitbreaker.StateChangedEvent) {
			c.cfg.Logger.Info("source answers again", "source", c.cfg.Source)
			c.state.breaker(0)
			c.meter.breaker.Set(0)
		}).
		Build()
}

// Observer is told what a client does on behalf of one caller. Its functions may be called by several goroutines;
// either may be nil.
type Observer struct {
	// Request is called for every request sent.
	Request func(source string)
	// Retry is called before a failed request is sent again after a wait.
	Retry func(source string, err error, attempt int, wait time.Duration)
}

func (o Observer) request(source string) {
	if o.Request != nil {
		o.Request(source)
	}
}

func (o Observer) retrying(source string, err error, attempt int, wait time.Duration) {
	if o.Retry != nil {
		o.Retry(source, err, attempt, wait)
	}
}

type observerKey struct{}

// redirectError says that a redirect is not followed.
type redirectError struct{ reason string }

func (e *redirectError) Error() string { return e.reason }

// stay follows redirects within a service only: to the same scheme, host and port, or from http to https where both
// have their own ports.
func stay(base *url.URL) func(*http.Request, []*http.Request) error {
	return func(req *http.Request, via []*http.Request) error {
		same := strings.EqualFold(req.URL.Hostname(), base.Hostname()) && req.URL.User == nil
		here := req.URL.Scheme == base.Scheme && port(req.URL) == port(base)
		safer := base.Scheme == "http" && req.URL.Scheme == "https" && port(base) == "80" && port(req.URL) == "443"
		if !same || !here && !safer {
			return &redirectError{
				fmt.Sprintf("a redirect to %s leads away from the service", Words(PublicURL(req.URL.String()))),
			}
		}
		if len(via) >= 5 {
			return &redirectError{"redirects lead in circles"}
		}
		return nil
	}
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

// PublicURL is an address without what may be secret in it: user, password, query and fragment. An @ behind the host
// may be the one of a password that has a /, ? or #: such an address is not shown.
func PublicURL(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "an address that cannot be read"
	}
	if u.Opaque != "" { // user:password@host without a scheme's slashes
		return u.Scheme + ":..."
	}
	if strings.Contains(u.EscapedPath()+u.RawQuery+u.EscapedFragment(), "@") {
		return "an address that is not shown"
	}
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	return u.String()
}

// WithObserver has clients report to o what they do under the context.
func WithObserver(ctx context.Context, o Observer) context.Context {
	return context.WithValue(ctx, observerKey{}, o)
}

func observerOf(ctx context.Context) Observer {
	o, _ := ctx.Value(observerKey{}).(Observer)
	return o
}

// URL is the full address of a path such as "/bills/?limit=500", or of a host-relative link that the service gave.
func (c *Client) URL(path string) string { return c.cfg.BaseURL + path }

// Within gives the path of an address that the service gave, for URL, if it is one of its own: host-relative, or below
// BaseURL. Nothing else is to be asked for.
func (c *Client) Within(address string) (path string, ok bool) {
	if rest, below := strings.CutPrefix(address, c.cfg.BaseURL); below {
		address = rest
	}
	return address, strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//") &&
		!strings.ContainsAny(address, "\\#") && !strings.ContainsFunc(address, unicode.IsControl)
}

// get asks for an address and has f read the answer, each time that there is one. Of an answer that passes as one to be
// asked for again, f may have read a part.
func (c *Client) get(ctx context.Context, address string, f func(*scanner) error) error {
	if c.limit == nil {
		return c.send(ctx, address, f)
	}
	_, err := c.exec.WithContext(ctx).GetWithExecution(func(exec failsafe.Execution[any]) (any, error) {
		if !c.gate.TryAcquirePermit() {
			return nil, circuitbreaker.ErrOpen
		}
		err := c.once(exec.Context(), address, f)
		// whoever asked does not wait any more, and the transport's error is whatever ended the context
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

// IsLasting says whether the same request would meet the same error again: the source has no such thing, or its answer
// is not taken.
func IsLasting(err error) bool {
	var status *StatusError
	var body *BodyError
	var record *RecordError
	switch {
	case errors.As(err, &status):
		return !isBusy(err)
	case errors.As(err, &body):
		return !body.transient
	}
	return errors.As(err, &record)
}

// judge tells the breaker how a request ended. One that was left, or held back by our own limits, says nothing of the
// service; a service on trial is given its next request by it, and not acquitted.
func (c *Client) judge(err error) {
	var left *leftError
	var status *StatusError
	var body *BodyError
	switch {
	case isTransient(err):
		c.gate.RecordFailure()
	case err == nil, !errors.As(err, &left) && (errors.As(err, &status) || errors.As(err, &body)):
		c.gate.RecordSuccess()
	case c.gate.IsHalfOpen():
		c.gate.RecordFailure() // the only way to give the permit back
	}
}

// once sends one request when it is its turn.
func (c *Client) once(ctx context.Context, address string, f func(*scanner) error) error {
	queuedAt := time.Now()
	release, err := c.limit.acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	c.meter.waited.Observe(time.Since(queuedAt).Seconds())
	return c.send(ctx, address, f)
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

// retryAfter reads both forms of the header; 0 if there is none.
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

// StatusError is an answer with another status than 200.
type StatusError struct {
	URL        string
	Status     int
	RetryAfter time.Duration // 0: not given
	Got        string        // what came: its type, the title of a page, where a redirect led
}

func (e *StatusError) Error() string {
	s := fmt.Sprintf("%s answered %d %s", e.URL, e.Status, http.StatusText(e.Status))
	if e.RetryAfter > 0 {
		s += fmt.Sprintf(" (retry after %s)", e.RetryAfter)
	}
	if e.Got != "" {
		s += " (" + e.Got + ")"
	}
	if e.Status == http.StatusForbidden {
		s += "; " + Refusal
	}
	return s
}

// Refusal says what to do about an answer 403: parl.ca gives it to clients that it takes for no browser.
const Refusal = "it may refuse the User-Agent: set USER_AGENT to one that it takes, with a contact in it"

// IsRefusal says whether the service does not answer this client.
func IsRefusal(err error) bool {
	var s *StatusError
	return errors.As(err, &s) && s.Status == http.StatusForbidden
}

// BodyError is an answer whose body cannot be used.
type BodyError struct {
	URL, Reason string
	transient   bool
}

func (e *BodyError) Error() string { return fmt.Sprintf("the answer of %s %s", e.URL, e.Reason) }

// UnavailableError says that a service could not be had, after all retries; Err is the last reason.
type UnavailableError struct {
	Source string
	Err    error
}

func (e *UnavailableError) Error() string {
	if errors.Is(e.Err, circuitbreaker.ErrOpen) {
		return e.Source + " is unavailable: it failed too often just now and is left alone"
	}
	return fmt.Sprintf("%s is unavailable: %v", e.Source, e.Err)
}

func (e *UnavailableError) Unwrap() error { return e.Err }

// RecordError is a record that could not be read; the others can still be used.
type RecordError struct {
	URL string
	Err error
	// More is how many records this stands for, if it is not one but the rest of many.
	More int
}

func (e *RecordError) Error() string { return fmt.Sprintf("%s: %s", e.URL, Words(fmt.Sprint(e.Err))) }

func (e *RecordError) Unwrap() error { return e.Err }

// leftError is a request that its caller left: its run was canceled or took too long, or the worker stops.
type leftError struct{ error }

func (e *leftError) Unwrap() error { return e.error }

type networkError struct{ error }

func (e *networkError) Unwrap() error { return e.error }

// isBusy says whether an answer's status is one that passes, be it in a long time.
func isBusy(err error) bool {
	var s *StatusError
	return errors.As(err, &s) && (s.Status >= 500 && s.Status != http.StatusNotImplemented ||
		s.Status == http.StatusTooManyRequests || s.Status == http.StatusRequestTimeout)
}

// isTransient says whether the same request may well succeed in a moment.
func isTransient(err error) bool {
	var left *leftError
	var status *StatusError
	var body *BodyError
	var network *networkError
	switch {
	case err == nil || errors.As(err, &left) || errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &status):
		return isBusy(err) && status.RetryAfter <= maxRetryAfter
	case errors.As(err, &body):
		return body.transient
	}
	return errors.As(err, &network)
}
