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

// List says what a list's records are given to.
type List struct {
	// Field is the field of the answer that has the list; empty: the answer is the list.
	Field string
	// Begin is called before an answer is read, and again when the answer turns out to be broken and is asked for once
	// more: what came of it does not count.
	Begin func()
	// Record is given each record. raw may not be kept: it is overwritten by the next one. err says why a record cannot
	// be used, and raw is empty then. An error, which Refused makes, ends the reading.
	Record func(raw []byte, err error) error
	// Fields are further fields of the answer, and what they are decoded into.
	Fields map[string]any
}

// GetList asks for a path below BaseURL and reads a list, record by record as it comes, so that no list needs more
// memory than its longest record. Errors are those of GetJSON, and those of Record.
func (c *Client) GetList(ctx context.Context, path string, list List) error {
	address := c.URL(path)
	return c.get(ctx, address, func(s *scanner) error {
		list.Begin()
		return s.list(address, list)
	})
}

// GetJSON asks for a path below BaseURL and decodes the answer, which is one record. Errors: *UnavailableError when the
// service cannot be had, *StatusError for an answer that is no success and will not become one, *BodyError for one that
// cannot be read.
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

// read gives an answer's body to f, unpacked, up to its longest length. A body that is cut off, HTML or empty may be
// better the next time.
func (c *Client) read(address string, resp *http.Response, f func(*scanner) error) error {
	// What is packed is bounded too: gzip packs nothing at all in any number of bytes.
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
		// A page in place of the answer may be gone in a moment; one that a redirect leads to is what is there.
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

// encodingError is an encoding that was not asked for.
type encodingError struct{ encoding string }

func (e *encodingError) Error() string {
	return "has the encoding " + Words(fmt.Sprintf("%q", e.encoding)) + ", which was not asked for"
}

// unpacked gives what an answer's body has. An empty one stays empty.
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

// byteOrderMark is what some programs write before a text.
const byteOrderMark = "\uFEFF"

// broken says what an error of reading means.
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

// errLong says that a body is too long.
var errLong = errors.New("is too long")

// bounded reads so many bytes, and then says errLong if there are more.
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
