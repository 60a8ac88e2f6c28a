package embedded

import (
	"context"
	"time"
)

// Altered is what tests do otherwise than the program.
type Altered struct {
	Platform string
	Size     int64 // of the archive
	Sum      string
	Places   []string
	Machine  []string
	Silence  time.Duration
	Pause    func(context.Context, time.Duration) error
}

// With is a Source that is altered.
func (s Source) With(a Altered) Source {
	s.fetching = fetching{platform: a.Platform, places: a.Places, machine: a.Machine, silence: a.Silence, pause: a.Pause}
	if a.Sum != "" {
		s.fetching.pin = &pin{size: a.Size, unpacked: 5, sum: a.Sum}
	}
	return s
}

// Version is what is fetched.
const Version = fetched
