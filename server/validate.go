package server

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"regexp"
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

// requestChecks returns the middleware of every operation. It checks what the contract does not state (size, encoding,
// unknown parameters), and then the contract.
func (s *Server) requestChecks() (map[string][]echo.MiddlewareFunc, error) {
	spec, err := contract()
	if err != nil {
		return nil, err
	}
	validate := checkContract(spec)
	checks := map[string][]echo.MiddlewareFunc{}
	for path, item := range spec.Paths.Map() {
		for method, op := range item.Operations() {
			query, params := map[string]bool{}, parametersOf(item, op)
			for _, p := range params {
				if p.In == "query" {
					query[p.Name] = true
				}
			}
			needs, err := permitOf(method, op)
			if err != nil {
				return nil, err
			}
			scope, limit := needs.scope, maxBody
			switch scope { // anybody can send a body to the operations of these two scopes
			case access.ScopeSignature:
				limit = maxWebhook
			case access.ScopeNone:
				limit = strangerBody
			default:
			}
			if (scope == access.ScopeSignature || scope == access.ScopeNone) && op.RequestBody != nil {
				s.admission.taken[method+" "+routePattern(path)] = limit
			}
			known := checkQuery(query)
			if op.OperationID == "completeSignIn" { // providers add parameters of their own
				known = func(next echo.HandlerFunc) echo.HandlerFunc { return next }
			}
			checks[op.OperationID] = []echo.MiddlewareFunc{
				s.authorize(op.OperationID, needs), s.admission.bounded(op.OperationID, params["query/limit"] != nil),
				s.admission.long(op.RequestBody != nil, limit), translate(item, op, limit), known, checkOnce(params),
				checkBody(op.RequestBody != nil, limit), validate, checkFormats(params), checked, vary(op), s.record,
			}
		}
	}
	return checks, nil
}

var pathParameter = regexp.MustCompile(`\{([^}]+)\}`)

// routePattern returns a path of the contract in the form of Echo's router.
func routePattern(path string) string { return pathParameter.ReplaceAllString(path, ":$1") }

// scopeOf returns the scope that an operation needs. An operation without one is an error in the contract.
func scopeOf(op *openapi3.Operation) (access.Scope, error) {
	given, _ := op.Extensions[scopeExtension].(string)
	switch scope := access.Scope(given); scope {
	case access.ScopeNone, access.ScopeRead, access.ScopeOperate, access.ScopeAdmin, access.ScopeSignature:
		return scope, nil
	}
	return "", fmt.Errorf(
		"operation %s: %s is %q: want none, read, operate, admin or signature", op.OperationID, scopeExtension, given,
	)
}

// checkContract validates requests against the contract. In a long body it reports the first fault only, because the
// library spends far more on a fault than on the value that has it.
func checkContract(spec *openapi3.T) echo.MiddlewareFunc {
	validate := func(every bool) echo.MiddlewareFunc {
		// The middleware authorize does the authentication.
		options := openapi3filter.Options{MultiError: every, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}
		// The library's own message contains the whole value and its schema.
		options.WithCustomSchemaErrorFunc(func(e *openapi3.SchemaError) string { return clip(e.Reason, maxDetail) })
		return validator.OapiRequestValidatorWithOptions(spec, &validator.Options{
			Options:           options,
			MultiErrorHandler: func(me openapi3.MultiError) *echo.HTTPError { return asHTTPError(contractProblem(me)) },
			ErrorHandler: func(_ echo.Context, err *echo.HTTPError) error {
				var p *problem
				var one *openapi3filter.RequestError
				switch {
				case errors.As(err.Internal, &p):
					return p
				case errors.As(err.Internal, &one):
					return contractProblem(openapi3.MultiError{one})
				}
				return err
			},
			SilenceServersWarning: true, // the only server is "/"
		})
	}
	every, first := validate(true), validate(false)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		every, first := every(next), first(next)
		return func(c echo.Context) error {
			if len(bodyOf(c, bodyKey)) > allFaults {
				return first(c)
			}
			return every(c)
		}
	}
}

func asHTTPError(p *problem) *echo.HTTPError {
	return &echo.HTTPError{Code: p.status, Message: p.detail, Internal: p}
}

// checkQuery refuses parameters that the operation does not have: a filter with a misspelled name would silently list
// everything.
func checkQuery(known map[string]bool) echo.MiddlewareFunc {
	want := "is not a parameter: this operation takes no query parameters"
	if len(known) > 0 {
		want = "is not a parameter: want one of " + strings.Join(slices.Sorted(maps.Keys(known)), ", ")
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			var faults []api.FieldError
			for _, name := range slices.Sorted(maps.Keys(c.QueryParams())) {
				if !known[name] {
					faults = append(faults, api.FieldError{Pointer: queryPointer(name), Detail: want})
				}
			}
			for _, name := range c.ParamNames() {
				// If the path has an escaped slash, the router's values are still escaped, and the generated code reads
				// them so.
				value := c.Param(name)
				if unescaped, err := url.PathUnescape(value); err == nil {
					value = unescaped
				}
				if err := cmp.Or(storable(c.Param(name)), storable(value)); err != nil {
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

// bodyKey is the key of the body as it is read; rawBodyKey that of the bytes that were sent, which a webhook signature
// covers.
const bodyKey, rawBodyKey = "body", "raw_body"

func bodyOf(c echo.Context, key string) []byte {
	b, _ := c.Get(key).([]byte)
	return b
}

// byteOrderMark is at the start of files that some editors write.
var byteOrderMark = []byte("\uFEFF")

// mediaType returns the media type of a Content-Type in lower case, without its parameters.
func mediaType(contentType string) string {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return contentType
	}
	return media
}

// bodyRead is a body that has been read.
type bodyRead struct {
	*bytes.Reader
	whole []byte
}

// Close implements io.Closer.
func (bodyRead) Close() error { return nil }

// readBody reads a body once and returns the same bytes on later calls. It reads one byte more than limit, so that the
// caller can detect a body that is too long.
func readBody(r *http.Request, limit int) ([]byte, error) {
	if b, ok := r.Body.(bodyRead); ok {
		return b.whole, nil
	}
	var b bytes.Buffer
	b.Grow(int(min(max(r.ContentLength, 0), int64(limit))) + bytes.MinRead)
	if _, err := b.ReadFrom(io.LimitReader(r.Body, int64(limit)+1)); err != nil {
		return nil, &problem{
			status: http.StatusBadRequest, kind: "malformed", detail: "the body could not be read to its end",
		}
	}
	r.Body = bodyRead{bytes.NewReader(b.Bytes()), b.Bytes()}
	return b.Bytes(), nil
}

// checkBody reads the body, which must be valid JSON of at most limit bytes without NUL characters.
func checkBody(wanted bool, limit int) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			if !wanted { // a body that no handler reads takes no memory
				r.Body, r.ContentLength = http.NoBody, 0
				return next(c)
			}
			body, err := readBody(r, limit)
			if err != nil {
				return err
			}
			if len(body) > limit {
				return &problem{
					status: http.StatusRequestEntityTooLarge, kind: "too_large",
					detail: fmt.Sprintf("the body is longer than %d KiB", limit>>10),
				}
			}
			c.Set(rawBodyKey, body)
			body = bytes.TrimPrefix(body, byteOrderMark)
			if !wanted || len(bytes.TrimSpace(body)) == 0 {
				body = nil
			}
			if body != nil {
				media := mediaType(r.Header.Get(echo.HeaderContentType))
				if err := checkJSON(r.Context(), media, body); err != nil {
					return err
				}
				r.Header.Set(echo.HeaderContentType, media) // later checks compare it exactly
			}
			c.Set(bodyKey, body)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			return next(c)
		}
	}
}

func checkJSON(ctx context.Context, contentType string, body []byte) error {
	if mediaType(contentType) != echo.MIMEApplicationJSON {
		return &problem{
			status: http.StatusUnsupportedMediaType, kind: "unsupported_media_type",
			detail: fmt.Sprintf("the body is %s: want application/json", quoted(contentType)),
		}
	}
	if !utf8.Valid(body) {
		return &problem{status: http.StatusBadRequest, kind: "malformed", detail: "the body is not valid UTF-8"}
	}
	var text json.RawMessage
	if err := json.Unmarshal(body, &text); err != nil { // only checks the syntax
		return &problem{
			status: http.StatusBadRequest, kind: "malformed", detail: "the body is not valid JSON: " + err.Error(),
		}
	}
	return scanJSON(ctx, body)
}

// contractProblem turns the validator's errors into one problem.
func contractProblem(me openapi3.MultiError) *problem {
	var fields []api.FieldError
	for _, err := range me {
		fields = append(fields, fieldsOf("", nil, err)...)
	}
	slices.SortFunc(fields, func(a, b api.FieldError) int {
		return cmp.Or(strings.Compare(a.Pointer, b.Pointer), strings.Compare(a.Detail, b.Detail))
	})
	return invalid(slices.CompactFunc(fields, func(a, b api.FieldError) bool { return a == b })...)
}

// fieldsOf returns the fields that an error of the validator is about: in the body, or in the value of a parameter.
func fieldsOf(at string, param *openapi3.Parameter, err error) []api.FieldError {
	var (
		multi  openapi3.MultiError
		schema *openapi3.SchemaError
		parse  *openapi3filter.ParseError
	)
	if req, ok := err.(*openapi3filter.RequestError); ok { //nolint:errorlint // the recursion reaches wrapped ones
		if req.Parameter != nil {
			at, param = "/"+req.Parameter.In+"/"+req.Parameter.Name, req.Parameter
		}
		if req.Err != nil {
			return fieldsOf(at, param, req.Err)
		}
		return []api.FieldError{{Pointer: at, Detail: req.Reason}}
	}
	switch {
	case errors.As(err, &multi):
		var fields []api.FieldError
		for _, e := range multi {
			fields = append(fields, fieldsOf(at, param, e)...)
		}
		return fields
	case errors.As(err, &schema):
		for _, part := range schema.JSONPointer() {
			at = clip(at+"/"+escapePointer.Replace(part[:min(len(part), maxPointer+1)]), maxPointer)
		}
		return []api.FieldError{{Pointer: at, Detail: schemaDetail(param, schema)}}
	case errors.As(err, &parse) && param != nil:
		return []api.FieldError{{Pointer: at, Detail: parseDetail(param, parse)}}
	}
	return []api.FieldError{{Pointer: at, Detail: clip(err.Error(), maxDetail)}}
}

// schemaDetail describes what is wrong with a value, in words and with an example if the schema has a regular
// expression.
func schemaDetail(param *openapi3.Parameter, e *openapi3.SchemaError) string {
	text, isText := e.Value.(string)
	switch {
	case isText && e.SchemaField == "format":
		if wrong := checkFormat(e.Schema.Format, text); wrong != "" {
			return wrong
		}
	case isText && e.SchemaField == "pattern":
		if example := exampleOf(param, e.Schema); example != "" {
			return fmt.Sprintf("%s is not of the form wanted: want one such as %s", quoted(text), example)
		}
	}
	return clip(e.Reason, maxDetail) + shown(e.Value)
}

// shown formats a value for the end of a message: a part of a long one, and no content of a list or an object, which
// may be of any size.
func shown(value any) string {
	switch v := value.(type) {
	case string:
		return ", got " + quoted(v)
	case bool, json.Number, int, int64, float64:
		return ", got " + clip(fmt.Sprint(v), maxDigits)
	case []any:
		return fmt.Sprintf(", got a list of %s", thousands(len(v)))
	}
	return ""
}

func exampleOf(param *openapi3.Parameter, schema *openapi3.Schema) string {
	example := schema.Example
	if param != nil && param.Example != nil {
		example = param.Example
	}
	if list, ok := example.([]any); ok && len(list) > 0 {
		example = list[0]
	}
	text, _ := example.(string)
	return text
}

// parseDetail describes the values that a parameter accepts.
func parseDetail(param *openapi3.Parameter, e *openapi3filter.ParseError) string {
	schema := param.Schema.Value
	if schema.Items != nil {
		schema = schema.Items.Value
	}
	value := quoted(fmt.Sprint(e.Value))
	if e.Value == nil {
		value = "the value"
	}
	switch {
	case schema.Type.Is(openapi3.TypeBoolean):
		return value + " is neither true nor false: want one of them"
	case schema.Type.Is(openapi3.TypeInteger) && schema.Min != nil && schema.Max != nil:
		return fmt.Sprintf(
			"%s is not such a number: want a whole number from %.0f to %.0f", value, *schema.Min, *schema.Max,
		)
	case schema.Type.Is(openapi3.TypeInteger):
		return value + " is not such a number: want a whole number"
	}
	return value + ": " + e.Reason
}
