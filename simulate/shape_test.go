package simulate_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/simulate"
)

// corpusFolder holds real records. It is no part of the project.
const corpusFolder = "../../shared/replay/corpus"

// shape notes every path of a value with the JSON types that it has there.
func shape(into map[string]bool, path string, v any) {
	kind := "null"
	switch v := v.(type) {
	case map[string]any:
		kind = "object"
		for key, value := range v {
			shape(into, path+"."+key, value)
		}
	case []any:
		kind = "list"
		for _, value := range v {
			shape(into, path+"[]", value)
		}
	case string:
		kind = "text"
	case float64:
		kind = "number"
	case bool:
		kind = "bool"
	}
	into[path+" "+kind] = true
}

// unspoken is what real records have and simulated ones do not, with the reason.
var unspoken = map[string]string{}

// TestShapeIsThatOfRealRecords finds every path of the real records, with its types, in simulated ones, and the other
// way around: what reads the one reads the other.
func TestShapeIsThatOfRealRecords(t *testing.T) {
	t.Parallel()
	dbtest.TakesLong(t)
	files, err := filepath.Glob(filepath.Join(corpusFolder, "*.jsonl.gz"))
	if err != nil || len(files) == 0 {
		t.Skip("the real records are not here")
	}
	real, made := map[string]bool{}, map[string]bool{}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(z)
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			var v any
			if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
				t.Fatal(err)
			}
			shape(real, "", v)
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
	}
	w, err := simulate.NewWorld(simulate.Options{
		Codes: []string{"36-1", "41-1", "43-1", "43-2", "44-1", "45-1"}, Bills: 300,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, session := range w.Sessions() {
		for _, raw := range w.Records(session) {
			var v any
			if err := json.Unmarshal(raw, &v); err != nil {
				t.Fatal(err)
			}
			shape(made, "", v)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(real)) {
		if !made[path] && unspoken[path] == "" {
			t.Errorf("real records have %s", path)
		}
		if made[path] && unspoken[path] != "" {
			t.Errorf("simulated records have %s after all", path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(made)) {
		if !real[path] {
			t.Errorf("only simulated records have %s", path)
		}
	}
	for path := range unspoken {
		if !real[path] {
			t.Errorf("real records do not have %s", path)
		}
	}
}
