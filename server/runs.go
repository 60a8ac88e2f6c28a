package server

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/server/access"
)

func (h *handlers) MaterializeAsset(
	ctx context.Context, req api.MaterializeAssetRequestObject,
) (api.MaterializeAssetResponseObject, error) {
	r := runRequest(ctx, req.Params.IdempotencyKey, req.JSONBody)
	r.Assets = []string{req.Asset}
	accepted, err := h.accept(h.cfg.Engine.StartRun(ctx, r))
	return api.MaterializeAsset202JSONResponse{RunAcceptedJSONResponse: accepted}, err
}

func (h *handlers) StartJobRun(
	ctx context.Context, req api.StartJobRunRequestObject,
) (api.StartJobRunResponseObject, error) {
	r := runRequest(ctx, req.Params.IdempotencyKey, req.JSONBody)
	r.Job = req.Job
	accepted, err := h.accept(h.cfg.Engine.StartRun(ctx, r))
	return api.StartJobRun202JSONResponse{RunAcceptedJSONResponse: accepted}, err
}

func (h *handlers) StartRun(ctx context.Context, req api.StartRunRequestObject) (api.StartRunResponseObject, error) {
	assets, err := h.chosen(deref(req.JSONBody.Assets), req.JSONBody.Selection)
	if err != nil {
		return nil, err
	}
	r := runRequest(
		ctx, req.Params.IdempotencyKey,
		&api.StartRunRequest{
			Config: req.JSONBody.Config, Partition: req.JSONBody.Partition, Tags: req.JSONBody.Tags,
			Priority: req.JSONBody.Priority,
		},
	)
	r.Assets = assets
	accepted, err := h.accept(h.cfg.Engine.StartRun(ctx, r))
	return api.StartRun202JSONResponse{RunAcceptedJSONResponse: accepted}, err
}

func (h *handlers) RetryRun(ctx context.Context, req api.RetryRunRequestObject) (api.RetryRunResponseObject, error) {
	id, err := runID(req.RunID)
	if err != nil {
		return nil, err
	}
	r := runRequest(ctx, req.Params.IdempotencyKey, nil)
	r.Trigger = orchestrator.Trigger{Kind: "retry", Name: id.String()}
	fromFailure := false
	if req.JSONBody != nil {
		fromFailure, r.Priority = deref(req.JSONBody.FromFailure), deref(req.JSONBody.Priority)
	}
	accepted, err := h.accept(h.cfg.Engine.RetryRun(ctx, id, fromFailure, r))
	return api.RetryRun202JSONResponse{RunAcceptedJSONResponse: accepted}, err
}

func (h *handlers) CancelRun(ctx context.Context, req api.CancelRunRequestObject) (api.CancelRunResponseObject, error) {
	id, err := runID(req.RunID)
	if err != nil {
		return nil, err
	}
	run, err := h.cfg.Engine.CancelRun(ctx, id, actor(ctx))
	accepted, err := h.accept(run, false, err)
	return api.CancelRun202JSONResponse{RunAcceptedJSONResponse: accepted}, err
}

func (h *handlers) GetRun(ctx context.Context, req api.GetRunRequestObject) (api.GetRunResponseObject, error) {
	id, err := runID(req.RunID)
	if err != nil {
		return nil, err
	}
	run, err := h.cfg.Engine.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	ms, err := h.cfg.Engine.MaterializationsOfRun(ctx, id)
	if err != nil {
		return nil, err
	}
	results, err := h.cfg.Engine.CheckResultsOfRun(ctx, id)
	if err != nil {
		return nil, err
	}
	places, err := h.cfg.Engine.QueuePlaces(ctx, run)
	if err != nil {
		return nil, err
	}
	relatives, err := h.cfg.Engine.RelativesOf(ctx, run)
	if err != nil {
		return nil, err
	}
	r := apiRun(*run)
	detail := api.RunDetail{
		ID: r.ID, Job: r.Job, Assets: r.Assets, Partition: r.Partition, Status: r.Status, Trigger: r.Trigger,
		Config: r.Config, Tags: r.Tags, CreatedAt: r.CreatedAt,
		StartedAt: r.StartedAt, EndedAt: r.EndedAt, CanceledBy: r.CanceledBy, Error: r.Error,
		ParentRunID: r.ParentRunID, Steps: r.Steps, Materializations: each(ms, apiMaterialization),
		Priority: r.Priority, BackfillID: r.BackfillID, CheckResults: each(results, apiCheckResult),
		Queue: each(places, func(p orchestrator.QueuePlace) api.QueuePlace {
			return api.QueuePlace{Asset: p.Asset, Position: p.Position, WaitsFor: orEmpty(p.WaitsFor)}
		}),
		Chain: each(relatives.Chain, func(r orchestrator.RunReference) api.RunReference {
			return api.RunReference{ID: r.ID, Status: api.RunStatus(r.Status), CreatedAt: r.CreatedAt}
		}),
		PreviousRunID: relatives.Previous, NextRunID: relatives.Next,
	}
	raw := mustJSON(detail)
	tag := tagOf(raw)
	if matches(req.Params.IfNoneMatch, tag) {
		return unchanged(tag), nil
	}
	return tagged{raw, tag}, nil
}

func (h *handlers) ListRuns(ctx context.Context, req api.ListRunsRequestObject) (api.ListRunsResponseObject, error) {
	p, limit := req.Params, limitOf(req.Params.Limit)
	before, err := decodeCursor[uuid.UUID]("runs", p.Cursor)
	if err != nil {
		return nil, err
	}
	f := orchestrator.RunFilter{
		Job: deref(p.Job), Asset: deref(p.Asset), Partition: deref(p.Partition), CreatedAfter: deref(p.CreatedAfter),
		CreatedBefore: deref(p.CreatedBefore), Backfill: p.BackfillID, Before: before, Limit: limit + 1,
	}
	if f.Statuses, err = statusesOf(p.Status); err != nil {
		return nil, err
	}
	if len(f.Statuses) == 1 {
		f.Status, f.Statuses = f.Statuses[0], nil // a single status uses the index
	}
	for i, tag := range deref(p.Tag) {
		if f.Tags == nil {
			f.Tags = map[string]string{}
		}
		key, value, _ := strings.Cut(tag, ":")
		if other, given := f.Tags[key]; given && other != value {
			return nil, invalidField(
				fmt.Sprintf("/query/tag/%d", i),
				"the key %q is asked for twice, and a run has one value of it: want it once", key,
			)
		}
		f.Tags[key] = value
	}
	runs, err := h.cfg.Engine.Runs(ctx, f)
	if err != nil {
		return nil, err
	}
	n, err := countOf(ctx, p.Count, func(ctx context.Context, limit int) ([]orchestrator.Run, error) {
		f.Before, f.Limit = nil, limit
		return h.cfg.Engine.Runs(ctx, f)
	})
	if err != nil {
		return nil, err
	}
	runs, next := page("runs", runs, limit, func(r orchestrator.Run) uuid.UUID { return r.ID })
	return api.ListRuns200JSONResponse{
		Items: each(runs, apiRun), NextCursor: next, Total: n.total, TotalCapped: n.capped,
	}, nil
}

// statusesOf parses "failure,canceled" and "-success": the named statuses, or all if none is named, without those that
// have a hyphen.
func statusesOf(given *api.RunStatus) ([]string, error) {
	if given == nil {
		return nil, nil
	}
	all := []string{
		orchestrator.StatusQueued, orchestrator.StatusStarted, orchestrator.StatusSuccess, orchestrator.StatusFailure,
		orchestrator.StatusCanceling, orchestrator.StatusCanceled,
	}
	included, excluded := map[string]bool{}, map[string]bool{}
	for part := range strings.SplitSeq(string(*given), ",") {
		s, out := strings.CutPrefix(strings.TrimSpace(part), "-")
		if !slices.Contains(all, s) {
			return nil, invalidField(
				"/query/status", "%q is not a status of runs: want some of %s, with a hyphen before those to leave out",
				part, strings.Join(all, ", "),
			)
		}
		if out {
			excluded[s] = true
		} else {
			included[s] = true
		}
	}
	statuses := []string{} // an empty list matches nothing; nil would match any status
	for _, s := range all {
		if (len(included) == 0 || included[s]) && !excluded[s] {
			statuses = append(statuses, s)
		}
	}
	return statuses, nil
}

// runRequest returns the part that all requests to start a run have in common.
func runRequest(ctx context.Context, key *api.IdempotencyKey, body *api.StartRunRequest) orchestrator.RunRequest {
	info := infoOf(ctx)
	r := orchestrator.RunRequest{
		Trigger: orchestrator.Trigger{Kind: "api"}, IdempotencyKey: deref(key), Admitted: begunOf(ctx),
	}
	if strings.HasPrefix(info.userAgent, cliUserAgent) {
		r.Trigger.Kind = "cli"
	}
	if info.identity != nil {
		r.Trigger.Name = db.Printable(info.identity.Label(), maxActor)
	}
	if body != nil {
		r.Config, r.Partition = body.Config, deref(body.Partition)
		r.Tags, r.Priority = deref(body.Tags), deref(body.Priority)
	}
	r.Fingerprint = fingerprint(ctx, key)
	return r
}

// fingerprint distinguishes requests with the same idempotency key, by operation and body. White space in the body does
// not matter.
func fingerprint(ctx context.Context, key *api.IdempotencyKey) []byte {
	if key == nil {
		return nil
	}
	info := infoOf(ctx)
	var value any
	_ = json.Unmarshal(info.body, &value) // the body was validated before; an empty one is null
	sum := sha256.Sum256(append([]byte(info.operation+"\n"), mustJSON(value)...))
	return sum[:]
}

// cliUserAgent is the prefix of the User-Agent of the program's own commands. After it they name the user:
// "explorer-cli/1 (alice@host)". Anybody can send it, so it is a claim.
const cliUserAgent = "explorer-cli/"

// actor returns the sender of a request: what is proven, and the claim, marked as such.
func actor(ctx context.Context) string {
	info := infoOf(ctx)
	if info.identity != nil {
		return db.Printable(info.identity.Label(), maxActor)
	}
	who := access.Address(info.remote)
	if strings.HasPrefix(info.userAgent, cliUserAgent) {
		who += " (says it is " + db.Printable(info.userAgent, maxClaim) + ")"
	}
	return who
}

// maxActor and maxClaim are the maximum lengths, in characters, of an actor and of its claim.
const maxActor, maxClaim = 500, 200

func (h *handlers) accept(run *orchestrator.Run, replayed bool, err error) (api.RunAcceptedJSONResponse, error) {
	if err != nil {
		return api.RunAcceptedJSONResponse{}, err
	}
	accepted := api.RunAcceptedJSONResponse{
		Body: apiRun(*run), Headers: api.RunAcceptedResponseHeaders{Location: ptr("/runs/" + run.ID.String())},
	}
	if replayed {
		accepted.Headers.IdempotencyReplayed = ptr(true)
	}
	return accepted, nil
}

func runID(s string) (uuid.UUID, error) { return idOf("run", s) }

func apiRun(r orchestrator.Run) api.Run {
	tags := api.Tags{}
	for k, v := range r.Tags {
		tags[k] = v
	}
	return api.Run{
		ID: r.ID, Job: r.Job, Assets: r.Assets, Partition: r.Partition, Status: api.RunStatus(r.Status),
		Trigger: api.Trigger{Kind: r.TriggerKind, Name: r.TriggerName},
		Config:  r.Config, Tags: tags, CreatedAt: r.CreatedAt, StartedAt: r.StartedAt, EndedAt: r.EndedAt,
		CanceledBy: r.CanceledBy, Error: apiError(r.Error),
		ParentRunID: r.ParentRunID, Priority: r.Priority, BackfillID: r.BackfillID, Steps: each(r.Steps, apiStep),
	}
}

func apiStep(s orchestrator.RunStep) api.Step {
	return api.Step{
		Asset: s.Asset, Upstream: orEmpty(s.Upstream), Status: api.StepStatus(s.Status), Attempt: s.Attempt,
		StartedAt: s.StartedAt, EndedAt: s.EndedAt,
		NextAttemptAt: s.NextAttemptAt, Error: apiError(s.Error), BlockedBy: s.BlockedBy,
	}
}

func apiError(e *orchestrator.Error) *api.RunError {
	if e == nil {
		return nil
	}
	out := &api.RunError{Class: string(e.Class), Message: e.Message, MessageI18N: bilingual(e.Message)}
	if e.Stack != "" {
		out.Stack = &e.Stack
	}
	return out
}
