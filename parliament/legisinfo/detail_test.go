package legisinfo_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

// TestOddTypes puts a value of another type in the place of each value of a record, one at a time: the bill stays, and
// so does what stands elsewhere in it.
func TestOddTypes(t *testing.T) {
	t.Parallel()
	var whole map[string]any
	if err := json.Unmarshal([]byte(detail), &whole); err != nil {
		t.Fatal(err)
	}
	tried := 0
	check := func(path string) {
		t.Helper()
		tried++
		raw, err := json.Marshal(whole)
		if err != nil {
			t.Fatal(err)
		}
		got, err := legisinfo.ParseDetail(raw)
		if path == "Id" {
			if err == nil && got.ID != 77 {
				t.Errorf("%s: taken as bill %d", raw, got.ID)
			}
			return
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		if got.ID != 77 || !strings.HasPrefix(path, "SponsorPersonName") && got.SponsorName != "Ada Byron" ||
			!strings.HasPrefix(path, "Statute") && got.Statute != 12 ||
			!strings.HasPrefix(path, "Publications") && len(got.Publications) != 1 ||
			!strings.HasPrefix(path, "HouseVoteDetails") && !strings.HasPrefix(path, "BillStages") && len(got.Votes) != 3 ||
			!strings.HasPrefix(path, "BillStages") && len(got.Stages) != 4 ||
			!strings.HasPrefix(path, "BillStages") && len(got.Sittings) != 2 || !strings.HasPrefix(path, "WebReferences") &&
			len(got.References) != 1 {
			t.Errorf(
				"%s cost more than itself: %d divisions, %d stages, %d sittings", path, len(got.Votes), len(got.Stages),
				len(got.Sittings),
			)
		}
	}
	odd := []any{
		nil, true, -1.5, 1e99, "no", "", []any{}, []any{1, "x", nil, []any{}}, map[string]any{}, map[string]any{"x": 1},
	}
	var walk func(path string, v any, set func(any))
	walk = func(path string, v any, set func(any)) {
		for _, o := range odd {
			set(o)
			check(path)
		}
		set(v)
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				walk(strings.TrimPrefix(path+"."+k, "."), x, func(n any) { v[k] = n })
			}
		case []any:
			for i, x := range v {
				walk(path, x, func(n any) { v[i] = n })
			}
		}
	}
	for k, x := range whole {
		walk(k, x, func(n any) { whole[k] = n })
	}
	if tried < 500 {
		t.Errorf("%d tried", tried)
	}
}

// TestNumbersAsTexts parses a record with numbers written as texts, and lists of one element written as that element.
func TestNumbersAsTexts(t *testing.T) {
	t.Parallel()
	d, err := legisinfo.ParseDetail([]byte(`{"Id": 1, "StatuteYear": "2007", "StatuteChapter": "12",
	 "Publications": {"PublicationId": "5"},
	 "HouseVoteDetails": {"DivisionNumber": "3", "DivisionVotesYeas": "170", "DivisionVotesNays": 4.0},
	 "BillStages": {"HouseBillStages": {"State": "4", "Sittings": {"Number": 0, "Date": "2007-03-02T00:00:00"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if d.Statute != 12 || d.TextID != 5 || len(d.Votes) != 1 || d.Votes[0].Total != 174 || d.Stages[0].State != 4 ||
		len(d.Sittings) != 1 || d.Sittings[0].Number != "" {
		t.Errorf("%+v", d)
	}
}

// corpusFolder holds real records. It is no part of the project: what wants it is skipped where it is not there.
const corpusFolder = "../../../shared/replay/corpus"

var (
	fieldsSection = regexp.MustCompile(`(?s)\n## The record's fields\n(.*?)(\n## |$)`)
	fieldRow      = regexp.MustCompile("(?m)^\\| (`[^|]+) \\| ([^|]+) \\|$")
	fieldName     = regexp.MustCompile("`([^`]+)`")
)

// documented reads the table of the record's fields: each path, and what the program does with it.
func documented(t *testing.T) map[string]string {
	t.Helper()
	doc, err := os.ReadFile("../../docs/data.md")
	if err != nil {
		t.Fatal(err)
	}
	section := fieldsSection.FindStringSubmatch(string(doc))
	if section == nil {
		t.Fatal("docs/data.md has no section on the record's fields")
	}
	out := map[string]string{}
	prefixes := []string{""}
	for _, line := range strings.Split(section[1], "\n") {
		if head, ok := strings.CutPrefix(line, "### "); ok {
			prefixes = nil
			for _, m := range fieldName.FindAllStringSubmatch(head, -1) {
				prefixes = append(prefixes, m[1]+".")
			}
			if len(prefixes) == 0 {
				prefixes = []string{""}
			}
		}
		row := fieldRow.FindStringSubmatch(line)
		if row == nil {
			continue
		}
		for _, m := range fieldName.FindAllStringSubmatch(row[1], -1) {
			for _, prefix := range prefixes {
				out[prefix+m[1]] = row[2]
			}
		}
	}
	return out
}

// TestFieldsAreDocumented lists every path of every record and looks for it in docs/data.md, and the other way round:
// a field that is new upstream, and one that is gone, are noticed.
func TestFieldsAreDocumented(t *testing.T) {
	t.Parallel()
	known := documented(t)
	if len(known) < 200 {
		t.Errorf("the table has %d fields", len(known))
	}
	files, err := filepath.Glob(filepath.Join(corpusFolder, "*.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("the replay server is not here")
	}
	seen := map[string]bool{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				p := strings.TrimPrefix(path+"."+k, ".")
				seen[p] = true
				walk(p, x)
			}
		case []any:
			for _, x := range v {
				walk(path, x)
			}
		}
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(z)
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			var r map[string]any
			if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
				t.Fatal(err)
			}
			walk("", r)
		}
		_ = f.Close()
	}
	matches := func(pattern, path string) bool {
		// A name that ends with an asterisk is a text's: in English, in French, and in the page's language.
		if base, ok := strings.CutSuffix(pattern, "*"); ok {
			return path == base || path == base+"En" || path == base+"Fr"
		}
		return pattern == path
	}
	used := map[string]bool{}
	var missing []string
	for path := range seen {
		found := false
		for pattern := range known {
			if matches(pattern, path) {
				used[pattern], found = true, true
			}
		}
		if !found {
			missing = append(missing, path)
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		t.Errorf("docs/data.md does not say what becomes of %d fields:\n%s", len(missing), strings.Join(missing, "\n"))
	}
	for pattern, fate := range known {
		if !used[pattern] && !strings.Contains(strings.ToLower(fate), "not seen") {
			t.Errorf("no record has %s", pattern)
		}
	}
}
