package access

import (
	"fmt"
	"testing"
	"time"
)

// TestManySendersOfRefusedRequests has more strangers than are told apart. They used to share a window with everybody
// else, keys among them, in which each request counted twice.
func TestManySendersOfRefusedRequests(t *testing.T) {
	t.Parallel()
	w := newWindows(maxRefused)
	before := w.known("before")
	for i := range maxWindows + 5 {
		w.stranger(fmt.Sprint("address ", i))
	}
	others := w.stranger("one more")
	if got := w.stranger("another"); got != others || len(w.m) != maxWindows {
		t.Errorf("%d windows; those beyond share one: %t", len(w.m), got == others)
	}
	key, all := w.known("key"), w.together(maxAllRefused)
	if key == others || all == others || key == all || all.most != maxAllRefused || w.together(maxAllRefused) != all ||
		w.known("key") != key || w.known("before") != before {
		t.Errorf("a key, all, and strangers share a window: %p %p %p", key, all, others)
	}
	for range maxRefused {
		if !others.take() || !all.take() || !key.take() {
			t.Fatal("one is full")
		}
	}
	if others.take() || key.take() || !all.take() {
		t.Error("one is counted for another")
	}
	if n := len(w.all()); n != maxWindows+1+2 {
		t.Errorf("%d windows in all", n)
	}

	// Windows that are over are looked for once in a while, not for each new sender.
	old := time.Now().Add(-time.Hour)
	for _, got := range w.m {
		got.began = old
	}
	w.stranger("soon after")
	if len(w.m) < maxWindows {
		t.Error("they are looked for again at once")
	}
	w.swept = old
	if got := w.stranger("later"); got == others || len(w.m) != 1 {
		t.Errorf("%d windows are left", len(w.m))
	}
}
