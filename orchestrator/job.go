package orchestrator

import (
	"time"
)

// Job is a named selection of assets with their config.
type Job struct {
	// Name is lower-case with underscores.
	Name string
	// Description is one or two sentences for people.
	Description string
	// DescriptionFR is the same in French; default none.
	DescriptionFR string
	// Assets are the names of the assets that the job materializes, in the order of their dependencies.
	Assets []string
	// Selection chooses the assets instead, see Definitions.Select.
	Selection string
	// Config is the run config by asset; a run may override single fields. Default: the assets' own defaults.
	Config map[string]map[string]any
	// Tags are put on every run of the job.
	Tags map[string]string
	// Timeout ends a run that takes longer, as a failure; default: no limit.
	Timeout time.Duration
	// Priority is the priority of its runs, PriorityFirst to PriorityLast; default PriorityDefault.
	Priority int

	config map[string]map[string]any // Config as JSON is decoded; set by NewDefinitions
}
