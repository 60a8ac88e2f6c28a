package upstream

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// FuzzAnswer feeds anything through what looks at an answer before it is read: what passes is JSON, before and after
// NUL characters are taken out, and a wait that is asked for is never negative or longer than can be believed.
func FuzzAnswer(f *testing.F) {
	f.Add("application/json", []byte(`{"objects": ["\u0000"]}`), "5")
	f.Add("text/html; charset=utf-8", []byte(`<html>`), "Wed, 21 Oct 2026 07:28:00 GMT")
	f.Add("", []byte(" \n"), "-1")
	f.Add("application/json", []byte(`{"cut": "o`), "99999999999999999999")
	f.Add("a/b; =", []byte(`"\\u0000 \\\u0000"`), "1e9")
	for _, body := range []string{
		"Service Unavailable", "Down for maintenance", "error", "{nonsense}", "\uFEFF<!DOCTYPE html>",
		`"down" for maintenance`, `{"pagination": 5} x`, `{} x`, `{"a": nonsense}`,
		`{"pagination": 5, "a": }`, `{"a": x` + strings.Repeat("1", 50) + `}`, strings.Repeat("0", 50),
		strings.Repeat("[", 70) + "nul" + strings.Repeat("]", 70),
	} {
		f.Add("text/plain", []byte(body), "")
	}
	now := time.Date(2026, 6, 18, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, contentType string, body []byte, after string) {
		if wait := retryAfter(after, now); wait < 0 {
			t.Errorf("Retry-After %q: %s", after, wait)
		}
		c := &Client{cfg: Config{MaxBody: 1 << 20}, base: &url.URL{}}
		resp := &http.Response{Header: http.Header{"Content-Type": {contentType}}, Body: io.NopCloser(bytes.NewReader(body))}
		var raw []byte
		err := c.read("http://x/", resp, func(s *scanner) error {
			var err, fault error
			if raw, fault, err = s.value(MaxRecord); err == nil && fault == nil {
				return s.end()
			}
			return errors.Join(fault, err)
		})
		for _, field := range []string{"", "objects"} {
			resp.Body = io.NopCloser(bytes.NewReader(body))
			var page struct{ Next string }
			list := List{Field: field, Fields: map[string]any{"pagination": &page}, Record: func(raw []byte, err error) error {
				if err == nil && !json.Valid(raw) {
					t.Errorf("%q has the record %q", body, raw)
				}
				return nil
			}}
			err := c.read("http://x/", resp, func(s *scanner) error { return s.list("http://x/", list) })
			if IsLasting(err) && !json.Valid(bytes.TrimPrefix(body, []byte(byteOrderMark))) {
				t.Errorf("%q is no JSON, and said to stay so: %v", body, err)
			}
		}
		if err != nil {
			return
		}
		if !json.Valid(raw) || !utf8.Valid(raw) {
			t.Errorf("%q passed as %q", body, raw)
		}
		var v any
		if err := json.Unmarshal(raw, &v); err != nil {
			return // a number out of range: an error that names the address
		}
		if strings.Contains(fmt.Sprint(v), "\x00") {
			t.Errorf("%q still has a NUL in %v", body, v)
		}
	})
}
