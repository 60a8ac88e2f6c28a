package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/alerts"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/internal/sql"
)

// Severities of asset checks and alerts.
const (
	SeverityWarn  = alerts.SeverityWarn
	SeverityError = alerts.SeverityError
)

// Check examines an asset right after it was materialized. A check that does not pass undoes nothing: both the
// materialization and the result are recorded.
type Check struct {
	// Name is lower-case with underscores, and unique within the asset.
	Name string
	// Description is one sentence for people.
	Description string
	// DescriptionFR is the same in French; default none.
	DescriptionFR string
	// Severity is SeverityWarn (the default) or SeverityError.
	Severity string
	// Blocking holds back what depends on the asset in the same run when the check, of SeverityError, does not pass, and
	// automation conditions while the latest result is that it does not.
	Blocking bool
	// Run is the check; md is the metadata of the materialization. An error or a panic counts as not passed.
	Run func(ctx context.Context, step *Step, md Metadata) (CheckOutcome, error)
}

// CheckOutcome is what a check found.
type CheckOutcome struct {
	Passed bool
	// Message says in a few words what was found and what was wanted.
	Message  string
	Metadata Metadata
}

// CheckResult is one recorded outcome of a check.
type CheckResult struct {
	ID        uuid.UUID // a UUIDv7 of the time when the check began
	Asset     string
	Name      string
	RunID     uuid.UUID
	Partition *string
	Passed    bool
	Severity  string
	Blocking  bool
	Message   string
	Metadata  json.RawMessage
	CreatedAt time.Time
}

// cause returns the cause of the check's alert.
func (r CheckResult) cause() string { return "check:" + r.Asset + "/" + r.Name }

// checkTimeout ends a check that takes longer.
const checkTimeout = time.Minute

// runChecks runs the checks of an asset whose function has just returned.
func (e *Engine) runChecks(ctx context.Context, asset *Asset, step *Step, md Metadata) []CheckResult {
	results := make([]CheckResult, 0, len(asset.Checks))
	for _, c := range asset.Checks {
		r := CheckResult{
			ID:       uuid.Must(uuid.NewV7()),
			Asset:    asset.Name,
			Name:     c.Name,
			RunID:    step.RunID,
			Severity: c.Severity,
			Blocking: c.Blocking,
		}
		out, err := runCheck(ctx, c, step, md)
		if ctx.Err() != nil {
			return nil // the attempt is interrupted, and ends as that
		}
		if err != nil {
			out = checked{CheckOutcome{Message: "the check itself failed: " + err.Error()}, json.RawMessage("{}")}
		}
		r.Passed, r.Message, r.Metadata = out.Passed, db.CleanText(out.Message), out.encoded
		results = append(results, r)
	}
	return results
}

// checked is what a check returned, and its metadata as it is stored.
type checked struct {
	CheckOutcome
	encoded json.RawMessage
}

// runCheck runs a check, and repeats it while the database is unavailable.
func runCheck(ctx context.Context, c *Check, step *Step, md Metadata) (checked, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		out, err := guarded(ctx, func(ctx context.Context) (out checked, err error) {
			if out.CheckOutcome, err = c.Run(ctx, step, maps.Clone(md)); err == nil {
				out.encoded, err = out.Metadata.encode()
			}
			return out, err
		})
		if err == nil || !db.Unavailable(err) {
			return out, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return out, err
		}
	}
}

// panicked is the error made of a panic.
type panicked struct {
	value any
	stack string
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// errDidNotStop is the error of a function that guarded abandoned.
var errDidNotStop = errors.New("did not stop")

// guarded calls a function of the definitions. It returns a panic as a *panicked, and abandons a function that does not
// stop soon after ctx ends.
func guarded[T any](ctx context.Context, f func(context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	returned := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if p := recover(); p != nil {
				r.err = &panicked{value: p, stack: string(debug.Stack())}
			}
			returned <- r
		}()
		r.value, r.err = f(ctx)
	}()
	select {
	case r := <-returned:
		return r.value, r.err
	case <-ctx.Done():
	}
	select {
	case r := <-returned:
		return r.value, r.err
	case <-time.After(abandonAfter):
		var none T
		return none, fmt.Errorf("%w: %w", errDidNotStop, context.Cause(ctx))
	}
}

// recordChecks records the results of a step's checks in the transaction that ends it, raises or recovers their alerts,
// and returns the name of a check that blocks the steps downstream. It is long because each result needs all of this in
// the order of locks.
func (e *Engine) recordChecks(
	ctx context.Context,
	tx pgx.Tx,
	q *sql.Queries,
	t *transition,
	step *Step,
	results []CheckResult,
) (blockedBy string, err error) {
	partition := e.partitionOf(step.Asset, t.run.Partition)
	if len(results) > 1 { // otherwise LockCheck locks it
		if err := e.alerts.LockTx(ctx, tx, each(results, CheckResult.cause)); err != nil {
			return "", err
		}
	}
	for _, r := range results {
		verb, level := "passed", eventlog.LevelInfo
		if !r.Passed {
			verb, level = "did not pass", eventlog.LevelWarn
			if r.Severity == SeverityError {
				level = eventlog.LevelError
			}
			if r.Blocking && r.Severity == SeverityError {
				blockedBy = r.Name
			}
		}
		message := fmt.Sprintf("check %s %s", r.Name, verb)
		if r.Message != "" {
			message += ": " + r.Message
		}
		t.add(
			eventlog.Entry{Type: eventlog.AssetCheck, Level: level, Asset: step.Asset, Attempt: step.Attempt, Message: message,
				Data: eventlog.Data(map[string]any{
					"check": r.Name, "passed": r.Passed, "severity": r.Severity, "metadata": r.Metadata,
				})},
		)
		if err := q.InsertCheckResult(ctx, sql.InsertCheckResultParams{
			ID: r.ID, Asset: r.Asset, Name: r.Name, RunID: r.RunID, Partition: partition,
			Passed: r.Passed, Severity: r.Severity, Blocking: r.Blocking,
			Message: r.Message, Metadata: r.Metadata, CreatedAt: t.at,
		}); err != nil {
			return "", err
		}
		// Of the checks of several runs, the one that began last decides about the alert, not the one that ended last.
		cause := r.cause()
		newer, err := sql.LockCheck(
			ctx, tx, alerts.LockKey(cause), sql.NewerCheckResultParams{Asset: r.Asset, Name: r.Name, ID: r.ID},
		)
		if err != nil {
			return "", err
		}
		switch {
		case newer:
		case r.Passed:
			err = e.alerts.RecoverTx(ctx, tx, cause, t.at)
		case r.Severity == SeverityError:
			err = e.alerts.RaiseTx(ctx, tx, Alert{
				Cause: cause, Severity: r.Severity,
				Title: fmt.Sprintf("Check %s of %s does not pass", r.Name, r.Asset), Detail: r.Message,
				Data: map[string]any{
					"asset":     r.Asset,
					"check":     r.Name,
					"run_id":    r.RunID,
					"partition": partition,
					"metadata":  r.Metadata,
				},
			}, t.at)
		}
		if err != nil {
			return "", err
		}
	}
	return blockedBy, nil
}

func checkResultOf(row sql.CheckResult) CheckResult {
	return CheckResult{
		ID:        row.ID,
		Asset:     row.Asset,
		Name:      row.Name,
		RunID:     row.RunID,
		Partition: row.Partition,
		Passed:    row.Passed,
		Severity:  row.Severity,
		Blocking:  row.Blocking,
		Message:   row.Message,
		Metadata:  row.Metadata,
		CreatedAt: row.CreatedAt,
	}
}

// LatestChecks returns the newest result of every check that has one, by asset and check.
func (e *Engine) LatestChecks(ctx context.Context) (map[string]map[string]CheckResult, error) {
	var assets, names []string
	for _, a := range e.defs.assets {
		for _, c := range a.Checks {
			assets, names = append(assets, a.Name), append(names, c.Name)
		}
	}
	latest := map[string]map[string]CheckResult{}
	if len(assets) == 0 {
		return latest, nil
	}
	rows, err := e.q.LatestCheckResults(ctx, sql.LatestCheckResultsParams{Assets: assets, Names: names})
	for _, row := range rows {
		if latest[row.Asset] == nil {
			latest[row.Asset] = map[string]CheckResult{}
		}
		latest[row.Asset][row.Name] = checkResultOf(row)
	}
	return latest, err
}

// CheckResults lists the results of an asset's checks, or of one of them, newest first.
func (e *Engine) CheckResults(
	ctx context.Context,
	asset, check string,
	before *uuid.UUID,
	limit int,
) ([]CheckResult, error) {
	if _, err := e.defs.Asset(asset); err != nil {
		return nil, err
	}
	rows, err := e.lists.ListCheckResults(
		ctx,
		sql.ListCheckResultsParams{
			Asset: asset, Name: optional(check), Before: before,
			Limit: int32(limit), //nolint:gosec // bounded by the contract
		},
	)
	return each(rows, checkResultOf), err
}

// CheckResultsOfRun lists the results of the checks that a run made.
func (e *Engine) CheckResultsOfRun(ctx context.Context, id uuid.UUID) ([]CheckResult, error) {
	rows, err := e.q.ListCheckResultsOfRun(ctx, id)
	return each(rows, checkResultOf), err
}
