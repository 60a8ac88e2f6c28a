package jobs_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/parliament"
)

// TestLastingFaults end a step at its first attempt: another would be answered the same.
func TestLastingFaults(t *testing.T) {
	t.Parallel()
	s := newLab(t, labOptions{})
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		want   string
	}{
		"gone":                 {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }, "410"},
		"not there":            {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, "404"},
		"too many records":     {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "[0"+strings.Repeat(",0", 30_000)+"]") }, "more than 20000 records"},
		"another kind of JSON": {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"error": "no"}`) }, "want a list"},
		"nothing can be read":  {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "[0"+strings.Repeat(",0", 5000)+"]") }, "none of the 5001 records of the list is a bill that was asked for; of the first: want an object, not a JSON number"},
		"away from the service": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://example.org/", http.StatusFound)
		}, "leads away"},
	} {
		var asked atomic.Int32
		s.spoiled(func(w http.ResponseWriter, r *http.Request) bool { asked.Add(1); c.answer(w, r); return true })
		run, events := s.ended(s.begin("parliament_sessions", "{}"))
		step := run.Steps[0]
		// the list, and the other source for the session
		if run.Status != orchestrator.StatusFailure || step.Attempt != 1 || step.Error == nil ||
			step.Error.Class != orchestrator.ClassPermanent || !strings.Contains(step.Error.Message, c.want) ||
			asked.Load() != 2 {
			t.Errorf("%s: %s after %d attempts and %d requests: %+v", name, run.Status, step.Attempt, asked.Load(), step.Error)
		}
		logs, err := s.store.FetchLogs(t.Context(), parliament.FetchLogFilter{RunID: &run.ID, Limit: 10})
		if err != nil || len(logs) != 1 || logs[0].Status != parliament.FetchFailure || len(logs[0].Errors) > 10 ||
			len(events) > 100 {
			t.Errorf("%s: %d events, logs %+v, %v", name, len(events), logs, err)
		}
	}
}

// TestHostileList stores what one source has though the other's list breaks its budget, and counts what cannot be read.
func TestHostileList(t *testing.T) {
	t.Parallel()
	s := newLab(t, labOptions{})
	s.spoiled(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, "/legisinfo/") {
			return false
		}
		fmt.Fprint(w, "[0"+strings.Repeat(",0", 30_000)+"]")
		return true
	})
	run := s.run("fetch_latest_bills", `{"limit": 10}`)
	logs, err := s.store.FetchLogs(t.Context(), parliament.FetchLogFilter{RunID: &run.ID, Limit: 10})
	if err != nil || run.Status != orchestrator.StatusSuccess || len(logs) != 1 ||
		logs[0].Status != parliament.FetchPartialSuccess || logs[0].RecordsSucceeded != 10 {
		t.Fatalf("%s: %+v, %v", run.Status, logs, err)
	}
	if message := logs[0].Errors[0].Message; !strings.Contains(message, "more than 20000 records") {
		t.Errorf("the log says %q", message)
	}
	// A list of which 300 records are wrong in as many ways is read for the others. A day that no bill has costs that day.
	s.spoiled(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/en/bills/json") {
			return false
		}
		fmt.Fprint(w, "[")
		for i := range 300 {
			fmt.Fprintf(
				w, `{"BillId": %d, "ParlSessionCode": "x%d", "BillNumberFormatted": "%s"},`, i+1, i, strings.Repeat("y", 3000),
			)
		}
		fmt.Fprint(
			w,
			`{"BillId": 1, "ParlSessionCode": "45-1", "BillNumberFormatted": "C-1", "LatestActivityDateTime": "9999-12-31T23:59:59-12:00"}]`,
		)
		return true
	})
	run = s.run("fetch_latest_bills", `{"limit": 10}`)
	logs, err = s.store.FetchLogs(t.Context(), parliament.FetchLogFilter{RunID: &run.ID, Limit: 10})
	if err != nil || run.Status != orchestrator.StatusSuccess || len(logs) != 1 || logs[0].RecordsFailed != 300 ||
		logs[0].RecordsSucceeded != 11 || len(logs[0].Errors) != 10 {
		t.Fatalf("%s: %.2000s, %v", run.Status, fmt.Sprintf("%+v", logs), err)
	}
	for _, e := range logs[0].Errors {
		if len(e.Message) > 4000 || len(e.URL) > 4000 {
			t.Errorf("an error of %d and %d bytes", len(e.URL), len(e.Message))
		}
	}
}
