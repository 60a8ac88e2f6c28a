package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/parliament-explorer/parliament-explorer/api"
)

// faults are the first faults of a request, and how many there are.
type faults struct {
	fields []api.FieldError
	total  int
}

func (f *faults) add(pointer func() string, detail string) {
	if f.total++; f.total <= maxFaults {
		f.fields = append(f.fields, api.FieldError{Pointer: pointer(), Detail: detail})
	}
}

// problem is nil without faults.
func (f *faults) problem() error {
	if f.total == 0 {
		return nil
	}
	return invalidOf(f.total, f.fields)
}

// level is an object or a list around the value that is being read.
type level struct {
	keys map[string]struct{} // the keys of an object so far; nil for a list
	next int                 // the index of the next value of a list
	key  string              // the key of an object whose value comes next
	want bool                // whether the value comes next rather than a key
}

// scanner reads JSON once and finds faults that encoding/json accepts.
type scanner struct {
	faults
	levels []level
	values int
}

// scanJSON finds the faults of valid JSON in one pass: repeated keys, of which encoding/json silently takes the last,
// NUL characters and numbers that cannot be stored, and too many or too deeply nested values. It stops when ctx ends.
func scanJSON(ctx context.Context, body []byte) error {
	var s scanner
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return s.problem()
		}
		if err != nil {
			return err
		}
		if err := s.token(token); err != nil {
			return err
		}
	}
}

// token processes the next token. An error ends the pass.
func (s *scanner) token(token json.Token) error {
	if delim, is := token.(json.Delim); is && (delim == '}' || delim == ']') {
		s.levels = s.levels[:len(s.levels)-1]
		return nil
	}
	if len(s.levels) > 0 {
		in := &s.levels[len(s.levels)-1]
		if in.keys != nil && !in.want {
			key, _ := token.(string)
			s.keyOf(in, key)
			return nil
		}
		if in.keys != nil {
			s.values += memberValues - 1
		}
		in.next++
		in.want = false
	}
	s.values++
	switch v := token.(type) {
	case json.Delim:
		if len(s.levels) == maxDepth {
			return invalidField(s.pointer(), "is more than %d lists and objects deep", maxDepth)
		}
		next := level{}
		if v == '{' {
			next.keys = map[string]struct{}{}
			s.values += objectValues - 1
		}
		s.levels = append(s.levels, next)
	case string:
		if strings.Contains(v, "\x00") {
			s.add(s.pointer, "has a NUL character in it")
		}
	case json.Number:
		if wrong := wrongNumber(string(v)); wrong != "" {
			s.add(s.pointer, wrong)
		}
	}
	if s.values > maxValues {
		return invalidField(
			"", "the body has too many values: want %s at most, where an object and a member of one count as %d",
			thousands(maxValues), objectValues,
		)
	}
	return nil
}

func (s *scanner) keyOf(in *level, key string) {
	in.key, in.want = key, true
	if _, twice := in.keys[key]; twice {
		s.add(func() string { return s.pointer() }, "is there twice: want each key once")
	}
	in.keys[key] = struct{}{}
	if strings.Contains(key, "\x00") {
		s.add(func() string { return s.pointer() }, "its name has a NUL character in it")
	}
}

// pointer returns the JSON pointer of the value, or of the key, that is being read.
func (s *scanner) pointer() string {
	var b strings.Builder
	for _, in := range s.levels {
		if b.Len() > maxPointer {
			break // it will be cut anyway
		}
		b.WriteByte('/')
		if in.keys == nil {
			b.WriteString(strconv.Itoa(in.next - 1))
		} else {
			b.WriteString(escapePointer.Replace(in.key[:min(len(in.key), maxPointer+1)]))
		}
	}
	return clip(b.String(), maxPointer)
}

// wrongNumber returns why a number cannot be stored or computed with; empty if it can.
func wrongNumber(s string) string {
	if len(s) > maxDigits {
		return fmt.Sprintf("is a number of %s characters: want %d at most", thousands(len(s)), maxDigits)
	}
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		if n, err := strconv.Atoi(s[i+1:]); err != nil || n > maxExponent || n < -maxExponent {
			return fmt.Sprintf("%s has too large an exponent: want %d at most", s, maxExponent)
		}
	}
	if _, err := strconv.ParseFloat(s, 64); err != nil {
		return s + " is too large a number"
	}
	return ""
}
