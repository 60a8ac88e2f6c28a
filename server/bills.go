package server

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/api"
	"github.com/parliament-explorer/parliament-explorer/parliament"
)

func (h *handlers) ListBills(ctx context.Context, req api.ListBillsRequestObject) (api.ListBillsResponseObject, error) {
	p, limit := req.Params, limitOf(req.Params.Limit)
	sort, ascending := string(deref(p.Sort)), deref(p.Order) == api.ListBillsParamsOrderAsc
	list := billsList(sort, ascending)
	cursor, err := decodeCursor[parliament.BillCursor](list, p.Cursor)
	if err != nil {
		return nil, err
	}
	if cursor != nil && sort == parliament.ByUpdate && cursor.At == nil {
		return nil, unreadableCursor(errNoCursor(*p.Cursor))
	}
	f, err := billFilter(parliament.BillFilter{
		Status: deref(p.Status), Law: p.Law, Q: deref(p.Q), Type: deref(p.Type), Chamber: deref(p.Chamber),
		Year: deref(p.Year), Committee: deref(p.Committee), Sponsor: deref(p.Sponsor),
		UpdatedSince: deref(p.UpdatedSince), Sort: sort, Ascending: ascending, After: cursor, Limit: limit + 1,
	}, p.Session)
	if err != nil {
		return nil, err
	}
	bills, err := h.cfg.Store.Bills(ctx, f)
	if err != nil {
		return nil, filterProblem(err)
	}
	n, err := countOf(ctx, p.Count, func(ctx context.Context, limit int) ([]parliament.StoredBill, error) {
		f.After, f.Limit = nil, limit
		return h.cfg.Store.Bills(ctx, f)
	})
	if err != nil {
		return nil, err
	}
	bills, next := page(
		list, bills, limit, func(b parliament.StoredBill) parliament.BillCursor { return b.Cursor(sort) },
	)
	items, err := h.listed(ctx, bills)
	if err != nil {
		return nil, err
	}
	return api.ListBills200JSONResponse{
		Items: items, NextCursor: next, Total: n.total, TotalCapped: n.capped,
	}, nil
}

// billsList names the list that a cursor of listBills belongs to. Each order is a list of its own.
func billsList(sort string, ascending bool) string {
	list := "bills"
	if sort != "" && sort != parliament.ByIntroduction {
		list += " by " + sort
	}
	if ascending {
		list += ", the earliest first"
	}
	return list
}

// billFilter adds the session to a filter.
func billFilter(f parliament.BillFilter, session *string) (parliament.BillFilter, error) {
	if session == nil {
		return f, nil
	}
	var err error
	if f.Parliament, f.Session, err = parliament.ParseSession(*session); err != nil {
		return f, invalidField("/query/session", "%q is not a session: want one such as 44-1", *session)
	}
	return f, nil
}

// filterProblem turns an error of a filter into the problem of its parameter.
func filterProblem(err error) error {
	var wrong *parliament.FilterError
	if errors.As(err, &wrong) {
		return invalidField("/query/"+wrong.Field, "%s", wrong.Detail)
	}
	return err
}

func (h *handlers) GetBill(ctx context.Context, req api.GetBillRequestObject) (api.GetBillResponseObject, error) {
	id, err := parliament.ParseBillID(req.Session, req.Number)
	if err != nil {
		return nil, err
	}
	b, course, err := h.cfg.Store.BillWithCourse(ctx, id)
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(apiBillDetail(b, course))
	if err != nil {
		return nil, err
	}
	tag := tagOf(raw)
	if matches(req.Params.IfNoneMatch, tag) {
		return unchanged(tag), nil
	}
	return tagged{raw, tag}, nil
}

func (h *handlers) ListBillVersions(
	ctx context.Context, req api.ListBillVersionsRequestObject,
) (api.ListBillVersionsResponseObject, error) {
	b, err := h.bill(ctx, req.Session, req.Number)
	if err != nil {
		return nil, err
	}
	id, err := parliament.ParseBillID(req.Session, req.Number)
	if err != nil {
		return nil, err
	}
	list, limit := "versions of "+b.ID, limitOf(req.Params.Limit)
	before, err := decodeCursor[int](list, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	versions, err := h.cfg.Store.Versions(ctx, id, deref(before), limit+1)
	if err != nil {
		return nil, err
	}
	versions, next := page(list, versions, limit, func(v parliament.Version) int { return v.Version })
	n, err := countOf(ctx, req.Params.Count, func(ctx context.Context, limit int) ([]parliament.Version, error) {
		return h.cfg.Store.Versions(ctx, id, 0, limit)
	})
	if err != nil {
		return nil, err
	}
	return api.ListBillVersions200JSONResponse{
		Items: each(versions, apiVersion), NextCursor: next, Total: n.total, TotalCapped: n.capped,
	}, nil
}

func (h *handlers) ListBillStages(
	ctx context.Context, req api.ListBillStagesRequestObject,
) (api.ListBillStagesResponseObject, error) {
	id, err := parliament.ParseBillID(req.Session, req.Number)
	if err != nil {
		return nil, err
	}
	course, err := h.cfg.Store.Course(ctx, id)
	if err != nil {
		return nil, err
	}
	return api.ListBillStages200JSONResponse{Items: each(course.Stages, apiStage)}, nil
}

func (h *handlers) ListBillVotes(
	ctx context.Context, req api.ListBillVotesRequestObject,
) (api.ListBillVotesResponseObject, error) {
	id, err := parliament.ParseBillID(req.Session, req.Number)
	if err != nil {
		return nil, err
	}
	course, err := h.cfg.Store.Course(ctx, id)
	if err != nil {
		return nil, err
	}
	return api.ListBillVotes200JSONResponse{Items: each(course.Votes, apiVote)}, nil
}

// changesList names the list that a cursor of listBillChanges belongs to.
const changesList = "changes"

func (h *handlers) ListBillChanges(
	ctx context.Context, req api.ListBillChangesRequestObject,
) (api.ListBillChangesResponseObject, error) {
	cursor, err := decodeCursor[parliament.ChangeCursor](changesList, req.Params.Cursor)
	if err != nil {
		return nil, err
	}
	if cursor != nil && req.Params.Since != nil {
		return nil, invalidField(
			"/query/since", "is given together with a cursor, which knows since when: want one or the other",
		)
	}
	p := req.Params
	f, err := billFilter(
		parliament.BillFilter{
			Type: deref(p.Type), Chamber: deref(p.Chamber), Year: deref(p.Year), Committee: deref(p.Committee),
			Sponsor: deref(p.Sponsor),
		},
		p.Session,
	)
	if err != nil {
		return nil, err
	}
	from := parliament.ChangeCursor{Since: p.Since}
	if cursor != nil {
		from = *cursor
	}
	limit := limitOf(req.Params.Limit)
	changes, next, err := h.cfg.Store.Changes(ctx, f, from, limit)
	if err != nil {
		return nil, filterProblem(err)
	}
	n, err := countOf(ctx, p.Count, func(ctx context.Context, limit int) ([]parliament.BillChange, error) {
		all, _, err := h.cfg.Store.Changes(ctx, f, parliament.ChangeCursor{Since: from.Since}, limit)
		return all, err
	})
	if err != nil {
		return nil, err
	}
	return api.ListBillChanges200JSONResponse{
		Items: each(changes, func(c parliament.BillChange) api.BillChangeEntry {
			v := apiVersion(c.Version)
			return api.BillChangeEntry{
				Bill: c.BillID, Version: v.Version, Changes: v.Changes, RunID: v.RunID, CreatedAt: v.CreatedAt,
			}
		}),
		NextCursor: encodeCursor(changesList, next), More: len(changes) == limit, Total: n.total, TotalCapped: n.capped,
	}, nil
}

func (h *handlers) bill(ctx context.Context, session, number string) (*parliament.StoredBill, error) {
	id, err := parliament.ParseBillID(session, number)
	if err != nil {
		return nil, err
	}
	return h.cfg.Store.Bill(ctx, id)
}

func (h *handlers) ListFetchLogs(
	ctx context.Context, req api.ListFetchLogsRequestObject,
) (api.ListFetchLogsResponseObject, error) {
	p, limit := req.Params, limitOf(req.Params.Limit)
	before, err := decodeCursor[uuid.UUID]("fetch-logs", p.Cursor)
	if err != nil {
		return nil, err
	}
	f := parliament.FetchLogFilter{
		Status: string(deref(p.Status)), Source: deref(p.Source), RunID: p.RunID, Before: before, Limit: limit + 1,
	}
	logs, err := h.cfg.Store.FetchLogs(ctx, f)
	if err != nil {
		return nil, err
	}
	n, err := countOf(ctx, p.Count, func(ctx context.Context, limit int) ([]parliament.FetchLog, error) {
		f.Before, f.Limit = nil, limit
		return h.cfg.Store.FetchLogs(ctx, f)
	})
	if err != nil {
		return nil, err
	}
	logs, next := page("fetch-logs", logs, limit, func(l parliament.FetchLog) uuid.UUID { return l.ID })
	return api.ListFetchLogs200JSONResponse{
		Items: each(logs, apiFetchLog), NextCursor: next, Total: n.total, TotalCapped: n.capped,
	}, nil
}

// listed converts bills for a list, which says whether their sessions have ended.
func (h *handlers) listed(ctx context.Context, bills []parliament.StoredBill) ([]api.Bill, error) {
	latest, err := h.cfg.Store.LatestSession(ctx)
	if err != nil {
		return nil, err
	}
	return each(bills, func(b parliament.StoredBill) api.Bill {
		out := apiBill(b)
		out.SessionEnded = ptr(parliament.Session{Parliament: b.Parliament, Number: b.Session}.Ended(latest))
		return out
	}), nil
}

func apiBill(b parliament.StoredBill) api.Bill {
	out := api.Bill{
		ID: b.ID, Jurisdiction: b.Jurisdiction, Parliament: b.Parliament, Session: b.Session, Number: b.Number,
		Title: api.Bilingual(b.Title), ShortTitle: api.Bilingual(b.ShortTitle),
		HomeChamber: api.BillHomeChamber(b.HomeChamber), BillType: api.Bilingual(b.BillType),
		GovernmentBill: b.GovernmentBill, PrivateMemberBill: b.PrivateMemberBill,
		IntroducedOn: b.IntroducedOn, Status: api.BillStatus(b.Status), LatestActivityAt: b.LatestActivityAt,
		Law: b.Law, RoyalAssentOn: b.RoyalAssentOn,
		Committees: each(b.Committees, func(c parliament.Committee) api.Committee {
			return api.Committee{
				Acronym: c.Acronym, Chamber: api.CommitteeChamber(c.Chamber), Name: api.Bilingual(c.Name),
			}
		}),
		RelatedBills: orEmpty(b.RelatedBills), Summary: api.Bilingual(b.Summary), LegisinfoID: b.LegisinfoID,
		LegisinfoURL: b.LegisinfoURL, OpenparliamentURL: b.OpenParliamentURL, TextURL: b.TextURL,
		MissingSince: b.MissingSince,
		Sources:      api.BillSources{Openparliament: b.OpenParliamentAt, Legisinfo: b.LegisinfoAt}, Version: b.Version,
		FirstSeenAt: b.FirstSeenAt, UpdatedAt: b.UpdatedAt, LastRunID: b.LastRunID,
	}
	if b.Statute != nil {
		out.Statute = &api.Statute{Year: b.Statute.Year, Chapter: b.Statute.Chapter}
	}
	if b.Sponsor != nil {
		s := b.Sponsor
		out.Sponsor = &api.Sponsor{
			PersonID: s.PersonID, Name: s.Name, Honorific: api.Bilingual(s.Honorific), Office: api.Bilingual(s.Office),
			Riding: api.Bilingual(s.Riding), Politician: s.Politician,
		}
	}
	return out
}

func apiVersion(v parliament.Version) api.BillVersion {
	return api.BillVersion{
		Version: v.Version, RunID: v.RunID, CreatedAt: v.CreatedAt,
		Changes: each(v.Changes, func(c parliament.Change) api.BillChange {
			return api.BillChange{Field: c.Field, From: c.From, To: c.To}
		}),
	}
}

func apiFetchLog(l parliament.FetchLog) api.FetchLog {
	return api.FetchLog{
		ID: l.ID, RunID: l.RunID, Asset: l.Asset, Source: l.Source, Status: api.FetchStatus(l.Status),
		RecordsAttempted: l.RecordsAttempted, RecordsSucceeded: l.RecordsSucceeded,
		RecordsFailed: l.RecordsFailed, DurationSeconds: l.Duration.Seconds(), Params: l.Params, CreatedAt: l.CreatedAt,
		Errors: each(l.Errors, func(e parliament.FetchError) api.FetchError {
			out := api.FetchError{Message: e.Message, MessageI18N: bilingual(e.Message)}
			if e.URL != "" {
				out.URL = &e.URL
			}
			return out
		}),
	}
}
