package dbtest

import "testing"

// Measures skips a test under the race detector, which takes several times the memory and the time: one that measures
// either, or starts many processes. .ci/run has steps without it, which name such tests; those of cli run there all.
func Measures(t testing.TB) {
	t.Helper()
	if UnderRace {
		t.Skip("the race detector multiplies what this takes; it runs without")
	}
}
