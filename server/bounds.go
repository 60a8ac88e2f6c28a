package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"github.com/parliament-explorer/parliament-explorer/api"
)

// The bounds of one request. They keep what it costs to read and to refuse it within the budgets of docs/security.md,
// whatever is in it.
const (
	// maxBody is the longest request body, maxWebhook that of a webhook, which comes from anybody, and maxYAML that of
	// a body in YAML, which takes much more memory to read than JSON. What else anybody may send is strangerBody.
	maxBody, maxWebhook, maxYAML = 1 << 20, 64 << 10, 512 << 10
	// maxPath and maxQuery bound the two parts of a request target in bytes; maxParams bounds the parameters of a
	// query.
	maxPath, maxQuery, maxParams = 4 << 10, 16 << 10, 100
	// maxDepth is how deep the values of a body may be within each other, and maxValues how many there may be; the
	// largest body that the contract knows has 20,000 partitions. An object counts as objectValues and each of its
	// members as memberValues: they take that much more memory.
	maxDepth, maxValues, objectValues, memberValues = 64, 40_000, 4, 4
	// maxDigits is the longest number of a body, and maxExponent its largest exponent, up or down. A number of few
	// bytes takes megabytes to compute with otherwise, and Postgres does not store every number.
	maxDigits, maxExponent = 100, 400
	// allFaults is the longest body of which every fault is looked for. Of a longer one, the first is enough.
	allFaults = 16 << 10
)

// The bounds of one problem: how many faults it lists, how long they and their pointers are, and how long they and the
// detail are together, all in bytes of JSON. An answer to a bad request has less than 16 KiB.
const (
	maxFaults                                  = 20
	maxPointer, maxDetail                      = 200, 800
	maxFields, maxProblemDetail, maxDetailList = 9 << 10, 4 << 10, 2 << 10
)

// boundTarget refuses request targets that are too long, or have too many parameters, before anything reads them.
func boundTarget(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		u := c.Request().URL
		if len(u.Path) > maxPath || len(u.RawPath) > maxPath {
			return &problem{
				status: http.StatusRequestURITooLong, kind: "uri_too_long",
				detail: fmt.Sprintf("the path is longer than %d KiB", maxPath>>10),
			}
		}
		if len(u.RawQuery) > maxQuery {
			return unreadable(
				"the query",
				api.FieldError{Pointer: "/query", Detail: fmt.Sprintf("is longer than %d KiB", maxQuery>>10)},
			)
		}
		if n := strings.Count(u.RawQuery, "&") + 1; n > maxParams {
			return unreadable(
				"the query",
				api.FieldError{
					Pointer: "/query",
					Detail:  fmt.Sprintf("has %s parameters: want %d at most", thousands(n), maxParams),
				},
			)
		}
		// Several ranges cost for each of them, and nobody who reads pages or files asks for more than one.
		if ranges := c.Request().Header.Values("Range"); len(ranges) > 1 ||
			len(ranges) == 1 && strings.Contains(ranges[0], ",") {
			c.Request().Header.Del("Range")
		}
		return next(c)
	}
}

// clip cuts a text so that its JSON has at most so many bytes.
func clip(s string, most int) string {
	if len(s)*6 <= most { // no rune takes more than six bytes for one
		return s
	}
	size, fits := 0, 0 // fits is where to cut for the mark of the cut, too
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if size += jsonSize(r, n); size > most {
			return s[:fits] + "…"
		}
		if i += n; size <= most-len("…") {
			fits = i
		}
	}
	return s
}

// jsonSize is how many bytes a rune of so many takes in JSON, as encoding/json writes it.
func jsonSize(r rune, n int) int {
	switch {
	case r == '"', r == '\\', r == '\n', r == '\r', r == '\t':
		return 2
	case r < ' ', r == utf8.RuneError && n == 1, r == '\u2028', r == '\u2029':
		return 6
	}
	return n
}

// boundFields keeps as many of the fields as a problem lists, each no longer than it should be.
func boundFields(fields []api.FieldError) []api.FieldError {
	kept, size := make([]api.FieldError, 0, min(len(fields), maxFaults)), 0
	for _, f := range fields {
		f.Pointer, f.Detail = clip(f.Pointer, maxPointer), clip(f.Detail, maxDetail)
		raw, err := json.Marshal(f)
		if size += len(raw); err != nil || len(kept) == maxFaults || size > maxFields {
			break
		}
		kept = append(kept, f)
	}
	return kept
}

// describeFields says in one text what is wrong with fields, of which there may be more than are listed.
func describeFields(fields []api.FieldError, total int) string {
	var b strings.Builder
	said := 0
	for i, f := range fields {
		part := strings.TrimPrefix(f.Pointer+": "+f.Detail, ": ") // the whole body has no pointer
		if i > 0 && b.Len()+len(part) > maxDetailList {
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(part)
		said++
	}
	if total > said {
		fmt.Fprintf(&b, "; and %s more", thousands(total-said))
	}
	return b.String()
}

// thousands writes a number with commas.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
