// Package e2e tests the program as processes: benchmarks, chaos (kills, freezes and restarts), faults of Postgres,
// hostile clients, poolers, an upgrade, and a year of runs. The package has only tests. Begin reading at chaos_test.go
// for a test, and at main_test.go for the start of the program. The Makefile has a target for each kind of test.
package e2e
