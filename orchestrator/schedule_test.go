package orchestrator_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/parliament-explorer/parliament-explorer/db/dbtest"
	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

func everySecond(t *testing.T) *orchestrator.Definitions {
	t.Helper()
	defs := define(t, []*orchestrator.Asset{asset("a", nil, nil)}, []*orchestrator.Job{{Name: "j", Assets: []string{"a"}}},
		&orchestrator.Schedule{Name: "s", Job: "j", Cron: "* * * * *"})
	s, err := defs.Schedule("s")
	if err != nil {
		t.Fatal(err)
	}
	orchestrator.EverySecond(s)
	return defs
}

// followRuns calls f with each run, from the first, until it returns false.
func followRuns(t *testing.T, e *orchestrator.Engine, f func(eventlog.Event) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	end := context.Canceled
	err := e.Events().FollowAll(ctx, &eventlog.Cursor{}, func(evs []eventlog.Event) error {
		for _, ev := range evs {
			if ev.Type == eventlog.RunEnqueued && !f(ev) {
				return end
			}
		}
		return nil
	})
	if ctx.Err() != nil {
		t.Fatalf("the runs did not come: %v", err)
	}
}

func TestSchedule(t *testing.T) {
	t.Parallel()

	t.Run("FiresOnceHoweverManyReplicasAndStopsForAll", func(t *testing.T) {
		t.Parallel()
		d := dbtest.New(t)
		defs := everySecond(t)
		one := startEngine(t, d, defs)
		two := startEngine(t, d, defs)
		st, err := one.SetSchedule(t.Context(), "s", true)
		if err != nil || !st.Running {
			t.Fatal(st, err)
		}
		n := 0
		followRuns(t, two, func(eventlog.Event) bool { n++; return n < 4 })
		if st, err = two.SetSchedule(t.Context(), "s", false); err != nil || st.Running {
			t.Fatal(st, err)
		}
		ticks, err := one.Ticks(t.Context(), "s", nil, 100)
		if err != nil {
			t.Fatal(err)
		}
		for i := 1; i < len(ticks); i++ {
			if gap := ticks[i-1].ScheduledFor.Sub(ticks[i].ScheduledFor); gap != time.Second {
				t.Errorf("ticks %s apart, want 1 s", gap)
			}
		}
		runs, err := one.Runs(t.Context(), orchestrator.RunFilter{Tags: map[string]string{"schedule": "s"}, Limit: 100})
		if err != nil || len(runs) != len(ticks) {
			t.Errorf("%d runs for %d ticks (%v)", len(runs), len(ticks), err)
		}
		for _, r := range runs {
			if r.TriggerKind != "schedule" || r.TriggerName == nil || *r.TriggerName != "s" {
				t.Errorf("trigger %s %v", r.TriggerKind, r.TriggerName)
			}
		}
	})

	t.Run("MissedTickIsMadeUpOnceOnStart", func(t *testing.T) {
		t.Parallel()
		d := dbtest.New(t)
		defs := define(
			t,
			[]*orchestrator.Asset{asset("a", nil, nil)},
			[]*orchestrator.Job{{Name: "j", Assets: []string{"a"}}},
			&orchestrator.Schedule{
				Name: "s",
				Job:  "j",
				Cron: "@yearly",
			},
			&orchestrator.Schedule{Name: "lazy", Job: "j", Cron: "@yearly", NoCatchUp: true},
		)
		// Both were started long ago, and nobody was there at New Year.
		if _, err := d.Pool.Exec(t.Context(), `INSERT INTO schedules
			VALUES ('s', true, '2001-05-05'), ('lazy', true, '2001-05-05')`); err != nil {
			t.Fatal(err)
		}
		api := startEngine(t, d, defs, func(c *orchestrator.Config) { c.Work = false })
		for range 2 { // the second worker finds it done
			startEngine(t, d, defs)
		}
		followRuns(t, api, func(eventlog.Event) bool { return false })
		ticks, err := api.Ticks(t.Context(), "s", nil, 10)
		if err != nil || len(ticks) != 1 || ticks[0].Kind != "catch_up" || ticks[0].RunID == nil {
			t.Errorf("ticks = %+v, %v", ticks, err)
		}
		if lazy, err := api.Ticks(t.Context(), "lazy", nil, 10); err != nil || len(lazy) != 0 {
			t.Errorf("a schedule without catch-up ticked: %+v %v", lazy, err)
		}
	})

	t.Run("RunNow", func(t *testing.T) {
		t.Parallel()
		defs := define(
			t, []*orchestrator.Asset{asset("a", nil, nil)}, []*orchestrator.Job{{Name: "j", Assets: []string{"a"}}},
			&orchestrator.Schedule{Name: "s", Job: "j", Cron: "@yearly"},
		)
		e := setup(t, defs)
		run, _, err := e.RunSchedule(t.Context(), "s", orchestrator.RunRequest{})
		if err != nil {
			t.Fatal(err)
		}
		ended, _ := wait(t, e, run.ID)
		ticks, err := e.Ticks(t.Context(), "s", nil, 10)
		if ended.Status != "success" || err != nil || len(ticks) != 1 || ticks[0].Kind != "manual" ||
			*ticks[0].RunID != run.ID {
			t.Errorf("run %s, ticks %+v, %v", ended.Status, ticks, err)
		}
	})
}

func TestScheduleTimes(t *testing.T) {
	t.Parallel()
	defs := define(
		t,
		[]*orchestrator.Asset{asset("a", nil, nil)},
		[]*orchestrator.Job{{Name: "j", Assets: []string{"a"}}},
		&orchestrator.Schedule{
			Name: "night",
			Job:  "j",
			Cron: "30 2 * * *",
		},
		&orchestrator.Schedule{Name: "hourly", Job: "j", Cron: "0 * * * *"},
		&orchestrator.Schedule{Name: "never", Job: "j", Cron: "0 0 30 2 *"},
	)
	at := func(s string) time.Time {
		tm, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return tm
	}
	for _, c := range []struct{ schedule, now, due, next string }{
		{"hourly", "2026-06-18T12:00:00Z", "2026-06-18T12:00:00Z", "2026-06-18T13:00:00Z"},
		{"hourly", "2026-06-18T12:59:59Z", "2026-06-18T12:00:00Z", "2026-06-18T13:00:00Z"},
		{"night", "2026-06-18T12:00:00Z", "2026-06-18T06:30:00Z", "2026-06-19T06:30:00Z"},
		// On 2026-03-08 there was no 2:30 in Toronto: it is 3:30.
		{"night", "2026-03-08T12:00:00Z", "2026-03-08T07:30:00Z", "2026-03-09T06:30:00Z"},
		// An hourly schedule goes on through the hour that comes twice.
		{"hourly", "2026-11-01T05:30:00Z", "2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z"},
	} {
		s, err := defs.Schedule(c.schedule)
		if err != nil {
			t.Fatal(err)
		}
		if got := orchestrator.Due(s, at(c.now)); !got.Equal(at(c.due)) {
			t.Errorf("%s at %s: due %s, want %s", c.schedule, c.now, got, c.due)
		}
		if got := s.Next(at(c.now), 1); len(got) != 1 || !got[0].Equal(at(c.next)) {
			t.Errorf("%s at %s: next %s, want %s", c.schedule, c.now, got, c.next)
		}
	}
	never, _ := defs.Schedule("never")
	if !orchestrator.Due(never, at("2026-06-18T12:00:00Z")).IsZero() ||
		len(never.Next(at("2026-06-18T12:00:00Z"), 5)) != 0 {
		t.Error("February 30 came")
	}
}

// Ticks are those of the calendar on the days on which clocks change.
func TestTicksWhenClocksChange(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cron, zone, after string
		want              []string
	}{
		"an hour that is left out":   {"0 2 * * *", "", "2026-03-07T08:00:00Z", []string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:00:00-04:00"}},
		"half an hour into it":       {"30 2 * * *", "", "2026-03-07T08:00:00Z", []string{"2026-03-08T03:30:00-04:00", "2026-03-09T02:30:00-04:00"}},
		"the day of that change":     {"0 4 * * *", "", "2026-03-07T08:00:00Z", []string{"2026-03-07T04:00:00-05:00", "2026-03-08T04:00:00-04:00", "2026-03-09T04:00:00-04:00"}},
		"midnight of that day":       {"@daily", "", "2026-03-08T00:00:00Z", []string{"2026-03-08T00:00:00-05:00", "2026-03-09T00:00:00-04:00"}},
		"an hour that comes twice":   {"30 1 * * *", "", "2025-11-01T12:00:00Z", []string{"2025-11-02T01:30:00-04:00", "2025-11-03T01:30:00-05:00"}},
		"after the first of the two": {"30 1 * * *", "", "2025-11-02T06:00:00Z", []string{"2025-11-03T01:30:00-05:00"}},
		"after that change":          {"0 2 * * *", "", "2025-11-02T05:59:00Z", []string{"2025-11-02T02:00:00-05:00", "2025-11-03T02:00:00-05:00"}},
		"every hour, back":           {"0 * * * *", "", "2025-11-02T04:30:00Z", []string{"2025-11-02T01:00:00-04:00", "2025-11-02T01:00:00-05:00", "2025-11-02T02:00:00-05:00"}},
		"every hour, forward":        {"0 * * * *", "", "2026-03-08T05:30:00Z", []string{"2026-03-08T01:00:00-05:00", "2026-03-08T03:00:00-04:00", "2026-03-08T04:00:00-04:00"}},
		"a zone without changes":     {"0 2 * * *", "America/Regina", "2026-03-07T12:00:00Z", []string{"2026-03-08T02:00:00-06:00", "2026-03-09T02:00:00-06:00"}},
		"a change of half an hour":   {"15 2 * * *", "Australia/Lord_Howe", "2025-10-04T00:00:00Z", []string{"2025-10-05T02:45:00+11:00", "2025-10-06T02:15:00+11:00"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone := c.zone
			if zone == "" {
				zone = "America/Toronto"
			}
			loc, err := time.LoadLocation(zone)
			if err != nil {
				t.Fatal(err)
			}
			d := define(
				t, []*orchestrator.Asset{asset("a", nil, nil)},
				[]*orchestrator.Job{{Name: "j", Assets: []string{"a"}}},
				&orchestrator.Schedule{Name: "s", Job: "j", Cron: c.cron, TimeZone: c.zone},
			)
			after, err := time.Parse(time.RFC3339, c.after)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, at := range d.Schedules()[0].Next(after, len(c.want)) {
				got = append(got, at.In(loc).Format(time.RFC3339))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("ticks at %q, want %q", got, c.want)
			}
		})
	}
}
