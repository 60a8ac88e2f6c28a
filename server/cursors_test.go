package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// impossible are values that a cursor's field could be changed to.
var impossible = []any{
	nil, true, "", " ", "0", "x", "\x00", "\uFFFD", json.RawMessage(`"\ud800"`), "é", strings.Repeat("9", 50), -1, 0, 1,
	2147483647, 2147483648, int64(9223372036854775807), int64(-9223372036854775808),
	json.RawMessage("9223372036854775808"), json.RawMessage("18446744073709551615"),
	1.5, json.RawMessage("1e400"), json.RawMessage("-0"), []any{}, []any{1}, map[string]any{}, map[string]any{"a": 1},
	"0000-01-01", "0001-01-01", "9999-12-31", "10000-01-01", "-0001-01-01", "2022-02-30", "2022-13-01", "infinity",
	"-infinity", "NaN",
	"0000-01-01T00:00:00Z", "0000-12-31T23:59:59-23:59", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59",
	"9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59-23:59", "2022-02-02T00:00:00.123456789Z",
	"2022-02-02T00:00:00+00:00", "2022-02-02T00:00:60Z", "2022-02-02T00:00:00+24:00",
	"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
	"urn:uuid:0197841c-2a00-7aaa-8000-000000000001", "{0197841c-2a00-7aaa-8000-000000000001}",
}

// ordered is an object whose members stay in their order: a cursor is taken only as it was written.
type ordered struct{ members []member }

type member struct {
	name  string
	value any
}

// MarshalJSON implements json.Marshaler.
func (o *ordered) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o.members {
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(append(append(name, ':'), value...))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// readOrdered reads an object of objects and scalars.
func readOrdered(t *testing.T, d *json.Decoder) *ordered {
	t.Helper()
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		t.Fatal(token, err)
	}
	return readMembers(t, d)
}

func readMembers(t *testing.T, d *json.Decoder) *ordered {
	t.Helper()
	o := &ordered{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		value, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		m := member{name: name.(string), value: value}
		if value == json.Delim('{') {
			m.value = readMembers(t, d)
		}
		o.members = append(o.members, m)
	}
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	return o
}

// spoilt gives a cursor with each of its fields, and each of the fields of those, in turn changed to what it could not
// be.
func spoilt(t *testing.T, cursor string) map[string]string {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	add := func(what string, v any) {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out[what] = base64.RawURLEncoding.EncodeToString(raw)
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	whole := any(readOrdered(t, d))
	var spoil func(at string, value any, set func(any))
	spoil = func(at string, value any, set func(any)) {
		for i, v := range impossible {
			set(v)
			add(fmt.Sprintf("%s is %.40v (%d)", at, v, i), whole)
		}
		set(value)
		object, is := value.(*ordered)
		if !is {
			return
		}
		all := object.members
		for i, m := range all {
			object.members = slices.Delete(slices.Clone(all), i, i+1)
			add(at+" without "+m.name, whole)
			object.members = all
			spoil(at+"/"+m.name, m.value, func(v any) { all[i].value = v })
		}
		for _, name := range []string{"a", "s", "extra"} {
			for i, v := range impossible {
				object.members = append(slices.Clone(all), member{name, v})
				add(fmt.Sprintf("%s with %s %.40v (%d)", at, name, v, i), whole)
			}
		}
		object.members = all
	}
	spoil("", whole, func(v any) { whole = v })
	for i := range len(raw) {
		out[fmt.Sprintf("cut at %d", i)] = base64.RawURLEncoding.EncodeToString(raw[:i])
	}
	for _, s := range []string{"\xff", "\x00", "\"", "=", "%", "AA"} {
		out[fmt.Sprintf("%q behind", s)] = cursor + s
	}
	return out
}

// keys are what the keys of lists look like.
var keys = []string{
	`"0197841c-2a00-7aaa-8000-000000000001"`, `5`, `{"a":"2026-06-18T12:00:00Z","k":"1"}`, `{"k":"b","s":"a-b"}`, `{"r":1,"k":"b","s":"a-b"}`,
	`{"a":"2026-06-18T12:00:00Z","i":"0197841c-2a00-7aaa-8000-000000000001"}`, `{"x":5,"b":"44-1/C-11","v":1}`, `{"x":5,"b":"44-1/C-11","v":1,"s":"2026-06-18T12:00:00Z"}`,
	`{"i":"2022-02-02","b":{"Parliament":44,"Session":1,"Prefix":"C","Digits":11,"Suffix":""}}`,
	`{"i":"","b":{"Parliament":44,"Session":1,"Prefix":"C","Digits":23,"Suffix":"A"},"a":"2026-06-18T12:00:00.123456Z"}`,
}

func cursorOf(list, key string) string {
	name, _ := json.Marshal(list)
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"l":%s,"k":%s}`, name, key))
}

// TestSpoiltCursors changes the cursors of every list, field by field. What is taken leads to a page; what is not is
// told so.
func TestSpoiltCursors(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	b := newBench(t)
	b.ended(b.start("/assets/echo/materialize", "").ID.String())
	backfill := decode[api.Backfill](t, b.do("POST", "/backfills", `{"assets": ["parted"]}`), 202).ID.String()
	run := decode[api.RunList](t, b.do("GET", "/runs?asset=echo", ""), 200).Items[0].ID.String()
	path := strings.NewReplacer(
		"{asset}", "echo", "{schedule}", "nightly", "{sensor}", "poll", "{session}", "44-1", "{number}", "C-11",
		"{backfill_id}", backfill, "{run_id}", run,
	)
	seen := 0
	for _, o := range operations(t) {
		if !slices.ContainsFunc(o.params, func(p *openapi3.Parameter) bool { return p.Name == "cursor" }) {
			continue
		}
		seen++
		variants := []string{"?"}
		if o.path == "/bills" {
			variants = []string{
				"?", "?sort=updated&", "?sort=latest_activity&", "?order=asc&", "?sort=updated&order=asc&",
				"?sort=latest_activity&order=asc&",
			}
		}
		for _, variant := range variants {
			target := path.Replace(o.path) + variant
			// A cursor of another list is told of which it should be.
			p := decode[api.Problem](t, b.do("GET", target+"cursor="+cursorOf("no list", "1"), ""), 400)
			_, list, found := strings.Cut(p.Errors[0].Detail, "want one of ")
			if !found {
				t.Fatalf("%s: %+v", target, p)
			}
			taken := 0
			for _, key := range keys {
				cursor := cursorOf(list, key)
				got, err := b.check(wireRequest{anybody, "GET", target + "cursor=" + cursor, "", nil}, false)
				if err != nil {
					t.Errorf("%s, %s: %v", target, key, err)
				}
				if got.status != 200 {
					continue // it is of another kind of list
				}
				taken++
				for what, cursor := range spoilt(t, cursor) {
					a := wireRequest{anybody, "GET", target + "limit=2&count=true&cursor=" + url.QueryEscape(cursor), "", nil}
					if got, err := b.check(a, false); err != nil ||
						got.status != 200 && got.status != 400 && got.status != 422 {
						t.Errorf("%s, %s: %d, %v", target, what, got.status, err)
					}
				}
			}
			if taken == 0 {
				t.Errorf("%s takes none of the keys", target)
			}
		}
	}
	if seen < 15 {
		t.Errorf("cursors of %d lists were tried", seen)
	}
}
