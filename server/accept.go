package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/runconfig"
)

const mimeYAML = "application/yaml"

// yamlNames are the media types that clients use for YAML.
// source: RFC 9512, 2.1
var yamlNames = []string{mimeYAML, "application/x-yaml", "text/yaml", "text/x-yaml"}

// separatedExtension marks a parameter in the contract whose value is a comma-separated list. Repeating the parameter
// has the same meaning.
const separatedExtension = "x-comma-separated"

// translate converts a request into the form that the checks and the generated code read: a YAML body into JSON, where
// the contract accepts YAML, and repeated parameters into one, where the parameter is a list.
func translate(item *openapi3.PathItem, op *openapi3.Operation, limit int) echo.MiddlewareFunc {
	takesYAML := op.RequestBody != nil && op.RequestBody.Value.Content[mimeYAML] != nil
	var separated []string
	for _, p := range slices.Concat(item.Parameters, op.Parameters) {
		if is, _ := p.Value.Extensions[separatedExtension].(bool); is {
			separated = append(separated, p.Value.Name)
		}
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			for _, name := range separated {
				joinValues(c, name)
			}
			if !takesYAML {
				return next(c)
			}
			if err := bodyToJSON(c.Request(), limit); err != nil {
				return err
			}
			err := next(c)
			var p *problem
			if errors.As(err, &p) && p.status == http.StatusUnsupportedMediaType {
				more := *p
				more.detail += " or " + mimeYAML
				return &more
			}
			return err
		}
	}
}

// joinValues joins the values of a repeated parameter.
func joinValues(c echo.Context, name string) {
	r := c.Request()
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || len(query[name]) < 2 {
		return
	}
	joined := strings.Join(query[name], ",")
	query.Set(name, joined)
	r.URL.RawQuery = query.Encode()
	c.QueryParams().Set(name, joined) // Echo may have parsed the query already
}

// bodyToJSON replaces a YAML body with JSON. It strips the parameters of a JSON content type, which the generated code
// compares exactly.
func bodyToJSON(r *http.Request, limit int) error {
	media, _, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType))
	if err != nil {
		return nil // checkBody refuses it
	}
	if media == echo.MIMEApplicationJSON {
		r.Header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
		return nil
	}
	if !slices.Contains(yamlNames, media) {
		return nil
	}
	limit = min(limit, maxYAML)
	text, err := readBody(r, limit)
	if err != nil {
		return err
	}
	if len(text) > limit {
		return &problem{
			status: http.StatusRequestEntityTooLarge, kind: "too_large",
			detail: fmt.Sprintf("the body is longer than %d KiB of YAML; as JSON it may be longer", limit>>10),
		}
	}
	raw, err := runconfig.FromYAML(text)
	var (
		faults *runconfig.Error
		syntax *runconfig.SyntaxError
	)
	switch {
	case errors.As(err, &faults):
		return invalid(each(faults.Faults, func(f runconfig.Fault) api.FieldError {
			return api.FieldError{Pointer: f.Pointer, Detail: f.Detail}
		})...)
	case errors.As(err, &syntax):
		return &problem{
			status: http.StatusBadRequest, kind: "malformed", detail: "the body is not valid YAML: " + syntax.Detail,
		}
	case err != nil:
		return err
	}
	r.Header.Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	return nil
}
