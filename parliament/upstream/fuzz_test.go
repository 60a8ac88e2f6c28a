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
