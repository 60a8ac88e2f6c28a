package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/parliament"
)

// introducedByDay declares the asset that lists the bills introduced on a day.
func introducedByDay(d Deps) Contribution {
	asset := orchestrator.NewAsset(orchestrator.AssetOptions{
		Name:          "bills_introduced_by_day",
		Group:         "statistics",
		Owners:        []string{dataTeam},
		Tags:          map[string]string{"audience": "readers"},
		Kinds:         []string{"report"},
		Description:   "Lists the bills introduced on a day, in either chamber.",
		DescriptionFR: "Dresse la liste des projets de loi déposés un jour donné, dans l’une ou l’autre chambre.",
		Deps:          []string{"fetch_latest_bills"},
		Retry:         orchestrator.RetryPolicy{MaxAttempts: 3, Delay: 5 * time.Second},
		Timeout:       time.Minute,
		Partitions:    days, PartitionRequired: true,
		Automation: orchestrator.OnCron("0 2 * * *", d.TimeZone),
	}, func(ctx context.Context, step *orchestrator.Step, _ struct{}) (orchestrator.Metadata, error) {
		day, err := time.Parse(time.DateOnly, step.Partition)
		if err != nil {
			return nil, orchestrator.Permanent(err)
		}
		bills, err := d.Store.IntroducedOn(ctx, day)
		if err != nil {
			return nil, fmt.Errorf("list the bills of a day: %w", err)
		}
		ids := []string{}
		house, government := 0, 0
		for _, b := range bills {
			ids = append(ids, b.ID)
			if b.HomeChamber == "house" {
				house++
			}
			if b.GovernmentBill {
				government++
			}
		}
		return orchestrator.Metadata{
			"bills_introduced": len(ids), "house_bills": house, "senate_bills": len(ids) - house, "government_bills": government,
			"bills": ids,
		}, nil
	})
	return Contribution{
		Assets: []*orchestrator.Asset{asset},
		Jobs: []*orchestrator.Job{{Name: "bills_introduced_job", Description: "Lists the bills introduced on the day of " +
			"the partition.",
			DescriptionFR: "Dresse la liste des projets de loi déposés le jour de la partition.",
			Assets:        []string{asset.Name}, Timeout: 10 * time.Minute}},
	}
}

// statisticsName is the asset whose check can block the assets for readers.
const statisticsName = "bill_statistics"

type statisticsConfig struct {
	AcceptDrop bool `json:"accept_drop" jsonschema:"default=false" jsonschema_description:"Accepts the current counts, even if they were higher before. Set it once, after bills were removed on purpose." jsonschema_description_fr:"Accepte les nombres actuels, même s’ils étaient plus élevés auparavant. À activer une seule fois, après avoir retiré des projets de loi volontairement."`
}

// heldBills counts stored bills, in total and by session.
type heldBills struct {
	Total     int
	BySession map[string]int
}

// most returns the larger of both counts, in total and for each session.
func (h heldBills) most(o heldBills) heldBills {
	out := heldBills{Total: max(h.Total, o.Total), BySession: map[string]int{}}
	maps.Copy(out.BySession, h.BySession)
	for session, n := range o.BySession {
		out.BySession[session] = max(out.BySession[session], n)
	}
	return out
}

// lost lists the counts that are at most half of what they were.
func (h heldBills) lost(most heldBills) []string {
	var out []string
	if most.Total > 0 && 2*h.Total <= most.Total {
		out = append(out, fmt.Sprintf("%d of %d bills are left", h.Total, most.Total))
	}
	for _, session := range slices.SortedFunc(maps.Keys(most.BySession), compareSessions) {
		if n, was := h.BySession[session], most.BySession[session]; was > 0 && 2*n <= was {
			out = append(out, fmt.Sprintf("of session %s, %d of %d", session, n, was))
		}
	}
	return out
}

// mostBefore returns the largest counts of the materializations so far, since a drop was last accepted. Each
// materialization repeats them, so that neither a bad count nor retention loses them.
func mostBefore(ctx context.Context, step *orchestrator.Step) (heldBills, error) {
	before, err := step.Previous(ctx)
	if err != nil || before == nil {
		return heldBills{}, err
	}
	var md struct {
		Total         int            `json:"bills_total"`
		BySession     map[string]int `json:"bills_by_session"`
		MostTotal     int            `json:"most_bills_total"`
		MostBySession map[string]int `json:"most_bills_by_session"`
	}
	if err := json.Unmarshal(before.Metadata, &md); err != nil {
		return heldBills{}, fmt.Errorf("materialization %s: %w", before.ID, err)
	}
	if md.MostBySession == nil { // of a version of the program that did not record it
		return heldBills{Total: md.Total, BySession: md.BySession}, nil
	}
	return heldBills{Total: md.MostTotal, BySession: md.MostBySession}, nil
}

// billStatistics declares the asset that counts the stored bills. It is upstream of the assets for readers, and blocks
// them if bills are lost.
func billStatistics(d Deps) Contribution {
	asset := orchestrator.NewAsset(orchestrator.AssetOptions{
		Name:   statisticsName,
		Group:  "statistics",
		Owners: []string{dataTeam},
		Tags:   map[string]string{"audience": "readers"},
		Kinds:  []string{"report"},
		Description: "Counts the stored bills, those that are law and those without enrichment, in total and by " +
			"session.",
		DescriptionFR: "Compte les projets de loi enregistrés, ceux qui ont force de loi et ceux qui n’ont pas été " +
			"complétés, au total et par session.",
		Deps:    billAssets,
		Retry:   orchestrator.RetryPolicy{MaxAttempts: 3, Delay: 5 * time.Second},
		Timeout: time.Minute,
		Checks:  []*orchestrator.Check{countDoesNotDropByHalf()},
	}, func(ctx context.Context, step *orchestrator.Step, config statisticsConfig) (orchestrator.Metadata, error) {
		sessions, err := d.Store.Statistics(ctx)
		if err != nil {
			return nil, fmt.Errorf("count the stored bills: %w", err)
		}
		most, err := mostBefore(ctx, step)
		if err != nil {
			return nil, err
		}
		now := heldBills{BySession: map[string]int{}}
		laws, bare := 0, 0
		for _, s := range sessions {
			now.Total, laws, bare = now.Total+s.Bills, laws+s.Laws, bare+s.NotEnriched
			now.BySession[s.Session] = s.Bills
		}
		accepted := []string{}
		if config.AcceptDrop {
			if accepted = append(accepted, now.lost(most)...); len(accepted) > 0 {
				step.Log(eventlog.LevelWarn, "a drop is accepted: "+strings.Join(accepted, "; "), nil)
			}
			most = now
		}
		most = now.most(most)
		return orchestrator.Metadata{
			"bills_total": now.Total, "laws_total": laws, "bills_not_enriched": bare, "sessions": len(sessions),
			"bills_by_session": now.BySession,
			"most_bills_total": most.Total, "most_bills_by_session": most.BySession, "drops_accepted": accepted,
		}, nil
	})
	return Contribution{
		Assets: []*orchestrator.Asset{asset},
		Jobs: []*orchestrator.Job{{
			Name:        "new_bills_job",
			Description: "Counts the bills and, unless bills were lost, materializes the assets that depend on new bills.",
			DescriptionFR: "Compte les projets de loi et, à moins que des projets de loi n’aient été perdus, matérialise les " +
				"actifs qui dépendent des nouveaux projets de loi.",
			Assets: guarded, Timeout: 2 * time.Hour,
		}},
	}
}

// countDoesNotDropByHalf compares with the largest counts so far, not with the previous ones: a wrong count is still
// wrong the next time.
func countDoesNotDropByHalf() *orchestrator.Check {
	return &orchestrator.Check{
		Name: "count_does_not_drop_by_half", Severity: orchestrator.SeverityError, Blocking: true,
		Description: "More than half of the highest number of bills so far is stored, in total and for each session. " +
			"Otherwise, feeds, embeddings and the quality report are not updated until the bills are restored, or until " +
			"bill_statistics is materialized with accept_drop.",
		DescriptionFR: "Plus de la moitié du plus grand nombre de projets de loi atteint jusqu’ici est enregistrée, au " +
			"total et pour chaque session. Sinon, les fils, les plongements et le rapport de qualité ne sont " +
			"pas mis à jour avant que les projets de loi ne soient rétablis, ou que bill_statistics ne soit " +
			"matérialisé avec accept_drop.",
		Run: func(_ context.Context, _ *orchestrator.Step, md orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
			var now, most heldBills
			now.Total, _ = md["bills_total"].(int)
			now.BySession, _ = md["bills_by_session"].(map[string]int)
			most.Total, _ = md["most_bills_total"].(int)
			most.BySession, _ = md["most_bills_by_session"].(map[string]int)
			found := orchestrator.Metadata{"bills": now.Total, "most": most.Total}
			if lost := now.lost(most); len(lost) > 0 {
				found["lost"] = lost
				return orchestrator.CheckOutcome{Message: strings.Join(lost, "; "), Metadata: found}, nil
			}
			return orchestrator.CheckOutcome{
				Passed: true, Message: fmt.Sprintf("%d bills, %d at most before", now.Total, most.Total), Metadata: found,
			}, nil
		},
	}
}

// pauseOfParliament is how long a time without a new bill may be. The longest so far was June 1993 to January 1994,
// seven months: a summer, an election and the wait for the new Parliament. Prorogations and summers alone are shorter.
const pauseOfParliament = 8 // months

// billChecks declares the checks that run after a fetch of the latest bills.
func billChecks(d Deps) []*orchestrator.Check {
	return []*orchestrator.Check{
		{
			Name: "current_session_has_bills", Severity: orchestrator.SeverityError,
			Description: "Bills of the latest known session of Parliament (see parliament_sessions) are stored, and the " +
				"latest introduction is at most eight months ago. No summer, prorogation or election since 1993 was " +
				"longer. Detects a source, or a fetch, that still returns an old session.",
			DescriptionFR: "Des projets de loi de la dernière session connue du Parlement (voir parliament_sessions) sont " +
				"enregistrés, et le dépôt le plus récent date d’au plus huit mois. Aucun été, aucune prorogation " +
				"ni élection n’a duré plus longtemps depuis 1993. Décèle une source, ou une collecte, qui donne " +
				"encore une ancienne session.",
			Run: func(ctx context.Context, step *orchestrator.Step, _ orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
				sessions, err := d.Store.Statistics(ctx)
				if err != nil || len(sessions) == 0 {
					return orchestrator.CheckOutcome{Message: "no bill is stored"}, err
				}
				known, err := step.Partitions(ctx, sessionPartitions)
				if err != nil {
					return orchestrator.CheckOutcome{}, fmt.Errorf("count the stored bills: %w", err)
				}
				return judgeSession(sessions, known, d.now()), nil
			},
		},
		{
			Name: "every_bill_has_a_title", Severity: orchestrator.SeverityError,
			Description: "Each stored bill has a title in at least one language. Detects bills that cannot be " +
				"distinguished in lists, and a source that changed its fields.",
			DescriptionFR: "Chaque projet de loi enregistré a un titre dans au moins une langue. Décèle les projets de loi " +
				"que l’on ne peut distinguer dans les listes, et une source qui a changé ses champs.",
			Run: func(ctx context.Context, _ *orchestrator.Step, _ orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
				ids, err := d.Store.WithoutTitle(ctx)
				if err != nil || len(ids) == 0 {
					return orchestrator.CheckOutcome{Passed: true, Message: "all have one"}, err
				}
				return orchestrator.CheckOutcome{
					Message: "without a title: " + strings.Join(ids, ", "), Metadata: orchestrator.Metadata{"bills": ids},
				}, nil
			},
		},
		{
			Name: "error_rate_below_10_percent", Severity: orchestrator.SeverityWarn,
			Description: "Fewer than one record in ten failed in the fetch, or was stored without enrichment. Detects " +
				"fetches that repeatedly succeed only in part.",
			DescriptionFR: "Moins d’un enregistrement sur dix a échoué dans la collecte ou a été enregistré sans être " +
				"complété. Décèle les collectes qui, à répétition, ne réussissent qu’en partie.",
			Run: func(_ context.Context, _ *orchestrator.Step, md orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
				fetched, _ := md["bills_fetched"].(int)
				refreshed, _ := md["bills_refreshed"].(int)
				fetched += refreshed
				errors, _ := md["error_count"].(int)
				bare, _ := md["bills_not_enriched"].(int)
				wrong := max(errors, bare) // a list that cannot be had is one error, and many bills
				rate := 0.0
				if all := max(fetched, wrong); all > 0 {
					rate = float64(wrong) / float64(all)
				}
				return orchestrator.CheckOutcome{
					Passed:   rate < 0.1,
					Message:  fmt.Sprintf("%d errors and %d bills not enriched, of %d bills", errors, bare, fetched),
					Metadata: orchestrator.Metadata{"error_rate": rate},
				}, nil
			},
		},
	}
}

// judgeSession checks that the latest stored session is the latest known one, and that its bills are recent.
func judgeSession(sessions []parliament.SessionStatistics, known []string, now time.Time) orchestrator.CheckOutcome {
	held, introduced := sessions[0], ""
	for _, s := range sessions {
		introduced = max(introduced, s.LatestIntroduced)
	}
	out := orchestrator.CheckOutcome{
		Message: fmt.Sprintf(
			"%d bills of %s; the latest introduction of any is of %s", held.Bills, held.Session,
			cmp.Or(introduced, "no known day"),
		),
		Metadata: orchestrator.Metadata{"session": held.Session, "bills": held.Bills, "latest_introduced_on": introduced},
	}
	latest := ""
	if len(known) > 0 {
		latest = slices.MaxFunc(known, compareSessions)
		out.Metadata["latest_session"] = latest
	}
	switch earliest := now.AddDate(0, -pauseOfParliament, 0).Format(time.DateOnly); {
	case latest != "" && compareSessions(held.Session, latest) < 0:
		out.Message = fmt.Sprintf(
			"session %s is known, and no bill of it is held; the latest of which there is one is %s", latest, held.Session,
		)
	case introduced < earliest:
		out.Message += fmt.Sprintf("; want one since %s", earliest)
	default:
		out.Passed = true
	}
	return out
}
