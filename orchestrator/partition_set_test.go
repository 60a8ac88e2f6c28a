package orchestrator_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

func TestPartitionKeysOfTimeWindows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		windows       orchestrator.TimeWindows
		key           string
		hours         float64
		start         string
		notKeys, keys []string
	}{
		"the day on which clocks go forward": {orchestrator.TimeWindows{Every: "daily", Start: "2026-03-01"}, "2026-03-08", 23, "2026-03-08T00:00:00-05:00", []string{"2026-02-28", "2026-3-8", "x"}, nil},
		"the day on which clocks go back":    {orchestrator.TimeWindows{Every: "daily", Start: "2025-11-01"}, "2025-11-02", 25, "2025-11-02T00:00:00-04:00", nil, nil},
		"the hour that comes twice, first":   {orchestrator.TimeWindows{Every: "hourly", Start: "2025-11-02"}, "2025-11-02T01:00-04:00", 1, "2025-11-02T01:00:00-04:00", []string{"2025-11-02T01:30-04:00"}, nil},
		"and second":                         {orchestrator.TimeWindows{Every: "hourly", Start: "2025-11-02"}, "2025-11-02T01:00-05:00", 1, "2025-11-02T01:00:00-05:00", nil, nil},
		"the hour that there is not":         {orchestrator.TimeWindows{Every: "hourly", Start: "2026-03-08"}, "2026-03-08T03:00-04:00", 1, "2026-03-08T03:00:00-04:00", []string{"2026-03-08T02:00-05:00", "2026-03-08T03:00-05:00"}, nil},
		"the week of the change":             {orchestrator.TimeWindows{Every: "weekly", Start: "2025-10-01"}, "2025-11-02", 169, "2025-11-02T00:00:00-04:00", []string{"2025-11-03", "2025-09-28"}, nil},
		"the month of the change":            {orchestrator.TimeWindows{Every: "monthly", Start: "2026-01-15"}, "2026-03-01", 31*24 - 1, "2026-03-01T00:00:00-05:00", []string{"2026-01-01", "2026-03-02"}, nil},
		"a day without midnight":             {orchestrator.TimeWindows{Every: "daily", Start: "2017-10-01", TimeZone: "America/Sao_Paulo"}, "2017-10-15", 23, "2017-10-15T01:00:00-02:00", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := orchestrator.TimePartitions("w", c.windows)
			from, to, ok := s.Window(c.key)
			if !ok || to.Sub(from).Hours() != c.hours || from.Format(time.RFC3339) != c.start {
				t.Errorf(
					"%s is %s to %s (%g h), %t; want %g h from %s", c.key, from, to, to.Sub(from).Hours(), ok,
					c.hours, c.start,
				)
			}
			for _, k := range c.notKeys {
				if _, _, ok := s.Window(k); ok {
					t.Errorf("%s passes for a key", k)
				}
			}
		})
	}
}

func TestPartitionSets(t *testing.T) {
	t.Parallel()
	dynamic := orchestrator.DynamicPartitions("dyn")
	colours := orchestrator.StaticPartitions("colour", "red", "green")
	sets := []*orchestrator.PartitionSet{
		dynamic, colours, orchestrator.MultiPartitions("both", colours, dynamic),
		orchestrator.TimePartitions("hour", orchestrator.TimeWindows{Every: "hourly", Start: "2025-11-02"}),
		orchestrator.TimePartitions("day", orchestrator.TimeWindows{Every: "daily", Start: "2025-10-31"}),
	}
	p := orchestrator.Declarations{}
	for _, s := range sets {
		a := asset("of_"+s.Name, nil, nil)
		a.Partitions, a.PartitionRequired = s, true
		p.Assets = append(p.Assets, a)
	}
	e := setup(t, parts(t, p))
	if n, err := e.AddPartitions(t.Context(), "dyn", "y", "x"); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if n, err := e.AddPartitions(t.Context(), "dyn", "y", "z"); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if _, err := e.AddPartitions(t.Context(), "dyn", "a|b"); err == nil {
		t.Error("a key with a separator was taken")
	}
	keys := func(i int) []string {
		t.Helper()
		k, err := e.Partitions(t.Context(), sets[i])
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	if k := keys(0); !slices.Equal(k, []string{"x", "y", "z"}) {
		t.Errorf("dynamic: %q", k)
	}
	if k := keys(2); !slices.Equal(k, []string{"red|x", "red|y", "red|z", "green|x", "green|y", "green|z"}) {
		t.Errorf("two dimensions: %q", k)
	}
	if k := keys(3); !slices.Equal(
		k[:4],
		[]string{"2025-11-02T00:00-04:00", "2025-11-02T01:00-04:00", "2025-11-02T01:00-05:00", "2025-11-02T02:00-05:00"},
	) {
		t.Errorf("hours: %q", k[:4])
	}
	days := keys(4)
	toronto, _ := time.LoadLocation("America/Toronto")
	if days[0] != "2025-10-31" || days[len(days)-1] != time.Now().In(toronto).AddDate(0, 0, -1).Format(time.DateOnly) {
		t.Errorf("days from %s to %s", days[0], days[len(days)-1])
	}
	for _, bad := range []struct{ asset, key, want string }{
		{"of_dyn", "w", `/partition: "w" is not a partition of dyn: it has x, y, z`}, {"of_both", "red|w", `"red|w" is not a partition of both`},
		{"of_day", "2025-10-30", "it has "}, {"of_day", "2999-01-01", "is not a partition of day"}, {"of_dyn", "", "/partition: is required"},
	} {
		_, _, err := e.StartRun(t.Context(), orchestrator.RunRequest{Assets: []string{bad.asset}, Partition: bad.key})
		if err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%s %q: %v, want %q", bad.asset, bad.key, err, bad.want)
		}
	}
	run, _ := wait(t, e, start(t, e, orchestrator.RunRequest{Assets: []string{"of_both"}, Partition: "green|y"}).ID)
	if run.Status != "success" || *run.Partition != "green|y" {
		t.Errorf("run = %+v", run)
	}
	states, err := e.PartitionStates(t.Context(), "of_both")
	if err != nil || states[4].Key != "green|y" || states[4].Status != "materialized" || *states[4].RunID != run.ID ||
		states[0].Status != "missing" {
		t.Errorf("states = %+v, %v", states, err)
	}
	if _, err := e.AddPartitions(t.Context(), "dyn", "later"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := e.StartRun(t.Context(),
		orchestrator.RunRequest{Assets: []string{"of_dyn"}, Partition: "later"}); err != nil {
		t.Error(err)
	}
}

// Whatever became of the last run of a partition, it shows; a failure does not take back what was there.
func TestPartitionStatus(t *testing.T) {
	t.Parallel()
	gate := make(chan error)
	a := asset("a", nil, func(ctx context.Context, _ *orchestrator.Step) error {
		select {
		case err := <-gate:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	a.Partitions = orchestrator.StaticPartitions("p", "k")
	e := setup(t, parts(t, orchestrator.Declarations{Assets: []*orchestrator.Asset{a}}))
	state := func() orchestrator.PartitionState {
		t.Helper()
		s, err := e.PartitionStates(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		return s[0]
	}
	begin := func() uuid.UUID {
		return start(t, e, orchestrator.RunRequest{Assets: []string{"a"}, Partition: "k"}).ID
	}
	started := func(ev eventlog.Event) bool { return ev.Type == "step_started" }
	id := begin()
	waitFor(t, e, id, started)
	if s := state(); s.Status != "running" || *s.RunID != id {
		t.Errorf("running: %+v", s)
	}
	if _, err := e.CancelRun(t.Context(), id, "me"); err != nil {
		t.Fatal(err)
	}
	wait(t, e, id)
	if s := state(); s.Status != "missing" {
		t.Errorf("canceled: %+v", s)
	}
	id = begin()
	gate <- orchestrator.Permanent(errors.New("no"))
	wait(t, e, id)
	if s := state(); s.Status != "failed" || s.MaterializedAt != nil {
		t.Errorf("failed: %+v", s)
	}
	id = begin()
	gate <- nil
	wait(t, e, id)
	if s := state(); s.Status != "materialized" || s.MaterializedAt == nil {
		t.Errorf("materialized: %+v", s)
	}
	id = begin()
	gate <- orchestrator.Permanent(errors.New("no"))
	wait(t, e, id)
	if s := state(); s.Status != "failed" || s.MaterializedAt == nil {
		t.Errorf("failed after that: %+v", s)
	}
	unpartitioned := start(t, e, orchestrator.RunRequest{Assets: []string{"a"}})
	gate <- nil
	wait(t, e, unpartitioned.ID)
	if s := state(); s.Status != "failed" {
		t.Errorf("a run without a partition changed one: %+v", s)
	}
}
