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

// How long a provider may take for an answer, how long nobody asks it after it gave none, how many may ask at once, and
// how long an answer may be.
const (
	providerTimeout  = 4 * time.Second
	providerRest     = 5 * time.Second
	providerRequests = 32
	// providerSignIns is how many of those who ask may sign in, so that strangers leave room to read roles again.
	providerSignIns = 16
	providerAnswer  = 1 << 20
)

// ErrProvider says that the provider does not answer as it should; its text is for the client.
var ErrProvider = errors.New("identity provider")

// ProviderError is the ErrProvider that says when to ask again.
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

// Seconds is RetryAfter as the header of that name has it.
func (e *ProviderError) Seconds() int { return seconds(e.RetryAfter) }

// errAway says that the provider is not asked just now.
var errAway = errors.New("the identity provider is not asked just now")

// guardedTransport sends what is asked of the provider: discovery, codes, keys, roles. A provider that hangs holds each
// up for providerTimeout at most, and after one of them nobody for providerRest; then one tries again for all.
type guardedTransport struct {
	base http.RoundTripper

	mu     sync.Mutex
	asking int
	signIn int       // of asking, those that sign somebody in
	failed bool      // the answer before was none
	trying bool      // somebody tries again
	until  time.Time // when somebody may
}

// away is how long nobody asks the provider any more.
func (g *guardedTransport) away() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.failed {
		return 0
	}
	return max(time.Until(g.until), 0)
}

// signInKey is of what is asked to sign somebody in, which strangers can have done.
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

// withStatus remembers the status of the provider's last answer.
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
	// Who asked may leave; whether the provider answers is for all to know.
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
	leave(
		err != nil || resp.StatusCode == http.StatusBadGateway || resp.StatusCode == http.StatusServiceUnavailable || resp.StatusCode == http.StatusGatewayTimeout,
	)
	if err != nil {
		return nil, err
	}
	if status, ok := r.Context().Value(statusKey{}).(*int); ok {
		*status = resp.StatusCode
	}
	return resp, nil
}

// newClient makes the client for a provider. What is sent to it (codes, secrets, tokens) goes nowhere else.
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

// webAddress says whether browsers can be sent to an address that the provider gave.
func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}
