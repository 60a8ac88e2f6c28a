package runconfig_test

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/runconfig"
)

// TestFromYAML reads what the web UI reads, which is tested with the same file: web/src/lib/config.test.ts.
func TestFromYAML(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/yaml.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name, YAML string
		JSON       json.RawMessage
		Pointer    *string // refused: where, or that it is no document
	}
	if err := json.Unmarshal(raw, &vectors); err != nil || len(vectors) < 40 {
		t.Fatal(len(vectors), err)
	}
	for _, v := range vectors {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			got, err := runconfig.FromYAML([]byte(v.YAML))
			if v.Pointer == nil {
				if err != nil {
					t.Fatal(err)
				}
				if has, want := decoded(t, got), decoded(t, v.JSON); !reflect.DeepEqual(has, want) {
					t.Errorf("%s, want %s", got, v.JSON)
				}
				return
			}
			var (
				faults *runconfig.Error
				syntax *runconfig.SyntaxError
			)
			switch {
			case errors.As(err, &faults):
				if f := faults.Faults[0]; f.Pointer != *v.Pointer || !strings.HasPrefix(f.Detail, "line ") {
					t.Errorf("%+v, want it at %q", f, *v.Pointer)
				}
			case errors.As(err, &syntax):
				if *v.Pointer != "" || strings.Contains(syntax.Detail, "\n") || strings.Contains(syntax.Detail, "yaml") {
					t.Errorf("%q, want a fault at %q", syntax.Detail, *v.Pointer)
				}
			default:
				t.Errorf("%s, %v: want an error", got, err)
			}
		})
	}
}

func decoded(t *testing.T, raw json.RawMessage) (v any) {
	t.Helper()
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Errorf("%s: %v", raw, err)
	}
	return v
}

// TestFromYAMLExactly keeps what JavaScript would round, and the order of keys.
func TestFromYAMLExactly(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"b: 12345678901234567890\na: [-0012, 0.10, 1e3, .5]": `{"b":12345678901234567890,"a":[-12,0.1,1000,0.5]}`,
		"": "", " \n# nothing\n": "", "---\n": "null", "\ufeffa: 1": `{"a":1}`, `a: "\0"`: `{"a":"\u0000"}`,
	} {
		if got, err := runconfig.FromYAML([]byte(text)); err != nil || string(got) != want {
			t.Errorf("%q: %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"a: \xff", "\xfe\xff\x00a", "a: \x01", "a: \"\\ud800\"", "a: 0xffffffffffffffffff"} {
		if got, err := runconfig.FromYAML([]byte(text)); err == nil {
			t.Errorf("%q: %s", text, got)
		}
	}
}

// TestFromYAMLBounded reads texts that were made to take long: a tenth of a second of the processor each, where what
// grows faster than the text would take an hour.
func TestFromYAMLBounded(t *testing.T) {
	t.Parallel()
	const size = 1 << 18
	fill := func(s string) string { return strings.Repeat(s, size/len(s)) }
	var same strings.Builder
	for i := 0; same.Len() < size; i++ {
		same.WriteString("a: 1\n")
	}
	for name, text := range map[string]string{
		"brackets": fill("["), "braces": fill("{a: "), "dashes": fill("- "), "questions": fill("? "), "colons": fill(": "), "anchors": fill("&a "), "tags": fill("!a "), "bangs": fill("!"),
		"empty lines": fill("\n"), "comments": fill("#\n"), "quotes": fill(`"`), "apostrophes": fill("'"), "commas": "[" + fill(","), "same keys": same.String(), "digits": fill("9"), "exponents": "1e" + fill("9"),
		"documents": fill("---\n"), "directives": fill("%TAG ! a\n"), "a long line": fill("a b "), "escapes": `"` + fill(`\u0001`) + `"`, "indents": indents(), "pairs": "[" + fill("a: b, ") + "]", "hex": "0x" + fill("f"),
		"aliases": "a: &a [" + fill("x,") + "]\nb: [" + strings.Repeat("*a,", 1000) + "]",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			started := time.Now()
			got, err := runconfig.FromYAML([]byte(text))
			took := time.Since(started)
			if took > time.Minute || len(got) > 8*size || err != nil && len(err.Error()) > 8000 {
				t.Errorf("%d bytes after %s, %.200v", len(got), took, err)
			}
			t.Logf("%s: %d bytes, %.200v", took, len(got), err)
		})
	}
}

// indents goes one deeper with each line.
func indents() string {
	var b strings.Builder
	for i := 0; b.Len() < 1<<18; i++ {
		b.WriteString(strings.Repeat(" ", i))
		b.WriteString("a:\n")
	}
	return b.String()
}

func FuzzFromYAML(f *testing.F) {
	for _, s := range []string{
		"a: 1", "ops: {a: {config: {limit: 010}}}", "- x\n- *y", "? a\n: b", "a: |\n x", `{"a": [1, .5e3]}`,
		"%YAML 1.2\n---\n!t x",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got, err := runconfig.FromYAML([]byte(s)); err == nil && got != nil && !json.Valid(got) {
			t.Errorf("%q: %s", s, got)
		}
	})
}
