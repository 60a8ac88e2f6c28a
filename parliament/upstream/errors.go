package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

// StatusError is an answer with a status other than 200.
type StatusError struct {
	URL        string
	Status     int
	RetryAfter time.Duration // 0: not given
	Got        string        // what came: its type, the title of a page, where a redirect led
}

func (e *StatusError) Error() string {
	s := fmt.Sprintf("%s answered %d %s", e.URL, e.Status, http.StatusText(e.Status))
	if e.RetryAfter > 0 {
		s += fmt.Sprintf(" (retry after %s)", e.RetryAfter)
	}
	if e.Got != "" {
		s += " (" + e.Got + ")"
	}
	if e.Status == http.StatusForbidden {
		s += "; " + Refusal
	}
	return s
}

// Refusal is advice for an answer 403. parl.ca answers 403 to clients that it does not take for browsers.
const Refusal = "it may refuse the User-Agent: set USER_AGENT to one that it takes, with a contact in it"

// IsRefusal reports whether the service refuses this client.
func IsRefusal(err error) bool {
	var s *StatusError
	return errors.As(err, &s) && s.Status == http.StatusForbidden
}

// BodyError is an answer whose body cannot be used.
type BodyError struct {
	URL, Reason string
	transient   bool
}

func (e *BodyError) Error() string { return fmt.Sprintf("the answer of %s %s", e.URL, e.Reason) }

// UnavailableError is the error for a service that could not be reached after all retries. Err is the last cause.
type UnavailableError struct {
	Source string
	Err    error
}

func (e *UnavailableError) Error() string {
	if errors.Is(e.Err, circuitbreaker.ErrOpen) {
		return e.Source + " is unavailable: it failed too often just now and is left alone"
	}
	return fmt.Sprintf("%s is unavailable: %v", e.Source, e.Err)
}

func (e *UnavailableError) Unwrap() error { return e.Err }

// RecordError is the error of a record that could not be read. The other records can be used.
type RecordError struct {
	URL string
	Err error
	// More is the number of records, if the error stands for several.
	More int
}

func (e *RecordError) Error() string { return fmt.Sprintf("%s: %s", e.URL, Words(fmt.Sprint(e.Err))) }

func (e *RecordError) Unwrap() error { return e.Err }

// leftError is the error of a request whose caller left: its run was canceled or timed out, or the worker stops.
type leftError struct{ error }

func (e *leftError) Unwrap() error { return e.error }

type networkError struct{ error }

func (e *networkError) Unwrap() error { return e.error }

// IsLasting reports whether the same request would fail in the same way: the source does not have the resource, or its
// answer is refused.
func IsLasting(err error) bool {
	var status *StatusError
	var body *BodyError
	var record *RecordError
	switch {
	case errors.As(err, &status):
		return !isBusy(err)
	case errors.As(err, &body):
		return !body.transient
	}
	return errors.As(err, &record)
}

// isBusy reports whether an answer's status is temporary, even if it lasts for long.
func isBusy(err error) bool {
	var s *StatusError
	return errors.As(err, &s) && (s.Status >= 500 && s.Status != http.StatusNotImplemented ||
		s.Status == http.StatusTooManyRequests || s.Status == http.StatusRequestTimeout)
}

// isTransient reports whether the same request may succeed in a moment.
func isTransient(err error) bool {
	var left *leftError
	var status *StatusError
	var body *BodyError
	var network *networkError
	var lost *slotLostError
	switch {
	case err == nil || errors.As(err, &left):
		return false
	case errors.As(err, &lost):
		return true
	case errors.Is(err, context.Canceled):
		return false
	case errors.As(err, &status):
		return isBusy(err) && status.RetryAfter <= maxRetryAfter
	case errors.As(err, &body):
		return body.transient
	}
	return errors.As(err, &network)
}
