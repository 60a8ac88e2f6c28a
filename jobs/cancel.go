package jobs

import (
	"slices"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/parliament"
)

// asEnded is a fetch log as the end of its step has it: the fetch knows that it was stopped, and the engine why. A
// cancel is no failure, whatever error it made; running out of time is one, with its own reason. survived are the
// errors that the fetch had met before.
func asEnded(log parliament.FetchLog, step *orchestrator.Step, survived []parliament.FetchError) parliament.FetchLog {
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

// toldOf says whether a fetch log is one that people are told of: not that of a cancel, nor that of an attempt whose
// step was canceled later, while it waited for the next one.
func toldOf(l parliament.FetchLog, run orchestrator.Run) bool {
	if l.Status == parliament.FetchCanceled {
		return false
	}
	return run.Status != orchestrator.StatusCanceled || !slices.ContainsFunc(run.Steps, func(s orchestrator.RunStep) bool {
		return s.Asset == l.Asset && s.Status == orchestrator.StatusCanceled
	})
}
