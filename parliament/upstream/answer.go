package upstream

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// List says how the records of a list are read.
type List struct {
	// Field is the field of the answer that has the list; empty: the answer is the list.
	Field string
	// Begin is called before an answer is read. It is called again if the answer turns out to be broken and the request is
	// retried; the records before that do not count.
	Begin func()
	// Record is called with each record. It must not keep raw, which the next record overwrites. err says why a record
	// cannot be used; raw is then empty. An error of Record ends the reading; make it with Refused.
	Record func(raw []byte, err error) error
	// Fields are other fields of the answer, with the values that they are decoded into.
	Fields map[string]any
}

// GetList requests a path below BaseURL and reads a list one record at a time, so that it needs no more memory than the
// longest record. Its errors are those of GetJSON and of Record.
func (c *Client) GetList(ctx context.Context, path string, list List) error {
	address := c.URL(path)
	return c.get(ctx, address, func(s *scanner) error {
		list.Begin()
		return s.list(address, list)
	})
}

// GetJSON requests a path below BaseURL and decodes the answer, which is one record. The error is an *UnavailableError
// if the service cannot be reached, a *StatusError for an answer with an error status that is not worth retrying, and a
// *BodyError for an answer that cannot be read.
func (c *Client) GetJSON(ctx context.Context, path string, into any) error {
	address := c.URL(path)
	return c.get(ctx, address, func(s *scanner) error {
		raw, fault, err := s.value(MaxRecord)
		if err == nil {
			err = s.end()
		}
		if err != nil {
			return err
		}
		if fault == nil {
			fault = json.Unmarshal(raw, into)
		}
		if fault != nil {
			return &BodyError{URL: address, Reason: "is not the JSON expected: " + Words(fault.Error())}
		}
		return nil
	})
}

// read decompresses an answer's body, up to the maximum length, and passes it to f. A body that is cut off, HTML or
// empty may be better the next time.
func (c *Client) read(address string, resp *http.Response, f func(*scanner) error) error {
	// The compressed body is limited too: any number of gzip bytes can decompress to nothing.
	body, err := unpacked(resp, &bounded{r: resp.Body, left: c.cfg.MaxBody})
	var unknown *encodingError
	switch {
	case errors.As(err, &unknown):
		return &BodyError{URL: address, Reason: unknown.Error(), transient: true}
	case err != nil:
		return c.broken(address, err)
	}
	body = &bounded{r: body, left: c.cfg.MaxBody}
	s := &scanner{r: bufio.NewReaderSize(body, maxHead)}
	if mark, _ := s.r.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		_, _ = s.r.Discard(len(byteOrderMark))
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch first, err := s.next(); {
	case errors.Is(err, errInvalid):
		return &BodyError{URL: address, Reason: "is empty", transient: true}
	case err != nil:
		return c.broken(address, err)
	case strings.Contains(media, "html") || first == '<':
		// An HTML page in place of the answer may be temporary. One that a redirect leads to is permanent.
		head, _ := s.r.Peek(maxHead)
		return &BodyError{
			URL: address, Reason: fmt.Sprintf("is HTML, not JSON (status %d, %s)", resp.StatusCode, got(resp, head)),
			transient: redirected(resp) == "",
		}
	}
	err = c.broken(address, f(s))
	var other *BodyError
	if errors.As(err, &other) && (redirected(resp) != "" || !strings.Contains(media, "json")) {
		other.Reason += " (" + got(resp, nil) + ")"
	}
	return err
}

// encodingError is the error for a content encoding that was not requested.
type encodingError struct{ encoding string }

func (e *encodingError) Error() string {
	return "has the encoding " + Words(fmt.Sprintf("%q", e.encoding)) + ", which was not asked for"
}

// unpacked returns the decompressed body of an answer. An empty body stays empty.
func unpacked(resp *http.Response, body io.Reader) (io.Reader, error) {
	switch encoding := strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding"))); encoding {
	case "", "identity", "utf-8", "utf8": // some servers name the character set here
		return body, nil
	case "gzip", "x-gzip":
		packed := bufio.NewReader(body)
		if _, err := packed.Peek(1); err != nil {
			return packed, nil //nolint:nilerr // empty, or broken, as whoever reads it will find
		}
		return gzip.NewReader(packed)
	default:
		return nil, &encodingError{encoding}
	}
}

// byteOrderMark may stand at the start of a text.
const byteOrderMark = "\uFEFF"

// broken classifies an error of reading an answer.
func (c *Client) broken(address string, err error) error {
	var body *BodyError
	switch {
	case err == nil, errors.As(err, &body):
		return err
	case errors.Is(err, errLong):
		return &BodyError{URL: address, Reason: fmt.Sprintf("is longer than %d bytes", c.cfg.MaxBody)}
	case errors.Is(err, errInvalid):
		return &BodyError{URL: address, Reason: errInvalid.Error(), transient: true}
	}
	return &networkError{fmt.Errorf("%s: the answer was cut off: %w", address, err)}
}

// errLong is the error for a body that is too long.
var errLong = errors.New("is too long")

// bounded reads a limited number of bytes. It returns errLong if there are more.
type bounded struct {
	r    io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		var one [1]byte
		n, err := b.r.Read(one[:])
		if n > 0 {
			return 0, errLong
		}
		return 0, err
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}
