package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
)

// introducedByDay tells which bills were introduced on a day.
func introducedByDay(d Deps) Part {
	asset := orchestrator.NewAsset(orchestrator.AssetOptions{
		Name:        "bills_introduced_by_day",
		Group:       "statistics",
		Description: "The bills introduced on a day, in either chamber.",
		Deps:        []string{"fetch_latest_bills"},
		Retry:       orchestrator.RetryPolicy{MaxAttempts: 3, Delay: 5 * time.Second},
		Timeout:     time.Minute,
		Partitions:  days, PartitionRequired: true,
		Automation: orchestrator.OnCron("0 2 * * *", d.TimeZone),
	}, func(ctx context.Context, step *orchestrator.Step, _ struct{}) (orchestrator.Metadata, error) {
		day, err := time.Parse(time.DateOnly, step.Partition)
		if err != nil {
			return nil, orchestrator.Permanent(err)
		}
		bills, err := d.Store.IntroducedOn(ctx, day)
		if err != nil {
			return nil, err
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
		return orchestrator.Metadata{"bills_introduced": len(ids), "house_bills": house, "senate_bills": len(ids) - house, "government_bills": government, "bills": ids}, nil
	})
	return Part{
		Assets: []*orchestrator.Asset{asset},
		Jobs:   []*orchestrator.Job{{Name: "bills_introduced_job", Description: "Lists the bills introduced on a day; the partition says which.", Assets: []string{asset.Name}, Timeout: 10 * time.Minute}},
	}
}

// billStatistics counts what is held. It is what depends on new bills, so new_bills_sensor has it made again.
func billStatistics(d Deps) Part {
	const total = "bills_total"
	asset := orchestrator.NewAsset(orchestrator.AssetOptions{
		Name:        "bill_statistics",
		Group:       "statistics",
		Description: "How many bills are held, how many of them are law, and how many lack enrichment, in all and by session.",
		Deps:        billAssets,
		Retry:       orchestrator.RetryPolicy{MaxAttempts: 3, Delay: 5 * time.Second},
		Timeout:     time.Minute,
		Checks: []*orchestrator.Check{{
			Name: "count_does_not_drop_by_half", Description: "There are more than half as many bills as the time before.", Severity: orchestrator.SeverityError, Blocking: true,
			Run: func(ctx context.Context, step *orchestrator.Step, md orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
				before, err := step.Previous(ctx)
				if err != nil || before == nil {
					return orchestrator.CheckOutcome{Passed: true, Message: "there is nothing to compare with yet"}, err
				}
				var old struct {
					Total int `json:"bills_total"`
				}
				if err := json.Unmarshal(before.Metadata, &old); err != nil {
					return orchestrator.CheckOutcome{}, err
				}
				now, _ := md[total].(int)
				return orchestrator.CheckOutcome{Passed: 2*now > old.Total || old.Total == 0, Message: fmt.Sprintf("%d bills, %d before", now, old.Total), Metadata: orchestrator.Metadata{"bills": now, "before": old.Total}}, nil
			},
		}},
	}, func(ctx context.Context, _ *orchestrator.Step, _ struct{}) (orchestrator.Metadata, error) {
		sessions, err := d.Store.Statistics(ctx)
		if err != nil {
			return nil, err
		}
		bills, laws, bare := 0, 0, 0
		by := map[string]int{}
		for _, s := range sessions {
			bills, laws, bare = bills+s.Bills, laws+s.Laws, bare+s.NotEnriched
			by[s.Session] = s.Bills
		}
		return orchestrator.Metadata{total: bills, "laws_total": laws, "bills_not_enriched": bare, "sessions": len(sessions), "bills_by_session": by}, nil
	})
	return Part{
		Assets: []*orchestrator.Asset{asset},
		Jobs:   []*orchestrator.Job{{Name: "new_bills_job", Description: "Makes what depends on new bills.", Assets: append([]string{asset.Name}, publishAssets...), Timeout: 2 * time.Hour}},
	}
}

// billChecks look at the bills after a fetch of the latest ones.
func billChecks(d Deps) []*orchestrator.Check {
	return []*orchestrator.Check{
		{
			Name: "current_session_has_bills", Description: "At least one bill of the latest session of Parliament is held, and it is not an old one.", Severity: orchestrator.SeverityError,
			Run: func(ctx context.Context, _ *orchestrator.Step, _ orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
				sessions, err := d.Store.Statistics(ctx)
				if err != nil || len(sessions) == 0 {
					return orchestrator.CheckOutcome{Message: "no bill is held"}, err
				}
				latest := sessions[0]
				return orchestrator.CheckOutcome{
					Passed: latest.Bills > 0, Message: fmt.Sprintf("%d bills of %s, the latest introduced on %s", latest.Bills, latest.Session, latest.LatestIntroduced),
					Metadata: orchestrator.Metadata{"session": latest.Session, "bills": latest.Bills, "latest_introduced_on": latest.LatestIntroduced},
				}, nil
			},
		},
		{
			Name: "every_bill_has_a_title", Description: "No bill is held that has a title in neither language.", Severity: orchestrator.SeverityError,
			Run: func(ctx context.Context, _ *orchestrator.Step, _ orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
				ids, err := d.Store.WithoutTitle(ctx)
				if err != nil || len(ids) == 0 {
					return orchestrator.CheckOutcome{Passed: true, Message: "all have one"}, err
				}
				return orchestrator.CheckOutcome{Message: "without a title: " + strings.Join(ids, ", "), Metadata: orchestrator.Metadata{"bills": ids}}, nil
			},
		},
		{
			Name: "error_rate_below_10_percent", Description: "Fewer than one record in ten went wrong in the fetch.", Severity: orchestrator.SeverityWarn,
			Run: func(_ context.Context, _ *orchestrator.Step, md orchestrator.Metadata) (orchestrator.CheckOutcome, error) {
				fetched, _ := md["bills_fetched"].(int)
				errors, _ := md["error_count"].(int)
				rate := 0.0
				if all := max(fetched, errors); all > 0 {
					rate = float64(errors) / float64(all)
				}
				return orchestrator.CheckOutcome{Passed: rate < 0.1, Message: fmt.Sprintf("%d errors, %d bills", errors, fetched), Metadata: orchestrator.Metadata{"error_rate": rate}}, nil
			},
		},
	}
}
