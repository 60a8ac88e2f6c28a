package server

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"github.com/parliament-explorer/parliament-explorer/api"
)

// unreadable returns the problem for a request that cannot be parsed.
func unreadable(what string, fields ...api.FieldError) *problem {
	total := len(fields)
	fields = boundFields(fields)
	return &problem{
		status: http.StatusBadRequest, kind: "malformed", fields: fields,
		detail: what + " cannot be read: " + describeFields(fields, total),
	}
}

// readableQuery refuses queries that cannot be parsed to their end. Go's parser drops the parts that it cannot parse,
// and a dropped filter would silently list everything. The pages of the UIs parse their own queries in the browser.
func readableQuery(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		u := c.Request().URL
		for _, page := range []string{"/ui/", "/docs/", "/riverui/"} {
			if strings.HasPrefix(u.Path, page) && !strings.HasPrefix(u.Path, "/riverui/api/") {
				return next(c)
			}
		}
		if faults := queryFaults(u.RawQuery); len(faults) > 0 {
			return unreadable("the query", faults...)
		}
		return next(c)
	}
}

// queryFaults returns the parts of a query that cannot be parsed.
func queryFaults(raw string) []api.FieldError {
	var faults []api.FieldError
	for part := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(part, "=")
		at := name
		if before, _, found := strings.Cut(at, ";"); found {
			at = before
		}
		if decoded, err := url.QueryUnescape(at); err == nil {
			at = decoded
		}
		fault := func(err error) {
			faults = append(faults, api.FieldError{Pointer: queryPointer(at), Detail: err.Error()})
		}
		if strings.Contains(part, ";") {
			fault(
				fmt.Errorf(
					"%s has a semicolon, which separates nothing: want & between parameters, and %%3B in a value",
					quoted(part),
				),
			)
			continue
		}
		for _, text := range []string{name, value} {
			decoded, err := url.QueryUnescape(text)
			var escape url.EscapeError
			switch {
			case errors.As(err, &escape):
				err = fmt.Errorf(
					"%s has %s, which stands for no character: want %%25 for a percent sign", quoted(text),
					quoted(string(escape)),
				)
			case err == nil:
				err = storable(decoded)
			}
			if err != nil {
				fault(err)
				break
			}
		}
	}
	return faults
}

// queryPointer is the pointer of a parameter; names are what the client says.
func queryPointer(name string) string {
	return "/query/" + escapePointer.Replace(strings.ReplaceAll(strings.ToValidUTF8(name, "\uFFFD"), "\x00", "\uFFFD"))
}

// quoted is a text of the client's in a message: not all of a long one.
func quoted(s string) string {
	const most = 100
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return fmt.Sprintf("%q", s)
}

// listHeaders are those whose lines add up to one list (RFC 9110, section 5.3).
var listHeaders = []string{"If-None-Match"}

// parametersOf are the parameters of an operation by place and name: "query/limit".
func parametersOf(item *openapi3.PathItem, op *openapi3.Operation) map[string]*openapi3.Parameter {
	out := map[string]*openapi3.Parameter{}
	for _, p := range slices.Concat(item.Parameters, op.Parameters) {
		out[p.Value.In+"/"+p.Value.Name] = p.Value
	}
	return out
}

// repeatable says whether a query may have the parameter more than once.
func repeatable(p *openapi3.Parameter) bool {
	how, err := p.SerializationMethod()
	return err == nil && p.Schema.Value.Type.Is(openapi3.TypeArray) && how.Explode
}

// checkOnce refuses repeated parameters that take a single value: choosing one of the values would be a guess.
func checkOnce(params map[string]*openapi3.Parameter) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			var faults []api.FieldError
			header := c.Request().Header
			for _, name := range listHeaders {
				if lines := header.Values(name); len(lines) > 1 {
					header.Set(name, strings.Join(lines, ", "))
				}
			}
			query := c.QueryParams()
			for _, key := range slices.Sorted(maps.Keys(params)) {
				p := params[key]
				var values []string
				switch p.In {
				case "query":
					if !repeatable(p) {
						values = query[p.Name]
					}
				case "header":
					values = header.Values(p.Name)
				}
				if len(values) > 1 {
					shown := strings.Join(each(values[:min(len(values), 3)], quoted), ", ")
					faults = append(faults, api.FieldError{
						Pointer: "/" + key,
						Detail:  fmt.Sprintf("is given %d times (%s): want it once", len(values), shown),
					})
				}
			}
			if len(faults) > 0 {
				return unreadable("the request", faults...)
			}
			return next(c)
		}
	}
}

// checkFormats refuses parameters that match the contract's pattern but are not valid values of their format: a time at
// second 60, or an id with too few digits.
func checkFormats(params map[string]*openapi3.Parameter) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			var faults []api.FieldError
			for _, key := range slices.Sorted(maps.Keys(params)) {
				p := params[key]
				format := p.Schema.Value.Format
				if items := p.Schema.Value.Items; items != nil {
					format = items.Value.Format
				}
				for i, value := range valuesOf(c, p) {
					if wrong := checkFormat(format, value); wrong != "" {
						at := "/" + key
						if repeatable(p) {
							at += fmt.Sprintf("/%d", i)
						}
						faults = append(faults, api.FieldError{Pointer: at, Detail: wrong})
					}
				}
			}
			if len(faults) > 0 {
				return unreadable("the request", faults...)
			}
			return next(c)
		}
	}
}

func valuesOf(c echo.Context, p *openapi3.Parameter) []string {
	switch p.In {
	case "query":
		return c.QueryParams()[p.Name]
	case "header":
		return c.Request().Header.Values(p.Name)
	case "path":
		return []string{c.Param(p.Name)}
	}
	return nil
}

// checkFormat returns what is wrong with a value of a format, and which values are accepted; empty if it is valid.
func checkFormat(format, value string) string {
	switch format {
	case "date-time":
		if _, err := time.Parse(time.RFC3339, value); err != nil {
			return timeHint(value)
		}
	case "date":
		if _, err := time.Parse(time.DateOnly, value); err != nil {
			return quoted(value) + " is not a day: want one such as 2026-06-18"
		}
	case "uuid":
		if _, err := uuid.Parse(value); err != nil {
			return quoted(value) + " is not an id: want a UUID such as 0197841c-2a00-7aaa-8000-000000000001"
		}
	}
	return ""
}

// timeHint describes what is wrong with a time.
func timeHint(value string) string {
	const example = "2026-06-18T12:00:00Z"
	is := func(layout, s string) bool { _, err := time.Parse(layout, s); return err == nil }
	plus := strings.Replace(value, " ", "+", 1)
	letters := strings.Replace(strings.ToUpper(value), " ", "T", 1)
	switch {
	case plus != value && is(time.RFC3339, plus):
		return fmt.Sprintf(
			"%s has a space before its offset, because + is a space in a query: want %%2B for it, "+
				"or a time in UTC such as %s",
			quoted(value), example,
		)
	case is(time.DateOnly, value):
		return fmt.Sprintf("%s is a day: want a time, such as %sT00:00:00Z", quoted(value), value)
	case is("2006-01-02T15:04:05", letters), is("2006-01-02T15:04", letters):
		return fmt.Sprintf(
			"%s has no time zone: want Z behind it for UTC, or an offset such as -04:00 "+
				"(in a query, %%2B stands for +)",
			quoted(value),
		)
	case is(time.RFC3339, letters):
		return fmt.Sprintf("%s is not a time as RFC 3339 writes it: want %s", quoted(value), letters)
	}
	var parse *time.ParseError
	if _, err := time.Parse(time.RFC3339, value); errors.As(err, &parse) &&
		strings.Contains(parse.Message, "out of range") {
		return fmt.Sprintf("%s is not a time%s: want one such as %s", quoted(value), parse.Message, example)
	}
	return fmt.Sprintf("%s is not a time: want RFC 3339 with a time zone, such as %s", quoted(value), example)
}

func storable(s string) error {
	switch {
	case !utf8.ValidString(s):
		return errors.New("is not valid UTF-8")
	case strings.Contains(s, "\x00"):
		return errors.New("has a NUL character in it")
	}
	return nil
}
