package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/runconfig"
)

// Errors; test for them with errors.Is.
var (
	// ErrNotFound means that there is no such asset, job, run, schedule or other thing.
	ErrNotFound = errors.New("not found")
	// ErrConflict means that the state of a thing does not allow the command.
	ErrConflict = errors.New("conflict")
	// ErrIdempotencyKeyReused means that the key was used before for another request.
	ErrIdempotencyKeyReused = errors.New("the Idempotency-Key was used before with another request")
)

// NotFoundError is an ErrNotFound that says what was looked for.
type NotFoundError struct{ Kind, Name string }

func (e *NotFoundError) Error() string { return fmt.Sprintf("%s %q does not exist", e.Kind, e.Name) }

// Is makes errors.Is(err, ErrNotFound) hold.
func (e *NotFoundError) Is(target error) bool { return target == ErrNotFound }

// ConflictError is an ErrConflict with its reason.
type ConflictError struct{ Reason string }

func (e *ConflictError) Error() string { return e.Reason }

// Is makes errors.Is(err, ErrConflict) hold.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }

// RequestError lists everything that is wrong with a request apart from its run config. The pointers are into the
// request. Nothing was done.
type RequestError struct{ Fields []runconfig.FieldError }

func (e *RequestError) Error() string { return "invalid request: " + runconfig.Describe(e.Fields) }

// invalidRequest makes a RequestError of one fault.
func invalidRequest(pointer, format string, args ...any) *RequestError {
	return &RequestError{Fields: []runconfig.FieldError{{Pointer: pointer, Detail: fmt.Sprintf(format, args...)}}}
}

// Class is the class of an error. It decides whether the step is retried.
type Class string

// The classes of errors.
const (
	ClassTransient  Class = "transient"   // retried as the asset's policy says
	ClassPermanent  Class = "permanent"   // not retried
	ClassTimeout    Class = "timeout"     // the attempt or the run took too long; an attempt is retried
	ClassCanceled   Class = "canceled"    // on request
	ClassBug        Class = "bug"         // the asset function panicked; not retried
	ClassLostWorker Class = "lost_worker" // its worker died too often
	ClassCheck      Class = "check"       // an asset check held back the steps downstream
)

// Error is why a step or run failed.
type Error struct {
	Class   Class  `json:"class"`
	Message string `json:"message"`
	// Stack is set for a bug.
	Stack string `json:"stack,omitempty"`
}

type classified struct {
	error
	class      Class
	retryAfter time.Duration
}

func (c *classified) Unwrap() error { return c.error }

// Permanent marks an error as one that another attempt would return too: the step is not retried.
func Permanent(err error) error { return &classified{error: err, class: ClassPermanent} }

// RetryAfter marks an error as transient, and has the next attempt wait at least this long.
func RetryAfter(err error, wait time.Duration) error {
	return &classified{error: err, class: ClassTransient, retryAfter: wait}
}

// refusal reports whether an error is about the request itself, which would be refused the next time too.
func refusal(err error) bool {
	var (
		config  *runconfig.InvalidError
		request *RequestError
	)
	return errors.As(err, &config) || errors.As(err, &request) || errors.Is(err, ErrNotFound) ||
		errors.Is(err, ErrConflict)
}

// withContext adds what failed to an error. A refusal stays as it is, because clients read its text.
func withContext(err error, format string, args ...any) error {
	if err == nil || refusal(err) || errors.Is(err, ErrIdempotencyKeyReused) {
		return err
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}

// databaseTrouble reports whether the database was unavailable or too slow, so that the same may succeed later.
func databaseTrouble(err error) bool {
	return db.Unavailable(err) || errors.Is(err, context.DeadlineExceeded)
}
