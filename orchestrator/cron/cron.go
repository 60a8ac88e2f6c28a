// Package cron reads cron expressions in a time zone, and computes when they are due. Begin reading at Parse.
package cron

import (
	"fmt"
	"strings"
	"time"

	robfig "github.com/robfig/cron/v3"
)

// Schedule computes the times at which a cron expression is due.
type Schedule interface {
	// Next returns the first time after a moment; zero if there is none within five years.
	Next(after time.Time) time.Time
}

// Parse reads a cron expression in a time zone, an IANA name. The expression has the five standard fields, or is
// @hourly, @daily, @weekly, @monthly or @yearly.
func Parse(expression, zone string) (Schedule, error) {
	location, err := time.LoadLocation(zone)
	if err != nil || zone == "" {
		return nil, fmt.Errorf("time zone %q is not known", zone)
	}
	// @every counts from the start of a process, and the zone has a field of its own.
	if strings.HasPrefix(expression, "@every") || strings.Contains(expression, "TZ=") {
		return nil, fmt.Errorf("cron %q: want five fields or @hourly, @daily, @weekly, @monthly", expression)
	}
	times, err := robfig.ParseStandard("CRON_TZ=UTC " + expression)
	if err != nil {
		return nil, fmt.Errorf("cron %q: %w", expression, err)
	}
	spec, ok := times.(*robfig.SpecSchedule)
	if !ok {
		return nil, fmt.Errorf("cron %q: want five fields or @hourly, @daily, @weekly, @monthly", expression)
	}
	const everyHour = 1 << 63 // how the library marks a field that is *
	if spec.Hour&everyHour != 0 {
		return &everyHourClock{spec: spec, location: location}, nil
	}
	return &wallClock{spec: spec, location: location}, nil
}

// everyHourClock is a schedule with * for the hour: it stays even when clocks change. The library does not get past a
// day that a zone left out, as Samoa did in 2011, so it computes in UTC.
type everyHourClock struct {
	spec     *robfig.SpecSchedule // in UTC
	location *time.Location
}

// Next implements Schedule.
func (c *everyHourClock) Next(after time.Time) time.Time {
	wall, since := asUTC(after.In(c.location)), after
	for {
		// Until the zone's offset changes, wall time is UTC plus the offset.
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

// wallClock is a schedule at certain hours of the day, in the wall time of a zone. A time that occurs twice, when
// clocks go back, is the first of the two. A time that does not occur, when clocks go forward, is later by as much as
// they move.
type wallClock struct {
	spec     *robfig.SpecSchedule // in UTC, in which every wall time occurs once
	location *time.Location
}

// longestChange is more than any change of clocks: a day, when a zone moves across the date line.
const longestChange = 25 * time.Hour

// Next implements Schedule.
func (w *wallClock) Next(after time.Time) time.Time {
	wall := asUTC(after.In(w.location))
	if changed, _ := after.In(w.location).ZoneBounds(); !changed.IsZero() && after.Sub(changed) < longestChange {
		wall = wall.Add(-longestChange) // a time that did not occur may still be due
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

// asUTC returns the wall time of t as a time in UTC.
func asUTC(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// instant returns the first moment that has a wall time.
func (w *wallClock) instant(wall time.Time) time.Time {
	at := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, w.location)
	_, offset := at.Add(-3 * time.Hour).Zone() // before the change, if there is one
	first := wall.Add(-time.Duration(offset) * time.Second).In(w.location)
	if asUTC(first).Equal(wall) || !asUTC(at).Equal(wall) {
		return first
	}
	return at
}

// LastDue returns the latest time, not after now, at which a cron expression was due in a time zone; zero if there was
// none in five years.
func LastDue(expression, zone string, now time.Time) (time.Time, error) {
	times, err := Parse(expression, zone)
	if err != nil {
		return time.Time{}, err
	}
	return Last(times, now), nil
}

// Last returns the latest time of a schedule that is not after now; zero if there was none in five years.
func Last(times Schedule, now time.Time) time.Time {
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
