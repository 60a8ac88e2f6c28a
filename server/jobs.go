package server

import (
	"context"
	"maps"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

func (h *handlers) ListJobs(_ context.Context, _ api.ListJobsRequestObject) (api.ListJobsResponseObject, error) {
	defs := h.cfg.Engine.Definitions()
	return api.ListJobs200JSONResponse{
		Items: each(defs.Jobs(), func(j *orchestrator.Job) api.Job { return apiJob(defs, j) }),
	}, nil
}

func (h *handlers) GetJob(_ context.Context, req api.GetJobRequestObject) (api.GetJobResponseObject, error) {
	defs := h.cfg.Engine.Definitions()
	j, err := defs.Job(req.Job)
	if err != nil {
		return nil, err
	}
	return api.GetJob200JSONResponse(apiJob(defs, j)), nil
}

func apiJob(defs *orchestrator.Definitions, j *orchestrator.Job) api.Job {
	out := api.Job{
		Name: j.Name, Description: j.Description, DescriptionI18N: described(j.Description, j.DescriptionFR),
		Assets: j.Assets, Tags: api.Tags{}, Schedules: []string{},
	}
	maps.Copy(out.Tags, j.Tags)
	if len(j.Assets) == 1 {
		config := j.Config[j.Assets[0]]
		if config == nil {
			config = map[string]any{}
		}
		out.Config = mustJSON(config)
	} else {
		ops := map[string]any{}
		for asset, config := range j.Config {
			ops[asset] = map[string]any{"config": config}
		}
		out.Config = mustJSON(map[string]any{"ops": ops})
	}
	if j.Timeout > 0 {
		out.TimeoutSeconds = ptr(j.Timeout.Seconds())
	}
	for _, s := range defs.Schedules() {
		if s.Job == j.Name {
			out.Schedules = append(out.Schedules, s.Name)
		}
	}
	return out
}
