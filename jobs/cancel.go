package jobs

import (
	"slices"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/parliament"
)

// withFinalStatus returns a fetch log with the status of its step's end: the fetch knows that it was stopped, and the
// engine knows why. A cancellation is not a failure, whatever error it caused. A timeout is a failure with its own
// message. survived are the earlier errors that did not fail the fetch.
func withFinalStatus(log parliament.FetchLog, step *orchestrator.Step,
	survived []parliament.FetchError) parliament.FetchLog {
	status, err := step.Ending()
	switch {
	case err == nil || status == orchestrator.StatusSuccess:
	case err.Class == orchestrator.ClassCanceled:
		log.Status, log.Errors = parliament.FetchCanceled, survived[:min(10, len(survived))]
	case err.Class == orchestrator.ClassTimeout:
		log.Status = parliament.FetchFailure
		log.Errors = append([]parliament.FetchError{{Message: err.Message}}, survived[:min(9, len(survived))]...)
	}
	log.Errors = slices.Clone(log.Errors)
	return log
}

// affectsAlerts reports whether a fetch log raises or clears alerts. The log of a canceled fetch does not, nor does
// that of an attempt whose step was canceled later, while it waited for its retry.
func affectsAlerts(l parliament.FetchLog, run orchestrator.Run) bool {
	if l.Status == parliament.FetchCanceled {
		return false
	}
	return run.Status != orchestrator.StatusCanceled || !slices.ContainsFunc(run.Steps, func(s orchestrator.RunStep) bool {
		return s.Asset == l.Asset && s.Status == orchestrator.StatusCanceled
	})
}
