package jobs_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/parliament"
)

// TestOneCauseIsOneLine has every record of a source refused, for the same reason, or garbled on the way: the run's log
// has one line that says how many there were, and every one of them counts as an error.
func TestOneCauseIsOneLine(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"refused": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"broken":  func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`[{"BillId": `)) },
		"dropped": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newLab(t, labOptions{})
			s.spoiled(func(w http.ResponseWriter, r *http.Request) bool {
				record := strings.Contains(r.URL.Path, "/legisinfo/en/bill/")
				if record {
					answer(w, r)
				}
				return record
			})
			id := s.begin("fetch_latest_bills", `{}`)
			var faults, retries []eventlog.Event
			if err := s.engine.FollowRun(t.Context(), id, 0, func(evs []eventlog.Event) error {
				for _, ev := range evs {
					switch {
					case ev.Type == eventlog.LogLine && ev.Level == eventlog.LevelError:
						faults = append(faults, ev)
					case strings.Contains(ev.Message, "trying again"):
						retries = append(retries, ev)
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			logs, err := s.store.FetchLogs(t.Context(), parliament.FetchLogFilter{RunID: &id, Limit: 1})
			if err != nil || len(logs) != 1 || len(logs[0].Errors) != 10 {
				t.Fatalf("fetch logs: %+v, %v", logs, err)
			}
			ms, err := s.engine.MaterializationsOfRun(t.Context(), id)
			if err != nil || len(ms) != 1 {
				t.Fatal(ms, err)
			}
			var md struct {
				Errors int `json:"error_count"`
			}
			if err := json.Unmarshal(ms[0].Metadata, &md); err != nil || md.Errors < 20 {
				t.Fatalf("%d errors, %v", md.Errors, err)
			}
			told := 0
			for _, ev := range faults {
				var data struct {
					Count int      `json:"count"`
					URL   string   `json:"url"`
					URLs  []string `json:"urls"`
				}
				if err := json.Unmarshal(ev.Data, &data); err != nil || data.URL == "" {
					t.Errorf("%s: %s, %v", ev.Message, ev.Data, err)
				}
				told += max(1, data.Count)
			}
			if told != md.Errors || len(faults) > 2 || len(retries) > 4 {
				t.Errorf(
					"%d errors have %d lines, which tell of %d; %d lines of retries", md.Errors, len(faults), told, len(retries),
				)
				for _, ev := range append(faults, retries...) {
					t.Log(ev.Message, string(ev.Data))
				}
			}
		})
	}
}
