package embed_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/parliament/embed"
)

func client(t testing.TB, h http.HandlerFunc) *embed.Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := embed.New(embed.Config{
		URL: s.URL + "/v1", Model: "small", APIKey: "sk-1", Timeout: time.Second, RetryDelay: time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEmbed(t *testing.T) {
	t.Parallel()
	var tries atomic.Int32
	c := client(t, func(w http.ResponseWriter, r *http.Request) {
		var q struct {
			Model string
			Input []string
		}
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Model != "small" || r.URL.Path != "/v1/embeddings" ||
			r.Header.Get("Authorization") != "Bearer sk-1" {
			t.Errorf("%s %+v %v", r.URL.Path, q, err)
		}
		switch tries.Add(1) { // what passes is tried again
		case 1:
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		case 2:
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		fmt.Fprint(
			w,
			`{"data": [{"index": 1, "embedding": [0, 2]}, {"index": 0, "embedding": [3, 4]}], "usage": {"prompt_tokens": 7, "total_tokens": 7}}`,
		)
	})
	r, err := c.Embed(t.Context(), []string{"a", "b"})
	if err != nil || r.Tokens != 7 || tries.Load() != 3 {
		t.Fatalf("%+v, %v after %d tries", r, err, tries.Load())
	}
	if a, b := r.Embeddings[0], r.Embeddings[1]; math.Abs(float64(a[0])-.6) > 1e-6 || math.Abs(float64(a[1])-.8) > 1e-6 ||
		b[0] != 0 || b[1] != 1 {
		t.Errorf("%v", r.Embeddings)
	}
}

func TestEmbedFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		want   string
		tries  int32
	}{
		"another number of them": {200, `{"data": [{"embedding": [1]}]}`, "1 embeddings for 2 texts", 1},
		"of two sizes":           {200, `{"data": [{"embedding": [1, 2]}, {"embedding": [1]}]}`, "1 numbers beside one of 2", 1},
		"without numbers":        {200, `{"data": [{"embedding": []}, {"embedding": []}]}`, "0 numbers", 1},
		"without direction":      {200, `{"data": [{"embedding": [0, 0]}, {"embedding": [1, 1]}]}`, "no direction", 1},
		"the same index twice":   {200, `{"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}`, "indexes", 1},
		"an index beyond":        {200, `{"data": [{"index": 9, "embedding": [1]}, {"index": -1, "embedding": [1]}]}`, "indexes", 1},
		"HTML":                   {200, `<html>`, "not the JSON expected", 1},
		"a wrong key":            {401, `{"error": "no"}`, "401", 1},
		"down":                   {503, ``, "503", 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tries atomic.Int32
			cl := client(t, func(w http.ResponseWriter, _ *http.Request) {
				tries.Add(1)
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			})
			if _, err := cl.Embed(t.Context(), []string{"a", "b"}); err == nil || !strings.Contains(err.Error(), c.want) ||
				tries.Load() != c.tries {
				t.Errorf("%v after %d tries, want %q after %d", err, tries.Load(), c.want, c.tries)
			}
		})
	}
	hang := make(chan struct{})
	silent := client(t, func(http.ResponseWriter, *http.Request) { <-hang })
	t.Cleanup(func() { close(hang) }) // before the server waits for its answer
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := silent.Once(ctx, []string{"a"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("silent: %v", err)
	}
	for _, cfg := range []embed.Config{{URL: "x", Model: "m"}, {URL: "http://x"}} {
		if _, err := embed.New(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
}

// FuzzAnswer feeds anything through the reader of answers.
func FuzzAnswer(f *testing.F) {
	for _, s := range []string{
		`{"data": [{"index": 0, "embedding": [3, 4]}]}`, `{"data": [{"embedding": [1e38, 1e38]}]}`,
		`{"data": [{"embedding": [1e-45]}]}`, `{}`, `null`,
	} {
		f.Add([]byte(s), 1)
	}
	f.Fuzz(func(t *testing.T, raw []byte, n int) {
		r, err := embed.Read(raw, n%100)
		if err != nil {
			return
		}
		for _, e := range r.Embeddings {
			var sum float64
			for _, x := range e {
				sum += float64(x) * float64(x)
			}
			if len(e) == 0 || math.Abs(sum-1) > 1e-3 {
				t.Errorf("%s: %v", raw, e)
			}
		}
	})
}
