package jobs

import (
	"fmt"
	"regexp"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

// causes are what went wrong in a fetch, each with how often. The zero value has none.
type causes struct {
	order []*cause
	by    map[string]*cause
}

// cause is one thing that went wrong for one record or many.
type cause struct {
	message  string // of the first
	urls     []string
	count    int
	loggedAt time.Time // when the run's log had a line of it
	unlogged int       // since then
}

const (
	// maxLoggedCauses have a line in the log of a run; the log of one whose source is broken need not be longer.
	maxLoggedCauses = 50
	// maxCauses are told apart; what else goes wrong is counted under otherCauses.
	maxCauses   = 200
	otherCauses = "further causes"
	// maxCauseURLs are named with a cause.
	maxCauseURLs = 50
	// retryLogInterval is how often the log tells of the requests that are made again for one cause.
	retryLogInterval = time.Minute
)

// add notes that something went wrong once more.
func (c *causes) add(name, message, url string) *cause {
	if c.by == nil {
		c.by = map[string]*cause{}
	}
	of := c.by[name]
	if of == nil && len(c.order) >= maxCauses {
		name, message = otherCauses, otherCauses
		of = c.by[name]
	}
	if of == nil {
		of = &cause{message: message}
		c.by[name], c.order = of, append(c.order, of)
	}
	of.count++
	if url != "" && len(of.urls) < maxCauseURLs {
		of.urls = append(of.urls, url)
	}
	return of
}

// recordDetails are the parts of a message that name a record, or the connection that it was asked for over.
var recordDetails = regexp.MustCompile(
	`https?://[^\s"]+|\b\d+-\d+/[A-Z]+-\d+[A-Z]*\b|\d+\.\d+\.\d+\.\d+:\d+|` +
		`\[[0-9a-f:]+\]:\d+|^[a-z0-9-]+ could not be fetched|in \d[\w.]*s\b`,
)

// causeOf is a message without what it says of one record: those that are left with the same have the same cause.
func causeOf(message string) string { return recordDetails.ReplaceAllString(message, "...") }

// retrying tells of a request that is made again: at once when the cause is new, and then of all of a minute together.
func (f *fetch) retrying(source string, err error, attempt int, wait time.Duration) {
	message := fmt.Sprintf("%s: %v; trying again in %s", source, err, wait.Round(10*time.Millisecond))
	f.mu.Lock()
	c := f.retryCauses.add(causeOf(fmt.Sprintf("%s: %v", source, err)), message, "")
	now := time.Now()
	if c.unlogged++; !c.loggedAt.IsZero() && now.Sub(c.loggedAt) < retryLogInterval ||
		len(f.retryCauses.order) > maxLoggedCauses {
		f.mu.Unlock()
		return
	}
	n := c.unlogged
	c.loggedAt, c.unlogged = now, 0
	f.mu.Unlock()
	data := map[string]any{"source": source, "attempt": attempt}
	if n > 1 {
		message += fmt.Sprintf("; for the same reason, %d requests since the last line", n)
		data["count"] = n
	}
	f.step.Log(eventlog.LevelWarn, message, data)
}

// logCauses has the run's log tell what went wrong: one line for each cause, with how many records it hit. Each of
// them counts as an error, and the first ten are in the fetch log.
func (f *fetch) logCauses() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, c := range f.errorCauses.order {
		if i == maxLoggedCauses {
			f.step.Log(
				eventlog.LevelError, fmt.Sprintf("%d further causes are left out", len(f.errorCauses.order)-maxLoggedCauses), nil,
			)
			break
		}
		data, message := map[string]any{}, c.message
		if len(c.urls) > 0 {
			data["url"] = c.urls[0]
		}
		if c.count > 1 {
			message += fmt.Sprintf(" (and %d more for the same reason)", c.count-1)
			data["count"], data["urls"] = c.count, c.urls
		}
		f.step.Log(eventlog.LevelError, message, data)
	}
	f.errorCauses = causes{}
	for _, c := range f.retryCauses.order {
		if c.unlogged > 0 {
			f.step.Log(
				eventlog.LevelWarn, fmt.Sprintf("%s (and %d more for the same reason)", c.message, c.unlogged),
				map[string]any{"count": c.unlogged},
			)
		}
	}
	f.retryCauses = causes{}
}
