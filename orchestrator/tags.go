package orchestrator

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/runconfig"
)

// maxTagKey is the length of the longest key of a tag, in characters.
const maxTagKey = 100

// tagKey is what keys of tags look like; the contract has it as x-key-pattern. A colon parts key and value where runs
// are looked for by their tags.
var tagKey = regexp.MustCompile(`^[^:\s]+( +[^:\s]+)*$`)

// checkTags is a RequestError if a tag has a key by which it could not be found.
func checkTags(tags map[string]string) error {
	var faults []runconfig.FieldError
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		if tagKey.MatchString(key) && utf8.RuneCountInString(key) <= maxTagKey {
			continue
		}
		shown := key
		if len(shown) > maxTagKey {
			shown = strings.ToValidUTF8(shown[:maxTagKey], "") + "…"
		}
		faults = append(faults, runconfig.FieldError{
			Pointer: runconfig.Pointer("tags", key),
			Detail:  fmt.Sprintf("the key %q cannot be that of a tag: want 1 to %d characters, no colon, and no white space but spaces between words", shown, maxTagKey),
		})
	}
	if len(faults) == 0 {
		return nil
	}
	return &RequestError{Fields: faults}
}
