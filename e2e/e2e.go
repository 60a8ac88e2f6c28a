// Package e2e tests the program as processes: benchmarks, chaos (kills, freezes and restarts), faults of Postgres,
// hostile clients, poolers, an upgrade, and a year of runs. There is no code here but tests; begin reading at
// chaos_test.go for a test and at main_test.go for how it starts the program. The targets of the Makefile say how to
// run each.
package e2e
