package upstream

import (
	"fmt"
	"strings"
	"time"
)

// Limits of one answer, whatever a source sends. docs/security.md has the whole table.
const (
	// MaxRecords is the maximum number of records in a list, over all of its pages.
	MaxRecords = 20_000
	// MaxFaults is how many unreadable records are reported one by one.
	MaxFaults = 100
	// MaxRecord is the maximum length of a record, in bytes. LEGISinfo's longest has 300 kB.
	MaxRecord = 2 << 20
	// maxDepth is the maximum nesting of a record, and maxValues its maximum number of values. LEGISinfo's records have 6
	// and 5,000.
	maxDepth  = 64
	maxValues = 100_000
	// maxNumber is the maximum length of a number, in characters.
	maxNumber = 40
	// MaxMark limits sessions and numbers, in characters. LEGISinfo's longest has 6.
	MaxMark = 40
	// MaxName limits names and terms; the longest has 200 characters.
	MaxName = 400
	// MaxText limits titles and remarks; the longest has 930 characters.
	MaxText = 2_000
	// MaxProse limits pages of HTML; the longest has 34,000 characters.
	MaxProse = 100_000
	// maxWords limits a source's text in a message.
	maxWords = 500
)

// Refused returns the error for an answer that is refused permanently.
func Refused(address, reason string) error { return &BodyError{URL: address, Reason: reason} }

// AddFault adds an unreadable record. The first MaxFaults have an error each; one more error counts the others.
func AddFault(faults []*RecordError, url string, err error) []*RecordError {
	if len(faults) < MaxFaults {
		return append(faults, &RecordError{URL: Words(url), Err: err})
	}
	if len(faults) == MaxFaults {
		faults = append(faults, &RecordError{URL: Words(url)})
	}
	last := faults[MaxFaults]
	last.More++
	last.Err = fmt.Errorf("and %d more records that could not be read", last.More)
	return faults
}

// Count returns how many records the errors of AddFault stand for.
func Count(faults []*RecordError) int {
	n := 0
	for _, f := range faults {
		n += max(1, f.More)
	}
	return n
}

// Plausible reports whether a record of Parliament can have a time: from 1867, the year of the first Parliament, to ten
// years from now.
func Plausible(t time.Time) bool { return t.Year() >= 1867 && t.Year() <= time.Now().Year()+10 }

// Words limits a text for people to read, such as an error that repeats a source's text.
func Words(s string) string { return Cut(s, maxWords) }

// Cut removes invisible characters from a text and limits its length. It replaces a control character by a blank,
// because it separates two words.
func Cut(s string, runes int) string {
	if strings.IndexFunc(s, unseen) >= 0 {
		s = strings.Map(func(r rune) rune {
			switch {
			case !unseen(r):
				return r
			case r < 0xa0:
				return ' '
			}
			return -1
		}, s)
	}
	if len(s) <= runes { // bytes are no fewer than characters
		return s
	}
	n := 0
	for i := range s {
		if n++; n > runes {
			return strings.TrimSpace(s[:i]) + "…"
		}
	}
	return s
}

// unseen reports whether a character is invisible but changes how a text looks or compares: controls other than tabs
// and line ends, direction marks, invisible operators and tags. Joiners (U+200C and U+200D) are allowed: some scripts
// need them.
func unseen(r rune) bool {
	switch {
	case r == '\t' || r == '\n' || r == '\r':
		return false
	case r < 0x20, r >= 0x7f && r < 0xa0, r == 0x61c, r == 0x180e, r == 0x200b, r == 0x200e, r == 0x200f,
		r >= 0x202a && r <= 0x202e, r >= 0x2060 && r <= 0x206f, r == 0xfeff,
		r >= 0xfff9 && r <= 0xfffb, r >= 0xe0000 && r <= 0xe007f, r >= 0xfdd0 && r <= 0xfdef, r&0xfffe == 0xfffe:
		return true
	}
	return false
}
