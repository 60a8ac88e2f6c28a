package runconfig_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/runconfig"
)

// TestFromYAMLWeighs refuses texts of which the parser would make hundreds of megabytes, and takes as many partitions
// as a backfill may have. It runs alone, so that the memory is its own.
func TestFromYAMLWeighs(t *testing.T) { //nolint:paralleltest // it measures the memory of the process
	dbtest.Measures(t)
	const size = 512 << 10
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	for name, text := range map[string]string{
		"commas": "[" + fill(",") + "]", "zeros": "[" + fill("0,") + "]", "anchors": fill("&a "), "tags": fill("!a "), "aliases": fill("*a "), "quotes": fill(`"`), "apostrophes": fill("'"), "pairs": "[" + fill("a: b, ") + "]",
		"keys": fill("k:\n"), "lists": fill("- \n"), "brackets": fill("[]\n"), "braces": "[" + fill("{},") + "]", "questions": fill("? \n"), "carriage returns": fill("a:\r"),
	} {
		got, used, err := weighed(text)
		var syntax *runconfig.SyntaxError
		if !errors.As(err, &syntax) || used > 1<<20 {
			t.Errorf("%s: %d bytes, %d KiB, %v: want a refusal before it is parsed", name, len(got), used>>10, err)
		}
	}
	// The most that is parsed.
	for name, text := range map[string]string{
		"zeros": "[" + strings.Repeat("0,", 11_000) + "]", "commas": "[" + strings.Repeat(",", 11_000), "keys": strings.Repeat("k:\n", 7_400), "JSON": "[" + strings.Repeat(`{"a":0},`, 2_300) + "]", "JSON keys": "{" + strings.Repeat(`"a":0,`, 4_000) + "}", "quotes": strings.Repeat(`"`, 44_000), "anchors": strings.Repeat("&a ", 11_000), "pairs": "[" + strings.Repeat("a: b, ", 4_900) + "]",
		"partitions": "partitions:\n" + strings.Repeat("- 2025-01-01\n", 20_000), "a long text": "a: " + fill("b "), "a long key": fill("k") + ": 1", "children of a long key": strings.Repeat("k", 1000) + ": [" + strings.Repeat("0,", 10_000) + "]",
	} {
		_, used, err := weighed(text)
		if used > 24<<20 {
			t.Errorf("%s: %d KiB, %v", name, used>>10, err)
		}
		if name == "partitions" && err != nil {
			t.Error(err)
		}
	}
	deep := func(n int) string { return strings.Repeat("[", n) + "1" + strings.Repeat("]", n) }
	if _, err := runconfig.FromYAML([]byte(deep(64))); err != nil {
		t.Error(err)
	}
	var faults *runconfig.Error
	if _, err := runconfig.FromYAML([]byte(deep(65))); !errors.As(err, &faults) || len(faults.Faults[0].Pointer) > 210 {
		t.Errorf("%v", err)
	}
	doc := strings.Repeat("k", 1000) + ": [" + strings.Repeat("&a 0, ", 30) + "]"
	_, err := runconfig.FromYAML([]byte(doc))
	if !errors.As(err, &faults) || len(faults.Faults) != 20 || len(err.Error()) > 8000 {
		t.Errorf("%v", err)
	}
}

func weighed(text string) (got []byte, used uint64, err error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err = runconfig.FromYAML([]byte(text))
	runtime.ReadMemStats(&after)
	return got, after.TotalAlloc - before.TotalAlloc, err
}
