package server_test

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestConnectionAfterSlowRefusal has a refusal wait to be recorded for longer than the rest of its body is waited for:
// later requests on its connection are answered as any others.
func TestConnectionAfterSlowRefusal(t *testing.T) {
	t.Parallel()
	s := setup(t)
	locked, slow := make(chan struct{}), make(chan error, 1)
	go func() {
		slow <- s.db.Tx(t.Context(), func(tx pgx.Tx) error {
			if _, err := tx.Exec(t.Context(), "LOCK TABLE audit_log IN EXCLUSIVE MODE"); err != nil {
				return err
			}
			close(locked)
			_, err := tx.Exec(t.Context(), "SELECT pg_sleep(2.7)")
			return err
		})
	}()
	<-locked
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	ask := func(method, path, body string) (status int, reused bool) {
		t.Helper()
		ctx := httptrace.WithClientTrace(
			t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { reused = i.Reused }},
		)
		req, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, reused
	}
	status, _ := ask(http.MethodPost, "/assets/echo/materialize", `{"config": 1}`)
	if status != http.StatusUnprocessableEntity && status != http.StatusBadRequest {
		t.Errorf("what cannot be read: %d", status)
	}
	if err := <-slow; err != nil {
		t.Fatal(err)
	}
	if status, reused := ask(http.MethodGet, "/assets", ""); status != http.StatusOK || !reused {
		t.Errorf("the next request on the same connection (%t): %d", reused, status)
	}
}
