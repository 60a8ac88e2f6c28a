package orchestrator

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// parseCron reads a cron expression in a time zone.
func parseCron(expression, zone string) (cron.Schedule, error) {
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "" {
		return nil, fmt.Errorf("time zone %q is not known", zone)
	}
	if strings.HasPrefix(expression, "@every") || strings.Contains(expression, "TZ=") { // counted from whenever a process started; and the zone has a field of its own
		return nil, fmt.Errorf("cron %q: want five fields or @hourly, @daily, @weekly, @monthly", expression)
	}
	times, err := cron.ParseStandard("CRON_TZ=UTC " + expression)
	if err != nil {
		return nil, fmt.Errorf("cron %q: %w", expression, err)
	}
	spec, ok := times.(*cron.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("cron %q: want five fields or @hourly, @daily, @weekly, @monthly", expression)
	}
	const everyHour = 1 << 63 // how the library marks a field that is a star
	if spec.Hour&everyHour != 0 {
		return &everyHourClock{spec: spec, location: location}, nil
	}
	return &wallClock{spec: spec, location: location}, nil
}

// everyHourClock is a schedule at every hour of the days it is for: it goes on evenly when clocks change. The library
// does not get past a day that a zone left out, as Samoa did in 2011, so it is asked in UTC.
type everyHourClock struct {
	spec     *cron.SpecSchedule // in UTC
	location *time.Location
}

// Next implements cron.Schedule.
func (c *everyHourClock) Next(after time.Time) time.Time {
	wall, since := asUTC(after.In(c.location)), after
	for {
		// As long as the zone's offset stays what it is, the clock on the wall goes evenly.
		_, offset := since.In(c.location).Zone()
		_, until := since.In(c.location).ZoneBounds()
		next := c.spec.Next(wall)
		if next.IsZero() {
			return next
		}
		if at := next.Add(-time.Duration(offset) * time.Second); until.IsZero() || at.Before(until) {
			return at.In(c.location)
		}
		wall, since = asUTC(until.In(c.location)).Add(-time.Nanosecond), until
	}
}

// wallClock is a schedule at certain hours of the day, as the calendar of a zone has them: a time that comes twice, when
// clocks go back, is the first of the two; one that is left out, when they go forward, is as much later as they go.
type wallClock struct {
	spec     *cron.SpecSchedule // in UTC, which has every time of the wall clock once
	location *time.Location
}

// longestChange is more than clocks are ever changed by: a day, when a zone moves across the date line.
const longestChange = 25 * time.Hour

// Next implements cron.Schedule.
func (w *wallClock) Next(after time.Time) time.Time {
	wall := asUTC(after.In(w.location))
	if changed, _ := after.In(w.location).ZoneBounds(); !changed.IsZero() && after.Sub(changed) < longestChange {
		wall = wall.Add(-longestChange) // what clocks left out may be due still
	}
	for {
		if wall = w.spec.Next(wall); wall.IsZero() {
			return wall
		}
		if at := w.instant(wall); at.After(after) {
			return at
		}
	}
}

func asUTC(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// instant is when a clock on the wall shows a time for the first time.
func (w *wallClock) instant(wall time.Time) time.Time {
	at := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, w.location)
	_, offset := at.Add(-3 * time.Hour).Zone() // before the change, if there is one
	first := wall.Add(-time.Duration(offset) * time.Second).In(w.location)
	if asUTC(first).Equal(wall) || !asUTC(at).Equal(wall) {
		return first
	}
	return at
}

// LastDue is the latest time, not after now, at which a cron expression was due in a time zone; zero if there was none
// in five years.
func LastDue(expression, zone string, now time.Time) (time.Time, error) {
	times, err := parseCron(expression, zone)
	if err != nil {
		return time.Time{}, err
	}
	return lastDue(times, now), nil
}

// lastDue is the latest time, not after now, of a cron schedule; zero if there was none in five years.
func lastDue(times cron.Schedule, now time.Time) time.Time {
	for back := time.Minute; back < 5*366*24*time.Hour; back *= 2 {
		at := times.Next(now.Add(-back))
		if at.IsZero() || at.After(now) {
			continue
		}
		for {
			next := times.Next(at)
			if next.IsZero() || next.After(now) {
				return at
			}
			at = next
		}
	}
	return time.Time{}
}
