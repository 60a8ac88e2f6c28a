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
			query, params := map[string]bool{}, parametersOf(item, op)
			for _, p := range params {
				if p.In == "query" {
					query[p.Name] = true
				}
			}
			scope, err := scopeOf(op)
			if err != nil {
				return nil, err
			}
			limit := maxBody
			switch scope { // of those two, the body comes from anybody
			case access.ScopeSignature:
				limit = maxWebhook
			case access.ScopeNone:
				limit = strangerBody
			}
			known := checkQuery(query)
			if op.OperationID == "completeSignIn" { // providers add what they like
				known = func(next echo.HandlerFunc) echo.HandlerFunc { return next }
			}
			checks[op.OperationID] = []echo.MiddlewareFunc{
				s.authorize(op.OperationID, scope), s.admission.bounded(op.OperationID, params["query/limit"] != nil), translate(item, op, limit), known, checkOnce(params), checkBody(op.RequestBody != nil, limit), validate, checkFormats(params), vary(op),
			}
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
			for _, name := range slices.Sorted(maps.Keys(c.QueryParams())) {
				if !known[name] {
					names := slices.Sorted(maps.Keys(known))
					want := "this operation takes no query parameters"
					if len(names) > 0 {
						want = "want one of " + strings.Join(names, ", ")
					}
					faults = append(faults, api.FieldError{Pointer: queryPointer(name), Detail: "is not a parameter: " + want})
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
				return invalid(faults[:min(len(faults), maxFaults)]...)
			}
			return next(c)
		}
	}
}

var escapePointer = strings.NewReplacer("~", "~0", "/", "~1")

// bodyKey is of the body as it is read, rawBodyKey of the bytes that were sent, which a signature is of.
const bodyKey, rawBodyKey = "body", "raw_body"

func bodyOf(c echo.Context, key string) []byte {
	b, _ := c.Get(key).([]byte)
	return b
}

// byteOrderMark begins the files of some editors.
var byteOrderMark = []byte("\uFEFF")

// mediaType is the media type of a Content-Type in small letters, without its parameters.
func mediaType(contentType string) string {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		return contentType
	}
	return media
}

// checkBody reads the body, which must be JSON text of at most so many bytes without NUL characters.
func checkBody(wanted bool, limit int) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r := c.Request()
			if !wanted { // what nobody reads is not held
				r.Body, r.ContentLength = http.NoBody, 0
				return next(c)
			}
			body, err := io.ReadAll(io.LimitReader(r.Body, int64(limit)+1))
			if err != nil {
				return &problem{status: http.StatusBadRequest, kind: "malformed", detail: "the body could not be read to its end"}
			}
			if len(body) > limit {
				return &problem{status: http.StatusRequestEntityTooLarge, kind: "too_large", detail: fmt.Sprintf("the body is longer than %d KiB", limit>>10)}
			}
			c.Set(rawBodyKey, body)
			body = bytes.TrimPrefix(body, byteOrderMark)
			if !wanted || len(bytes.TrimSpace(body)) == 0 {
				body = nil
			}
			if body != nil {
				media := mediaType(r.Header.Get(echo.HeaderContentType))
				if err := checkJSON(media, body); err != nil {
					return err
				}
				r.Header.Set(echo.HeaderContentType, media) // as those behind compare it
			}
			c.Set(bodyKey, body)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
			return next(c)
		}
	}
}

func checkJSON(contentType string, body []byte) error {
	if mediaType(contentType) != echo.MIMEApplicationJSON {
		return &problem{status: http.StatusUnsupportedMediaType, kind: "unsupported_media_type", detail: fmt.Sprintf("the body is %q: want application/json", contentType)}
	}
	if !utf8.Valid(body) {
		return &problem{status: http.StatusBadRequest, kind: "malformed", detail: "the body is not valid UTF-8"}
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return &problem{status: http.StatusBadRequest, kind: "malformed", detail: "the body is not valid JSON: " + err.Error()}
	}
	fields := append(doubledKeys(body), nulFields("", value)...)
	if len(fields) > 0 {
		return invalid(fields[:min(len(fields), maxFaults)]...)
	}
	return nil
}

// doubledKeys finds the keys that an object has twice. Go's reader takes the last of them silently.
func doubledKeys(body []byte) []api.FieldError {
	type level struct {
		at   string
		keys map[string]bool // of an object; nil: a list
		next int             // the index of the next value of a list
		key  string          // the key whose value comes next
		want bool            // whether that value comes next, and not a key
	}
	var fields []api.FieldError
	var levels []*level
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	for len(fields) < maxFaults {
		token, err := d.Token()
		if err != nil { // the end: the body has been read before
			return fields
		}
		at := ""
		if len(levels) > 0 {
			in := levels[len(levels)-1]
			key, isText := token.(string)
			switch {
			case token == json.Delim('}') || token == json.Delim(']'):
				levels = levels[:len(levels)-1]
				continue
			case in.keys == nil:
				at = fmt.Sprintf("%s/%d", in.at, in.next)
				in.next++
			case !in.want && isText:
				if in.keys[key] {
					fields = append(fields, api.FieldError{Pointer: in.at + "/" + escapePointer.Replace(key), Detail: "is there twice: want each key once"})
				}
				in.keys[key], in.key, in.want = true, key, true
				continue
			default:
				at, in.want = in.at+"/"+escapePointer.Replace(in.key), false
			}
		}
		switch token {
		case json.Delim('{'):
			levels = append(levels, &level{at: at, keys: map[string]bool{}})
		case json.Delim('['):
			levels = append(levels, &level{at: at})
		}
	}
	return fields
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
		fields = append(fields, fieldsOf("", nil, err)...)
	}
	slices.SortFunc(fields, func(a, b api.FieldError) int { return strings.Compare(a.Pointer+a.Detail, b.Pointer+b.Detail) })
	return invalid(slices.CompactFunc(fields, func(a, b api.FieldError) bool { return a == b })...)
}

// fieldsOf names the fields that an error of the validator is about: in the body, or in the value of a parameter.
func fieldsOf(at string, param *openapi3.Parameter, err error) []api.FieldError {
	var (
		multi  openapi3.MultiError
		schema *openapi3.SchemaError
		parse  *openapi3filter.ParseError
	)
	if req, ok := err.(*openapi3filter.RequestError); ok { //nolint:errorlint // wrapped ones are met below
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
			at += "/" + escapePointer.Replace(part)
		}
		return []api.FieldError{{Pointer: at, Detail: schemaDetail(param, schema)}}
	case errors.As(err, &parse) && param != nil:
		return []api.FieldError{{Pointer: at, Detail: parseDetail(param, parse)}}
	}
	return []api.FieldError{{Pointer: at, Detail: err.Error()}}
}

// schemaDetail says what is wrong with a value: in words and with an example where the schema has a regular expression.
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
	detail := e.Reason
	if v, err := json.Marshal(e.Value); err == nil && e.Value != nil {
		if len(v) > 100 {
			return detail + ", got " + strings.ToValidUTF8(string(v[:100]), "") + "…"
		}
		detail += ", got " + string(v)
	}
	return detail
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

// parseDetail says what a parameter's value should have been.
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
		return fmt.Sprintf("%s is not such a number: want a whole number from %.0f to %.0f", value, *schema.Min, *schema.Max)
	case schema.Type.Is(openapi3.TypeInteger):
		return value + " is not such a number: want a whole number"
	}
	return value + ": " + e.Reason
}
