package db

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// CleanText replaces NUL and invalid UTF-8 in a text, which Postgres refuses. Texts that quote a source may have
// either.
func CleanText(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

// CleanJSON replaces NUL in encoded JSON, where it is the escape \u0000.
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

// Printable makes a text that came from outside fit to be kept and shown in one line: what is not UTF-8, control
// characters, and characters that turn the direction of writing become escapes, such as \x1b. A text of more than most
// characters is cut, and ends in "…"; most 0 is no bound.
func Printable(s string, most int) string {
	plain, n := true, 0
	for _, r := range s {
		if n++; r == utf8.RuneError || unprintable(r) || most > 0 && n > most {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	var b strings.Builder
	n = 0
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		piece, width := s[i:i+size], 1
		if r == utf8.RuneError && size == 1 || unprintable(r) {
			piece = escaped(r, s[i])
			width = len(piece)
		}
		if most > 0 && (n+width > most || n+width == most && i+size < len(s)) {
			b.WriteString("…")
			break
		}
		b.WriteString(piece)
		n, i = n+width, i+size
	}
	return b.String()
}

// unprintable reports whether a character does something to a terminal or a page other than being seen.
func unprintable(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r < 0xa0: // control characters
		return true
	// Direction of writing.
	case r == '\u061c', r == '\u200e', r == '\u200f', r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
		return true
	case r == '\u2028', r == '\u2029': // ends of lines
		return true
	}
	return false
}

func escaped(r rune, first byte) string {
	switch {
	case r == '\n':
		return `\n`
	case r == '\r':
		return `\r`
	case r == '\t':
		return `\t`
	case r < 0x80:
		return fmt.Sprintf(`\x%02x`, r)
	case r == utf8.RuneError:
		return fmt.Sprintf(`\x%02x`, first)
	}
	return fmt.Sprintf(`\u%04x`, r)
}
