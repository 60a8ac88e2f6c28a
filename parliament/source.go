package parliament

import (
	"context"
	"regexp"
	"time"

	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// SourceState is the state of a public service: the limits that all workers share, and its latest successes and
// failures.
type SourceState struct {
	Name, URL         string
	RequestsPerSecond float64 // 0: no limit
	MaxInFlight       int
	InFlight          int
	HeldUntil         *time.Time // the service asked for a pause until then; nil if it is over
	BreakerOpen       bool       // the circuit breaker stops requests for a while
	BreakerChangedAt  *time.Time
	LastSuccessAt     *time.Time
	LastFailureAt     *time.Time
	LastError         *string
}

// Sources lists the services that were used at least once, by name.
func (s *Store) Sources(ctx context.Context) ([]SourceState, error) {
	rows, err := s.q.ListSources(ctx)
	out := make([]SourceState, len(rows))
	for i, r := range rows {
		out[i] = sourceOf(r)
	}
	return out, err
}

func sourceOf(r sql.ListSourcesRow) SourceState {
	st := SourceState{
		Name: r.Source, URL: upstream.PublicURL(r.Url), RequestsPerSecond: r.RequestsPerSecond,
		MaxInFlight: int(r.MaxInFlight), InFlight: int(r.InFlight),
		BreakerOpen: r.BreakerOpen, BreakerChangedAt: r.BreakerChangedAt, LastSuccessAt: r.LastSuccessAt,
		LastFailureAt: r.LastFailureAt, LastError: withoutUsers(r.LastError),
	}
	if r.Held {
		st.HeldUntil = r.HeldUntil
	}
	return st
}

// withoutUsers removes user names and passwords from addresses. An older version of the program may have stored them.
func withoutUsers(s *string) *string {
	if s == nil {
		return nil
	}
	out := users.ReplaceAllString(*s, "://")
	return &out
}

var users = regexp.MustCompile(`://[^/?#\s"]*@`)
