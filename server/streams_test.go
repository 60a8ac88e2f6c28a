package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/server"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// another is a second server on the site's database; it gives its address.
func (s *site) another(change ...func(*access.Config)) string {
	s.t.Helper()
	log := slog.New(slog.DiscardHandler)
	defs, err := orchestrator.NewDefinitions(orchestrator.Declarations{})
	if err != nil {
		s.t.Fatal(err)
	}
	e, err := orchestrator.New(orchestrator.Config{DB: s.db, Definitions: defs, Logger: log})
	if err != nil {
		s.t.Fatal(err)
	}
	ac := access.Config{Required: true, DB: s.db, Logger: log}
	for _, f := range change {
		f(&ac)
	}
	control, err := access.New(ac)
	if err != nil {
		s.t.Fatal(err)
	}
	srv, err := server.New(server.Config{DB: s.db, Engine: e, Store: s.store, Logger: log, Access: control})
	if err != nil {
		s.t.Fatal(err)
	}
	if err := e.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	hs := httptest.NewServer(srv.Handler())
	s.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = e.Stop(ctx)
		hs.Close()
	})
	return hs.URL
}

// open begins a stream; ended gets the time at which it ended.
func open(t *testing.T, url string, headers ...string) (ended <-chan time.Time) {
	t.Helper()
	ended, err := begin(t, url, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return ended
}

// begin is open for a stream that may be refused.
func begin(t *testing.T, url string, headers ...string) (ended <-chan time.Time, refused error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	body := bufio.NewReader(resp.Body)
	if line, err := body.ReadString('\n'); resp.StatusCode != 200 || err != nil {
		return nil, fmt.Errorf("%s: %d %q %w", url, resp.StatusCode, line, err)
	}
	done := make(chan time.Time, 1)
	go func() {
		_, _ = io.Copy(io.Discard, body)
		done <- time.Now()
	}()
	return done, nil
}

// TestStreamsEnd ends keys, sessions and roles while event streams go on, on the server where that is done and on
// another.
func TestStreamsEnd(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	s := guarded(t, func(c *access.Config) { c.OIDC = p.config() })
	other := s.another(func(c *access.Config) { c.OIDC = p.config() })
	_, root := s.key("root", access.ScopeAdmin, nil)
	stays := open(t, other+"/events", append(bearer(root), "Accept", "text/event-stream")...)
	for name, end := range map[string]func(t *testing.T) (headers []string, end func()){
		"revoked": func(*testing.T) ([]string, func()) {
			id, key := s.key("ops", access.ScopeRead, nil)
			return bearer(key), func() { s.do("DELETE", "/keys/"+id.String(), "", bearer(root)...) }
		},
		"revoked in the database": func(t *testing.T) ([]string, func()) {
			id, key := s.key("ops2", access.ScopeRead, nil)
			return bearer(key), func() {
				if _, err := access.RevokeKey(t.Context(), s.db.Pool, id); err != nil {
					t.Error(err)
				}
			}
		},
		"signed out": func(t *testing.T) ([]string, func()) {
			_, key := s.key("ops3", access.ScopeRead, nil)
			b := s.browser()
			decode[api.SessionState](t, b.do("POST", "/session", fmt.Sprintf(`{"key": %q}`, key)), 200)
			return []string{"Cookie", b.cookie()}, func() { b.do("DELETE", "/session", "") }
		},
		"the key of a session": func(t *testing.T) ([]string, func()) {
			id, key := s.key("ops4", access.ScopeRead, nil)
			b := s.browser()
			decode[api.SessionState](t, b.do("POST", "/session", fmt.Sprintf(`{"key": %q}`, key)), 200)
			return []string{"Cookie", b.cookie()}, func() { s.do("DELETE", "/keys/"+id.String(), "", bearer(root)...) }
		},
		"ended by an admin": func(t *testing.T) ([]string, func()) {
			p.set(func() { p.roles["ada"] = []string{"read"} })
			b := p.enter(s, "ada")
			return []string{"Cookie", b.cookie()}, func() {
				s.do(
					"DELETE", "/sessions?subject=ada", "", bearer(root)...,
				)
			}
		},
		"a sign-in that was refused": func(t *testing.T) ([]string, func()) {
			p.set(func() { p.roles["bob"] = []string{"read"} })
			b := p.enter(s, "bob")
			p.set(func() { p.roles["bob"] = []string{} })
			return []string{"Cookie", b.cookie()}, func() { p.signIn(s.browser(), "bob") }
		},
		"roles that were removed": func(t *testing.T) ([]string, func()) {
			p.set(func() { p.roles["eve"] = []string{"read"} })
			b := p.enter(s, "eve")
			p.set(func() { p.roles["eve"] = []string{} })
			return []string{"Cookie", b.cookie()}, func() {
				s.exec("UPDATE sessions SET roles_read_at = now() - interval '270 seconds' WHERE subject = 'eve'")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			headers, end := end(t)
			headers = append(headers, "Accept", "text/event-stream")
			streams := map[string]<-chan time.Time{
				"/events": open(t, s.url+"/events", headers...), "/status": open(t, s.url+"/status", headers...),
				"/events elsewhere": open(t, other+"/events", headers...), "/status elsewhere": open(t, other+"/status", headers...),
			}
			end()
			for at, ended := range streams {
				select {
				case <-ended:
				case <-time.After(30 * time.Second):
					t.Fatalf("%s goes on", at)
				}
			}
		})
	}
	select {
	case <-stays:
		t.Error("a stream of a key that counts ended")
	default:
	}
}

// TestStreamsEndWhenTheirKeyExpires needs no database to know it. On a slow machine, the key may expire before the
// streams are open; then it is tried again with more time.
func TestStreamsEndWhenTheirKeyExpires(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	for lifetime := 2 * time.Second; ; lifetime *= 2 {
		expires := time.Now().Add(lifetime)
		_, key := s.key("ops", access.ScopeAdmin, &expires)
		if s.openUntil(t, expires, key) {
			return
		}
		if lifetime > time.Minute {
			t.Fatal("no stream begins in a minute")
		}
	}
}

// openUntil opens streams with a key and waits until they end, which must not be before the key expires. It returns
// false if the key expired before the streams were open.
func (s *site) openUntil(t *testing.T, expires time.Time, key string) bool {
	t.Helper()
	headers := append(bearer(key), "Accept", "text/event-stream")
	streams := map[string]<-chan time.Time{}
	for _, path := range []string{"/events", "/status"} {
		ended, err := begin(t, s.url+path, headers...)
		if err != nil && time.Now().After(expires) {
			return false
		}
		if err != nil {
			t.Fatal(err)
		}
		streams[path] = ended
	}
	for at, ended := range streams {
		select {
		case when := <-ended:
			if when.Before(expires) {
				t.Errorf("%s ended %s before the key", at, expires.Sub(when))
			}
		case <-time.After(time.Until(expires) + 30*time.Second):
			t.Fatalf("%s goes on", at)
		}
	}
	return true
}
