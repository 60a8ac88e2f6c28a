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

// maxTagKey is the length of the longest tag key, in characters.
const maxTagKey = 100

// maxTagValue is the length of the longest value, in characters, as the contract has it.
const maxTagValue = 200

// tagKey is the pattern of tag keys; the contract has it as x-key-pattern. A colon separates key and value where runs
// are searched by tag.
var tagKey = regexp.MustCompile(`^[^:\s]+( +[^:\s]+)*$`)

// checkTags returns a RequestError if the key of a tag is not valid.
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
			Detail: fmt.Sprintf(
				"the key %q cannot be that of a tag: want 1 to %d characters, no colon, "+
					"and no white space but spaces between words",
				shown,
				maxTagKey,
			),
		})
	}
	if len(faults) == 0 {
		return nil
	}
	return &RequestError{Fields: faults}
}
