package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
)

type sessionBillsConfig struct {
	Parliament int `json:"parliament" jsonschema:"required,minimum=35,maximum=99" jsonschema_description:"The Parliament, e.g. 44. LEGISinfo begins with the 35th." jsonschema_description_fr:"La législature, p. ex. 44. LEGISinfo commence à la 35e."`
	Session    int `json:"session" jsonschema:"required,minimum=1,maximum=9" jsonschema_description:"The session of that Parliament, e.g. 1." jsonschema_description_fr:"La session de cette législature, p. ex. 1."`
	Limit      int `json:"limit" jsonschema:"minimum=1,maximum=5000,default=1000" jsonschema_description:"Maximum number of bills, the latest first." jsonschema_description_fr:"Nombre maximal de projets de loi, les plus récents d’abord."`
}

// sessionBills declares the asset that keeps all bills of one session up to date.
func sessionBills(d Deps) Contribution {
	asset := orchestrator.NewAsset(orchestrator.AssetOptions{
		Name:   "fetch_parliament_session_bills",
		Group:  "bills",
		Owners: []string{dataTeam},
		Tags:   map[string]string{"audience": "readers"},
		Kinds:  []string{"fetch", "postgres"},
		Description: "Fetches all bills of a session of Parliament from both sources. Sessions before the 37th Parliament " +
			"are fetched only from LEGISinfo.",
		DescriptionFR: "Recueille tous les projets de loi d’une session du Parlement auprès des deux sources. Les " +
			"sessions d’avant la 37e législature ne proviennent que de LEGISinfo.",
		Retry:      fetchRetry,
		Timeout:    time.Hour,
		Pools:      sourcePools,
		Partitions: sessionPartitions,
		PartitionConfig: func(key string) (map[string]any, error) {
			p, s, err := parliament.ParseSession(key)
			return map[string]any{"parliament": p, "session": s}, err
		},
	}, func(ctx context.Context, step *orchestrator.Step, config sessionBillsConfig) (orchestrator.Metadata, error) {
		source := openparliament.Source + "+" + legisinfo.Source
		if config.Parliament < openparliament.FirstParliament {
			source = legisinfo.Source
		}
		f := newFetch(d, step, source, map[string]any{
			"parliament": config.Parliament, "session": config.Session, "limit": config.Limit,
		})
		err := f.session(f.observe(ctx), config)
		return f.finishBills(err, orchestrator.Metadata{"parliament": config.Parliament, "session": config.Session})
	})
	return Contribution{
		Assets: []*orchestrator.Asset{asset},
		Jobs: []*orchestrator.Job{{Name: "fetch_session_job", Description: "Fetches all bills of the session in " +
			"the config.",
			DescriptionFR: "Recueille tous les projets de loi de la session indiquée dans la configuration.",
			Assets:        []string{asset.Name}, Timeout: 2 * time.Hour}},
	}
}

// session fetches a session. If openparliament.ca has the session, it must answer. Without LEGISinfo, the bills are
// stored without enrichment.
func (f *fetch) session(ctx context.Context, config sessionBillsConfig) error {
	code := fmt.Sprintf("%d-%d", config.Parliament, config.Session)
	f.completions = math.MaxInt // the whole session was requested
	all, err := f.whole(ctx, code)
	if err != nil {
		return err
	}
	if len(all) == 0 && len(f.errors) == 0 {
		return orchestrator.Permanent(errors.New("neither source has a bill of session " + code))
	}
	if err := f.recordLists(ctx); err != nil {
		return err
	}
	return f.store(ctx, newestFirst(slices.Collect(maps.Values(all)), config.Limit))
}
