package access

import (
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestRecent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRecent[int](time.Second)
		r.add("a", 1)
		time.Sleep(time.Second - 1)
		if v, ok := r.get("a"); !ok || v != 1 {
			t.Errorf("before its time is over: %d, %t", v, ok)
		}
		time.Sleep(time.Nanosecond)
		if v, ok := r.get("a"); ok || v != 0 {
			t.Errorf("after: %d, %t", v, ok)
		}
		r.add("a", 2)
		r.remove("a")
		if _, ok := r.get("a"); ok {
			t.Error("it was removed")
		}
		for i := range 2 * recentSize {
			r.add(strconv.Itoa(i), i)
		}
		if n := r.values.Len(); n != recentSize {
			t.Errorf("%d values, want %d", n, recentSize)
		}
	})
}

// TestRecentHasNoGoroutine makes many: what is only remembered must not keep the process awake, nor itself in memory.
func TestRecentHasNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 100 {
		newRecent[int](time.Second)
		newStates()
	}
	if more := runtime.NumGoroutine() - before; more > 10 {
		t.Errorf("%d goroutines more", more)
	}
}
