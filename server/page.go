package server

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"

	"github.com/parliament-explorer/parliament-explorer/api"
)

// cursor is what next_cursor holds: which list it belongs to, and the key of the last item given.
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

// after reads the cursor of a list; nil without one.
func after[K any](list string, given *api.Cursor) (*K, error) {
	if given == nil {
		return nil, nil
	}
	key, err := keyOf[K](list, *given)
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

// keyOf reads a cursor. It takes none that cursorText would not write: a key that is written otherwise, has more in it
// or less, or nothing that a key of the list could be, was not given by this program.
func keyOf[K any](list, given string) (*K, error) {
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
	if err := json.Unmarshal(raw, &c); err != nil || !validKey(&c.Key) || cursorText(list, c.Key) != given {
		return nil, noCursor
	}
	return &c.Key, nil
}

// validKey says whether a key could be one of a list; keys of several parts know that themselves.
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

// page cuts the one item too many that was asked for to see whether there are more.
func page[T, K any](list string, items []T, limit int, key func(T) K) ([]T, *string) {
	if len(items) <= limit {
		return items, nil
	}
	items = items[:limit]
	next := cursorText(list, key(items[limit-1]))
	return items, &next
}

func cursorText[K any](list string, key K) string {
	raw, err := json.Marshal(cursor[K]{List: list, Key: key})
	if err != nil { // keys are ids
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func each[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}

func deref[T any](p *T) T {
	var zero T
	if p == nil {
		return zero
	}
	return *p
}

func ptr[T any](v T) *T { return &v }

// orEmpty makes an empty JSON list of none.
func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
