package server

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"

	"github.com/parliament-explorer/parliament-explorer/api"
)

// cursor is the content of next_cursor: the list it belongs to, and the key of the last item of the page.
type cursor[K any] struct {
	List string `json:"l"`
	Key  K      `json:"k"`
}

const defaultLimit = 50

func limitOf(l *api.Limit) int {
	if l == nil {
		return defaultLimit
	}
	return *l
}

// decodeCursor returns the key in the cursor of a list, or nil if the request has no cursor.
func decodeCursor[K any](list string, given *api.Cursor) (*K, error) {
	if given == nil {
		return nil, nil
	}
	key, err := decodeKey[K](list, *given)
	if err != nil {
		return nil, unreadableCursor(err)
	}
	return key, nil
}

func unreadableCursor(err error) error {
	return unreadable("the request", api.FieldError{Pointer: "/query/cursor", Detail: err.Error()})
}

func errNoCursor(given string) error {
	return fmt.Errorf("%s is not a cursor: want the next_cursor of a page before, as it is", quoted(given))
}

// decodeKey decodes a cursor. It accepts only what encodeCursor writes: a key in another spelling, with more or fewer
// fields, or with a value that no item of the list can have, does not come from this program.
func decodeKey[K any](list, given string) (*K, error) {
	noCursor := errNoCursor(given)
	raw, err := base64.RawURLEncoding.DecodeString(given)
	if err != nil {
		return nil, noCursor
	}
	var seen struct {
		List string `json:"l"`
		Key  any    `json:"k"`
	}
	if err := json.Unmarshal(raw, &seen); err != nil || scanJSON(context.Background(), raw) != nil {
		return nil, noCursor
	}
	if seen.List != list {
		return nil, fmt.Errorf("this cursor is of another list (%s): want one of %s", quoted(seen.List), list)
	}
	var c cursor[K]
	if err := json.Unmarshal(raw, &c); err != nil || !validKey(&c.Key) || encodeCursor(list, c.Key) != given {
		return nil, noCursor
	}
	return &c.Key, nil
}

// validKey reports whether an item of a list can have the key. Keys with several fields have a method Valid.
func validKey(key any) bool {
	switch k := key.(type) {
	case *int:
		return *k >= 0 && *k <= math.MaxInt32
	case *int32:
		return *k >= 0
	case interface{ Valid() bool }:
		return k.Valid()
	}
	return true
}

// page returns the first limit items and the cursor of the next page. The caller reads one item more than limit, which
// shows whether there is a next page.
func page[T, K any](list string, items []T, limit int, key func(T) K) ([]T, *string) {
	if len(items) <= limit {
		return items, nil
	}
	items = items[:limit]
	next := encodeCursor(list, key(items[limit-1]))
	return items, &next
}

func encodeCursor[K any](list string, key K) string {
	raw, err := json.Marshal(cursor[K]{List: list, Key: key})
	if err != nil { // keys are ids
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}
