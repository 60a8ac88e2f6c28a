package access

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// recent keeps values for a time, at most recentSize of them. It has no goroutine, unlike the expirable LRU of the same
// library, whose goroutine wakes 100 times in that time and never ends: a value that is too old counts as absent, and
// leaves when room is needed.
type recent[V any] struct {
	values *lru.Cache[string, aged[V]]
	life   time.Duration
}

type aged[V any] struct {
	value V
	until time.Time
}

const recentSize = 10_000

func newRecent[V any](life time.Duration) *recent[V] {
	values, err := lru.New[string, aged[V]](recentSize)
	if err != nil {
		panic(err) // only of a size below 1
	}
	return &recent[V]{values: values, life: life}
}

// get returns a value that is not too old.
func (r *recent[V]) get(key string) (V, bool) {
	found, ok := r.values.Get(key)
	if !ok || !time.Now().Before(found.until) {
		var none V
		return none, false
	}
	return found.value, true
}

func (r *recent[V]) add(key string, value V) {
	r.values.Add(key, aged[V]{value, time.Now().Add(r.life)})
}

func (r *recent[V]) remove(key string) { r.values.Remove(key) }
