package upstream

import (
	"context"
	"time"
)

// Observer receives what a client does for one caller. Its functions are called concurrently. Either may be nil.
type Observer struct {
	// Request is called for each request that is sent.
	Request func(source string)
	// Retry is called before a failed request is retried after a wait.
	Retry func(source string, err error, attempt int, wait time.Duration)
}

func (o Observer) request(source string) {
	if o.Request != nil {
		o.Request(source)
	}
}

func (o Observer) retrying(source string, err error, attempt int, wait time.Duration) {
	if o.Retry != nil {
		o.Retry(source, err, attempt, wait)
	}
}

type observerKey struct{}

// WithObserver returns a context under which clients report to o.
func WithObserver(ctx context.Context, o Observer) context.Context {
	return context.WithValue(ctx, observerKey{}, o)
}

func observerOf(ctx context.Context) Observer {
	o, _ := ctx.Value(observerKey{}).(Observer)
	return o
}
