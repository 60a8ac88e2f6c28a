package access

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// The limits on requests to a provider: providerTimeout for one answer, providerRest for the pause after a failure,
// providerRequests for concurrent requests, and providerAnswer for the bytes of an answer.
const (
	providerTimeout  = 4 * time.Second
	providerRest     = 5 * time.Second
	providerRequests = 32
	// providerSignIns is how many of the concurrent requests may belong to sign-ins, which anybody can start. The rest
	// is left for reading roles again.
	providerSignIns = 16
	providerAnswer  = 1 << 20
)

// ErrProvider means that the identity provider does not answer as it should. The error's text is safe to show to the
// client.
var ErrProvider = errors.New("identity provider")

// ProviderError is an ErrProvider with the time after which to try again.
type ProviderError struct {
	Issuer     string
	RetryAfter time.Duration
}

func (e *ProviderError) Error() string {
	return fmt.Sprintf(
		"%v %s does not answer as it should; try again in %d s", ErrProvider, e.Issuer, seconds(e.RetryAfter),
	)
}

// Is implements errors.Is.
func (e *ProviderError) Is(target error) bool { return target == ErrProvider }

// Seconds returns RetryAfter in whole seconds, for the Retry-After header.
func (e *ProviderError) Seconds() int { return seconds(e.RetryAfter) }

// errAway means that the provider was not asked, because it failed lately or too many requests are in progress.
var errAway = errors.New("the identity provider is not asked just now")

// guardedTransport sends all requests to the provider: discovery, codes, keys and roles. A provider that hangs delays
// each request by providerTimeout at most. After a failure no request is sent for providerRest; then one request tries
// again for all.
type guardedTransport struct {
	base http.RoundTripper

	mu     sync.Mutex
	asking int
	signIn int       // how many of asking belong to sign-ins
	failed bool      // the last request failed
	trying bool      // a retry is in progress
	until  time.Time // when a retry may begin
}

// away returns how long no request is sent to the provider.
func (g *guardedTransport) away() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.failed {
		return 0
	}
	return max(time.Until(g.until), 0)
}

// signInKey marks the context of requests that belong to a sign-in, which anybody can start.
type signInKey struct{}

func (g *guardedTransport) enter(signIn bool) (leave func(failed bool), err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.asking >= providerRequests || signIn && g.signIn >= providerSignIns ||
		g.failed && (g.trying || time.Now().Before(g.until)) {
		return nil, errAway
	}
	trial := g.failed
	g.asking++
	if signIn {
		g.signIn++
	}
	g.trying = g.trying || trial
	return func(failed bool) {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.asking--
		if signIn {
			g.signIn--
		}
		if trial {
			g.trying = false
		}
		if g.failed = failed; failed {
			g.until = time.Now().Add(providerRest)
		}
	}, nil
}

type statusKey struct{}

// withStatus returns a context that records the status of the provider's last answer.
func withStatus(ctx context.Context) (context.Context, *int) {
	status := new(int)
	return context.WithValue(ctx, statusKey{}, status), status
}

// RoundTrip implements http.RoundTripper.
func (g *guardedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	leave, err := g.enter(r.Context().Value(signInKey{}) != nil)
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	// The caller may leave, but the result, whether the provider answers, matters to all callers.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), providerTimeout)
	defer cancel()
	resp, err := g.base.RoundTrip(r.WithContext(ctx))
	if err == nil {
		var body []byte
		body, err = io.ReadAll(io.LimitReader(resp.Body, providerAnswer+1))
		_ = resp.Body.Close()
		if err == nil && len(body) > providerAnswer {
			err = fmt.Errorf("the answer is longer than %d bytes", providerAnswer)
		}
		resp.Body = io.NopCloser(bytes.NewReader(body))
	}
	leave(err != nil || gatewayFailed(resp.StatusCode))
	if err != nil {
		return nil, err
	}
	if status, ok := r.Context().Value(statusKey{}).(*int); ok {
		*status = resp.StatusCode
	}
	return resp, nil
}

// gatewayFailed reports whether a status comes from a gateway whose provider does not answer.
func gatewayFailed(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable ||
		status == http.StatusGatewayTimeout
}

// newClient makes the client for a provider. It follows redirects within the provider's own origin only, so that codes,
// secrets and tokens reach no other server.
func newClient() (*http.Client, *guardedTransport) {
	guard := &guardedTransport{base: &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: providerTimeout}).DialContext,
		TLSHandshakeTimeout: providerTimeout, MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConnsPerHost: 4, IdleConnTimeout: 30 * time.Second,
	}}
	return &http.Client{Transport: guard, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if from := via[0].URL; len(via) > 3 || via[0].Method != http.MethodGet || r.URL.Scheme != from.Scheme ||
			r.URL.Host != from.Host {
			return http.ErrUseLastResponse
		}
		return nil
	}}, guard
}

// webAddress reports whether the provider's address is one to which a browser can be sent.
func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}
