package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestSignInsDoNotWaitForEachOther holds the discovery of the identity provider up: somebody else who signs in leaves
// when they want to. They used to wait for a lock that the first held, whatever their context said.
func TestSignInsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	asked, answer := make(chan struct{}, 8), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-answer
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	t.Cleanup(s.Close)
	p := newProvider(OIDCConfig{Issuer: s.URL, ClientID: "explorer"})
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := p.configuration(t.Context()); first <- err }()
	<-asked
	ctx, cancel := context.WithCancel(t.Context())
	go func() { _, err := p.configuration(ctx); second <- err }()
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("the second sign-in: %v", err)
	}
	select {
	case err := <-first:
		t.Fatalf("the first sign-in is answered: %v", err)
	default:
	}
	close(answer)
	if err := <-first; !errors.Is(err, ErrProvider) {
		t.Errorf("the first sign-in: %v", err)
	}
}

// TestProviderThatHangs has the provider take requests and give no answer, or half of one. The first who asks waits for
// as long as it may take, and after that nobody is held up until somebody tries again.
func TestProviderThatHangs(t *testing.T) {
	t.Parallel()
	for name, half := range map[string]string{
		"no answer":             "",
		"half an answer":        `{"issuer": "`,
		"an answer without end": strings.Repeat("x", providerAnswer+1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			leave := make(chan struct{})
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				if half != "" {
					_, _ = w.Write([]byte(half))
					_ = http.NewResponseController(w).Flush()
				}
				<-leave
			}))
			t.Cleanup(s.Close)
			t.Cleanup(func() { close(leave) })
			p := newProvider(OIDCConfig{Issuer: s.URL, ClientID: "explorer"})
			for i := range 50 {
				began := time.Now()
				_, err := p.configuration(t.Context())
				var away *ProviderError
				if !errors.As(err, &away) || away.Seconds() < 1 || away.RetryAfter > providerRest {
					t.Fatalf("%v", err)
				}
				if took := time.Since(began); i == 0 && took > 2*providerTimeout || i > 0 && took > providerTimeout/2 {
					t.Errorf("answer %d took %s", i, took)
				}
			}
			if n := asked.Load(); n != 1 {
				t.Errorf("the provider was asked %d times", n)
			}
			// One tries again for all.
			p.guard.mu.Lock()
			p.guard.until = time.Now()
			p.guard.mu.Unlock()
			leaveTrial, err := p.guard.enter(false)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.guard.enter(false); !errors.Is(err, errAway) {
				t.Errorf("a second trial: %v", err)
			}
			leaveTrial(false)
			if end, err := p.guard.enter(false); err != nil {
				t.Errorf("once it answers: %v", err)
			} else {
				end(false)
			}
		})
	}
}

// TestProviderIsNotFollowed makes the provider redirect requests: secrets are not sent elsewhere.
func TestProviderIsNotFollowed(t *testing.T) {
	t.Parallel()
	var told atomic.Int32
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { told.Add(1) }))
	t.Cleanup(elsewhere.Close)
	s := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	t.Cleanup(s.Close)
	client, _ := newClient()
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL, strings.NewReader("client_secret=x"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	if told.Load() != 0 {
		t.Error("a redirect was followed")
	}
}

// TestSignInsLeaveRoomForRoles has strangers sign in, at a provider that takes its time.
func TestSignInsLeaveRoomForRoles(t *testing.T) {
	t.Parallel()
	_, g := newClient()
	fill := func(signIn bool, want int) (leave []func(bool)) {
		t.Helper()
		for {
			end, err := g.enter(signIn)
			if err != nil {
				break
			}
			leave = append(leave, end)
		}
		if len(leave) != want {
			t.Errorf("%d requests, want %d", len(leave), want)
		}
		return leave
	}
	for range 2 {
		for _, leave := range append(fill(true, providerSignIns), fill(false, providerRequests-providerSignIns)...) {
			leave(false)
		}
	}
}

// TestSignInsAreToldApart has the provider take its time for codes: as many are exchanged at once as may be.
func TestSignInsAreToldApart(t *testing.T) {
	t.Parallel()
	var s *httptest.Server
	asked, answer := make(chan struct{}, 64), make(chan struct{})
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path != "/token" {
			_, _ = fmt.Fprintf(w,
				`{"issuer": %[1]q, "authorization_endpoint": "%[1]s/authorize", "token_endpoint": "%[1]s/token", "jwks_uri": "%[1]s/keys", "userinfo_endpoint": "%[1]s/userinfo"}`, s.URL)
			return
		}
		asked <- struct{}{}
		<-answer
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error": "invalid_grant"}`))
	}))
	t.Cleanup(s.Close)
	p := newProvider(OIDCConfig{Issuer: s.URL, ClientID: "explorer"})
	if _, err := p.configuration(t.Context()); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, providerSignIns)
	for range providerSignIns {
		go func() { _, _, err := p.exchange(t.Context(), "code", "", ""); ended <- err }()
		<-asked
	}
	if _, _, err := p.exchange(t.Context(), "code", "", ""); !errors.Is(err, ErrProvider) {
		t.Errorf("one more: %v", err)
	}
	roles := make(chan error, 1)
	go func() { _, _, err := p.reread(t.Context(), tokens{Refresh: "r"}, "ada"); roles <- err }()
	<-asked
	close(answer)
	for range providerSignIns {
		if err := <-ended; !errors.Is(err, ErrRefused) {
			t.Errorf("a sign-in: %v", err)
		}
	}
	if err := <-roles; !errors.Is(err, ErrRefused) {
		t.Errorf("roles: %v", err)
	}
}
