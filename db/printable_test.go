package db_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/parliament-explorer/parliament-explorer/db"
)

func TestPrintable(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"": "",
		"plain é\u00a0ñ \U0001F468\u200d\U0001F469": "plain é\u00a0ñ \U0001F468\u200d\U0001F469",
		"\uFFFD":                         "\uFFFD",
		"a\x00b\x1b[2J\x7f":              `a\x00b\x1b[2J\x7f`,
		"a\r\n\tb":                       `a\r\n\tb`,
		"\u009b\u0085":                   `\u009b\u0085`,
		"\xff\xc3(":                      `\xff\xc3(`,
		"\u202e\u2066\u200f\u061c\u2028": `\u202e\u2066\u200f\u061c\u2028`,
	} {
		if got := db.Printable(s, 0); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
	for s, want := range map[string]string{
		"12345": "12345", "123456": "1234…", "ééééé": "ééééé", "éééééé": "éééé…", "1234\n": "1234…", "123\n": "123\\n",
		"\n\n\n": `\n\n…`,
	} {
		if got := db.Printable(s, 5); got != want {
			t.Errorf("%q cut: %q, want %q", s, got, want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b\xff", 5)
	f.Add(strings.Repeat("\u202e", 10), 1)
	f.Fuzz(func(t *testing.T, s string, most int) {
		most = max(0, most%1000)
		got := db.Printable(s, most)
		if !utf8.ValidString(got) || most > 0 && utf8.RuneCountInString(got) > most || db.Printable(got, most) != got {
			t.Errorf("%q, %d: %q", s, most, got)
		}
	})
}
