//go:build !race

package dbtest

// UnderRace reports whether the race detector is on.
const UnderRace = false
