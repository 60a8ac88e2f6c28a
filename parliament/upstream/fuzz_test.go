package upstream

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db"
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
		if check("http://x/", contentType, body) != nil {
			return
		}
		if !json.Valid(body) || !json.Valid([]byte(db.CleanJSON(string(body)))) {
			t.Errorf("%q passed", body)
		}
		var v any
		if err := json.Unmarshal([]byte(db.CleanJSON(string(body))), &v); err != nil {
			return // a number out of range: an error that names the address
		}
		if strings.Contains(fmt.Sprint(v), "\x00") {
			t.Errorf("%q still has a NUL in %v", body, v)
		}
	})
}
