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

// fields is a JSON object whose fields are read one by one. A field of another type than expected counts as missing:
// it must not cost the rest of the record.
type fields map[string]any

// record reads a JSON object with all that is in it; numbers stay as they are written.
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

// list reads a list of objects, of which it leaves out what is none. The record gives some lists as one object alone.
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

// text reads a text; a number is one too.
func (f fields) text(name string) string { return f.words(name, upstream.MaxText) }

// words reads a text of so many characters at most.
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

// names reads the name of something in both languages.
func (f fields) names(name string) Bilingual { return f.bothWords(name, upstream.MaxName) }

// prose reads a text of a page in both languages, such as a summary.
func (f fields) prose(name string) Bilingual { return f.bothWords(name, upstream.MaxProse) }

// mark reads what something is called by in a few letters or digits, such as a committee's acronym or the number of a
// sitting. What is none is no mark.
func (f fields) mark(name string) string {
	if s := f.text(name); Marks.MatchString(s) {
		return s
	}
	return ""
}

// Marks are what mark takes.
var Marks = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 -]{0,19}$`)

// count reads a number that is not negative; a text of digits is one too. 0 if there is none.
func (f fields) count(name string) int {
	n, err := strconv.ParseFloat(f.text(name), 64)
	if err != nil || n < 0 || n > math.MaxInt32 || n != math.Trunc(n) {
		return 0
	}
	return int(n)
}

// flag reads a truth value; ok is false if there is none.
func (f fields) flag(name string) (value, ok bool) {
	value, ok = f[name].(bool)
	return value, ok
}

func (f fields) is(name string) bool {
	value, _ := f.flag(name)
	return value
}

// moment reads a clock time: its day in Ottawa and, unless it is midnight, the time itself. The record gives days as
// midnights. Both are empty for none, and for what is not a time.
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

// session reads the session that a part of the record belongs to; empty if it does not say.
func (f fields) session() string {
	p, s := f.count("ParliamentNumber"), f.count("SessionNumber")
	if p == 0 || s == 0 || p > 999 || s > 99 {
		return ""
	}
	return strconv.Itoa(p) + "-" + strconv.Itoa(s)
}
