package upstream

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// errInvalid is the error for an answer that ended early or is not JSON.
var errInvalid = errors.New("is not valid JSON, or was cut off")

// scanner reads an answer value by value. It keeps one value in memory. It skips values that are too long, too deep or
// have too many parts.
type scanner struct {
	r   *bufio.Reader
	buf []byte
	// unsure reports that a value was skipped without a check that it is valid JSON.
	unsure bool
}

// list reads the records of a list and the other fields of the answer.
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

// unexpected is the error for an answer of another structure. If the answer is valid JSON, the error is permanent.
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

// records passes each element of an array to the list.
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

// separator reads a comma or the closing bracket.
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

// next skips white space and returns the next byte without consuming it.
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

// end checks that nothing follows.
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

// value reads one JSON value of at most limit bytes. It is one long loop, as it runs for each byte of an answer: a call
// for each byte would be slower. It reads one value at a time and keeps its state in local variables.
//
// fault says why it cannot be used, though what follows can. Texts
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
				// found here, not when it is read over
				case !number && run > len("false"), number && strings.IndexByte("0123456789+-.eE", c) < 0:
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

// storable replaces JSON escapes that the database does not accept: NUL and halves of surrogate pairs.
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
