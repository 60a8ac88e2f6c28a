// Package orchestrator is the engine: it runs named assets as jobs, on demand, on schedules and by sensors, over any
// number of worker processes that share one Postgres. It knows nothing of what the assets are about.
//
// A deployment declares its assets, jobs, schedules and sensors as Declarations, and NewDefinitions checks them. An
// Engine, made with New, runs them. The main types are Asset, Job, Schedule, Sensor and PartitionSet for what is
// declared; Run, RunStep and Materialization for what happened; and Step, by which an asset function reports.
//
// River executes the work: one River job for every step of a run, and River periodic jobs for schedules. The engine
// records it. A run and its jobs begin in one transaction, and a step ends in one transaction. Work that a crash
// interrupts is repeated, and is not recorded twice.
//
// Begin reading at the examples, then at Engine.StartRun (run.go), the start of a run (start.go), one attempt of a step
// (attempt.go), its end (finish.go) and what follows from it (transition.go). Every change of a run happens under the
// lock of its row: run, step, finish, limit and backfill are one state machine, and therefore one package. What needs
// no part of it is in packages below: eventlog, alerts (and notify), retention, cron, runconfig and selection.
package orchestrator
