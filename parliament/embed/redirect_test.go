package embed_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/parliament/embed"
)

// TestRedirects sends texts and the key where the configuration says, and nowhere else.
func TestRedirects(t *testing.T) {
	t.Parallel()
	var elsewhere atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		elsewhere.Add(1)
		fmt.Fprint(w, `{"data": [{"embedding": [1]}]}`)
	}))
	t.Cleanup(other.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, target := range []string{other.URL, "/v1/again"} {
			var asked atomic.Int32
			c := client(t, func(w http.ResponseWriter, r *http.Request) { asked.Add(1); http.Redirect(w, r, target, status) })
			if _, err := c.Embed(t.Context(), []string{"a"}); err == nil || !strings.Contains(err.Error(), fmt.Sprint(status)) {
				t.Errorf("%d to %s: %v", status, target, err)
			}
			if asked.Load() != 1 || elsewhere.Load() != 0 {
				t.Errorf("%d to %s: asked %d times, the other service %d times", status, target, asked.Load(), elsewhere.Load())
			}
		}
	}
}

// TestSecrets are in no error: not the key that an endpoint repeats, not the password of its address.
func TestSecrets(t *testing.T) {
	t.Parallel()
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, "wrong: %s\x1b[2J", r.Header.Get("Authorization"))
	})
	if _, err := c.Once(t.Context(), []string{"a"}); err == nil || strings.Contains(err.Error(), "sk-1") ||
		strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%v", err)
	}
	for _, address := range []string{"ftp://me:s3cret@x", "http://me:s3cret@", "http://me:s3cret@x:y", "me:s3cret@x"} {
		if _, err := embed.New(embed.Config{URL: address, Model: "m"}); err == nil ||
			strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// TestLongAnswers are not read to their end, and of many numbers no room is made for them.
func TestLongAnswers(t *testing.T) {
	t.Parallel()
	endless := client(t, func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := fmt.Fprint(w, strings.Repeat("0,", 1000)); err != nil {
				return
			}
		}
	})
	if _, err := endless.Once(t.Context(), []string{"a"}); err == nil ||
		!strings.Contains(err.Error(), "longer than 1048576 bytes") {
		t.Errorf("%v", err)
	}
	if _, err := embed.Read([]byte(`{"data": [{"embedding": [0`+strings.Repeat(",0", 5<<20)+`]}]}`), 100); err == nil ||
		!strings.Contains(err.Error(), "more than 4194304 values") {
		t.Errorf("%v", err)
	}
}
