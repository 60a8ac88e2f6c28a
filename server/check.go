package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/labstack/echo/v4"
	validator "github.com/oapi-codegen/echo-middleware"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

// maxBody is the longest request body taken, and maxWebhook that of a webhook.
const maxBody, maxWebhook = 1 << 20, 64 << 10

// requestChecks makes the middleware of every operation: what the contract does not say of a request (its size, that
// it is text, that its parameters are known), and then the contract.
func (s *Server) requestChecks() (map[string][]echo.MiddlewareFunc, error) {
	spec, err := contract()
	if err != nil {
		return nil, err
	}
	validate := validator.OapiRequestValidatorWithOptions(spec, &validator.Options{
		Options:           openapi3filter.Options{MultiError: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}, // authorize has seen to it
		MultiErrorHandler: func(me openapi3.MultiError) *echo.HTTPError { return asHTTPError(contractProblem(me)) },
		ErrorHandler: func(_ echo.Context, err *echo.HTTPError) error {
			if err.Internal != nil {
				return err.Internal
			}
			return err
		},
		SilenceServersWarning: true, // the only server is "/"
	})
	checks := map[string][]echo.MiddlewareFunc{}
	for _, item := range spec.Paths.Map() {
		for _, op := range item.Operations() {
			query := map[string]bool{}
			for _, p := range slices.Concat(item.Parameters, op.Parameters) {
				if p.Value.In == "query" {
					query[p.Value.Name] = true
				}
			}
			limit := maxBody
			if op.OperationID == "receiveWebhook" { // it comes from anybody
				limit = maxWebhook
			}
			scope, err := scopeOf(op)
			if err != nil {
				return nil, err
			}
			known := checkQuery(query)
			if op.OperationID == "completeSignIn" { // providers add what they like
				known = func(next echo.HandlerFunc) echo.HandlerFunc { return next }
			}
			checks[op.OperationID] = []echo.MiddlewareFunc{s.authorize(op.OperationID, scope), translate(item, op, limit), known, checkBody(op.RequestBody != nil, limit), validate}
		}
	}
	return checks, nil
}

// scopeOf is what the contract says that an operation takes; an operation that does not say is a mistake in the contract.
func scopeOf(op *openapi3.Operation) (access.Scope, error) {
	given, _ := op.Extensions[scopeExtension].(string)
	switch scope := access.Scope(given); scope {
	case access.ScopeNone, access.ScopeRead, access.ScopeOperate, access.ScopeAdmin, access.ScopeSignature:
		return scope, nil
	}
	return "", fmt.Errorf("operation %s: %s is %q: want none, read, operate, admin or signature", op.OperationID, scopeExtension, given)
}

func asHTTPError(p *problem) *echo.HTTPError {
	return &echo.HTTPError{Code: p.status, Message: p.detail, Internal: p}
}

// checkQuery refuses parameters that the operation does not have: a filter with a typing mistake would silently list everything.
func checkQuery(known map[string]bool) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			var faults []api.FieldError
			query := c.QueryParams()
			for _, name := range slices.Sorted(maps.Keys(query)) {
				at := "/query/" + escapePointer.Replace(strings.ToValidUTF8(name, "\uFFFD"))
				if !known[name] {
					names := slices.Sorted(maps.Keys(known))
					want := "this operation takes no query parameters"
					if len(names) > 0 {
						want = "want one of " + strings.Join(names, ", ")
					}
					faults = append(faults, api.FieldError{Pointer: at, Detail: "is not a parameter: " + want})
				}
				for _, v := range query[name] {
					if err := storable(v); err != nil {
						faults = append(faults, api.FieldError{Pointer: at, Detail: err.Error()})
					}
				}
			}
			for _, name := range c.ParamNames() {
				if err := storable(c.Param(name)); err != nil {
					faults = append(faults, api.FieldError{Pointer: "/path/" + name, Detail: err.Error()})
				}
			}
			for _, name := range []string{"Idempotency-Key", "Last-Event-ID"} {
				if err := storable(c.Request().Header.Get(name)); err != nil {
					faults = append(faults, api.FieldError{Pointer: "/header/" + name, Detail: err.Error()})
				}
			}
			if len(faults) > 0 {
				return invalid(faults...)
			}
			return next(c)
		}
	}
}

var escapePointer = strings.NewReplacer("~", "~0", "/", "~1")

func storable(s string) error {
	switch {
	case !utf8.ValidString(s):
		return errors.New("is not valid UTF-8")
	case strings.Contains(s, "\x00"):
		return errors.New("has a NUL character in it")
	}
	return nil
}

const bodyKey = "body"

func bodyOf(c echo.Context) []byte {
	b, _ := c.Get(bodyKey).([]byte)
	return b
}

// checkBody reads the body, which must be JSON text of at most so many bytes without NUL characters.
func checkBody(wanted bool, limit int) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			body, err := io.ReadAll(io.LimitReader(r.Body, int64(limit)+1))
			if err != nil {
				return &problem{status: http.StatusBadRequest, kind: "malformed", detail: "the body could not be read to its end"}
			}
			if len(body) > limit {
				return &problem{status: http.StatusRequestEntityTooLarge, kind: "too_large", detail: fmt.Sprintf("the body is longer than %d KiB", limit>>10)}
			}
			if !wanted || len(bytes.TrimSpace(body)) == 0 {
				body = nil
			}
			if body != nil {
				if err := checkJSON(r.Header.Get(echo.HeaderContentType), body); err != nil {
					return err
				}
			}
			c.Set(bodyKey, body)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			return next(c)
		}
	}
}

func checkJSON(contentType string, body []byte) error {
	if media, _, _ := mime.ParseMediaType(contentType); media != echo.MIMEApplicationJSON {
		return &problem{status: http.StatusUnsupportedMediaType, kind: "unsupported_media_type", detail: fmt.Sprintf("the body is %q: want application/json", contentType)}
	}
	if !utf8.Valid(body) {
		return &problem{status: http.StatusBadRequest, kind: "malformed", detail: "the body is not valid UTF-8"}
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return &problem{status: http.StatusBadRequest, kind: "malformed", detail: "the body is not valid JSON: " + err.Error()}
	}
	if fields := nulFields("", value); len(fields) > 0 {
		return invalid(fields...)
	}
	return nil
}

// nulFields finds the texts with a NUL in them, which could not be stored.
func nulFields(at string, value any) []api.FieldError {
	var fields []api.FieldError
	switch v := value.(type) {
	case string:
		if strings.Contains(v, "\x00") {
			fields = append(fields, api.FieldError{Pointer: at, Detail: "has a NUL character in it"})
		}
	case []any:
		for i, item := range v {
			fields = append(fields, nulFields(fmt.Sprintf("%s/%d", at, i), item)...)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			below := at + "/" + escapePointer.Replace(key)
			if strings.Contains(key, "\x00") {
				fields = append(fields, api.FieldError{Pointer: below, Detail: "its name has a NUL character in it"})
			}
			fields = append(fields, nulFields(below, v[key])...)
		}
	}
	return fields
}

// contractProblem turns what the validator found into one problem.
func contractProblem(me openapi3.MultiError) *problem {
	var fields []api.FieldError
	for _, err := range me {
		fields = append(fields, contractFields("", err)...)
	}
	slices.SortFunc(fields, func(a, b api.FieldError) int { return strings.Compare(a.Pointer+a.Detail, b.Pointer+b.Detail) })
	return invalid(slices.CompactFunc(fields, func(a, b api.FieldError) bool { return a == b })...)
}

func contractFields(at string, err error) []api.FieldError {
	var (
		multi  openapi3.MultiError
		req    *openapi3filter.RequestError
		schema *openapi3.SchemaError
		parse  *openapi3filter.ParseError
	)
	if re, ok := err.(*openapi3filter.RequestError); ok { //nolint:errorlint // wrapped ones are met below
		req = re
		if req.Parameter != nil {
			at = "/" + req.Parameter.In + "/" + req.Parameter.Name
		}
		if req.Err != nil {
			return contractFields(at, req.Err)
		}
		return []api.FieldError{{Pointer: at, Detail: req.Reason}}
	}
	switch {
	case errors.As(err, &multi):
		var fields []api.FieldError
		for _, e := range multi {
			fields = append(fields, contractFields(at, e)...)
		}
		return fields
	case errors.As(err, &schema):
		for _, part := range schema.JSONPointer() {
			at += "/" + escapePointer.Replace(part)
		}
		detail := schema.Reason
		if v, err := json.Marshal(schema.Value); err == nil && len(v) <= 100 && schema.Value != nil {
			detail += ", got " + string(v)
		}
		return []api.FieldError{{Pointer: at, Detail: detail}}
	case errors.As(err, &parse):
		return []api.FieldError{{Pointer: at, Detail: fmt.Sprintf("%v: %s", parse.Value, parse.Reason)}}
	}
	return []api.FieldError{{Pointer: at, Detail: err.Error()}}
}
