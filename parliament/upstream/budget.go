package upstream

import (
	"fmt"
	"strings"
	"time"
)

// What one answer may cost, whatever a source sends. docs/security.md has the whole table.
const (
	// MaxRecords is the most records of one list, over all of its pages.
	MaxRecords = 20_000
	// MaxFaults is how many records that cannot be read are told one by one.
	MaxFaults = 100
	// MaxRecord is the longest record that is read, in bytes. The longest of LEGISinfo has 300 kB.
	MaxRecord = 2 << 20
	// maxDepth is how deep a record may be nested, and maxValues how many values it may have. LEGISinfo's have 6 and
	// 5,000.
	maxDepth  = 64
	maxValues = 100_000
	// maxNumber is the longest number, in characters.
	maxNumber = 40
	// MaxMark bounds sessions and numbers, in characters. The longest of LEGISinfo has 6.
	MaxMark = 40
	// MaxName bounds names and words for kinds; the longest has 200.
	MaxName = 400
	// MaxText bounds titles and remarks; the longest has 930.
	MaxText = 2_000
	// MaxProse bounds whole pages of HTML; the longest has 34,000.
	MaxProse = 100_000
	// maxWords bounds a text of a source in a message.
	maxWords = 500
)

// Refused is the error of an answer that is not taken, whenever it is asked for.
func Refused(address, reason string) error { return &BodyError{URL: address, Reason: reason} }

// AddFault adds a record that could not be read. The first MaxFaults are told, and the others counted by a last one.
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

// Count is how many records the faults of AddFault stand for.
func Count(faults []*RecordError) int {
	n := 0
	for _, f := range faults {
		n += max(1, f.More)
	}
	return n
}

// Plausible says whether a moment is one that a record of Parliament may have: from 1867, when there was the first, to
// ten years from now.
func Plausible(t time.Time) bool { return t.Year() >= 1867 && t.Year() <= time.Now().Year()+10 }

// Words bounds a text that is for people to read, such as an error that repeats what a source said.
func Words(s string) string { return Cut(s, maxWords) }

// Cut takes out what cannot be seen of a text, and what is too long of it. A control is a blank: what it stands between
// are two words.
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

// unseen are characters that change how a text looks or is compared, and are none to read: controls other than tabs and
// ends of lines, marks of direction, invisible operators, tags. Joiners (U+200C and U+200D) stay: some scripts are
// written with them.
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
