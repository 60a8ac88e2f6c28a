package access

import (
	"context"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/server/access/internal/sql"
)

// The maximum lengths, in characters, of the texts of an audit entry that come from outside.
const (
	maxActor     = 500
	maxPath      = 500
	maxClient    = 200
	maxIssuer    = 500
	maxSubject   = 300
	maxName      = 200
	maxRequestID = 64
)

// Unknown stands for the address of a request whose address cannot be parsed.
const Unknown = "unknown"

// auditTimeout bounds the time to write an entry.
const auditTimeout = 5 * time.Second

// Entry is one request in the audit log. Its texts may come from outside unchecked: they are cleaned and cut when they
// are written.
type Entry struct {
	// Operation is the operation id of the contract, or "riverui".
	Operation string
	Method    string
	Path      string
	// Status is the HTTP status of the answer; 0 while it is not known.
	Status int
	// Remote is the address of the client.
	Remote    string
	RequestID string
	// Client is the User-Agent of the request: a claim, not proven.
	Client string
	// Who is the sender; nil if the request is not authenticated.
	Who *Identity
}

// actor returns the sender of a request, as far as it is proven.
func (e Entry) actor() string {
	if e.Who != nil {
		return e.Who.Actor()
	}
	return Address(e.Remote)
}

// Address returns the actor of an unauthenticated request, which is known by its address only.
func Address(remote string) string { return "api client at " + remote }

// RemoteAddress returns an address in the form of the audit log: an IP address, or Unknown.
func RemoteAddress(s string) string {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return Unknown
	}
	return a.Unmap().WithZone("").String()
}

func (e Entry) row() sql.InsertAuditParams {
	row := sql.InsertAuditParams{
		Actor: db.Printable(e.actor(), maxActor), Operation: e.Operation, Method: e.Method,
		Path:          db.Printable(e.Path, maxPath),
		Status:        int32(e.Status), //nolint:gosec // a status
		RemoteAddress: e.Remote, RequestID: db.Printable(e.RequestID, maxRequestID),
		Client: db.Printable(e.Client, maxClient),
	}
	if e.Who != nil {
		row.KeyID = e.Who.KeyID
		row.Issuer, row.Subject = db.Printable(e.Who.Issuer, maxIssuer), db.Printable(e.Who.Subject, maxSubject)
		row.ClaimedName = db.Printable(e.Who.Claim(), maxName)
	}
	return row
}

// AuditError means that an entry of the audit log could not be written. The request is then not carried out.
type AuditError struct{ Err error }

func (e *AuditError) Error() string {
	return fmt.Sprintf("the audit log could not be written: %v", e.Err)
}

// Unwrap returns the cause.
func (e *AuditError) Unwrap() error { return e.Err }

// Begin writes the entry of a request that is about to change something and returns its id, for Complete. If the error
// is an *AuditError, there is no entry and the request must not change anything.
//
// The entry is committed without waiting for the disk. The effects of the request are committed later in the same
// write-ahead log, which a crash cuts off at one point. So if any effect survives, the entry does.
func (c *Control) Begin(ctx context.Context, e Entry) (int64, error) {
	return c.insertAudit(ctx, e.row())
}

func (c *Control) insertAudit(ctx context.Context, row sql.InsertAuditParams) (int64, error) {
	// The write completes even if the client disconnects, so that no entry is left half written.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
	defer cancel()
	id, err := c.relaxed.InsertAudit(ctx, row)
	if err != nil {
		return 0, &AuditError{Err: err}
	}
	return id, nil
}

// Complete writes the result of a request into its entry, and its sender, which a sign-in proves only at the end. The
// request has been answered by then: if Complete fails, it logs the error, and the entry still shows the request as
// begun.
func (c *Control) Complete(ctx context.Context, id int64, e Entry) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
	defer cancel()
	row := e.row()
	err := c.relaxed.CompleteAudit(ctx, sql.CompleteAuditParams{
		ID: id, Status: row.Status, Actor: row.Actor, KeyID: row.KeyID, Issuer: row.Issuer, Subject: row.Subject,
		ClaimedName: row.ClaimedName,
	})
	if err != nil {
		c.cfg.Logger.Error(
			"an entry of the audit log could not be completed", "error", err, "entry", id, "operation", e.Operation,
			"status", e.Status,
		)
	}
}

// Refused writes the entry of a refused request. Each sender has maxRefused entries per minute; further requests are
// counted in the last of them. An *AuditError means that the entry could not be written.
func (c *Control) Refused(ctx context.Context, e Entry) error {
	var own *refusalWindow
	if e.Who != nil {
		own = c.refusals.known(e.Who.limitKey())
	} else {
		own = c.refusals.stranger(addressKey(e.Remote))
	}
	all := c.refusals.together(maxAllRefused)
	if !own.take() {
		c.countRefused(ctx, own)
		return nil
	}
	if !all.take() {
		own.giveBack()
		if !all.hasEntry() { // that can hold the count
			id, err := c.insertAudit(ctx, sql.InsertAuditParams{
				Actor: "several senders", Operation: e.Operation, Method: e.Method,
				Status: int32(e.Status), RemoteAddress: Unknown, //nolint:gosec // a status
			})
			if err != nil {
				return err
			}
			all.wrote(id)
		}
		c.countRefused(ctx, all)
		return nil
	}
	id, err := c.insertAudit(ctx, e.row())
	if err != nil {
		own.giveBack()
		all.giveBack()
		return err
	}
	own.wrote(id)
	return nil
}

// countRefused counts a request without an entry of its own. It writes the count at every doubling and at the end of
// the minute.
func (c *Control) countRefused(ctx context.Context, w *refusalWindow) {
	id, more, first := w.count()
	if first {
		c.afterMinute(func() {
			if id, more := w.end(); id != 0 {
				c.writeMore(context.Background(), id, more)
			}
		})
	}
	if id != 0 {
		c.writeMore(ctx, id, more)
	}
}

func (c *Control) writeMore(ctx context.Context, id int64, more int) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
	defer cancel()
	p := sql.CountRefusedParams{ID: id, More: int32(min(more, 1<<30))} //nolint:gosec // bounded
	if err := c.relaxed.CountRefused(ctx, p); err != nil {
		c.cfg.Logger.Error("the audit log could not be written", "error", err, "entry", id, "more", more)
	}
}

// FlushAudit writes the counts that have not been written yet. Call it before the program ends.
func (c *Control) FlushAudit(ctx context.Context) {
	for _, w := range c.refusals.all() {
		if id, more := w.end(); id != 0 {
			c.writeMore(ctx, id, more)
		}
	}
}

// Stranger counts an unauthenticated request that is about to change something. It returns a LimitError if its address
// has sent too many of them in this minute.
func (c *Control) Stranger(remote string) error {
	w := c.strangers.stranger(addressKey(remote))
	if w.take() {
		return nil
	}
	return &LimitError{PerMinute: maxStrangers, RetryAfter: time.Until(w.began.Add(time.Minute))}
}

const (
	// maxRefused is the number of entries of refused requests per minute of one sender, and maxAllRefused that of all
	// senders together.
	maxRefused, maxAllRefused = 60, 1200
	// maxStrangers is the number of unauthenticated requests that change something, per minute and address: the starts
	// of sign-ins, and sign-outs without a session.
	maxStrangers = 60
	// maxWindows is the number of unauthenticated senders with a window of their own; others share one window.
	// Authenticated senders always have their own: there are no more of them than keys and people.
	maxWindows = 10_000
	// sweepEvery is the shortest interval between two removals of expired windows, because a removal is slow with many
	// senders.
	sweepEvery = time.Second
)

// windows counts requests by sender and minute.
type windows struct {
	most   int // entries of one sender per minute
	mu     sync.Mutex
	m      map[string]*refusalWindow
	others *refusalWindow // shared by unauthenticated senders beyond maxWindows; nil until needed
	whole  *refusalWindow // of all senders; nil until needed
	swept  time.Time
}

func newWindows(most int) *windows { return &windows{most: most, m: map[string]*refusalWindow{}} }

// known returns the current window of an authenticated sender.
func (w *windows) known(key string) *refusalWindow {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.of(key, true)
}

// stranger returns the current window of an address.
func (w *windows) stranger(key string) *refusalWindow {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.of(key, false)
}

// together returns the current window of all senders.
func (w *windows) together(most int) *refusalWindow {
	w.mu.Lock()
	defer w.mu.Unlock()
	return running(&w.whole, time.Now(), most)
}

// of returns a sender's window. The caller holds w.mu.
func (w *windows) of(key string, known bool) *refusalWindow {
	now := time.Now()
	got := w.m[key]
	if got == nil && len(w.m) >= maxWindows && now.Sub(w.swept) >= sweepEvery {
		w.swept = now
		for k, old := range w.m {
			if old.over(now) {
				delete(w.m, k)
			}
		}
	}
	if got == nil && len(w.m) >= maxWindows && !known {
		return running(&w.others, now, w.most)
	}
	running(&got, now, w.most)
	w.m[key] = got
	return got
}

// running returns the window, or a new one if its minute is over.
func running(w **refusalWindow, now time.Time, most int) *refusalWindow {
	if *w == nil || (*w).over(now) {
		*w = &refusalWindow{began: now, most: most}
	}
	return *w
}

func (w *windows) all() []*refusalWindow {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*refusalWindow
	for _, got := range w.m {
		all = append(all, got)
	}
	for _, got := range []*refusalWindow{w.others, w.whole} {
		if got != nil {
			all = append(all, got)
		}
	}
	return all
}

// refusalWindow counts one minute of a sender.
type refusalWindow struct {
	began time.Time
	most  int

	mu    sync.Mutex
	taken int
	last  int64 // id of the last entry that was written; 0 if none
	more  int   // requests without an entry of their own
	told  int   // the part of more that the entry has
}

func (w *refusalWindow) over(now time.Time) bool { return now.Sub(w.began) >= time.Minute }

// take reserves an entry, and reports whether there was room for it.
func (w *refusalWindow) take() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.taken >= w.most {
		return false
	}
	w.taken++
	return true
}

func (w *refusalWindow) giveBack() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.taken--
}

func (w *refusalWindow) wrote(id int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = max(w.last, id)
}

func (w *refusalWindow) hasEntry() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last != 0
}

// count counts a request without an entry of its own. It returns the id of the entry to write the count to, or 0 if it
// is not time to write it, and whether this is the first such request.
func (w *refusalWindow) count() (id int64, more int, first bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.more++
	first = w.more == 1
	if w.last == 0 || w.more < 2*w.told {
		return 0, w.more, first
	}
	w.told = w.more
	return w.last, w.more, first
}

// end returns the count that has not been written yet; id is 0 if there is none.
func (w *refusalWindow) end() (id int64, more int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last == 0 || w.more == w.told {
		return 0, 0
	}
	w.told = w.more
	return w.last, w.more
}

type provenKey struct{}

// WhenProven returns a context with a function that is called as soon as a sign-in has authenticated somebody, before
// their session begins. If f fails, no session begins.
func WhenProven(ctx context.Context, f func(*Identity) error) context.Context {
	return context.WithValue(ctx, provenKey{}, f)
}

func proven(ctx context.Context, who *Identity) error {
	if f, ok := ctx.Value(provenKey{}).(func(*Identity) error); ok {
		return f(who)
	}
	return nil
}

// Note writes the audit entry of a command that changes the database directly. on is the transaction of that change.
func Note(ctx context.Context, on db.Querier, actor, operation, path string, key *uuid.UUID) error {
	_, err := sql.New(on).InsertAudit(ctx, sql.InsertAuditParams{
		Actor: db.Printable(actor, maxActor), KeyID: key, Operation: operation, Method: "CLI",
		Path: db.Printable(path, maxPath), Status: 200, RemoteAddress: "local",
	})
	if err != nil {
		return &AuditError{Err: err}
	}
	return nil
}

// Audit is an entry read from the audit log.
type Audit struct {
	ID        int64
	At        time.Time
	Actor     string
	KeyID     *uuid.UUID
	Operation string
	Method    string
	Path      string
	// Status is the HTTP status of the answer; 0 if the end of the request was not recorded.
	Status        int
	RemoteAddress string
	RequestID     string
	Client        string
	// Issuer and Subject identify a person at a provider. ClaimedName is the name that the provider gives for them,
	// unproven.
	Issuer, Subject, ClaimedName string
	// More is how many further requests were refused without an entry of their own.
	More int
}

// AuditFilter narrows a list of audit entries.
type AuditFilter struct {
	// Before returns the entries older than the one of this id; nil begins with the newest.
	Before           *int64
	Actor, Operation *string // nil matches any
	// Limit is the maximum number of entries.
	Limit int
}

// Audit lists entries of the audit log, newest first.
func (c *Control) Audit(ctx context.Context, f AuditFilter) ([]Audit, error) {
	rows, err := sql.New(c.cfg.DB.Lists()).ListAudit(ctx, sql.ListAuditParams{
		Before: f.Before, Actor: f.Actor, Operation: f.Operation,
		Limit: int32(f.Limit), //nolint:gosec // bounded by the contract
	})
	if err != nil {
		return nil, fmt.Errorf("list the audit log: %w", err)
	}
	entries := make([]Audit, len(rows))
	for i, r := range rows {
		entries[i] = Audit{
			ID: r.ID, At: r.At, Actor: r.Actor, KeyID: r.KeyID, Operation: r.Operation, Method: r.Method, Path: r.Path,
			Status: int(r.Status), RemoteAddress: r.RemoteAddress, RequestID: r.RequestID, Client: r.Client,
			Issuer: r.Issuer, Subject: r.Subject, ClaimedName: r.ClaimedName, More: int(r.More),
		}
	}
	return entries, nil
}
