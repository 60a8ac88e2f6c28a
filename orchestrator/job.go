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
	// Assets are the names of what the job materializes; dependencies among them give the order.
	Assets []string
	// Selection chooses the assets instead, see Definitions.Select.
	Selection string
	// Config is by asset name; a run may override single keys. Default: the assets' own defaults.
	Config map[string]map[string]any
	// Tags are put on every run of the job.
	Tags map[string]string
	// Timeout ends a run that takes longer, as a failure; default none.
	Timeout time.Duration
	// Priority of its runs, PriorityFirst to PriorityLast; default PriorityDefault.
	Priority int
}
