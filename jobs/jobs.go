// Package jobs is the pipeline: every asset, job, schedule, sensor and partition set, declared in Go. The name of the
// package is the owner's choice. Its subject is all of these declarations, not jobs alone.
//
// The main types are Deps, what the assets work with, and Contribution, what one file declares. Begin reading at All.
// To add an asset, write a file like monitor.go and add a line to All.
package jobs

import (
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
)

// The owners of the assets.
const (
	dataTeam       = "team:data"
	operationsTeam = "team:operations"
)

// Deps are the dependencies of the assets.
type Deps struct {
	Store          *parliament.Store
	OpenParliament openparliament.Client
	Legisinfo      legisinfo.Client
	// Embedder makes embeddings; nil if no endpoint is configured.
	Embedder *parliament.Embedder
	// TimeZone is the IANA time zone of the schedules; default America/Toronto.
	TimeZone string
	// Now is the clock by which the age of bills is judged; default time.Now. A simulated Parliament has its own.
	Now func() time.Time
}

func (d Deps) now() time.Time {
	if d.Now == nil {
		return time.Now()
	}
	return d.Now()
}

// Contribution is what one file of this package declares.
type Contribution struct {
	Assets    []*orchestrator.Asset
	Jobs      []*orchestrator.Job
	Schedules []*orchestrator.Schedule
	Sensors   []*orchestrator.Sensor
}

// All returns the whole pipeline. Tests add declarations of their own with more.
func All(d Deps, more ...Contribution) (*orchestrator.Definitions, error) {
	return Define(d, append([]Contribution{
		parliamentSessions(d),
		latestBills(d),
		sessionBills(d),
		introducedByDay(d),
		billStatistics(d),
		politicians(d),
		feeds(d),
		embeddings(d),
		quality(d),
		monitor(d),
		newBills(d),
		publish(d),
		failures(d),
		webhook(),
	}, more...)...)
}

// Define combines and validates declarations. It sets the time zone of schedules that have none.
func Define(d Deps, parts ...Contribution) (*orchestrator.Definitions, error) {
	var all orchestrator.Declarations
	for _, p := range parts {
		all.Assets = append(all.Assets, p.Assets...)
		all.Jobs = append(all.Jobs, p.Jobs...)
		all.Sensors = append(all.Sensors, p.Sensors...)
		for _, s := range p.Schedules {
			if s.TimeZone == "" {
				s.TimeZone = d.TimeZone
			}
			all.Schedules = append(all.Schedules, s)
		}
	}
	return orchestrator.NewDefinitions(all)
}

// billAssets are the assets that fetch bills.
var billAssets = []string{"fetch_latest_bills", "fetch_parliament_session_bills"}

// sourcePools are the pools that these assets share.
var sourcePools = []string{openparliament.Source, legisinfo.Source}
