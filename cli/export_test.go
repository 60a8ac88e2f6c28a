package cli

import (
	"bytes"
	"io"

	"github.com/parliament-explorer/parliament-explorer/db/embedded"
)

// Logged gives the lines of a log of a form.
func Logged(format, message string, args ...any) string {
	var out bytes.Buffer
	newLogger(&out, format, "info").Info(message, args...)
	return out.String()
}

// ShowFetch is how a command shows a fetch.
func ShowFetch(w io.Writer, format string) func(embedded.Progress) {
	return (&app{err: w, logFormat: format, log: newLogger(w, format, "info")}).showFetch()
}
