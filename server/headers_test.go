package server_test

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/server"
)

func TestSecurityHeaders(t *testing.T) {
	s := setup(t)
	for _, path := range []string{"/jobs", "/nothing", "/ui/", "/docs/", "/riverui/"} {
		h := s.do("GET", path, "").Header
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("X-Frame-Options") != "DENY" ||
			!strings.Contains(
				h.Get("Content-Security-Policy"), "frame-ancestors 'none'",
			) || h.Get("Referrer-Policy") == "" {
			t.Errorf("%s: %v", path, h)
		}
		if len(h.Values("Content-Security-Policy")) != 1 {
			t.Errorf("%s has %q", path, h.Values("Content-Security-Policy"))
		}
	}
	if h := s.do("GET", "/ui/", "").Header.Get("Content-Security-Policy"); strings.Contains(
		strings.ReplaceAll(h, "style-src 'self' 'unsafe-inline'", ""), "unsafe",
	) {
		t.Errorf("the UI's policy is %q", h)
	}
}

// TestTrustedProxy looks at whose address ends up in the audit log.
func TestTrustedProxy(t *testing.T) {
	for _, trust := range []bool{false, true} {
		s := setup(t, func(c *server.Config) {
			if trust {
				c.TrustedProxies = loopbackNet(t)
			}
		})
		decode[api.Run](t, s.do("POST", "/jobs/echo_job/runs", `{}`, "X-Forwarded-For", "203.0.113.9"), http.StatusAccepted)
		log := decode[api.AuditLog](t, s.do("GET", "/audit-log", ""), 200)
		want := "127.0.0.1"
		if trust {
			want = "203.0.113.9"
		}
		if log.Items[0].RemoteAddress != want {
			raw, _ := json.Marshal(log.Items[0])
			t.Errorf("trust %v: %s", trust, raw)
		}
	}
}

func loopbackNet(t *testing.T) []*net.IPNet {
	t.Helper()
	_, n, err := net.ParseCIDR("127.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	return []*net.IPNet{n}
}
