package db

import "strings"

// CleanText makes a text acceptable to Postgres, which takes neither NUL nor invalid UTF-8: it may quote anything that
// a source sent.
func CleanText(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

// CleanJSON does the same for encoded JSON, in which NUL is an escape.
func CleanJSON(s string) string {
	if !strings.Contains(s, `\u0000`) {
		return s
	}
	// An escaped backslash before u0000 is not the escape.
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		if strings.HasPrefix(s[i:], `\u0000`) {
			b.WriteString("\uFFFD")
			i += 5
			continue
		}
		b.WriteByte(s[i])
		if i++; i < len(s) {
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
