package server_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/server"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// TestWhoIsRecognized asks a server that has just begun, to which nobody has sent anything, whom it lets wait behind
// strangers.
func TestWhoIsRecognized(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	past := time.Now().Add(-time.Minute)
	_, good := s.key("ops", access.ScopeRead, nil)
	_, expired := s.key("late", access.ScopeRead, &past)
	id, revoked := s.key("gone", access.ScopeRead, nil)
	session := func(key string) string {
		b := s.browser()
		decode[api.SessionState](t, b.do("POST", "/session", fmt.Sprintf(`{"key": %q}`, key)), 200)
		return strings.TrimPrefix(b.cookie(), access.CookieName+"=")
	}
	signedIn, late, ofRevoked := session(good), session(good), session(revoked)
	s.exec(`UPDATE sessions SET expiry = now() - interval '1 second'
		WHERE id = (SELECT max(id::text)::uuid FROM sessions WHERE name = 'ops')`)
	if _, err := access.RevokeKey(t.Context(), s.db.Pool, id); err != nil {
		t.Fatal(err)
	}
	control, err := access.New(access.Config{Required: true, DB: s.db, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	request := func(header ...string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/jobs", http.NoBody)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return r
	}
	cookie := func(token string) []string { return []string{"Cookie", access.CookieName + "=" + token} }
	clients := map[string]string{}
	for name, c := range map[string]struct {
		header []string
		want   bool
	}{
		"a key":                          {bearer(good), true},
		"a session":                      {cookie(signedIn), true},
		"an expired key":                 {bearer(expired), false},
		"a revoked key":                  {bearer(revoked), false},
		"a wrong key":                    {bearer(good + "x"), false},
		"a session that expired":         {cookie(late), false},
		"a session of a revoked key":     {cookie(ofRevoked), false},
		"a session of nobody":            {cookie("x"), false},
		"a session as a key":             {bearer("session " + signedIn), false},
		"a key as a session":             {cookie(good), false},
		"a key by another scheme":        {[]string{"Authorization", "Basic " + good}, false},
		"nothing":                        {nil, false},
		"an empty key":                   {bearer(" "), false},
		"an empty session":               {cookie(""), false},
		"a session's token as a key":     {bearer(signedIn), false},
		"a key that begins as keys do":   {bearer("pex_"), false},
		"a session that is far too long": {cookie(signedIn + fmt.Sprintf("%0200d", 1)), false},
	} {
		client, got := control.Recognizes(request(c.header...))
		if got != c.want {
			t.Errorf("%s: %t", name, got)
		}
		if other, taken := clients[client]; taken && client != "" {
			t.Errorf("%s and %s are one client", name, other)
		}
		clients[client] = name
	}
	// What counted lately is of its kind too.
	if who, err := control.Identify(request(cookie(signedIn)...), "192.0.2.1"); who == nil || err != nil {
		t.Fatal(who, err)
	}
	for _, header := range [][]string{bearer("session " + signedIn), cookie("key " + good), bearer(signedIn)} {
		if _, ok := control.Recognizes(request(header...)); ok {
			t.Errorf("%q is recognized", header)
		}
	}
}

// TestConnectionsOfARevokedKey are those of strangers: a key that counted a moment ago does not keep them.
func TestConnectionsOfARevokedKey(t *testing.T) {
	t.Parallel()
	var control *access.Control
	s := setup(t, func(cfg *server.Config) {
		var err error
		if control, err = access.New(access.Config{Required: true, DB: cfg.DB, Logger: cfg.Logger}); err != nil {
			t.Fatal(err)
		}
		cfg.Access, cfg.MaxConnections = control, 20
	})
	id, key := s.key("ops", access.ScopeRead, nil)
	if got := s.do("GET", "/jobs", "", bearer(key)...); got.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", got.StatusCode, got.body)
	}
	if _, err := control.RevokeKey(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	c := s.dial("GET /jobs HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " + key + "\r\n\r\n")
	answers := bufio.NewReader(c)
	resp, err := http.ReadResponse(answers, nil)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Fatal(resp, err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		s.dial("GET / HTTP/1.1\r\n")
	}
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := answers.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("it is kept: %v", err)
	}
}
