package legisinfo

import (
	"bytes"
	"encoding/json"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// fields is a JSON object whose fields are read one by one. A field of an unexpected type counts as missing: it must
// not cost the rest of the record.
type fields map[string]any

// record decodes a JSON object. Numbers keep their text.
func record(raw []byte) (fields, error) {
	var f fields
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	err := d.Decode(&f)
	return f, err
}

func (f fields) object(name string) fields {
	o, _ := f[name].(map[string]any)
	return o
}

// list reads a list of objects and leaves out other values. The record has some lists as a single object.
func (f fields) list(name string) []fields {
	values, ok := f[name].([]any)
	if !ok {
		values = []any{f[name]}
	}
	var out []fields
	for _, v := range values[:min(len(values), maxEntries)] {
		if o, ok := v.(map[string]any); ok {
			out = append(out, o)
		}
	}
	return out
}

// text reads a text. A number is a text too.
func (f fields) text(name string) string { return f.words(name, upstream.MaxText) }

// words reads a text and limits its length.
func (f fields) words(name string, most int) string {
	switch v := f[name].(type) {
	case string:
		return strings.TrimSpace(upstream.Cut(v, most))
	case json.Number:
		return v.String()
	}
	return ""
}

// both reads a text in both languages. The field without a language repeats the one of the page's language.
func (f fields) both(name string) Bilingual { return f.bothWords(name, upstream.MaxText) }

func (f fields) bothWords(name string, most int) Bilingual {
	return Bilingual{En: f.words(name+"En", most), Fr: f.words(name+"Fr", most)}
}

// names reads a name in both languages.
func (f fields) names(name string) Bilingual { return f.bothWords(name, upstream.MaxName) }

// prose reads a long text in both languages, such as a summary.
func (f fields) prose(name string) Bilingual { return f.bothWords(name, upstream.MaxProse) }

// mark reads a short identifier, such as a committee's acronym or the number of a sitting; "" for any other text.
func (f fields) mark(name string) string {
	if s := f.text(name); Marks.MatchString(s) {
		return s
	}
	return ""
}

// Marks matches the texts that mark accepts.
var Marks = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 -]{0,19}$`)

// count reads a non-negative number. A text of digits is a number too. It returns 0 if there is none.
func (f fields) count(name string) int {
	n, err := strconv.ParseFloat(f.text(name), 64)
	if err != nil || n < 0 || n > math.MaxInt32 || n != math.Trunc(n) {
		return 0
	}
	return int(n)
}

// flag reads a boolean; ok is false if there is none.
func (f fields) flag(name string) (value, ok bool) {
	value, ok = f[name].(bool)
	return value, ok
}

func (f fields) is(name string) bool {
	value, _ := f.flag(name)
	return value
}

// moment reads a time: its day in Ottawa and, unless it is midnight, the time itself. The record has days as midnights.
// Both are empty if there is no valid time.
func (f fields) moment(name string) (day, at string) {
	t, ok, err := ParseTime(f.text(name))
	if err != nil || !ok {
		return "", ""
	}
	if day = t.Format(time.DateOnly); t.Format("15:04:05.999999999") == "00:00:00" {
		return day, ""
	}
	return day, t.Format(time.RFC3339Nano)
}

func (f fields) day(name string) string {
	day, _ := f.moment(name)
	return day
}

// chamber reads the number of a chamber.
func (f fields) chamber(name string) string { return chamber(f.count(name)) }

// session reads the session that a part of the record belongs to; "" if there is none.
func (f fields) session() string {
	p, s := f.count("ParliamentNumber"), f.count("SessionNumber")
	if p == 0 || s == 0 || p > 999 || s > 99 {
		return ""
	}
	return strconv.Itoa(p) + "-" + strconv.Itoa(s)
}
