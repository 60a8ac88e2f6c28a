package orchestrator

import (
	"time"

	"github.com/robfig/cron/v3"

	"github.com/parliament-explorer/parliament-explorer/db"
)

// EverySecond makes a schedule due each second, which no cron expression of five fields can say.
func EverySecond(s *Schedule) {
	times, err := cron.NewParser(cron.Second | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow).Parse("* * * * * *")
	if err != nil {
		panic(err)
	}
	s.times = times
}

// Due exposes due.
func Due(s *Schedule, now time.Time) time.Time { return s.due(now) }

// DatabaseOf is the database that an engine works on.
func DatabaseOf(e *Engine) *db.DB { return e.db }
