//go:build race

package dbtest

// UnderRace says whether the race detector is on.
const UnderRace = true
