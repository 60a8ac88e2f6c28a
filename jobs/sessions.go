package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
)

// sessionPartitions are the sessions of Parliament that LEGISinfo has, such as 44-1.
var sessionPartitions = orchestrator.DynamicPartitions("parliament_session")

// days are the days since the beginning of the pipeline's records, in Ottawa's time zone.
var days = orchestrator.TimePartitions("day", orchestrator.TimeWindows{Every: orchestrator.Daily, Start: "2025-01-01"})

// parliamentSessions declares the asset that finds the sessions of Parliament.
func parliamentSessions(d Deps) Contribution {
	asset := orchestrator.NewAsset(orchestrator.AssetOptions{
		Name:   "parliament_sessions",
		Group:  "bills",
		Owners: []string{dataTeam},
		Tags:   map[string]string{"audience": "operators"},
		Kinds:  []string{"fetch", "partitions"},
		Description: "Finds the sessions of Parliament in LEGISinfo, from the 35th Parliament to the current one. They are " +
			"the partitions of fetch_parliament_session_bills.",
		DescriptionFR: "Trouve les sessions du Parlement dans LEGISinfo, de la 35e législature à la législature " +
			"actuelle. Ce sont les partitions de fetch_parliament_session_bills.",
		Retry:   fetchRetry,
		Timeout: 10 * time.Minute,
		Pools:   sourcePools,
	}, func(ctx context.Context, step *orchestrator.Step, _ struct{}) (orchestrator.Metadata, error) {
		f := newFetch(d, step, legisinfo.Source, map[string]any{})
		sessions, current, err := f.sessions(f.observe(ctx))
		if _, err = f.writeFetchLog(err, len(sessions)); err != nil {
			return nil, err
		}
		known, err := step.Partitions(ctx, sessionPartitions)
		if err != nil {
			return nil, err
		}
		fresh := slices.DeleteFunc(slices.Clone(sessions), func(s string) bool { return slices.Contains(known, s) })
		step.AddPartitions(sessionPartitions.Name, sessions...)
		return orchestrator.Metadata{
			"sessions": len(known) + len(fresh), "sessions_added": len(fresh), "added": fresh, "current_session": current,
		}, nil
	})
	return Contribution{
		Assets: []*orchestrator.Asset{asset},
		Jobs: []*orchestrator.Job{
			{
				Name: "discover_sessions_job", Description: "Finds new sessions of Parliament.",
				DescriptionFR: "Trouve les nouvelles sessions du Parlement.",
				Assets:        []string{asset.Name}, Timeout: 30 * time.Minute,
			},
		},
		Schedules: []*orchestrator.Schedule{
			{
				Name: "discover_sessions_daily", Description: "Every night at half past one.",
				DescriptionFR: "Chaque nuit à 1 h 30.",
				Job:           "discover_sessions_job",
				Cron:          "30 1 * * *",
			},
		},
	}
}

// sessions requests the current session's bills, which is a small list. It requests the list of all sessions only if
// the current one is new. If LEGISinfo has no list without a session, openparliament.ca names the current one. It is
// long, because it handles each list that is not available.
func (f *fetch) sessions(ctx context.Context) (sessions []string, current string, err error) {
	list := func(of string) (map[string]bool, error) {
		items, faults, err := f.Legisinfo.List(ctx, of)
		if err != nil {
			return nil, err
		}
		codes := map[string]bool{}
		for id := range f.legisinfoItems(items, faults) {
			codes[id.SessionCode()] = true
		}
		if len(codes) == 0 && len(f.errors) > 0 {
			return nil, orchestrator.Permanent(fmt.Errorf("nothing in LEGISinfo's list can be read: %s", f.errors[0].Message))
		}
		if len(codes) == 0 {
			return nil, orchestrator.Permanent(errors.New("LEGISinfo's list has no bill"))
		}
		return codes, nil
	}
	now, err := list("")
	if ctx.Err() != nil {
		return nil, "", context.Cause(ctx)
	}
	if err != nil {
		named, other := f.nameSession(ctx)
		if other != nil || named == "" {
			return nil, "", errors.Join(err, other)
		}
		f.step.Log(
			eventlog.LevelWarn,
			fmt.Sprintf(
				"the current session is %s, as openparliament.ca has it, for LEGISinfo's list without a session cannot be had: %s",
				named, reasonOf(err),
			),
			nil,
		)
		now = map[string]bool{named: true}
	}
	sorted := slices.SortedFunc(maps.Keys(now), compareSessions)
	current = sorted[len(sorted)-1]
	known, err := f.step.Partitions(ctx, sessionPartitions)
	if err != nil || slices.Contains(known, current) {
		return sorted, current, err
	}
	all, err := list(legisinfo.AllSessions)
	if err != nil && len(known) > 0 && ctx.Err() == nil { // the earlier ones are known
		f.step.Log(
			eventlog.LevelWarn,
			fmt.Sprintf(
				"session %s is new; whether there are others is not known, for LEGISinfo's list of all sessions cannot be had: %s",
				current, reasonOf(err),
			),
			nil,
		)
		return sorted, current, nil
	}
	if err != nil {
		return nil, "", err
	}
	maps.Copy(all, now)
	return slices.SortedFunc(maps.Keys(all), compareSessions), current, nil
}

func compareSessions(a, b string) int {
	var x, y parliament.BillID
	x.Parliament, x.Session, _ = parliament.ParseSession(a)
	y.Parliament, y.Session, _ = parliament.ParseSession(b)
	return x.Compare(y)
}
