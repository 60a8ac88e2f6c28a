package dbtest

import "testing"

// Measures skips a test of memory or time under the race detector, which takes several times of both. .ci/run has a step
// without it, which names such tests.
func Measures(t testing.TB) {
	t.Helper()
	if UnderRace {
		t.Skip("the race detector multiplies what is measured here")
	}
}
