package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/parliament-explorer/parliament-explorer/orchestrator"
	"github.com/parliament-explorer/parliament-explorer/orchestrator/eventlog"
	"github.com/parliament-explorer/parliament-explorer/parliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/legisinfo"
	"github.com/parliament-explorer/parliament-explorer/parliament/openparliament"
	"github.com/parliament-explorer/parliament-explorer/parliament/upstream"
)

// fetchRetry is the retry policy of fetches. Requests to a source have their own retries, and a source that stays down
// ends the run. So the retries of the step are for errors of the database.
var fetchRetry = orchestrator.RetryPolicy{MaxAttempts: 3, Delay: 10 * time.Second}

// fetch is one fetch of bills. It chooses bills from the lists, requests missing details, stores the bills as the
// details come, and writes the fetch log.
type fetch struct {
	Deps
	step    *orchestrator.Step
	source  string
	params  map[string]any
	started time.Time

	mu            sync.Mutex
	requests      map[string]int
	errors        []parliament.FetchError // the first maxErrors; the fetch log has the first ten
	failures      int                     // the number of all errors
	errorCauses   causes                  // the errors by cause, for the run's log
	retryCauses   causes                  // the retried requests by cause
	notEnriched   []string                // bills without enrichment
	failed        int                     // records that could not be stored
	counts        parliament.Counts
	lists         map[string]*listAnswer // LEGISinfo's lists, by session
	legisinfoDown error                  // why no further list is requested from LEGISinfo
	latestOf      *windowAnswer          // openparliament.ca's latest bills
	// the newest session, as openparliament.ca has it, if it was asked
	newestSession string
	wholeSessions map[string]map[parliament.BillID]candidate // openparliament.ca's sessions
	// the list's SponsorId is not what the records call SponsorPersonId
	sponsors atomic.Bool

	refreshed int // bills stored besides the latest ones
	// completions is how many details that an older version of the program read may still be requested again.
	completions  int
	completed    int      // bills whose details were completed
	sessionsRead []string // sessions that were checked as a whole
}

func newFetch(d Deps, step *orchestrator.Step, source string, params map[string]any) *fetch {
	return &fetch{
		Deps: d, step: step, source: source, params: params, started: time.Now(), requests: map[string]int{},
		lists: map[string]*listAnswer{}, wholeSessions: map[string]map[parliament.BillID]candidate{},
		sessionsRead: []string{},
	}
}

// observe returns a context under which the clients count requests and log retries in the run's log.
func (f *fetch) observe(ctx context.Context) context.Context {
	return upstream.WithObserver(ctx, upstream.Observer{
		Request: func(source string) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.requests[source]++
		},
		Retry: func(source string, err error, attempt int, wait time.Duration) {
			f.retrying(source, err, attempt, wait)
		},
	})
}

// recordError records an error that does not fail the fetch.
func (f *fetch) recordError(url, message string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.countError(url, message, 1)
}

// maxErrors is how many errors a fetch keeps. It counts all of them.
const maxErrors = 100

func (f *fetch) countError(url, message string, n int) {
	url, message = upstream.Words(url), upstream.Words(message)
	if f.failures += n; len(f.errors) < maxErrors {
		f.errors = append(f.errors, parliament.FetchError{URL: url, Message: message})
	}
	c := f.errorCauses.add(causeOf(message), message, url) // logCauses logs each cause when the fetch ends
	c.count += n - 1
}

// recordListErrors records the items of a list that could not be read.
func (f *fetch) recordListErrors(faults []*upstream.RecordError) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range faults {
		n := max(1, e.More)
		f.failed += n
		f.countError(e.URL, e.Error(), n)
	}
}

// candidate is a bill to store, with its data from the lists.
type candidate struct {
	id   parliament.BillID
	op   *openparliament.Bill
	item *legisinfo.Item
	at   time.Time // the time of the requests
	// ask requests the bill's own record even if its list item did not change.
	ask bool
}

func (c candidate) introduced() string {
	if c.item != nil && c.item.Introduced() != "" {
		return c.item.Introduced()
	}
	if c.op != nil {
		return c.op.Introduced
	}
	return ""
}

// newestFirst sorts candidates in the order of bill lists, and returns the first ones.
func newestFirst(all []candidate, limit int) []candidate {
	slices.SortFunc(all, func(a, b candidate) int {
		if c := strings.Compare(b.introduced(), a.introduced()); c != 0 {
			return c
		}
		return a.id.Compare(b.id)
	})
	return all[:min(limit, len(all))]
}

// openParliamentBills converts a list into candidates.
func (f *fetch) openParliamentBills(
	bills []openparliament.Bill, faults []*upstream.RecordError, at time.Time,
) map[parliament.BillID]candidate {
	f.recordListErrors(faults)
	out := map[parliament.BillID]candidate{}
	for i := range bills {
		id, err := parliament.ParseBillID(bills[i].Session, bills[i].Number)
		if err != nil {
			f.failed++
			f.recordError(f.OpenParliament.URL(bills[i].URL), err.Error())
			continue
		}
		out[id] = candidate{id: id, op: &bills[i], at: at}
	}
	return out
}

// legisinfoItems returns a session's list by bill.
func (f *fetch) legisinfoItems(
	items []legisinfo.Item, faults []*upstream.RecordError,
) map[parliament.BillID]*legisinfo.Item {
	f.recordListErrors(faults)
	out := map[parliament.BillID]*legisinfo.Item{}
	for i := range items {
		id, err := parliament.ParseBillID(items[i].Session, items[i].Number)
		if err != nil {
			f.failed++
			f.recordError(f.Legisinfo.DetailURL(items[i].Session, items[i].Number), err.Error())
			continue
		}
		out[id] = &items[i]
	}
	return out
}

const (
	saveBatch = 25      // bills in one transaction
	saveBytes = 4 << 20 // of their records, approximately
)

// store requests details that are missing or out of date, and stores every candidate. It stores in small transactions
// as the details come, so that an interrupted fetch continues from there: stored details are not requested again.
func (f *fetch) store(ctx context.Context, chosen []candidate) error {
	ids := make([]string, len(chosen))
	for i, c := range chosen {
		ids[i] = c.id.String()
	}
	held, err := f.Store.Held(ctx, ids)
	if err != nil {
		return fmt.Errorf("read the stored records: %w", err)
	}
	var ready, ask []parliament.Record
	for _, c := range chosen {
		r := parliament.Record{
			ID: c.id, SourceRecords: parliament.SourceRecords{OpenParliament: c.op, Item: c.item}, FetchedAt: c.at,
		}
		now := held[c.id.String()]
		if c.item != nil {
			now.Item = c.item
			f.compareSponsors(c.id, c.item, now.Detail)
		}
		switch {
		case c.item == nil, now.Enriched() && !c.ask:
			ready = append(ready, r)
		case now.Current() && !c.ask && f.completions == 0: // later
			ready = append(ready, r)
		case now.Current() && !c.ask:
			f.completions--
			ask = append(ask, r)
		default:
			ask = append(ask, r)
		}
	}
	total := len(chosen)
	f.step.Log(
		eventlog.LevelInfo, fmt.Sprintf("%d bills to store, %d details to fetch", total, len(ask)),
		map[string]int{"bills": total, "details": len(ask)},
	)
	done := 0
	save := func(records []parliament.Record) error {
		counts, err := f.Store.Save(ctx, f.step.RunID, f.withoutSponsors(records))
		if err != nil {
			return err
		}
		f.counts.Add(counts)
		done += len(records)
		f.step.Progress(done, total, fmt.Sprintf("%d of %d bills stored", done, total))
		return nil
	}
	for chunk := range slices.Chunk(ready, 500) {
		if err := save(chunk); err != nil {
			return err
		}
	}
	return f.details(ctx, ask, save)
}

// details asks for the records of bills, four at a time, and has save store them in batches as they come. A record that
// cannot be read does not stop the others: its bill is stored without enrichment.
func (f *fetch) details(ctx context.Context, ask []parliament.Record, save func([]parliament.Record) error) error {
	group, ctx := errgroup.WithContext(ctx)
	queue := make(chan parliament.Record)
	got := make(chan parliament.Record, 4) // bounds how many records wait to be stored
	group.Go(func() error {
		defer close(queue)
		for _, r := range ask {
			select {
			case queue <- r:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	var readers sync.WaitGroup
	var refused atomic.Int32 // answers 403 in a row
	for range 4 {            // the client has no more in flight
		readers.Add(1)
		group.Go(func() error {
			defer readers.Done()
			return f.readDetails(ctx, queue, got, &refused)
		})
	}
	group.Go(func() error {
		readers.Wait()
		close(got)
		return nil
	})
	group.Go(func() error { return saveDetails(ctx, got, save) })
	return group.Wait()
}

// readDetails asks for the record of each bill of queue, and passes the bill on to got with its record, or without it.
func (f *fetch) readDetails(
	ctx context.Context, queue <-chan parliament.Record, got chan<- parliament.Record, refused *atomic.Int32,
) error {
	for r := range queue {
		var detail *legisinfo.Detail
		err := errRefused
		if refused.Load() < maxRefusals {
			detail, err = f.Legisinfo.Detail(ctx, r.Item)
		}
		switch {
		case upstream.IsRefusal(err):
			refused.Add(1)
		case err == nil:
			refused.Store(0)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			f.noteNotEnriched(r.ID)
			address := f.Legisinfo.DetailURL(r.Item.Session, r.Item.Number)
			f.recordError(address, fmt.Sprintf("%s is not enriched: %v", r.ID, err))
		}
		f.compareSponsors(r.ID, r.Item, detail)
		r.Detail = detail
		select {
		case got <- r:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// saveDetails saves the bills of got in batches of at most saveBatch bills, and about saveBytes of records.
func saveDetails(ctx context.Context, got <-chan parliament.Record, save func([]parliament.Record) error) error {
	var batch []parliament.Record
	size := 0
	for r := range got {
		if r.Detail != nil {
			size += len(r.Detail.Raw)
		}
		if batch = append(batch, r); len(batch) == saveBatch || size >= saveBytes {
			if err := save(batch); err != nil {
				return err
			}
			batch, size = nil, 0
		}
	}
	if ctx.Err() != nil || len(batch) == 0 {
		return context.Cause(ctx)
	}
	return save(batch)
}

// maxRefusals is how many consecutive answers 403 mean that the source refuses this client, not a record. Then no more
// records are requested.
const maxRefusals = 5

var errRefused = errors.New("LEGISinfo answered 403 to the previous records, so this one was not requested")

// compareSponsors logs if the list and a bill's own record have different ids for the sponsor. The record's id is a
// person id by its name.
func (f *fetch) compareSponsors(id parliament.BillID, item *legisinfo.Item, detail *legisinfo.Detail) {
	if detail == nil || detail.ItemHash != item.Hash || detail.SponsorID == 0 || item.SponsorID == 0 ||
		detail.SponsorID == item.SponsorID {
		return
	}
	if !f.sponsors.Swap(true) {
		f.step.Log(
			eventlog.LevelWarn,
			fmt.Sprintf(
				"the SponsorId of LEGISinfo's list is %d where the record of %s has the person id %d; the list's are not used",
				item.SponsorID, id, detail.SponsorID,
			),
			nil,
		)
	}
}

// withoutSponsors removes the list's sponsor ids from records, once one of them was found not to be a person id.
func (f *fetch) withoutSponsors(records []parliament.Record) []parliament.Record {
	if !f.sponsors.Load() {
		return records
	}
	out := slices.Clone(records)
	for i, r := range out {
		if r.Item != nil && r.Item.SponsorID != 0 {
			item := *r.Item
			item.SponsorID, out[i].Item = 0, &item
		}
	}
	return out
}

func (f *fetch) noteNotEnriched(id parliament.BillID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notEnriched = append(f.notEnriched, id.String())
}

// writeFetchLog writes the fetch log when the step ends. It returns the log, and the error that fails the step, if
// there is one.
func (f *fetch) writeFetchLog(fetchErr error, stored int) (parliament.FetchLog, error) {
	log := parliament.FetchLog{
		ID: uuid.Must(uuid.NewV7()), RunID: &f.step.RunID, Asset: f.step.Asset, Source: f.source,
		Status: parliament.FetchSuccess, RecordsAttempted: stored + f.failed,
		RecordsSucceeded: stored, RecordsFailed: f.failed, Duration: time.Since(f.started), Params: f.params,
		CreatedAt: time.Now().UTC().Truncate(time.Microsecond),
	}
	var unavailable *upstream.UnavailableError
	switch {
	case errors.As(fetchErr, &unavailable):
		log.Status = parliament.FetchSourceUnavailable
		fetchErr = orchestrator.Permanent(fmt.Errorf("source_unavailable: %w", fetchErr))
	case upstream.IsLasting(fetchErr): // another attempt would get the same answer
		log.Status = parliament.FetchFailure
		fetchErr = orchestrator.Permanent(fetchErr)
	case fetchErr != nil:
		log.Status = parliament.FetchFailure
	case len(f.errors) > 0 && stored == 0:
		log.Status = parliament.FetchFailure
		fetchErr = orchestrator.Permanent(fmt.Errorf("nothing could be stored: %s", f.errors[0].Message))
	case len(f.errors) > 0:
		log.Status = parliament.FetchPartialSuccess
	}
	f.logCauses()
	survived := f.errors
	if fetchErr != nil {
		first := parliament.FetchError{Message: upstream.Words(fetchErr.Error())}
		if unavailable != nil {
			first.URL = f.sourceURL(unavailable.Source)
		}
		f.errors = append([]parliament.FetchError{first}, f.errors...)
	}
	log.Errors = f.errors[:min(10, len(f.errors))]
	f.step.InFinish(func(ctx context.Context, tx pgx.Tx) error {
		return f.Store.InsertFetchLogTx(ctx, tx, withFinalStatus(log, f.step, survived))
	})
	return log, fetchErr
}

// maxNamedNotEnriched are named in the run's log.
const maxNamedNotEnriched = 500

// finishBills writes the fetch log of bills and makes the metadata, or the error that fails the step.
func (f *fetch) finishBills(fetchErr error, extra orchestrator.Metadata) (orchestrator.Metadata, error) {
	stored := f.counts.Created + f.counts.Updated + f.counts.Unchanged
	log, err := f.writeFetchLog(fetchErr, stored)
	if err != nil {
		return nil, err
	}
	if len(f.notEnriched) > 0 {
		slices.Sort(f.notEnriched)
		f.step.Log(
			eventlog.LevelWarn, fmt.Sprintf("%d bills lack enrichment; the next fetch tries again", len(f.notEnriched)),
			map[string]any{"bills": f.notEnriched[:min(len(f.notEnriched), maxNamedNotEnriched)], "count": len(f.notEnriched)},
		)
	}
	md := orchestrator.Metadata{
		"status": log.Status, "bills_fetched": stored - f.refreshed, "bills_created": f.counts.Created,
		"bills_updated": f.counts.Updated, "bills_unchanged": f.counts.Unchanged,
		"bills_not_enriched": len(f.notEnriched), "error_count": f.failures, "duration_seconds": seconds(log.Duration),
		"fetch_timestamp":         f.started.UTC().Format(time.RFC3339),
		"requests_openparliament": f.requests[openparliament.Source], "requests_legisinfo": f.requests[legisinfo.Source],
	}
	maps.Copy(md, extra)
	return md, nil
}

// noteLegisinfoMissing notes that LEGISinfo could not be had for a session: its bills are stored without enrichment.
func (f *fetch) noteLegisinfoMissing(session string, err error) {
	if session == "" {
		session = "the current session"
	}
	f.recordError(f.Legisinfo.URL(""), fmt.Sprintf("no enrichment for %s: %v", session, err))
}

// sourceURL is the address of a source.
func (d Deps) sourceURL(source string) string {
	if source == openparliament.Source {
		return d.OpenParliament.URL("")
	}
	return d.Legisinfo.URL("")
}
