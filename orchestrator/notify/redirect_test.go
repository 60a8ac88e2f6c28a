package notify_test

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/notify"
)

// TestRedirects follows none: not to another service, and not within one.
func TestRedirects(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	t.Cleanup(other.Close)
	for _, status := range []int{300, 301, 302, 303, 304, 305, 307, 308} {
		for _, target := range []string{other.URL, "/again", ""} {
			var asked atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked.Add(1)
				if target != "" {
					w.Header().Set("Location", target)
				}
				w.WriteHeader(status)
			}))
			guard := notify.NewGuard(netip.MustParsePrefix("127.0.0.0/8"))
			for _, spec := range []string{"a=" + s.URL + "#whsec_" + strings.Repeat("AAAA", 10), "b=slack+" + s.URL} {
				c, err := notify.Parse(spec, guard)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := c.Send(t.Context(), notify.Message{ID: "1", Type: "alert.test", At: time.Now()}); err == nil ||
					!strings.Contains(err.Error(), "redirects are not followed") {
					t.Errorf("%d to %q: %v", status, target, err)
				}
			}
			if n := asked.Load(); n != 2 {
				t.Errorf("%d to %q: asked %d times, want twice", status, target, n)
			}
			s.Close()
		}
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("the other service was sent %d messages", n)
	}
}
