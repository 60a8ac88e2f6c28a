package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzCursor feeds anything to what reads cursors: one that is taken is of the list, one that is refused is told so,
// and one that was given is taken.
func FuzzCursor(f *testing.F) {
	_, given := page("events", []int64{7, 8}, 1, func(n int64) int64 { return n })
	for _, s := range []string{
		*given, "", "e30", "bnVsbA", "eyJsIjoiZXZlbnRzIn0", "eyJsIjoiZXZlbnRzIiwiayI6IjEifQ", "%%%",
		strings.Repeat("A", 4000),
	} {
		f.Add(s, "events", int64(7))
	}
	f.Fuzz(func(t *testing.T, given, list string, key int64) {
		if _, err := decodeCursor[int64](list, &given); err != nil {
			var refused *problem
			if !errors.As(err, &refused) || refused.status != 400 || len(refused.fields) != 1 ||
				refused.fields[0].Pointer != "/query/cursor" {
				t.Errorf("%q: %v", given, err)
			}
		}
		if !utf8.ValidString(list) { // lists are named by us
			return
		}
		_, made := page(list, []int64{key, 0}, 1, func(n int64) int64 { return n })
		got, err := decodeCursor[int64](list, made)
		if err != nil || *got != key {
			t.Errorf("%q of %q gives %v, %v", *made, list, got, err)
		}
		if _, err := decodeCursor[int64](list+"x", made); err == nil {
			t.Errorf("%q of %q was taken for another list", *made, list)
		}
	})
}

// FuzzJSON feeds anything through what looks at bodies before they are read: what passes is one JSON value that can be
// stored, and what is refused is refused with a reason.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a": ["\u0000"]}`, `{"a": 1} {}`, `{"a": 1, "a": 2}`, `"\ud800"`, "\xff", `{"\u0000": 1}`, `"\\u0000"`,
		strings.Repeat("[", 10001),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var refused *problem
		if err := checkJSON(t.Context(), "application/json", body); errors.As(err, &refused) {
			if refused.status/100 != 4 || refused.detail == "" {
				t.Errorf("%q: %+v", body, refused)
			}
			return
		}
		var v any
		if err := json.Unmarshal(body, &v); err != nil {
			t.Fatalf("%q passed, though %v", body, err)
		}
		if strings.Contains(fmt.Sprint(v), "\x00") {
			t.Errorf("%q passed, with a NUL in %v", body, v)
		}
	})
}

// TestScanStops gives up on a body when the client leaves.
func TestScanStops(t *testing.T) {
	t.Parallel()
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if err := checkJSON(ctx, "application/json", []byte(`{"a": ["\u0000"]}`)); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// FuzzClip cuts anything: what is left is as short as it should be in JSON, and its beginning is the text's.
func FuzzClip(f *testing.F) {
	for _, s := range []string{"", "a", "é", "\x00\x01", "\xff\xfe", "\"\\\n", "\u2028<>&", strings.Repeat("é", 100)} {
		f.Add(s, 10)
	}
	f.Fuzz(func(t *testing.T, s string, most int) {
		if most < 6 || most > 1<<20 {
			return
		}
		got := clip(s, most)
		if got != s && !strings.HasPrefix(s, strings.TrimSuffix(got, "…")) {
			t.Errorf("%q of %q", got, s)
		}
		var unescaped bytes.Buffer
		enc := json.NewEncoder(&unescaped)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(got); err != nil || unescaped.Len()-3 > most { // quotation marks and the end of the line
			t.Errorf("%q has %d bytes in JSON, want %d", got, unescaped.Len()-3, most)
		}
	})
}
