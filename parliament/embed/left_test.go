package embed_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/parliament/embed"
)

// Nobody waits any more: the endpoint is not tried again, and the error is why.
func TestLeftEmbedding(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 10)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a server notices that its client went only after that
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(s.Close)
	c, err := embed.New(embed.Config{URL: s.URL, Model: "m", RetryDelay: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	gone := errors.New("job cancelled remotely")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() { <-asked; cancel(gone) }()
	if _, err := c.Embed(ctx, []string{"x"}); !errors.Is(err, gone) {
		t.Errorf("%v", err)
	}
	if len(asked) > 0 {
		t.Errorf("asked %d times more", len(asked))
	}
}
