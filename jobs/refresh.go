package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

const (
	// sessionCheckInterval is how often each stored session is checked as a whole: private bills and statutes of earlier
	// sessions are still corrected.
	sessionCheckInterval = 7 * 24 * time.Hour
	// maxCompletions limits how many details that an older version of the program read are requested again in one fetch
	// of the latest bills. The rest follow in later fetches.
	maxCompletions = 50
	// maxSessionChecks is how many sessions a fetch of the latest bills checks, so that no fetch sends many requests.
	maxSessionChecks = 1
)

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// listAnswer is LEGISinfo's answer for a session.
type listAnswer struct {
	list *parliament.SessionList
	err  error
}

// list returns LEGISinfo's list of a session. A fetch requests it once. If it is not available, the list without a
// session may have the session's bills. The log reports lists that are not available in either way. After an outage of
// the source, no other list is requested.
func (f *fetch) list(ctx context.Context, code string) (*parliament.SessionList, error) {
	if a := f.lists[code]; a != nil {
		return a.list, a.err
	}
	if f.legisinfoDown != nil {
		return nil, f.legisinfoDown
	}
	err := f.read(ctx, code)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if f.lists[code] == nil && (err == nil || isAddressError(err)) {
		switch other := f.readCurrent(ctx); {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case f.lists[code] != nil && f.lists[code].list != nil:
			f.step.Log(
				eventlog.LevelWarn,
				fmt.Sprintf("LEGISinfo's list of session %s was taken from the list without a session: %s", code, reasonOf(err)),
				nil,
			)
			return f.lists[code].list, nil
		case err != nil && other != nil:
			err = fmt.Errorf("%w; without a session, %w", err, other)
		case err != nil:
			err = fmt.Errorf("%w; the list without a session has no bill of it", err)
		}
	}
	if err != nil {
		f.lists[code] = &listAnswer{err: err}
		if !isAddressError(err) || upstream.IsRefusal(err) {
			f.legisinfoDown = err
		}
		f.noteLegisinfoMissing(code, err)
		return nil, err
	}
	if f.lists[code] == nil { // an answer that has nothing of the session
		f.lists[code] = &listAnswer{list: &parliament.SessionList{Session: code, ReadAt: now(), Incomplete: true}}
	}
	return f.lists[code].list, nil
}

func reasonOf(err error) string {
	if err == nil {
		return "it has no bill"
	}
	return upstream.Words(err.Error())
}

// isAddressError reports whether another address of the same source may work. A source that is down, or asked for a
// pause, gets no other request.
func isAddressError(err error) bool {
	var status *upstream.StatusError
	var body *upstream.BodyError
	var record *upstream.RecordError
	if errors.As(err, &status) {
		switch status.Status {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return false
		}
		return true
	}
	return errors.As(err, &body) || errors.As(err, &record)
}

// readCurrent requests LEGISinfo's list without a session once in a fetch. It has the current session's bills, but
// perhaps not all of them.
func (f *fetch) readCurrent(ctx context.Context) error {
	if a := f.lists[""]; a != nil {
		return a.err
	}
	before := maps.Clone(f.lists)
	err := f.read(ctx, "")
	for code, a := range f.lists {
		if before[code] == nil && a.list != nil {
			a.list.Incomplete = true
		}
	}
	f.lists[""] = &listAnswer{err: err}
	return err
}

// read requests LEGISinfo's list of a session or, for "", of the current one, and keeps its contents.
func (f *fetch) read(ctx context.Context, code string) error {
	at := now()
	items, faults, err := f.Legisinfo.List(ctx, code)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	failed := f.failed
	listed := f.legisinfoItems(items, faults)
	if err := f.recognize(ctx, listed); err != nil {
		return err
	}
	incomplete := f.failed > failed
	for id, item := range listed {
		session := id.SessionCode()
		a := f.lists[session]
		if a == nil || a.list == nil {
			a = &listAnswer{
				list: &parliament.SessionList{
					Session: session, Items: map[parliament.BillID]*legisinfo.Item{}, ReadAt: at, Incomplete: incomplete,
				},
			}
			f.lists[session] = a
		}
		if a.list.ReadAt.Equal(at) { // else it was read before, from a list of its own
			a.list.Items[id] = item
		}
	}
	return nil
}

// recognize replaces brief items by the stored items with the same data. Another form of the same data is no reason to
// request the bill's record.
func (f *fetch) recognize(ctx context.Context, listed map[parliament.BillID]*legisinfo.Item) error {
	var ids []string
	for id, item := range listed {
		if item.Brief {
			ids = append(ids, id.String())
		}
	}
	for chunk := range slices.Chunk(ids, 500) {
		held, err := f.Store.Held(ctx, chunk)
		if err != nil {
			return fmt.Errorf("read the stored records: %w", err)
		}
		for id, item := range listed {
			if known := held[id.String()].Item; item.Brief && known != nil && known.Agrees(item) {
				listed[id] = known
			}
		}
	}
	return nil
}

// currentLists reads the list of the newest stored session, or else of the one that openparliament.ca names, and
// returns its bills. If neither is known, it reads LEGISinfo's current session. Without LEGISinfo it returns no bills.
func (f *fetch) currentLists(ctx context.Context) ([]*legisinfo.Item, error) {
	newest, err := f.Store.NewestSession(ctx)
	if err == nil && newest == "" {
		newest, err = f.nameSession(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("look up the newest session: %w", err)
	}
	if newest != "" {
		_, _ = f.list(ctx, newest) // an error is in the log, and kept for whoever asks for this list
	} else if err := f.readCurrent(ctx); err != nil && ctx.Err() == nil {
		f.noteLegisinfoMissing(newest, err)
		f.legisinfoDown = err
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var items []*legisinfo.Item
	for _, a := range f.lists {
		if a.list != nil {
			items = slices.AppendSeq(items, maps.Values(a.list.Items))
		}
	}
	return items, nil
}

// whole requests a session from both sources, and records which of its bills neither lists any more.
func (f *fetch) whole(ctx context.Context, code string) (map[parliament.BillID]candidate, error) {
	number, _, err := parliament.ParseSession(code)
	if err != nil {
		return nil, orchestrator.Permanent(err)
	}
	all := map[parliament.BillID]candidate{}
	failed := f.failed
	if number >= openparliament.FirstParliament {
		if all, err = f.openParliamentSession(ctx, code); err != nil {
			return nil, err
		}
	}
	list, err := f.list(ctx, code)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil && len(all) == 0:
		return nil, err
	case err != nil:
		for id := range all {
			f.noteNotEnriched(id)
		}
		return all, nil
	}
	for id, item := range list.Items {
		c := all[id]
		c.id, c.item, c.at = id, item, list.ReadAt
		all[id] = c
	}
	for id, c := range all {
		if c.item == nil {
			f.noteNotEnriched(id)
			f.recordError(f.Legisinfo.DetailURL(code, id.Number()), id.String()+" is not in LEGISinfo's list of its session")
		}
	}
	if list.Incomplete || f.failed > failed { // a record that could not be read may be one that seems to be missing
		return all, nil
	}
	list.Checked = true
	return all, f.noteMissing(ctx, code, all)
}

// openParliamentSession returns openparliament.ca's bills of a session. A fetch requests them once.
func (f *fetch) openParliamentSession(ctx context.Context, code string) (map[parliament.BillID]candidate, error) {
	if all := f.wholeSessions[code]; all != nil {
		return maps.Clone(all), nil
	}
	at := now()
	bills, faults, err := f.OpenParliament.BillsOfSession(ctx, code)
	if err != nil {
		return nil, err
	}
	all := f.openParliamentBills(bills, faults, at)
	for id := range all { // a filter that was ignored must not pass for an answer
		if id.SessionCode() != code {
			return nil, orchestrator.Permanent(fmt.Errorf("%s gave bill %s for session %s", openparliament.Source, id, code))
		}
	}
	f.wholeSessions[code] = all
	return maps.Clone(all), nil
}

func (f *fetch) noteMissing(ctx context.Context, code string, all map[parliament.BillID]candidate) error {
	if len(all) == 0 {
		return nil
	}
	listed := make([]string, 0, len(all))
	for id := range all {
		listed = append(listed, id.String())
	}
	gone, back, err := f.Store.MarkMissing(ctx, code, listed)
	if err == nil && gone > 0 {
		f.step.Log(
			eventlog.LevelWarn, fmt.Sprintf("%d bills are held that neither source lists any more; they are kept", gone),
			map[string]int64{"missing": gone, "found_again": back},
		)
	}
	return err
}

// refresh returns further bills to store: every bill of a list that is not stored, whose item has changed, or whose own
// record is older than its item. Before that, it checks sessions that are due.
func (f *fetch) refresh(ctx context.Context, chosen []candidate) ([]candidate, error) {
	taken := map[parliament.BillID]*candidate{}
	for i := range chosen {
		taken[chosen[i].id] = &chosen[i]
	}
	further, err := f.checkSessions(ctx, taken)
	if err != nil {
		return nil, err
	}
	if err := f.recordLists(ctx); err != nil {
		return nil, err
	}
	for _, code := range slices.Sorted(maps.Keys(f.lists)) {
		list := f.lists[code].list
		if list == nil || len(list.Items) == 0 || slices.Contains(f.sessionsRead, code) {
			continue
		}
		changed, err := f.changed(ctx, list, taken)
		if err != nil {
			return nil, err
		}
		further = append(further, changed...)
	}
	if len(further) > 0 {
		f.step.Log(
			eventlog.LevelInfo, fmt.Sprintf("%d bills besides the latest %d are new or changed", len(further), len(chosen)),
			map[string]int{"bills": len(further)},
		)
	}
	return newestFirst(further, len(further)), nil
}

// changed returns the bills of a list that differ from the stored ones.
func (f *fetch) changed(
	ctx context.Context, list *parliament.SessionList, taken map[parliament.BillID]*candidate,
) ([]candidate, error) {
	states, err := f.Store.ListStates(ctx, list.Session)
	if err != nil {
		return nil, fmt.Errorf("look up the stored items: %w", err)
	}
	var out []candidate
	missing := 0
	for id, item := range list.Items {
		state, stored := states[id.String()]
		if taken[id] != nil || stored && state.ItemHash == item.Hash && state.DetailHash == item.Hash {
			continue
		}
		if !stored {
			missing++
		}
		out = append(out, candidate{id: id, item: item, at: list.ReadAt})
	}
	number, _, err := parliament.ParseSession(list.Session)
	if err != nil || missing == 0 || number < openparliament.FirstParliament {
		return out, err
	}
	// One request returns openparliament.ca's data of all bills that are not stored.
	bills, err := f.openParliamentSession(ctx, list.Session)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		f.recordError(
			f.OpenParliament.URL(""),
			fmt.Sprintf("session %s is stored without %s: %v", list.Session, openparliament.Source, err),
		)
	}
	for i, c := range out {
		out[i].op = bills[c.id].op
	}
	return out, nil
}

// checkSessions checks sessions that were not checked for a week, and returns the bills to store. A later fetch repeats
// what fails here.
func (f *fetch) checkSessions(ctx context.Context, taken map[parliament.BillID]*candidate) ([]candidate, error) {
	if f.legisinfoDown != nil {
		return nil, nil
	}
	due, err := f.Store.SessionsToCheck(ctx, now().Add(-sessionCheckInterval), maxSessionChecks)
	if err != nil {
		return nil, fmt.Errorf("list the sessions to check: %w", err)
	}
	var out []candidate
	for _, code := range due {
		all, err := f.whole(ctx, code)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			f.recordError(f.Legisinfo.URL(""), fmt.Sprintf("session %s could not be checked: %v", code, err))
			continue
		}
		f.sessionsRead = append(f.sessionsRead, code)
		changed, err := f.differing(ctx, code, all, taken)
		if err != nil {
			return nil, err
		}
		out = append(out, changed...)
	}
	return out, nil
}

// differing returns the bills of a session that differ from the stored ones, and acts whose chapter of the statutes is
// unknown: the chapter appears without a change of the list.
func (f *fetch) differing(
	ctx context.Context, code string, all map[parliament.BillID]candidate, taken map[parliament.BillID]*candidate,
) ([]candidate, error) {
	states, err := f.Store.ListStates(ctx, code)
	if err != nil {
		return nil, fmt.Errorf("look up the stored items: %w", err)
	}
	ids := make([]string, 0, len(all))
	for id := range all {
		ids = append(ids, id.String())
	}
	held, err := f.Store.Held(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read the stored records: %w", err)
	}
	var out []candidate
	for id, c := range all {
		parts, stored := held[id.String()]
		c.ask = states[id.String()].LacksChapter
		same := stored && (c.item == nil || parts.Item != nil && parts.Item.Hash == c.item.Hash && parts.Current()) &&
			(c.op == nil || reflect.DeepEqual(c.op, parts.OpenParliament))
		switch already := taken[id]; {
		case already != nil:
			already.ask = c.ask
		case c.ask || !same:
			out = append(out, c)
		}
	}
	return out, nil
}

// complete updates details that an older version of the program read: from their stored records, or by new requests, as
// far as this fetch may send them.
func (f *fetch) complete(ctx context.Context) error {
	if f.legisinfoDown != nil {
		return nil
	}
	const recordedAtOnce = 500
	recorded, unrecorded, err := f.Store.Incomplete(ctx, recordedAtOnce)
	if err != nil || len(recorded)+len(unrecorded) == 0 {
		return err
	}
	unrecorded = unrecorded[:min(len(unrecorded), f.completions)]
	held, err := f.Store.Held(ctx, unrecorded)
	if err != nil {
		return fmt.Errorf("read the stored records: %w", err)
	}
	var records []parliament.Record
	for _, id := range recorded {
		r, err := recordOf(id)
		if err != nil {
			return err
		}
		records = append(records, r)
	}
	var ask []parliament.Record
	for _, id := range unrecorded {
		r, err := recordOf(id)
		if err != nil {
			return err
		}
		if r.Item = held[id].Item; r.Item != nil {
			ask = append(ask, r)
		}
	}
	f.step.Log(
		eventlog.LevelInfo,
		fmt.Sprintf(
			"%d bills are completed: %d from their records, %d by asking again", len(records)+len(ask), len(records), len(ask),
		),
		nil,
	)
	save := func(records []parliament.Record) error {
		_, err := f.Store.Save(ctx, f.step.RunID, records)
		f.completed += len(records)
		return err
	}
	for chunk := range slices.Chunk(records, 100) {
		if err := save(chunk); err != nil {
			return err
		}
	}
	return f.details(ctx, ask, save)
}

// recordOf returns an empty record of a stored bill.
func recordOf(id string) (parliament.Record, error) {
	session, number, _ := strings.Cut(id, "/")
	key, err := parliament.ParseBillID(session, number)
	return parliament.Record{ID: key, FetchedAt: now()}, err
}

// recordLists stores the lists for the quality report.
func (f *fetch) recordLists(ctx context.Context) error {
	var errs []error
	for _, code := range slices.Sorted(maps.Keys(f.lists)) {
		if list := f.lists[code].list; list != nil && len(list.Items) > 0 {
			errs = append(errs, f.Store.RecordList(ctx, *list))
		}
	}
	return errors.Join(errs...)
}
