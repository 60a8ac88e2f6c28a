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

// The bounds of one request. They keep the cost of reading and refusing any request within the budgets of
// docs/security.md.
const (
	// maxBody is the maximum length of a body in bytes, maxWebhook that of a webhook, which anybody can send, and
	// maxYAML that of a YAML body, which takes much more memory to read than JSON. strangerBody bounds other bodies
	// that anybody can send.
	maxBody, maxWebhook, maxYAML = 1 << 20, 64 << 10, 512 << 10
	// maxPath and maxQuery bound the two parts of a request target in bytes; maxParams bounds the parameters of a
	// query.
	maxPath, maxQuery, maxParams = 4 << 10, 16 << 10, 100
	// maxDepth is the maximum nesting of a body, and maxValues the maximum number of its values; the largest valid body
	// has 20,000 partitions. An object counts as objectValues and each of its members as memberValues, in proportion to
	// the memory they take.
	maxDepth, maxValues, objectValues, memberValues = 64, 40_000, 4, 4
	// maxDigits is the maximum length of a number, and maxExponent that of its exponent, positive or negative. Without
	// them a number of a few bytes would take megabytes to compute with. Postgres does not store every number either.
	maxDigits, maxExponent = 100, 400
	// allFaults is the maximum length of a body in which every fault is reported. In a longer one, only the first is.
	allFaults = 16 << 10
)

// The bounds of one problem: the number of faults it lists, the length of a fault and of its pointer, and the length of
// all faults and of the detail, in bytes of JSON. The answer to a bad request is shorter than 16 KiB.
const (
	maxFaults                                  = 20
	maxPointer, maxDetail                      = 200, 800
	maxFields, maxProblemDetail, maxDetailList = 9 << 10, 4 << 10, 2 << 10
)

// boundTarget refuses request targets that are too long or have too many parameters, before anything reads them.
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
			return unreadable("the query", api.FieldError{
				Pointer: "/query",
				Detail:  fmt.Sprintf("has %s parameters: want %d at most", thousands(n), maxParams),
			})
		}
		// Each range of a request has a cost, and neither pages nor downloads need more than one.
		if ranges := c.Request().Header.Values("Range"); len(ranges) > 1 ||
			len(ranges) == 1 && strings.Contains(ranges[0], ",") {
			c.Request().Header.Del("Range")
		}
		return next(c)
	}
}

// clip cuts a text so that its JSON has at most this many bytes.
func clip(s string, most int) string {
	if len(s)*6 <= most { // a byte takes at most six bytes in JSON
		return s
	}
	size, fits := 0, 0 // fits is the longest prefix that leaves room for the ellipsis
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

// jsonSize returns the length of a rune of n bytes in JSON, as encoding/json writes it.
func jsonSize(r rune, n int) int {
	switch {
	case r == '"', r == '\\', r == '\n', r == '\r', r == '\t':
		return 2
	case r < ' ', r == utf8.RuneError && n == 1, r == '\u2028', r == '\u2029':
		return 6
	}
	return n
}

// boundFields cuts a list of faults to the bounds of a problem.
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

// describeFields describes faults in one text. total may exceed the number of faults that are listed.
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

// thousands formats a number with commas.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
