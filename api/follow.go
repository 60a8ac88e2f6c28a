package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/tmaxmax/go-sse"
)

// Error makes a Problem an error that says what is wrong with the request.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Detail
}

// ProblemOf makes an error of an answer that is none of those wanted. What something in between answered, in words of
// its own, is a Problem too, of type "about:blank".
func ProblemOf(resp *http.Response, body []byte) *Problem {
	blank := Problem{
		Type: "about:blank", Title: http.StatusText(resp.StatusCode), Status: resp.StatusCode,
		Detail: fmt.Sprintf("%s answered %s", resp.Request.URL.Redacted(), resp.Status),
	}
	p := blank // RFC 9457 lets each member be left out
	p.Title = ""
	if err := json.Unmarshal(body, &p); err != nil || p.Title == "" {
		return &blank
	}
	return &p
}

const (
	firstWait, longestWait = 250 * time.Millisecond, 5 * time.Second
	maxEvent               = 16 << 20
	silence                = 45 * time.Second // the server says something every 15 s at least
)

// FollowRun gives a run's events as they happen, first those with an id greater than after that are there already, and
// ends when the run has. When the connection breaks, or the server is away, it goes on where it was as soon as it can,
// without loss or repetition. The error is ctx's, or a *Problem that will not get better, such as a 404; it comes last.
//
// client is a Client or a ClientWithResponses. It must not end the whole of a request after a time:
// use a transport with timeouts instead.
func FollowRun(ctx context.Context, client ClientInterface, runID string, after int64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		followRun(ctx, client, runID, after, func(e Event, _ json.RawMessage, err error) bool { return yield(e, err) })
	}
}

// FollowRunRaw is FollowRun for who wants events as they were sent, with fields that Event does not have.
func FollowRunRaw(ctx context.Context, client ClientInterface, runID string, after int64,
) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		followRun(ctx, client, runID, after, func(_ Event, raw json.RawMessage, err error) bool { return yield(raw, err) })
	}
}

// yieldEvent takes an event, parsed and as it was sent, or the error that ends the stream. It reports whether more is
// wanted.
type yieldEvent func(e Event, raw json.RawMessage, err error) bool

func followRun(ctx context.Context, client ClientInterface, runID string, after int64, yield yieldEvent) {
	last, wait := after, firstWait
	for {
		got, ended, err := followOnce(ctx, client, runID, &last, yield)
		switch {
		case ended:
			return
		case ctx.Err() != nil:
			yield(Event{}, nil, ctx.Err())
			return
		}
		var p *Problem
		if errors.As(err, &p) && p.Status < 500 && p.Status != http.StatusTooManyRequests {
			yield(Event{}, nil, p)
			return
		}
		if got > 0 {
			wait = firstWait
		}
		if got > 0 && err == nil {
			continue // it told everything, which the next answer confirms at once
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, longestWait)
	}
}

// followOnce reads one connection's events. ended: nothing more will come, or nothing more is wanted.
func followOnce(ctx context.Context, client ClientInterface, runID string, last *int64, yield yieldEvent,
) (got int, ended bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch := time.AfterFunc(silence, cancel)
	defer watch.Stop()
	resp, err := client.ListRunEvents(ctx, runID, nil, func(_ context.Context, r *http.Request) error {
		r.Header.Set("Accept", "text/event-stream")
		if *last > 0 {
			r.Header.Set("Last-Event-ID", strconv.FormatInt(*last, 10))
		}
		return nil
	})
	if err != nil {
		return 0, false, err
	}
	defer resp.Body.Close() //nolint:errcheck // read only
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNoContent:
		return 0, true, nil
	default:
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err != nil {
			return 0, false, err
		}
		return 0, false, ProblemOf(resp, body)
	}
	for message, err := range sse.Read(&kept{resp.Body, watch}, &sse.ReadConfig{MaxEventSize: maxEvent}) {
		if err != nil {
			return got, false, err
		}
		var e Event
		if err := json.Unmarshal([]byte(message.Data), &e); err != nil || e.ID <= 0 || e.Type == "" {
			continue // a message of another kind, which a newer server may send in between
		}
		*last = e.ID
		got++
		if !yield(e, json.RawMessage(message.Data), nil) {
			return got, true, nil
		}
	}
	return got, false, nil
}

// kept puts off the end of a connection as long as anything comes.
type kept struct {
	io.Reader
	watch *time.Timer
}

func (k *kept) Read(p []byte) (int, error) {
	n, err := k.Reader.Read(p)
	k.watch.Reset(silence)
	return n, err
}
