package dbtest

import "testing"

// Measures skips a test under the race detector, which takes several times the memory and the time: a test that
// measures either, or starts many processes. .ci/run runs these tests without the race detector: .ci/unraced finds them
// by this call.
func Measures(t testing.TB) {
	t.Helper()
	if UnderRace {
		t.Skip("the race detector multiplies what this takes; it runs without")
	}
}

// TakesLong skips a test under the race detector: a test that takes minutes there, and whose concurrent code other
// tests run under it. .ci/run runs these tests without the race detector, as those that call Measures.
func TakesLong(t testing.TB) {
	t.Helper()
	if UnderRace {
		t.Skip("this takes minutes under the race detector; it runs without")
	}
}
