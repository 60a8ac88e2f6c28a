package upstream

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"
)

// What one answer may cost, whatever a source sends. docs/security.md has the whole table.
const (
	// MaxRecords is the most records of one list, over all of its pages.
	MaxRecords = 20_000
	// MaxFaults is how many records that cannot be read are told one by one.
	MaxFaults = 100
	// MaxRecord is the longest record that is read, in bytes. The longest of LEGISinfo has 300 kB.
	MaxRecord = 2 << 20
	// maxDepth is how deep a record may be nested, and maxValues how many values it may have. LEGISinfo's have 6 and
	// 5,000.
	maxDepth  = 64
	maxValues = 100_000
	// maxNumber is the longest number, in characters.
	maxNumber = 40
	// MaxMark bounds sessions and numbers, in characters. The longest of LEGISinfo has 6.
	MaxMark = 40
	// MaxName bounds names and words for kinds; the longest has 200.
	MaxName = 400
	// MaxText bounds titles and remarks; the longest has 930.
	MaxText = 2_000
	// MaxProse bounds whole pages of HTML; the longest has 34,000.
	MaxProse = 100_000
	// maxWords bounds a text of a source in a message.
	maxWords = 500
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

// Refused is the error of an answer that is not taken, whenever it is asked for.
func Refused(address, reason string) error { return &BodyError{URL: address, Reason: reason} }

// AddFault adds a record that could not be read. The first MaxFaults are told, and the others counted by a last one.
func AddFault(faults []*RecordError, url string, err error) []*RecordError {
	if len(faults) < MaxFaults {
		return append(faults, &RecordError{URL: Words(url), Err: err})
	}
	if len(faults) == MaxFaults {
		faults = append(faults, &RecordError{URL: Words(url)})
	}
	last := faults[MaxFaults]
	last.More++
	last.Err = fmt.Errorf("and %d more records that could not be read", last.More)
	return faults
}

// Count is how many records the faults of AddFault stand for.
func Count(faults []*RecordError) int {
	n := 0
	for _, f := range faults {
		n += max(1, f.More)
	}
	return n
}

// Plausible says whether a moment is one that a record of Parliament may have: from 1867, when there was the first, to
// ten years from now.
func Plausible(t time.Time) bool { return t.Year() >= 1867 && t.Year() <= time.Now().Year()+10 }

// Words bounds a text that is for people to read, such as an error that repeats what a source said.
func Words(s string) string { return Cut(s, maxWords) }

// Cut takes out what cannot be seen of a text, and what is too long of it. A control is a blank: what it stands between
// are two words.
func Cut(s string, runes int) string {
	if strings.IndexFunc(s, unseen) >= 0 {
		s = strings.Map(func(r rune) rune {
			switch {
			case !unseen(r):
				return r
			case r < 0xa0:
				return ' '
			}
			return -1
		}, s)
	}
	if len(s) <= runes { // bytes are no fewer than characters
		return s
	}
	n := 0
	for i := range s {
		if n++; n > runes {
			return strings.TrimSpace(s[:i]) + "…"
		}
	}
	return s
}

// unseen are characters that change how a text looks or is compared, and are none to read: controls other than tabs and
// ends of lines, marks of direction, invisible operators, tags. Joiners (U+200C and U+200D) stay: some scripts are
// written with them.
func unseen(r rune) bool {
	switch {
	case r == '\t' || r == '\n' || r == '\r':
		return false
	case r < 0x20, r >= 0x7f && r < 0xa0, r == 0x61c, r == 0x180e, r == 0x200b, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x206f,
		r == 0xfeff, r >= 0xfff9 && r <= 0xfffb, r >= 0xe0000 && r <= 0xe007f, r >= 0xfdd0 && r <= 0xfdef, r&0xfffe == 0xfffe:
		return true
	}
	return false
}

// errInvalid says that an answer ended early, or is no JSON.
var errInvalid = errors.New("is not valid JSON, or was cut off")

// scanner takes an answer apart while it is read. It keeps one value at a time, and nothing of those that are too long,
// too deep or of too many parts.
type scanner struct {
	r   *bufio.Reader
	buf []byte
	// unsure says that something was read over, of which nobody knows whether it is JSON.
	unsure bool
}

// list reads the records of a list, and what else there is to read.
func (s *scanner) list(address string, list List) error {
	c, err := s.next()
	if err != nil {
		return err
	}
	switch {
	case c == '[' && list.Field == "":
		if err := s.records(address, list); err != nil {
			return err
		}
		return s.end()
	case c == '{' && list.Field != "":
	default:
		want := "a list"
		if list.Field != "" {
			want = "an object with " + list.Field
		}
		_, _, err := s.value(MaxRecord) // it may be no JSON at all, such as the words of a proxy
		if err == nil {
			err = s.end()
		}
		return cmp.Or(err, s.unexpected(address, "want "+want))
	}
	found := false
	var unexpected error // told when the rest turned out to be JSON
	err = s.object(func(key string) error {
		into, wanted := list.Fields[key]
		if key == list.Field {
			switch c, err := s.next(); {
			case err != nil:
				return err
			case c == '[':
				found = true
				return s.records(address, list)
			}
		}
		limit := MaxRecord
		if wanted {
			limit = 64 << 10
		}
		raw, fault, err := s.value(limit)
		if err == nil && wanted {
			if fault == nil {
				fault = json.Unmarshal(raw, into)
			}
			if fault != nil {
				unexpected = cmp.Or(unexpected, s.unexpected(address, key+": "+Words(fault.Error())))
			}
		}
		return err
	})
	if err == nil {
		err = s.end()
	}
	if err == nil && !found {
		unexpected = cmp.Or(unexpected, s.unexpected(address, "it has no list of "+list.Field))
	}
	return cmp.Or(err, unexpected)
}

// unexpected says that an answer is another one than expected. It is so the next time too, if it is JSON.
func (s *scanner) unexpected(address, reason string) error {
	return &BodyError{URL: address, Reason: "is not the JSON expected: " + reason, transient: s.unsure}
}

func (s *scanner) object(field func(key string) error) error {
	_, _ = s.r.ReadByte() // the brace
	for n := 0; ; n++ {
		c, err := s.next()
		if err != nil {
			return err
		}
		if c == '}' && n == 0 {
			_, err := s.r.ReadByte()
			return err
		}
		raw, fault, err := s.value(1 << 10)
		if err != nil {
			return err
		}
		var key string
		if fault == nil && json.Unmarshal(raw, &key) != nil {
			return errInvalid
		}
		if c, err = s.next(); err != nil || c != ':' {
			return cmp.Or(err, errInvalid)
		}
		_, _ = s.r.ReadByte()
		if err := field(key); err != nil {
			return err
		}
		if over, err := s.separator('}'); over || err != nil {
			return err
		}
	}
}

// records gives each element of an array to the list.
func (s *scanner) records(address string, list List) error {
	_, _ = s.r.ReadByte() // the bracket
	for n := 0; ; n++ {
		c, err := s.next()
		if err != nil {
			return err
		}
		if c == ']' && n == 0 {
			_, err := s.r.ReadByte()
			return err
		}
		if n == MaxRecords {
			return &BodyError{URL: address, Reason: fmt.Sprintf("has more than %d records", MaxRecords)}
		}
		raw, fault, err := s.value(MaxRecord)
		if err != nil {
			return err
		}
		if fault != nil {
			raw, fault = nil, fmt.Errorf("record %d of the list %w", n+1, fault)
		}
		if err := list.Record(raw, fault); err != nil {
			return err
		}
		if over, err := s.separator(']'); over || err != nil {
			return err
		}
	}
}

// separator reads a comma, or what closes the list.
func (s *scanner) separator(closing byte) (over bool, err error) {
	c, err := s.next()
	if err != nil {
		return false, err
	}
	_, _ = s.r.ReadByte()
	if c != ',' && c != closing {
		return false, errInvalid
	}
	return c == closing, nil
}

// next skips white space, and gives what comes then without reading it.
func (s *scanner) next() (byte, error) {
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			return 0, ended(err)
		}
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c, s.r.UnreadByte()
		}
	}
}

// end makes sure that nothing follows.
func (s *scanner) end() error {
	switch _, err := s.next(); {
	case err == nil:
		return errInvalid
	case errors.Is(err, errInvalid): // the end
		return nil
	default:
		return err
	}
}

func ended(err error) error {
	if err == io.EOF { //nolint:errorlint // the one that says that the answer ended
		return errInvalid
	}
	return err
}

// value reads one JSON value of at most limit bytes. fault says why it cannot be used, though what follows can. Texts
// in it can be stored: they have no NUL, and are UTF-8.
func (s *scanner) value(limit int) (raw []byte, fault, err error) {
	if _, err := s.next(); err != nil {
		return nil, nil, err
	}
	s.buf = s.buf[:0]
	depth, values, run, read := 0, 0, 0, 0
	refuse := func(format string, n int) {
		if fault == nil { // once: it may be found in each byte that follows
			fault = fmt.Errorf(format, n)
		}
	}
	inString, escaped, number := false, false, false
scan:
	for {
		c, err := s.r.ReadByte()
		if err != nil {
			if depth == 0 && !inString && run > 0 && err == io.EOF { // a number ends with the answer
				break
			}
			return nil, nil, ended(err)
		}
		ends := false
		if inString {
			switch {
			case escaped:
				escaped = false
			case c == '\\':
				escaped = true
			case c == '"':
				inString = false
				ends = depth == 0
			}
		} else {
			scalar := false
			switch c {
			case '"':
				if depth == 0 && run > 0 {
					return nil, nil, errInvalid
				}
				inString = true
			case '{', '[':
				if depth == 0 && run > 0 {
					return nil, nil, errInvalid
				}
				if depth++; depth > maxDepth {
					refuse("is nested more than %d deep", maxDepth)
				}
				values++
			case '}', ']', ',', ':', ' ', '\t', '\n', '\r':
				if depth == 0 {
					if read == 0 {
						return nil, nil, errInvalid
					}
					if err := s.r.UnreadByte(); err != nil {
						return nil, nil, err
					}
					break scan
				}
				switch c {
				case '}', ']':
					depth--
					ends = depth == 0
				case ',':
					values++
				}
			default:
				scalar = true
				if run == 0 {
					number = c == '-' || c >= '0' && c <= '9'
				}
				run++
				switch {
				case !number && run > len("false"), number && strings.IndexByte("0123456789+-.eE", c) < 0: // found here, not when it is read over
					return nil, nil, errInvalid
				case run > maxNumber:
					refuse("has a number of more than %d characters", maxNumber)
				}
			}
			if !scalar {
				run = 0
			}
			if values > maxValues {
				refuse("has more than %d values", maxValues)
			}
		}
		read++
		if fault == nil {
			if len(s.buf) >= limit {
				refuse("is longer than %d bytes", limit)
			} else {
				s.buf = append(s.buf, c)
			}
		}
		if ends {
			break
		}
	}
	if fault != nil {
		s.unsure = true
		return nil, fault, nil
	}
	if storable(s.buf); !json.Valid(s.buf) {
		return nil, nil, errInvalid
	}
	if !utf8.Valid(s.buf) {
		s.buf = bytes.ToValidUTF8(s.buf, []byte("\uFFFD"))
	}
	return s.buf, nil, nil
}

// storable replaces escapes in JSON that a database does not take: NUL, and halves of surrogate pairs.
func storable(raw []byte) {
	unit := func(i int) (rune, bool) { // of the escape at i
		if i+6 > len(raw) || raw[i] != '\\' || raw[i+1] != 'u' {
			return 0, false
		}
		var n rune
		for _, c := range raw[i+2 : i+6] {
			switch {
			case c >= '0' && c <= '9':
				n = n<<4 | rune(c-'0')
			case c|0x20 >= 'a' && c|0x20 <= 'f':
				n = n<<4 | rune(c|0x20-'a'+10)
			default:
				return 0, false
			}
		}
		return n, true
	}
	for i := bytes.IndexByte(raw, '\\'); i >= 0 && i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		n, ok := unit(i)
		switch {
		case !ok:
			i++ // what is escaped
		case n >= 0xd800 && n < 0xdc00:
			if low, ok := unit(i + 6); ok && low >= 0xdc00 && low < 0xe000 {
				i += 11
				continue
			}
			fallthrough
		case n == 0, n >= 0xdc00 && n < 0xe000:
			copy(raw[i:], `\ufffd`)
			fallthrough
		default:
			i += 5
		}
	}
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
		return &BodyError{URL: address, Reason: fmt.Sprintf("is HTML, not JSON (status %d, %s)", resp.StatusCode, got(resp, head)), transient: redirected(resp) == ""}
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
