package server_test

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
)

// TestExportRevalidates downloads an export again and again, as a job by the hour does.
func TestExportRevalidates(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.saveBill("44-1", "C-11", "2022-02-02", "An Act about broadcasting")
	s.saveBill("43-2", "C-10", "2020-11-03", "An Act about broadcasting")
	for _, path := range []string{
		"/exports/bills.csv", "/exports/bills.csv?bom=true", "/exports/bills.ndjson", "/exports/bills.parquet",
		"/exports/bills.csv?session=44-1", "/exports/bills.csv?law=false", "/exports/bills.csv?status=none",
	} {
		first := s.plain("GET", path, "", nil)
		tag := first.Header.Get("ETag")
		if first.StatusCode != 200 || !strings.HasPrefix(tag, `W/"`) ||
			first.Header.Get("Cache-Control") != "no-cache" {
			t.Fatalf("%s: %d %v", path, first.StatusCode, first.Header)
		}
		if again := s.plain("GET", path, "", http.Header{"If-None-Match": {tag}}); again.StatusCode != 304 ||
			again.Header.Get("ETag") != tag {
			t.Errorf("%s again: %d", path, again.StatusCode)
		}
	}
	tagOf := func(path string) string { return s.do("HEAD", path, "").Header.Get("ETag") }
	paths := []string{
		"/exports/bills.csv", "/exports/bills.ndjson", "/exports/bills.csv?session=44-1",
		"/exports/bills.csv?session=43-2",
	}
	// changed gives the paths whose tag is another after something was done.
	changed := func(do func()) (out []string) {
		before := map[string]string{}
		for _, path := range paths {
			before[path] = tagOf(path)
		}
		do()
		for _, path := range paths {
			if tagOf(path) != before[path] {
				out = append(out, path)
			}
		}
		return out
	}
	for _, c := range []struct {
		what string
		do   func()
		want []string
	}{
		{"nothing", func() {}, nil},
		{"a new bill", func() { s.saveBill("43-2", "C-12", "2020-12-01", "Another") }, []string{paths[0], paths[1], paths[3]}},
		{"a changed bill", func() { s.saveBill("44-1", "C-11", "2022-02-02", "An Act about something else") }, []string{paths[0], paths[1], paths[2]}},
		{"a missing bill", func() { s.exec("UPDATE bills SET missing_since = now() WHERE id = '44-1/C-11'") }, []string{paths[0], paths[1], paths[2]}},
		{"a politician", func() { s.savePolitician("ada-byron", 7) }, paths},
		{"only fetched", func() { s.exec("UPDATE bills SET legisinfo_at = now()") }, []string{paths[1]}}, // which NDJSON tells
		{"a gone bill", func() { s.exec("DELETE FROM bills WHERE id = '43-2/C-12'") }, []string{paths[0], paths[1], paths[3]}},
	} {
		if got := changed(c.do); !slices.Equal(got, c.want) {
			t.Errorf("%s changes %q, want %q", c.what, got, c.want)
		}
	}
}

func TestExportForExcel(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.saveBill("44-1", "C-11", "2022-02-02", "Loi concernant l’élection")
	plain, marked := s.do("GET", "/exports/bills.csv", ""), s.do("GET", "/exports/bills.csv?bom=true", "")
	if got := plain.Header.Get("Content-Type"); got != "text/csv; charset=utf-8" {
		t.Errorf("Content-Type %q", got)
	}
	if !bytes.HasPrefix(plain.body, []byte("id,")) ||
		!bytes.Equal(marked.body, append([]byte("\xef\xbb\xbf"), plain.body...)) {
		t.Errorf("%.20q and %.20q", plain.body, marked.body)
	}
	if plain.Header.Get("ETag") == marked.Header.Get("ETag") {
		t.Error("both have one ETag")
	}
	refused(t, s.do("GET", "/exports/bills.parquet?bom=true", ""), 422, "/query/bom")
	refused(t, s.do("GET", "/exports/bills.ndjson?bom=true", ""), 422, "/query/bom")
}

// TestExportIsCompressedAsItIsSent reads an export of several pages in every coding.
func TestExportIsCompressedAsItIsSent(t *testing.T) {
	t.Parallel()
	s := setup(t)
	s.saveBill("44-1", "C-1", "2022-02-02", "An Act")
	dbtest.InsertRows(t, s.db, "bills",
		`SELECT (jsonb_populate_record(b, jsonb_build_object('id', '44-1/C-' || n, 'digits', n,
			'doc', b.doc || jsonb_build_object('id', '44-1/C-' || n, 'number', 'C-' || n)))).*
	        FROM bills b, generate_series(1000, 1700) n`)
	for _, form := range []string{"csv", "ndjson", "parquet"} {
		whole := s.plain("GET", "/exports/bills."+form, "", nil)
		if whole.StatusCode != 200 || len(whole.body) < 10_000 {
			t.Fatalf("%s: %d, %d bytes", form, whole.StatusCode, len(whole.body))
		}
		for _, coding := range []string{"gzip", "zstd"} {
			a := s.plain("GET", "/exports/bills."+form, "", http.Header{"Accept-Encoding": {coding}})
			want := coding
			if form == "parquet" { // which is compressed inside
				want = ""
			}
			if got := a.Header.Get("Content-Encoding"); got != want || want != "" && len(a.body)*4 > len(whole.body) {
				t.Errorf("%s as %s: %q, %d bytes of %d", form, coding, got, len(a.body), len(whole.body))
			}
			if !bytes.Equal(a.unpacked(t), whole.body) && form != "parquet" {
				t.Errorf("%s as %s is another file", form, coding)
			}
		}
	}
}

// TestStreamsAreNotCompressed reads an event stream whose client takes every coding.
func TestStreamsAreNotCompressed(t *testing.T) {
	t.Parallel()
	s := setup(t)
	run := s.start("/assets/echo/materialize", "")
	s.ended(run.ID.String())
	path := "/runs/" + run.ID.String() + "/events"
	a := s.plain(
		"GET", path, "",
		http.Header{"Accept-Encoding": {"gzip, zstd"}, "Accept": {"application/json;q=0.5", "text/event-stream"}},
	)
	if a.Header.Get("Content-Encoding") != "" || a.Header.Get("Content-Type") != "text/event-stream" ||
		!bytes.Contains(a.body, []byte("event: run_success")) {
		t.Errorf("%v %.300s", a.Header, a.body)
	}
	b := s.plain(
		"GET", path, "",
		http.Header{"Accept-Encoding": {"gzip"}, "Accept": {"text/event-stream;q=0.1, application/json"}},
	)
	if b.Header.Get("Content-Type") != "application/json" || b.Header.Get("Content-Encoding") != "gzip" ||
		!slices.Contains(b.Header.Values("Vary"), "Accept") {
		t.Errorf("%v", b.Header)
	}
	if live := s.sse("/events"); live == nil { // a stream that goes on: what is written is sent at once
		t.Error("no stream")
	}
}
