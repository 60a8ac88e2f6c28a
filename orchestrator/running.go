package orchestrator

import "context"

// Running reports whether a run that has not ended has one of the assets. A sensor that waits for the end of such runs
// calls it before it reads what they write: a run that starts later has written nothing by then.
func (ev *Evaluation) Running(ctx context.Context, assets ...string) (bool, error) {
	return ev.engine.q.AnyOpenRun(ctx, assets)
}
