// Package explorer is the Go client of Parliament Explorer, beside the clients for TypeScript and Python. Begin reading
// at New, whose Client has a method for each operation of the contract, such as ListBillsWithResponse, and at
// FollowRun.
//
// Requests, responses and errors are the types of package api, which is generated from openapi.yaml. The names here are
// aliases, so programs that import only api still work.
package explorer

import (
	"context"
	"iter"
	"net/http"

	"github.com/parliament-explorer/parliament-explorer/api"
)

type (
	// Client sends requests to a server. Its methods may be called by several goroutines.
	Client = api.ClientWithResponses
	// Option changes a Client.
	Option = api.ClientOption
	// Event is an entry of the event log.
	Event = api.Event
	// Problem is an error answer (RFC 9457). It is an error.
	Problem = api.Problem
)

// New returns a client for the server at an address, such as http://127.0.0.1:8080.
func New(server string, options ...Option) (*Client, error) {
	return api.NewClientWithResponses(server, options...)
}

// WithKey sends an API key with every request.
func WithKey(key string) Option {
	return api.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+key)
		return nil
	})
}

// WithHTTPClient sends requests with an HTTP client. It must not limit the time of a whole request, which would cut
// streams of events off; the timeouts of its transport are enough.
func WithHTTPClient(client api.HttpRequestDoer) Option { return api.WithHTTPClient(client) }

// ProblemOf returns the error of a response that has none of the wanted status codes.
func ProblemOf(resp *http.Response, body []byte) *Problem { return api.ProblemOf(resp, body) }

// FollowRun returns a run's events as they happen, from the first one whose id is greater than after. It ends when the
// run has ended. When the connection breaks it resumes without loss or repetition. The last error is that of ctx, or a
// *Problem for which a retry does not help, such as 404.
func FollowRun(ctx context.Context, client api.ClientInterface, runID string, after int64) iter.Seq2[Event, error] {
	return api.FollowRun(ctx, client, runID, after)
}
