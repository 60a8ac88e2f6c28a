package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
)

// patience is how long new bills wait for a running fetch to end.
const patience = time.Hour

// newBills declares the sensor and the job that materialize everything that depends on bills, once for all new bills of
// a fetch.
func newBills(d Deps) Contribution {
	const job = "new_bills_job"
	return Contribution{Sensors: []*orchestrator.Sensor{{
		Name:          "new_bills_sensor",
		Description:   "Starts new_bills_job when new bills were stored.",
		DescriptionFR: "Lance new_bills_job lorsque de nouveaux projets de loi ont été enregistrés.",
		Interval:      5 * time.Second,
		Jobs:          []string{job},
		Begin:         d.Store.Now,
		Evaluate: func(ctx context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			fetching, err := ev.Running(ctx, billAssets...)
			if err != nil {
				return nil, err
			}
			found, err := d.Store.NewBillsSince(ctx, ev.Cursor)
			switch {
			case err != nil:
				return nil, err
			case len(found.IDs) == 0:
				return &orchestrator.SensorResult{Skip: "no new bills"}, nil
			case (fetching || found.Unsettled) && time.Since(found.Oldest) < patience:
				return &orchestrator.SensorResult{Skip: "there are new bills, and a running fetch may bring more"}, nil
			}
			return &orchestrator.SensorResult{Cursor: &found.Next, Runs: []orchestrator.RunRequest{{
				Job: job, RunKey: "bills up to " + found.Next,
				Tags: map[string]string{"new_bills": strconv.Itoa(len(found.IDs)), "latest_bill": found.IDs[len(found.IDs)-1]},
			}}}, nil
		},
	}}}
}

// failures declares the sensor that raises alerts: for fetches by their fetch logs, for other runs by their status.
func failures(d Deps) Contribution {
	return Contribution{Sensors: []*orchestrator.Sensor{
		orchestrator.NewRunStatusSensor(orchestrator.Sensor{
			Name: "fetch_failure_sensor",
			Description: "Raises an alert for each source that caused errors in a fetch, and clears it after a fetch without " +
				"errors from that source. A canceled fetch does neither.",
			DescriptionFR: "Déclenche une alerte pour chaque source qui a causé des erreurs dans une collecte, et la lève " +
				"après une collecte sans erreur de cette source. Une collecte annulée ne fait ni l’un ni l’autre.",
			Interval: 10 * time.Second,
			Evaluate: d.judgeFetches,
		}, orchestrator.StatusSuccess, orchestrator.StatusFailure, orchestrator.StatusCanceled),
		orchestrator.NewRunStatusSensor(orchestrator.Sensor{
			Name: "run_failure_sensor",
			Description: "Raises an alert when a run without a fetch failed, and clears it when a run of the same job or " +
				"assets succeeded. fetch_failure_sensor handles fetches.",
			DescriptionFR: "Déclenche une alerte lorsqu’une exécution sans collecte a échoué, et la lève lorsqu’une " +
				"exécution de la même tâche ou des mêmes actifs a réussi. fetch_failure_sensor s’occupe des " +
				"collectes.",
			Interval: 10 * time.Second,
			Evaluate: d.judgeRuns,
		}, orchestrator.StatusSuccess, orchestrator.StatusFailure),
	}}
}

// verdicts has the latest verdict on each cause of alerts.
type verdicts struct {
	causes []string
	last   map[string]*orchestrator.Alert // nil: recovered
}

func (v *verdicts) set(cause string, alert *orchestrator.Alert) {
	if v.last == nil {
		v.last = map[string]*orchestrator.Alert{}
	}
	if !slices.Contains(v.causes, cause) {
		v.causes = append(v.causes, cause)
	}
	v.last[cause] = alert
}

func (v *verdicts) result(skip string) *orchestrator.SensorResult {
	r := &orchestrator.SensorResult{}
	for _, cause := range v.causes {
		if a := v.last[cause]; a != nil {
			a.Cause = cause
			r.Alerts = append(r.Alerts, *a)
		} else {
			r.Recovered = append(r.Recovered, cause)
		}
	}
	if len(r.Alerts) == 0 {
		r.Skip = skip
	}
	return r
}

func (d Deps) judgeFetches(ctx context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
	var v verdicts
	for _, run := range ev.Runs {
		logs, err := d.Store.FetchLogs(ctx, parliament.FetchLogFilter{RunID: &run.ID, Limit: 500})
		if err != nil {
			return nil, fmt.Errorf("list fetch logs: %w", err)
		}
		for _, l := range slices.Backward(logs) { // the oldest first
			if affectsAlerts(l, run) {
				d.judgeFetch(&v, l)
			}
		}
	}
	return v.result("every fetch succeeded"), nil
}

// judgeFetch assigns each error of a fetch to the source of its record. An error without a source is the asset's own.
// It raises an alert for each source with errors and clears the alert of each source without.
func (d Deps) judgeFetch(v *verdicts, l parliament.FetchLog) {
	const own = ""
	blame := map[string][]string{}
	for _, e := range l.Errors {
		source := own
		for _, s := range []string{openparliament.Source, legisinfo.Source} {
			if e.URL != "" && strings.HasPrefix(e.URL, d.sourceURL(s)) {
				source = s
			}
		}
		blame[source] = append(blame[source], e.Message)
	}
	if l.Status != parliament.FetchSuccess && len(blame) == 0 {
		blame[own] = []string{"the fetch ended as " + l.Status}
	}
	for _, source := range append(strings.Split(l.Source, "+"), own) {
		cause, title := "fetch:"+l.Asset, l.Asset+" failed"
		if source != own {
			cause, title = cause+":"+source, fmt.Sprintf("%s has trouble with %s", l.Asset, source)
		}
		messages := blame[source]
		if len(messages) == 0 {
			// Otherwise, the source may not have been used.
			if l.Status == parliament.FetchSuccess || source != own && l.Status == parliament.FetchPartialSuccess {
				v.set(cause, nil)
			}
			continue
		}
		severity := orchestrator.SeverityError
		if l.Status == parliament.FetchPartialSuccess {
			severity = orchestrator.SeverityWarn
		}
		v.set(cause, &orchestrator.Alert{
			Severity: severity, Title: title, Detail: strings.Join(messages, "\n"),
			Data: map[string]any{
				"asset": l.Asset, "source": source, "fetch_log_id": l.ID, "run_id": l.RunID, "status": l.Status,
				"records_failed": l.RecordsFailed,
			},
		})
	}
}

func (d Deps) judgeRuns(ctx context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
	var v verdicts
	for _, run := range ev.Runs {
		logs, err := d.Store.FetchLogs(ctx, parliament.FetchLogFilter{RunID: &run.ID, Limit: 1})
		if err != nil {
			return nil, fmt.Errorf("list fetch logs: %w", err)
		}
		if len(logs) > 0 {
			continue
		}
		name := strings.Join(run.Assets, ", ")
		if run.Job != nil {
			name = *run.Job
		}
		if run.Status == orchestrator.StatusSuccess {
			v.set("run:"+name, nil)
			continue
		}
		detail := "run " + run.ID.String() + " failed"
		for _, s := range run.Steps {
			if s.Error != nil {
				detail += "\n" + s.Asset + ": " + s.Error.Message
			}
		}
		v.set("run:"+name, &orchestrator.Alert{
			Title: name + " failed", Detail: detail,
			Data: map[string]any{"run_id": run.ID, "assets": run.Assets, "error": run.Error},
		})
	}
	return v.result("no run failed"), nil
}

// webhook declares the sensor that starts a job for an external event.
func webhook() Contribution {
	allowed := []string{"fetch_bills_job", "fetch_session_job", "discover_sessions_job", "new_bills_job"}
	return Contribution{Sensors: []*orchestrator.Sensor{orchestrator.NewWebhookSensor(orchestrator.Sensor{
		Name: "webhook_sensor",
		Description: `Starts a job for an event posted to it: {"type": "...", "data": {"job": "fetch_bills_job", ` +
			`"config": {...}, "partition": "..."}}, where all of data is optional. ` +
			`The default job is fetch_bills_job.`,
		DescriptionFR: `Lance une tâche pour un événement qui lui est envoyé : {"type": "...", "data": {"job": ` +
			`"fetch_bills_job", "config": {...}, "partition": "..."}}, où tout le contenu de data est ` +
			`facultatif. La tâche par défaut est fetch_bills_job.`,
		Interval: 10 * time.Second,
		Jobs:     allowed,
		Evaluate: func(ctx context.Context, ev *orchestrator.Evaluation) (*orchestrator.SensorResult, error) {
			r := &orchestrator.SensorResult{}
			var refused []string
			for _, w := range ev.Webhooks {
				req, err := webhookRequest(w, allowed)
				if err == nil {
					err = ev.Check(ctx, req)
				}
				if err != nil { // it would be as wrong the next time
					refused = append(refused, w.ID+": "+err.Error())
					continue
				}
				r.Runs = append(r.Runs, req)
			}
			if len(refused) > 0 {
				r.Skip = "refused: " + strings.Join(refused, "; ")
			}
			return r, nil
		},
	})}}
}

func webhookRequest(w orchestrator.WebhookEvent, allowed []string) (orchestrator.RunRequest, error) {
	var event struct {
		Type string `json:"type"`
		Data struct {
			Job       string          `json:"job"`
			Config    json.RawMessage `json:"config"`
			Partition string          `json:"partition"`
		} `json:"data"`
	}
	if err := json.Unmarshal(w.Body, &event); err != nil {
		return orchestrator.RunRequest{}, fmt.Errorf("the body cannot be read: %w", err)
	}
	job := event.Data.Job
	if job == "" {
		job = allowed[0]
	}
	if !slices.Contains(allowed, job) {
		return orchestrator.RunRequest{}, fmt.Errorf("job %q: want one of %s", job, strings.Join(allowed, ", "))
	}
	tags := map[string]string{"webhook_id": w.ID}
	if event.Type != "" {
		tags["event_type"] = event.Type
	}
	return orchestrator.RunRequest{
		Job: job, Config: event.Data.Config, Partition: event.Data.Partition, Tags: tags, RunKey: w.ID,
	}, nil
}
