package cli

import "bytes"

// MainWith is Main with further parts of the pipeline.
var MainWith = mainWith

// Logged gives the lines of a log of a form.
func Logged(format, message string, args ...any) string {
	var out bytes.Buffer
	newLogger(&out, format, "info").Info(message, args...)
	return out.String()
}
