package server

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// tagged is a resource with its ETag.
type tagged struct {
	raw json.RawMessage
	tag string
}

// tagOf returns the ETag of a body. It is weak because the bytes on the wire also depend on the compression.
func tagOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// revalidate sets the headers that an answer and its 304 have in common. They let caches keep the answer but require
// them to revalidate it.
func revalidate(header http.Header, tag string) {
	header.Set("ETag", tag)
	header.Set(echo.HeaderCacheControl, "no-cache")
}

func (t tagged) send(w http.ResponseWriter) error {
	w.Header().Set(echo.HeaderContentType, echo.MIMEApplicationJSON)
	revalidate(w.Header(), t.tag)
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(t.raw)
	return err
}

// VisitGetBillResponse implements the response of the operation.
func (t tagged) VisitGetBillResponse(w http.ResponseWriter) error { return t.send(w) }

// VisitGetPoliticianResponse implements the response of the operation.
func (t tagged) VisitGetPoliticianResponse(w http.ResponseWriter) error { return t.send(w) }

// VisitGetRunResponse implements the response of the operation.
func (t tagged) VisitGetRunResponse(w http.ResponseWriter) error { return t.send(w) }

// unchanged is the 304 answer to a client that has the current version. Its value is the ETag.
type unchanged string

func (u unchanged) send(w http.ResponseWriter) error {
	revalidate(w.Header(), string(u))
	w.WriteHeader(http.StatusNotModified)
	return nil
}

// VisitGetBillResponse implements the response of the operation.
func (u unchanged) VisitGetBillResponse(w http.ResponseWriter) error { return u.send(w) }

// VisitGetPoliticianResponse implements the response of the operation.
func (u unchanged) VisitGetPoliticianResponse(w http.ResponseWriter) error { return u.send(w) }

// VisitGetRunResponse implements the response of the operation.
func (u unchanged) VisitGetRunResponse(w http.ResponseWriter) error { return u.send(w) }

// VisitGetExportResponse implements the response of the operation.
func (u unchanged) VisitGetExportResponse(w http.ResponseWriter) error { return u.send(w) }

// matches reports whether an If-None-Match header has the tag, by weak comparison (RFC 9110, section 13.1.2). A tag may
// contain commas, and some clients leave the quotes out.
func matches(header *string, tag string) bool {
	if header == nil {
		return false
	}
	opaque := func(t string) string { return strings.Trim(strings.TrimPrefix(t, "W/"), `"`) }
	for rest := *header; ; {
		rest = strings.TrimLeft(rest, " \t,")
		if rest == "" {
			return false
		}
		end := -1
		if quote := strings.IndexByte(rest[:min(3, len(rest))], '"'); quote == 0 ||
			quote == 2 && strings.HasPrefix(rest, "W/") {
			if closing := strings.IndexByte(rest[quote+1:], '"'); closing >= 0 {
				end = quote + 1 + closing + 1
			}
		}
		if end < 0 { // searched only here, so that each byte is read a few times at most
			if end = strings.IndexByte(rest, ','); end < 0 {
				end = len(rest)
			}
		}
		given := strings.TrimSpace(rest[:end])
		if given == "*" || opaque(given) == opaque(tag) {
			return true
		}
		rest = rest[end:]
	}
}
