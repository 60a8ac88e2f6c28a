//go:build race

package runconfig_test

func init() { underRace = true }
