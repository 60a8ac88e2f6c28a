// Package outage limits the lines of a log during an outage. All warnings and errors about the database have one cause,
// which has one line when it begins, one a minute while it lasts, and one when it ends. Other warnings that repeat with
// identical text are limited in the same way. Begin reading at Handler.
package outage

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// every is how often a cause that lasts has a line.
	every = time.Minute
	// databaseQuiet is the silence after which the database is taken to be well again: everything that uses it asks more
	// often than that.
	databaseQuiet = 20 * time.Second
	// most causes that are told apart; what is more is logged as it comes.
	most = 1000
)

// Handler hands records on to another handler, and of those about the same cause only a few. Warnings and errors about
// a run or a request are lines of their own, unless the cause is the database.
type Handler struct {
	slog.Handler
	shared *shared
	own    string // what WithAttrs and WithGroup added, as far as it tells causes apart
	single bool   // what is logged is about one run or one request
}

type shared struct {
	root slog.Handler

	mu     sync.Mutex
	causes map[string]*cause
}

// cause is something that is wrong, from its first line to its last.
type cause struct {
	what      string
	database  bool
	began     time.Time
	told      time.Time // when it had its last line
	last      time.Time // when it was last met
	leftOut   int       // since its last line
	allLeft   int
	over      *time.Timer
	afterThat time.Duration // the silence after which it is over
}

// NewHandler returns a Handler that passes records to h. If h is a Handler already, it returns h.
func NewHandler(h slog.Handler) *Handler {
	if made, ok := h.(*Handler); ok {
		return made
	}
	return &Handler{Handler: h, shared: &shared{root: h, causes: map[string]*cause{}}}
}

// Handle implements slog.Handler.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		return h.Handler.Handle(ctx, r)
	}
	key, database := h.keyOf(r)
	if key == "" {
		return h.Handler.Handle(ctx, r)
	}
	leftOut, speak := h.shared.met(key, r.Message, database, time.Now())
	if !speak {
		return nil
	}
	if leftOut > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("left_out", leftOut))
	}
	return h.Handler.Handle(ctx, r)
}

// met counts an occurrence of a cause. It reports whether to log it, and how many were left out since the last line.
func (s *shared) met(key, what string, database bool, now time.Time) (leftOut int, speak bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.causes[key]
	if c == nil {
		if len(s.causes) >= most {
			return 0, true
		}
		c = &cause{what: what, database: database, began: now, told: now, last: now, afterThat: every}
		if database {
			c.afterThat = databaseQuiet
		}
		c.over = time.AfterFunc(c.afterThat, func() { s.silence(key, c) })
		s.causes[key] = c
		return 0, true
	}
	c.last = now
	if now.Sub(c.told) < every {
		c.leftOut++
		c.allLeft++
		return 0, false
	}
	leftOut, c.leftOut, c.told = c.leftOut, 0, now
	return leftOut, true
}

// silence ends a cause that has not occurred for long enough.
func (s *shared) silence(key string, c *cause) {
	s.mu.Lock()
	if rest := c.afterThat - time.Since(c.last); rest > 0 {
		c.over.Reset(rest)
		s.mu.Unlock()
		return
	}
	delete(s.causes, key)
	s.mu.Unlock()
	message := "no longer: " + c.what
	if c.database {
		message = "the database is available again"
	} else if c.allLeft == 0 {
		return // it was said once
	}
	ctx := context.Background()
	if !s.root.Enabled(ctx, slog.LevelInfo) {
		return
	}
	r := slog.NewRecord(time.Now(), slog.LevelInfo, message, 0)
	r.AddAttrs(slog.Duration("lasted", c.last.Sub(c.began).Round(time.Millisecond)), slog.Int("left_out", c.leftOut),
		slog.Int("left_out_in_all", c.allLeft))
	_ = s.root.Handle(ctx, r) // a log that cannot be written has nobody to tell
}

// Enabled implements slog.Handler.
func (h *Handler) Enabled(ctx context.Context, l slog.Level) bool { return h.Handler.Enabled(ctx, l) }

// WithAttrs implements slog.Handler.
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	with.Handler = h.Handler.WithAttrs(attrs)
	for _, a := range attrs {
		with.single = with.single || singles[a.Key]
		with.own += " " + a.String()
	}
	return &with
}

// WithGroup implements slog.Handler.
func (h *Handler) WithGroup(name string) slog.Handler {
	with := *h
	with.Handler = h.Handler.WithGroup(name)
	with.own += " " + name + "."
	return &with
}

var (
	// singles are the attributes of lines about one thing, each of which somebody may look for.
	singles = map[string]bool{"run_id": true, "request_id": true, "stack": true, "job_id": true}
	// volatile are the attributes that differ each time.
	volatile = map[string]bool{"attempt": true, "num_errors": true, "sleep_duration": true, "duration": true}
)

// keyOf returns the cause of a record. It is empty if the record is always logged.
func (h *Handler) keyOf(r slog.Record) (key string, database bool) {
	var b strings.Builder
	b.WriteString(r.Level.String() + " " + r.Message + h.own)
	single := h.single
	r.Attrs(func(a slog.Attr) bool {
		if (a.Key == "error" || a.Key == "err") && Database(a.Value) {
			database = true
			return false
		}
		single = single || singles[a.Key]
		if !volatile[a.Key] {
			b.WriteString(" " + a.String())
		}
		return true
	})
	switch {
	case database:
		return "database", true
	case single:
		return "", false
	}
	return b.String(), false
}

// Texts of pgx's errors, for those that come as texts.
var (
	unreachable = regexp.MustCompile("failed to connect to `|SQLSTATE (08|53|57P|58)|SQLSTATE 25006|conn closed|" +
		"unexpected EOF|write failed: |receive message failed|closed pool|context deadline exceeded|i/o timeout|" +
		"connection reset by peer|broken pipe")
	address = regexp.MustCompile(`[a-z]+://`)
)

// Database reports whether an error, or its text, is about the database not being of use just now. What is said of an
// address is about what is there.
func Database(v slog.Value) bool {
	text := v.Resolve().String()
	if err, ok := v.Any().(error); ok {
		var elsewhere *url.Error
		var connect *pgconn.ConnectError
		var pg *pgconn.PgError
		switch {
		case errors.As(err, &elsewhere):
			return false
		case errors.As(err, &connect), pgconn.Timeout(err):
			return true
		case errors.As(err, &pg):
			return pgerrcode.IsConnectionException(pg.Code) || pgerrcode.IsInsufficientResources(pg.Code) ||
				pgerrcode.IsSystemError(pg.Code) || strings.HasPrefix(pg.Code, "57P") || pg.Code == pgerrcode.ReadOnlySQLTransaction
		}
		text = err.Error()
	}
	return !address.MatchString(text) && unreachable.MatchString(text)
}
