package server

import (
	"encoding/base64"
	"encoding/json"

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
	var c cursor[K]
	raw, err := base64.RawURLEncoding.DecodeString(*given)
	if err == nil {
		err = json.Unmarshal(raw, &c)
	}
	if err != nil {
		return nil, invalidField("/query/cursor", "%q is not a cursor: want the next_cursor of a page before", *given)
	}
	if c.List != list {
		return nil, invalidField("/query/cursor", "this cursor is of another list (%s): want one of %s", c.List, list)
	}
	return &c.Key, nil
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
