package server

import (
	"context"
	"strings"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/parliament"
)

func (h *handlers) SearchBills(
	ctx context.Context, req api.SearchBillsRequestObject,
) (api.SearchBillsResponseObject, error) {
	p := req.Params
	q := parliament.SearchQuery{
		Q: p.Q, Mode: string(deref(p.Mode)), Session: deref(p.Session), Status: deref(p.Status), Type: deref(p.Type),
		Chamber: string(deref(p.Chamber)), Year: deref(p.Year),
		Limit: 20, Offset: deref(p.Offset), Headlines: true,
	}
	if p.Limit != nil {
		q.Limit = *p.Limit
	}
	if strings.TrimSpace(q.Q) == "" {
		return nil, invalidField("/query/q", "is blank: want what to look for")
	}
	r, err := h.cfg.Store.Search(ctx, q, h.cfg.Embedder)
	if err != nil {
		return nil, err
	}
	facet := func(name string) []api.FacetValue {
		return each(
			r.Facets[name],
			func(v parliament.FacetValue) api.FacetValue { return api.FacetValue{Value: v.Value, Count: v.Count} },
		)
	}
	bills, err := h.listed(ctx, each(r.Hits, func(hit parliament.SearchHit) parliament.StoredBill { return hit.Bill }))
	if err != nil {
		return nil, err
	}
	hits := make([]api.SearchHit, len(bills))
	for i, hit := range r.Hits {
		hits[i] = api.SearchHit{
			Bill: bills[i], Score: float32(hit.Score),
			FoundBy: each(hit.FoundBy, func(s string) api.SearchHitFoundBy { return api.SearchHitFoundBy(s) }),
			Highlights: each(hit.Highlights, func(hl parliament.Highlight) api.Highlight {
				return api.Highlight{
					Field: api.HighlightField(hl.Field), Language: api.Language(hl.Language), HTML: hl.HTML,
				}
			}),
		}
	}
	out := api.SearchBills200JSONResponse{
		Total: r.Total, Exact: r.Exact, Fuzzy: r.Fuzzy,
		Semantic: api.SearchSemantic{Used: r.NotByMeaning == "" && !r.Exact},
		Facets: api.SearchFacets{
			Session: facet("session"), Status: facet("status"), Type: facet("type"), Chamber: facet("chamber"),
			Year: facet("year"),
		},
		Items: hits,
	}
	switch {
	case r.NotByMeaning != "":
		out.Semantic.Reason = &r.NotByMeaning
	case r.Exact:
		reason := "a number or a whole title was asked for"
		out.Semantic.Reason = &reason
	}
	out.Semantic.ReasonI18N = bilingualOrNone(out.Semantic.Reason)
	return out, nil
}
