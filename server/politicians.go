package server

import (
	"context"
	"encoding/json"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/parliament"
)

func (h *handlers) ListPoliticians(
	ctx context.Context, req api.ListPoliticiansRequestObject,
) (api.ListPoliticiansResponseObject, error) {
	p, limit := req.Params, limitOf(req.Params.Limit)
	const list = "politicians"
	cursor, err := decodeCursor[parliament.PoliticianCursor](list, p.Cursor)
	if err != nil {
		return nil, err
	}
	f := parliament.PoliticianFilter{
		Current: p.Current, Party: deref(p.Party), Province: deref(p.Province), Q: deref(p.Q), After: cursor,
		Limit: limit + 1,
	}
	people, err := h.cfg.Store.Politicians(ctx, f)
	if err != nil {
		return nil, err
	}
	n, err := countOf(ctx, p.Count, func(ctx context.Context, limit int) ([]parliament.StoredPolitician, error) {
		f.After, f.Limit = nil, limit
		return h.cfg.Store.Politicians(ctx, f)
	})
	if err != nil {
		return nil, err
	}
	people, next := page(
		list, people, limit, func(p parliament.StoredPolitician) parliament.PoliticianCursor { return p.Cursor() },
	)
	return api.ListPoliticians200JSONResponse{
		Items: each(people, apiPolitician), NextCursor: next, Total: n.total, TotalCapped: n.capped,
	}, nil
}

// maxSponsored is the number of bills of a politician that GET /politicians/{slug} returns; GET /bills?sponsor= returns
// all.
const maxSponsored = 500

func (h *handlers) GetPolitician(
	ctx context.Context, req api.GetPoliticianRequestObject,
) (api.GetPoliticianResponseObject, error) {
	p, err := h.cfg.Store.Politician(ctx, req.Slug)
	if err != nil {
		return nil, err
	}
	bills, err := h.cfg.Store.SponsoredBills(ctx, p, maxSponsored)
	if err != nil {
		return nil, err
	}
	sponsored, err := h.listed(ctx, bills)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(struct {
		api.Politician
		Memberships    []api.Membership `json:"memberships"`
		SponsoredBills []api.Bill       `json:"sponsored_bills"`
	}{apiPolitician(*p), each(p.Memberships, func(m parliament.Membership) api.Membership {
		return api.Membership{
			Party: api.Bilingual(m.Party), Riding: api.Bilingual(m.Riding), Province: m.Province,
			Label: api.Bilingual(m.Label), StartedOn: m.StartedOn, EndedOn: m.EndedOn,
		}
	}), sponsored})
	if err != nil {
		return nil, err
	}
	tag := tagOf(raw)
	if matches(req.Params.IfNoneMatch, tag) {
		return unchanged(tag), nil
	}
	return tagged{raw, tag}, nil
}

func apiPolitician(p parliament.StoredPolitician) api.Politician {
	return api.Politician{
		Slug: p.Slug, Name: p.Name, GivenName: p.GivenName, FamilyName: p.FamilyName, PersonID: p.PersonID,
		Current: p.Current, Party: api.Bilingual(p.Party), Riding: api.Bilingual(p.Riding),
		Province: p.Province, ImageURL: p.ImageURL, OpenparliamentURL: p.OpenParliamentURL, FirstSeenAt: p.FirstSeenAt,
		UpdatedAt: p.UpdatedAt,
	}
}
