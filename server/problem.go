package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/runconfig"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// problem is an error in the form in which the client gets it.
type problem struct {
	status int
	kind   string // the last part of the type
	detail string
	fields []api.FieldError
}

func (p *problem) Error() string { return p.detail }

// invalid returns the problem for invalid fields.
func invalid(fields ...api.FieldError) *problem { return invalidOf(len(fields), fields) }

// invalidOf returns the problem for total invalid fields, of which fields are the first ones.
func invalidOf(total int, fields []api.FieldError) *problem {
	noun := "fields are"
	if total == 1 {
		noun = "field is"
	}
	fields = boundFields(fields)
	return &problem{
		status: http.StatusUnprocessableEntity, kind: "invalid",
		detail: fmt.Sprintf("%s %s invalid: %s", thousands(total), noun, describeFields(fields, total)), fields: fields,
	}
}

func invalidField(pointer, format string, args ...any) *problem {
	return invalid(api.FieldError{Pointer: pointer, Detail: fmt.Sprintf(format, args...)})
}

type panicError struct {
	value any
	stack string
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }

func stack() string { return string(debug.Stack()) }

// problemOf maps errors to answers; it is the only function that does. An error that it does not know is an internal
// error, of which the client learns only the request id.
func problemOf(err error, requestID string) *problem {
	var (
		p       *problem
		config  *runconfig.InvalidError
		request *orchestrator.RequestError
		httpErr *echo.HTTPError
		limit   *access.LimitError
		audit   *access.AuditError
	)
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &config):
		fields := make([]api.FieldError, len(config.Fields))
		for i, f := range config.Fields {
			fields[i] = api.FieldError{Pointer: "/config" + f.Pointer, Detail: f.Detail}
		}
		return invalid(fields...)
	case errors.As(err, &request):
		return invalid(each(request.Fields, func(f runconfig.FieldError) api.FieldError {
			return api.FieldError{Pointer: f.Pointer, Detail: f.Detail}
		})...)
	case errors.As(err, &limit):
		return &problem{status: http.StatusTooManyRequests, kind: "too_many_requests", detail: limit.Error()}
	case errors.As(err, &audit):
		return &problem{
			status: http.StatusServiceUnavailable, kind: "unavailable",
			detail: "this cannot be recorded in the audit log just now, so nothing was done; try again",
		}
	case errors.Is(err, access.ErrForbidden):
		return &problem{status: http.StatusForbidden, kind: "forbidden", detail: err.Error()}
	case errors.Is(err, access.ErrProvider):
		return &problem{status: http.StatusServiceUnavailable, kind: "unavailable", detail: err.Error()}
	case errors.Is(err, access.ErrNoSession):
		return &problem{status: http.StatusNotFound, kind: "not_found", detail: err.Error()}
	case errors.Is(err, orchestrator.ErrNotFound), errors.Is(err, parliament.ErrNotFound),
		errors.Is(err, parliament.ErrBadID), errors.Is(err, access.ErrNotFound), errors.Is(err, access.ErrNoOIDC):
		return &problem{status: http.StatusNotFound, kind: "not_found", detail: err.Error()}
	case errors.Is(err, orchestrator.ErrIdempotencyKeyReused):
		return &problem{status: http.StatusConflict, kind: "idempotency_key_reused", detail: err.Error()}
	case errors.Is(err, orchestrator.ErrConflict):
		return &problem{status: http.StatusConflict, kind: "conflict", detail: err.Error()}
	case errors.As(err, &httpErr):
		return problemOfHTTP(httpErr)
	case errors.Is(err, context.DeadlineExceeded):
		return &problem{
			status: http.StatusServiceUnavailable, kind: "unavailable",
			detail: "the database took too long to answer; try again",
		}
	case db.Unavailable(err):
		return &problem{
			status: http.StatusServiceUnavailable, kind: "unavailable",
			detail: "the database cannot be used just now; nothing was done; try again",
		}
	}
	return &problem{
		status: http.StatusInternalServerError, kind: "internal",
		detail: "something went wrong; the server's log has it under request id " + requestID,
	}
}

// problemOfHTTP maps the errors that Echo makes.
func problemOfHTTP(e *echo.HTTPError) *problem {
	detail := fmt.Sprint(e.Message)
	kind := strings.ToLower(strings.ReplaceAll(http.StatusText(e.Code), " ", "_"))
	switch e.Code {
	case http.StatusNotFound:
		kind, detail = "not_found", "there is nothing at this address; GET /openapi.json describes what there is"
	case http.StatusMethodNotAllowed:
		detail = "this address does not take this method; the Allow header says which it takes"
	case http.StatusBadRequest:
		kind = "malformed"
	case http.StatusRequestEntityTooLarge:
		kind = "too_large"
	}
	return &problem{status: e.Code, kind: kind, detail: detail}
}

// handleError implements echo.HTTPErrorHandler.
func (s *Server) handleError(err error, c echo.Context) {
	id := requestID(c)
	p := problemOf(err, id)
	r := c.Request()
	gone := r.Context().Err() != nil
	var meant *problem // a deliberate refusal, which clients can cause any number of times and is not logged
	if p.status >= 500 && !gone && !errors.As(err, &meant) {
		attrs := []any{"method", knownMethod(r), "path", clip(r.URL.Path, 500), "request_id", id, "error", err}
		var pe *panicError
		if errors.As(err, &pe) {
			attrs = append(attrs, "stack", pe.stack)
		}
		s.cfg.Logger.Error("request failed", attrs...)
	}
	if c.Response().Committed {
		return // the answer has begun and cannot be replaced
	}
	var limit *access.LimitError
	if errors.As(err, &limit) {
		c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(limit.Seconds()))
	}
	var provider *access.ProviderError
	if errors.As(err, &provider) {
		c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(provider.Seconds()))
	}
	writeProblem(c.Response(), r, p)
}

// writeProblem answers in the language that the client prefers. A problem has one language, unlike the messages in
// data, because it is for the one who sent the request; Vary keeps caches from giving it to somebody else.
func writeProblem(w http.ResponseWriter, r *http.Request, p *problem) {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false) // people read it
	answer := api.Problem{
		Type: "urn:parliament-explorer:" + p.kind, Title: http.StatusText(p.status), Status: p.status,
		Detail: clip(p.detail, maxProblemDetail), Errors: boundFields(p.fields),
	}
	if wantsFrench(r) {
		answer.Errors = slices.Clone(answer.Errors)
		inFrench(&answer)
	}
	err := enc.Encode(answer)
	if err != nil { // strings and numbers only
		body = *bytes.NewBufferString("{}")
	}
	w.Header().Set(echo.HeaderContentType, "application/problem+json")
	w.Header().Add(echo.HeaderVary, "Accept-Language")
	if p.status == http.StatusServiceUnavailable && w.Header().Get(echo.HeaderRetryAfter) == "" {
		w.Header().Set(echo.HeaderRetryAfter, "1")
	}
	w.WriteHeader(p.status)
	_, _ = w.Write(body.Bytes())
}
