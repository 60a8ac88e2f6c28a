package jobs

import (
	"fmt"
	"regexp"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
)

// causes groups the errors of a fetch by cause. The zero value is empty.
type causes struct {
	order []*cause
	by    map[string]*cause
}

// cause is an error that one or more records have in common.
type cause struct {
	message  string // of the first
	urls     []string
	count    int
	loggedAt time.Time // when the run's log had a line of it
	unlogged int       // since then
}

const (
	// maxLoggedCauses is how many causes have a line in the run's log, so that a broken source does not fill it.
	maxLoggedCauses = 50
	// maxCauses is how many causes are distinguished. Further errors count under otherCauses.
	maxCauses   = 200
	otherCauses = "further causes"
	// maxCauseURLs is how many addresses are listed with a cause.
	maxCauseURLs = 50
	// retryLogInterval is how often the log reports the retries of one cause.
	retryLogInterval = time.Minute
)

// add counts an error.
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

// recordDetails matches the parts of a message that identify a record or a connection.
var recordDetails = regexp.MustCompile(
	`https?://[^\s"]+|\b\d+-\d+/[A-Z]+-\d+[A-Z]*\b|\d+\.\d+\.\d+\.\d+:\d+|` +
		`\[[0-9a-f:]+\]:\d+|^[a-z0-9-]+ could not be fetched|in \d[\w.]*s\b`,
)

// causeOf removes what identifies a record from a message. Messages with the same rest have the same cause.
func causeOf(message string) string { return recordDetails.ReplaceAllString(message, "...") }

// retrying logs a retried request: at once if the cause is new, and then once a minute for all retries since the last
// line.
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

// logCauses logs what failed: one line per cause, with the number of its records. Each record counts as an error. The
// fetch log has the first ten errors.
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
