//go:build unix

package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

func (f *faulty) accepted() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.wants)
}

var faultsClient = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}

// ask sends a request and notes the answer; none is an answer that no request may get.
func (f *faulty) ask(method, url, body, key string) (int, []byte) {
	f.requests.Add(1)
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		f.t.Error(err)
		return 0, nil
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := faultsClient.Do(req)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.answers["none"]++
		f.wrong = append(f.wrong, fmt.Sprintf("%s %s: %v", method, url, err))
		return 0, nil
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	f.answers[strconv.Itoa(resp.StatusCode)]++
	if err != nil || wrongAnswer(resp) || (resp.StatusCode >= 400 && resp.StatusCode != http.StatusServiceUnavailable) {
		f.wrong = append(f.wrong, fmt.Sprintf("%s %s %s: %d %s", method, url, body, resp.StatusCode, raw))
	}
	return resp.StatusCode, raw
}

// load asks for runs, each until a server has accepted it, even once ctx has ended.
func (f *faulty) load(ctx context.Context, rng *rand.Rand) {
	for ctx.Err() == nil {
		path, body, want := f.draw(rng)
		key := uuid.NewString()
		for {
			status, raw := f.ask(http.MethodPost, f.servers[rng.IntN(len(f.servers))]+path, body, key)
			if status == http.StatusAccepted {
				var run struct{ ID string }
				if err := json.Unmarshal(raw, &run); err != nil {
					f.t.Errorf("%s: %s", path, raw)
				}
				f.mu.Lock()
				f.wants[run.ID] = want
				f.mu.Unlock()
				if rng.IntN(5) == 0 {
					f.ask(http.MethodGet, f.servers[rng.IntN(len(f.servers))]+"/runs/"+run.ID, "", "")
				}
				break
			}
			if status >= 400 && status < 500 || f.t.Context().Err() != nil {
				return
			}
			sleep(f.t.Context(), time.Duration(50+rng.IntN(450))*time.Millisecond)
		}
		sleep(ctx, time.Duration(rng.IntN(900))*time.Millisecond)
	}
}

// draw draws a request, and says how its run is to end.
func (f *faulty) draw(rng *rand.Rand) (path, body, want string) {
	assets, want := []string{"storm_one"}, "success"
	ends := endsWell
	switch k := rng.IntN(100); {
	case k < 10:
		ends, want = endsInError, "failure"
	case k < 30:
		assets = stormSelections[rng.IntN(len(stormSelections))]
	}
	config := map[string]stormConfig{}
	for _, a := range assets {
		config[a] = stormConfig{Millis: rng.IntN(40), Lines: rng.IntN(5), Ends: ends}
	}
	path, body = stormRequest("", assets, config, nil, 0)
	return path, body, want
}

// check compares what the client knows with the tables.
func (f *faulty) check() (accepted, right int64) {
	healed := time.Now()
	f.settle(3 * time.Minute)
	settled := time.Since(healed)
	ids := slices.Sorted(maps.Keys(f.wants))
	rows, err := f.db.Pool.Query(f.t.Context(), "SELECT id::text, status FROM runs")
	if err != nil {
		f.t.Fatal(err)
	}
	var id, status string
	found := map[string]string{}
	if _, err := pgx.ForEachRow(rows, []any{&id, &status}, func() error { found[id] = status; return nil }); err != nil {
		f.t.Fatal(err)
	}
	for _, id := range ids {
		switch status, ok := found[id]; {
		case !ok:
			f.t.Errorf("run %s was accepted and is not there", id)
		case status != f.wants[id]:
			f.t.Errorf("run %s is %s, and was to be %s", id, status, f.wants[id])
		default:
			right++
		}
	}
	f.complain("runs that nobody was told of", `
SELECT id || ' ' || created_at FROM runs WHERE NOT id::text = ANY($1)`, ids)
	f.complain("runs with an error that is not the storm's", `
SELECT run_id || ' ' || asset || ' ' || error::text FROM steps
    WHERE error IS NOT NULL AND NOT (status = 'failure' AND error ->> 'message' = $1)`, stormError)
	f.follows()
	f.stormEnds()
	if !f.fault.crashes {
		f.stormLines()
	}
	f.withinLimits()
	f.noLeaks(len(f.servers))
	f.report("answers that no request may get", f.wrong, nil)
	refused := f.pgLog.check(f.t)
	for _, code := range f.fault.shows {
		if refused[code] == 0 {
			f.t.Errorf("Postgres refused %v, and nothing with %s: the fault was not there", refused, code)
		}
	}
	attempts := f.tally("SELECT attempt::text FROM steps")
	fmt.Printf(`faults: %s for %s: %d runs accepted, %d ended as they had to; %d requests, answers %v
  attempts %v; settled %s after; Postgres refused %v
`,
		f.fault.name, f.down.Round(100*time.Millisecond), len(ids), right, f.requests.Load(), f.answers,
		attempts, settled.Round(100*time.Millisecond), refused)
	return int64(len(ids)), right
}
