package message_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/message"
)

// packages are those whose messages people read in the UI.
var packages = []string{
	"..", "../alerts", "../cron", "../runconfig", "../selection", "../../jobs", "../../server", "../../server/access",
	"../../parliament", "../../parliament/legisinfo", "../../parliament/openparliament", "../../parliament/upstream",
	"../../parliament/embed",
}

// notShown are files whose errors end the start of the program, or are in its log only.
var notShown = []string{
	"../definitions_check.go", "../definitions.go", "../engine.go", "../limit.go", "../freshness.go", "../deployment.go",
	"../sensor.go", "../housekeeping.go", "../housekeeping_rows.go", "../sleep.go",
}

// joins are formats without words, and errors of the declarations and the configuration, which end the start.
var joins = []string{
	"%s: %w", "%w: %w", "%q: %s", "%s: %s", ", got %s", ", got a list of %s", "access: DB and Logger are required",
	"server: DB, Engine, Store and Logger are required",
	"operation %s: %s is %v: want data or all, of a GET with the scope read",
	"%s %s: %s is %v: want %s or %s, of a GET", "origin %q: want scheme://host",
	"operation %s: %s is %q: want none, read, operate, admin or signature",
}

// refusals are files whose functions return what is wrong with a request.
var refusals = []string{
	"../../server/validate.go", "../../server/query.go", "../../server/body.go", "../../server/bounds.go",
}

// makers are the functions whose first literal is a message, or the format of one.
var makers = []string{"Errorf", "New", "invalidField", "conflict", "notFound"}

// fields are the fields of literals that have a message.
var fields = []string{"Detail", "detail", "Skip", "Message", "Reason", "Title"}

// TestEveryMessageHasFrench finds the messages in the source: a new one without French fails.
func TestEveryMessageHasFrench(t *testing.T) {
	t.Parallel()
	found, missing := 0, []string{}
	for _, dir := range packages {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || slices.Contains(notShown, file) {
				continue
			}
			for at, text := range messagesOf(t, file) {
				if slices.Contains(joins, text) {
					continue
				}
				found++
				if _, ok := message.French(example(text)); !ok {
					missing = append(missing, at+": "+strconv.Quote(text))
				}
			}
		}
	}
	if found < 200 {
		t.Errorf("found %d messages only: does the test still recognize them?", found)
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		t.Errorf("%d of %d messages have no French (tables in this package):\n%s",
			len(missing), found, strings.Join(missing, "\n"))
	}
}

// example fills in the parameters of a format.
func example(format string) string {
	pattern := regexp.MustCompile(`%%|%[+#]?(?:\[\d+\])?(?:\.\d+)?[a-zA-Z]`)
	return pattern.ReplaceAllStringFunc(format, func(verb string) string {
		switch verb[len(verb)-1] {
		case '%':
			return "%"
		case 'd':
			return "7"
		case 'q':
			return `"x"`
		default:
			return "x_y"
		}
	})
}

// messagesOf returns the messages in a file, by their position.
func messagesOf(t *testing.T, file string) map[string]string {
	t.Helper()
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	add := func(e ast.Expr) {
		if text, ok := textOf(e); ok && strings.ContainsFunc(example(text), func(r rune) bool { return r == ' ' }) {
			out[set.Position(e.Pos()).String()] = text
		}
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if name := nameOf(n.Fun); slices.Contains(makers, name) {
				for _, arg := range n.Args {
					if _, ok := textOf(arg); ok {
						if lit, plain := arg.(*ast.BasicLit); !plain || !strings.HasPrefix(lit.Value, `"/`) {
							add(arg)
							break
						}
					}
				}
			}
		case *ast.ReturnStmt:
			for _, result := range n.Results {
				if slices.Contains(refusals, file) {
					add(result)
				}
			}
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && slices.Contains(fields, key.Name) {
				add(n.Value)
			}
		}
		return true
	})
	return out
}

func nameOf(fun ast.Expr) string {
	switch f := fun.(type) {
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok && f.Sel.Name == "New" && x.Name != "errors" {
			return ""
		}
		return f.Sel.Name
	case *ast.Ident:
		return f.Name
	}
	return ""
}

// textOf returns the format of a message: a literal, a concatenation with one, or the format of a Sprintf.
func textOf(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		x, left := textOf(e.X)
		y, right := textOf(e.Y)
		if !left && !right {
			return "", false
		}
		if !left {
			x = "%s"
		}
		if !right {
			y = "%s"
		}
		return x + y, true
	case *ast.CallExpr:
		if nameOf(e.Fun) == "Sprintf" {
			return textOf(e.Args[0])
		}
	}
	return "", false
}
