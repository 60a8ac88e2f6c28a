package access

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
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
