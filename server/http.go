package server

import (
	"context"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/klauspost/compress/gzhttp"
	"github.com/labstack/echo/v4"
	"golang.org/x/sync/semaphore"
)

type headKey struct{}

// isHead reports whether a request that is handled as GET is HEAD.
func isHead(ctx context.Context) bool { return ctx.Value(headKey{}) != nil }

// methodOf returns the method that the client sent.
func methodOf(r *http.Request) string {
	if isHead(r.Context()) {
		return http.MethodHead
	}
	return r.Method
}

// answerHead handles HEAD as GET, so that every GET route answers HEAD with the same header. net/http knows that the
// request is HEAD and drops the body. Handlers whose body is slow to write or has no end check isHead.
func answerHead(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			r = r.WithContext(context.WithValue(r.Context(), headKey{}, true)) // a copy
			r.Method = http.MethodGet
		}
		next.ServeHTTP(w, r)
	})
}

// allowHead adds HEAD to the methods that the router allows on a path.
func allowHead(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if allowed, ok := c.Get(echo.ContextKeyHeaderAllow).(string); ok {
			c.Set(echo.ContextKeyHeaderAllow, withHead(allowed))
			header := c.Response().Header()
			c.Response().Before(func() {
				if allowed := header.Get(echo.HeaderAllow); allowed != "" {
					header.Set(echo.HeaderAllow, withHead(allowed))
				}
			})
		}
		return next(c)
	}
}

func withHead(allowed string) string {
	methods := strings.Split(allowed, ", ")
	if !slices.Contains(methods, http.MethodGet) || slices.Contains(methods, http.MethodHead) {
		return allowed
	}
	return strings.Join(append(methods, http.MethodHead), ", ")
}

// minCompressed is the minimum size of an answer that is compressed. A smaller one fits in one packet anyway.
const minCompressed = 1024

// compress compresses answers with the coding that the client prefers. Their ETags are weak, so that one ETag is valid
// for all codings.
func compress(next http.Handler) (http.Handler, error) {
	wrap, err := gzhttp.NewWrapper(gzhttp.MinSize(minCompressed), gzhttp.ContentTypeFilter(compressible))
	if err != nil {
		return nil, err
	}
	wrapped := wrap(next)
	encoders := semaphore.NewWeighted(maxEncoders)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/ui/") { // files, which were compressed in the build
			next.ServeHTTP(w, r)
			return
		}
		// The library ignores further header lines and "*", and does not weigh "identity".
		coding := chooseCoding(r.Header.Values(echo.HeaderAcceptEncoding))
		if r.ContentLength != 0 { // such answers are short, and the body may arrive slowly
			coding = ""
		}
		ctx := r.Context()
		if coding != "" {
			if encoders.TryAcquire(1) {
				give := sync.OnceFunc(func() { encoders.Release(1) })
				defer give()
				ctx = context.WithValue(ctx, encoderKey{}, give)
			} else {
				coding = ""
			}
		}
		r = r.WithContext(ctx)
		r.Header.Set(echo.HeaderAcceptEncoding, coding) // in place: copying a large header would double its cost
		wrapped.ServeHTTP(w, r)
	}), nil
}

// maxEncoders is how many answers are compressed at once; each takes up to a megabyte. Further answers are sent
// uncompressed.
const maxEncoders = 32

type encoderKey struct{}

// giveEncoder frees the encoder of a request whose answer is not compressed after all.
func giveEncoder(ctx context.Context) {
	if give, ok := ctx.Value(encoderKey{}).(func()); ok {
		give()
	}
}

// chooseCoding returns the coding that the client prefers: zstd before gzip before none if it weighs them equally.
func chooseCoding(accept []string) string {
	weights := map[string]float64{}
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		name, params, _ := strings.Cut(part, ";")
		name = strings.TrimPrefix(strings.ToLower(strings.TrimSpace(name)), "x-")
		switch name {
		case "gzip", "zstd", "identity", "*":
			weights[name] = weightOf(params)
		}
	}
	best, most := "", 0.0
	if q, named := weights["identity"]; named {
		most = q
	}
	for _, coding := range []string{"gzip", "zstd"} {
		q, named := weights[coding]
		if !named {
			q = weights["*"]
		}
		if q > 0 && q >= most {
			best, most = coding, q
		}
	}
	return best
}

// weightOf returns the weight in the parameters of an element of Accept or Accept-Encoding: 1 if there is none, 0 if it
// is invalid.
func weightOf(params string) float64 {
	for param := range strings.SplitSeq(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
		if !strings.EqualFold(strings.TrimSpace(name), "q") {
			continue
		}
		q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || !(q >= 0 && q <= 1) {
			return 0
		}
		return q
	}
	return 1
}

// compressible reports whether compression makes an answer of a media type smaller. Event streams are not compressed.
func compressible(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || media == eventStreamType {
		return false
	}
	kind, sub, _ := strings.Cut(media, "/")
	return kind == "text" || strings.HasSuffix(sub, "+json") || strings.HasSuffix(sub, "+xml") ||
		slices.Contains([]string{"json", "xml", "javascript", "x-ndjson", "wasm", "yaml"}, sub)
}

const eventStreamType = "text/event-stream"

// vary sets the Vary header of operations whose answer depends on Accept.
func vary(op *openapi3.Operation) echo.MiddlewareFunc {
	several := false
	if ok := op.Responses.Status(http.StatusOK); ok != nil {
		_, stream := ok.Value.Content[eventStreamType]
		several = stream && len(ok.Value.Content) > 1
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if several {
				c.Response().Header().Add(echo.HeaderVary, echo.HeaderAccept)
			}
			return next(c)
		}
	}
}

// prefersStream reports whether a client prefers server-sent events to JSON. It must name them, because a client that
// accepts anything does not expect an answer without end. Of types with equal weight, a named one goes before a
// wildcard, and then the first one.
func prefersStream(accept string) bool {
	type choice struct {
		weight   float64
		specific int // 0: not accepted, 1: */*, 2: application/*, 3: by name
		place    int
	}
	var stream, plain choice
	for i, part := range strings.Split(accept, ",") {
		media, params, _ := strings.Cut(part, ";")
		got := choice{weight: weightOf(params), place: i}
		take := func(to *choice, specific int) {
			if got.specific = specific; specific > to.specific {
				*to = got
			}
		}
		switch strings.ToLower(strings.TrimSpace(media)) {
		case eventStreamType:
			take(&stream, 3)
		case echo.MIMEApplicationJSON:
			take(&plain, 3)
		case "application/*":
			take(&plain, 2)
		case "*/*":
			take(&plain, 1)
		}
	}
	switch {
	case stream.weight == 0:
		return false
	case stream.weight != plain.weight:
		return stream.weight > plain.weight
	}
	return plain.specific < stream.specific || stream.place < plain.place
}
