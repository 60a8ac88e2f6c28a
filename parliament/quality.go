package parliament

import (
	"context"
	"slices"
	"time"
)

// Coverage counts the bills of a session that have each field.
type Coverage struct {
	Session string         `json:"session"`
	Bills   int            `json:"bills"`
	Fields  map[string]int `json:"fields"`
	Missing int            `json:"missing"` // that neither source lists any more
}

// Difference is a field for which the two sources have different values.
type Difference struct {
	Bill           string `json:"bill"`
	Field          string `json:"field"`
	OpenParliament string `json:"openparliament"`
	Legisinfo      string `json:"legisinfo"`
}

// MissingBill is a stored bill that neither source lists any more.
type MissingBill struct {
	Bill  string    `json:"bill"`
	Since time.Time `json:"since"`
}

// Quality is a report on the stored data.
type Quality struct {
	Coverage    []Coverage
	Differences []Difference // the text as people read it; not differences of spelling white space or entities
	Missing     []MissingBill
	Sponsors    []SponsorCoverage
}

// SponsorCoverage counts a session's House bills whose sponsor is known, and those whose sponsor is a stored
// politician.
type SponsorCoverage struct {
	Session    string `json:"session"`
	HouseBills int    `json:"house_bills"`
	WithID     int    `json:"with_person_id"`
	Linked     int    `json:"linked"`
}

// Quality reports on all stored bills.
func (s *Store) Quality(ctx context.Context) (*Quality, error) {
	out := &Quality{
		Coverage: []Coverage{}, Differences: []Difference{}, Missing: []MissingBill{}, Sponsors: []SponsorCoverage{},
	}
	coverage, err := s.q.BillCoverage(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range coverage {
		fields := map[string]int{
			"title_en": int(r.TitleEn), "title_fr": int(r.TitleFr), "short_title": int(r.ShortTitle),
			"introduced_on": int(r.IntroducedOn), "status": int(r.Status), "status_code": int(r.StatusCode),
			"sponsor": int(r.Sponsor), "committees": int(r.Committees), "summary": int(r.Summary), "text_url": int(r.TextUrl),
			"enriched": int(r.Enriched),
		}
		out.Coverage = append(out.Coverage, Coverage{
			Session: r.Code, Bills: int(r.Bills), Missing: int(r.Missing), Fields: fields,
		})
	}
	rows, err := s.q.SourceDifferences(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		for _, f := range []Difference{
			{r.ID, "title_en", clean(r.OpTitleEn), clean(r.LiTitleEn)},
			{r.ID, "title_fr", clean(r.OpTitleFr), clean(r.LiTitleFr)},
			{r.ID, "introduced_on", r.OpIntroduced, r.LiIntroduced}, {r.ID, "legisinfo_id", r.OpLegisinfoID, r.LiLegisinfoID},
		} {
			if f.OpenParliament != f.Legisinfo {
				out.Differences = append(out.Differences, f)
			}
		}
	}
	missing, err := s.q.MissingBills(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range missing {
		out.Missing = append(out.Missing, MissingBill{Bill: r.ID, Since: *r.MissingSince})
	}
	sponsors, err := s.q.SponsorCoverage(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range sponsors {
		out.Sponsors = append(out.Sponsors, SponsorCoverage{
			Session: r.Session, HouseBills: int(r.HouseBills), WithID: int(r.WithSponsor), Linked: int(r.Linked),
		})
	}
	slices.SortFunc(out.Sponsors, func(a, b SponsorCoverage) int { return compareNumbers(b.Session, a.Session) })
	return out, nil
}

// PoliticianCoverage returns the counts for all stored politicians.
type PoliticianCoverage struct{ People, Members, WithPersonID, WithParty, WithProvince, WithRiding int }

// PoliticianCoverage counts them.
func (s *Store) PoliticianCoverage(ctx context.Context) (PoliticianCoverage, error) {
	r, err := s.q.PoliticianCoverage(ctx)
	return PoliticianCoverage{
		People: int(r.People), Members: int(r.Members), WithPersonID: int(r.WithPersonID), WithParty: int(r.WithParty),
		WithProvince: int(r.WithProvince), WithRiding: int(r.WithRiding),
	}, err
}

func ptr[T any](v T) *T { return &v }
