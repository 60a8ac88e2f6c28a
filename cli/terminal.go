package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// Everything that a command prints goes through this file. Data from a server, a database or a source must reach the
// terminal as text only, without control characters. A test checks that no other file prints.

// painted is a text with escapes for colors. It is printed as it is, so its parts must have been made printable before.
type painted string

// printable returns a value that can be shown on one line.
func printable(v any) any {
	switch v := v.(type) {
	case painted:
		return string(v)
	case string:
		return db.Printable(v, 0)
	case []byte:
		return db.Printable(string(v), 0)
	case json.RawMessage:
		return db.Printable(string(v), 0)
	case error:
		return db.Printable(v.Error(), 0)
	case fmt.Stringer:
		return db.Printable(v.String(), 0)
	}
	if r := reflect.ValueOf(v); r.Kind() == reflect.String { // a type of the contract
		return db.Printable(r.String(), 0)
	}
	return v
}

// sprintf is fmt.Sprintf with printable arguments.
func sprintf(format string, args ...any) string {
	for i := range args {
		args[i] = printable(args[i])
	}
	return fmt.Sprintf(format, args...)
}

// printf prints printable arguments. The format must be a constant of the program.
func printf(w io.Writer, format string, args ...any) { _ = writef(w, format, args...) }

// writef is printf with an error, for output that must not be lost.
func writef(w io.Writer, format string, args ...any) error {
	_, err := io.WriteString(w, sprintf(format, args...))
	return err
}

// printLine prints printable arguments as one line.
func printLine(w io.Writer, args ...any) { _ = writeLine(w, args...) }

// writeLine is printLine with an error, for output that must not be lost.
func writeLine(w io.Writer, args ...any) error {
	for i := range args {
		args[i] = printable(args[i])
	}
	_, err := fmt.Fprintln(w, args...)
	return err
}

// table is a table with aligned columns.
type table struct{ w *tabwriter.Writer }

// newTable begins a table. Without columns it has no header.
func newTable(w io.Writer, columns ...string) *table {
	t := &table{tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)}
	if len(columns) > 0 {
		fmt.Fprintln(t.w, strings.Join(columns, "\t"))
	}
	return t
}

// row adds a row.
func (t *table) row(cells ...any) {
	for i, cell := range cells {
		if i > 0 {
			fmt.Fprint(t.w, "\t")
		}
		fmt.Fprint(t.w, printable(cell))
	}
	fmt.Fprintln(t.w)
}

func (t *table) flush() error { return t.w.Flush() }

// printJSON prints JSON as the server sent it. Characters that a terminal would interpret become escapes, which mean
// the same in JSON.
func printJSON(w io.Writer, raw []byte) error {
	_, err := fmt.Fprintln(w, strings.TrimSpace(string(plainJSON(raw))))
	return err
}

// encodeJSON prints a value as JSON in one line.
func encodeJSON(w io.Writer, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return printJSON(w, raw)
}

// plainJSON escapes the characters of JSON that are not printable. Outside of strings, JSON is ASCII.
func plainJSON(raw []byte) []byte {
	var b bytes.Buffer
	for len(raw) > 0 {
		r, size := utf8.DecodeRune(raw)
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\ufffd`)
		case r == '\n', r == '\t':
			b.WriteRune(r)
		case r < 0x20: // white space between values, or no JSON
			b.WriteByte(' ')
		case db.Printable(string(r), 0) != string(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.Write(raw[:size])
		}
		raw = raw[size:]
	}
	return b.Bytes()
}

// plainLines is a writer for log lines. It escapes the characters that a terminal would interpret and that the log's
// handler leaves as they are.
type plainLines struct {
	w      io.Writer
	asJSON bool
}

// Write implements io.Writer.
func (p plainLines) Write(line []byte) (int, error) {
	plain := line
	if p.asJSON {
		plain = plainJSON(line)
	} else if text, ended := strings.CutSuffix(string(line), "\n"); db.Printable(text, 0) != text {
		plain = []byte(db.Printable(text, 0))
		if ended {
			plain = append(plain, '\n')
		}
	}
	if _, err := p.w.Write(plain); err != nil {
		return 0, err
	}
	return len(line), nil
}
