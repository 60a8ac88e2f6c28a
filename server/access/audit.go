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

// Most characters of what an entry of the audit log has from outside.
const (
	maxActor     = 500
	maxPath      = 500
	maxClient    = 200
	maxIssuer    = 500
	maxSubject   = 300
	maxName      = 200
	maxRequestID = 64
)

// Unknown is the address of a request whose address cannot be read.
const Unknown = "unknown"

// auditTimeout is how long an entry may take to be written.
const auditTimeout = 5 * time.Second

// Entry is one request in the audit log. Its texts may come from outside as they are: they are cleaned and cut when
// they are written.
type Entry struct {
	// Operation is of the contract, or "riverui".
	Operation string
	Method    string
	Path      string
	// Status is that of the answer; 0: it is not known yet.
	Status int
	// Remote is the address that the request came from.
	Remote    string
	RequestID string
	// Client is what the request says that it was sent by: a claim.
	Client string
	// Who sent it; nil: nobody that is known.
	Who *Identity
}

// actor is who sent a request, as far as it is proven.
func (e Entry) actor() string {
	if e.Who != nil {
		return e.Who.Actor()
	}
	return Address(e.Remote)
}

// Address is the actor of a request that proves nothing but where it came from.
func Address(remote string) string { return "api client at " + remote }

// RemoteAddress is an address as the audit log has it: an IP address or Unknown.
func RemoteAddress(s string) string {
	a, err := netip.ParseAddr(s)
	if err != nil {
		return Unknown
	}
	return a.Unmap().WithZone("").String()
}

func (e Entry) row() sql.InsertAuditParams {
	row := sql.InsertAuditParams{
		Actor: db.Printable(e.actor(), maxActor), Operation: e.Operation, Method: e.Method, Path: db.Printable(e.Path, maxPath), Status: int32(e.Status), //nolint:gosec // a status
		RemoteAddress: e.Remote, RequestID: db.Printable(e.RequestID, maxRequestID),
		Client: db.Printable(e.Client, maxClient),
	}
	if e.Who != nil {
		row.KeyID, row.Issuer, row.Subject, row.ClaimedName = e.Who.KeyID, db.Printable(e.Who.Issuer, maxIssuer), db.Printable(e.Who.Subject, maxSubject), db.Printable(e.Who.Claim(), maxName)
	}
	return row
}

// AuditError says that an entry of the audit log could not be written. Nothing is done then.
type AuditError struct{ Err error }

func (e *AuditError) Error() string {
	return fmt.Sprintf("the audit log could not be written: %v", e.Err)
}

// Unwrap gives the reason.
func (e *AuditError) Unwrap() error { return e.Err }

// Begin writes the entry of a request that is about to be done, and gives its number for Complete. An *AuditError says
// that there is none: then nothing may be done.
//
// The entry is committed without waiting for the disk. What is done after it is committed later in the same log of
// Postgres, which a crash cuts off at one place: so the entry is there if anything of the rest is.
func (c *Control) Begin(ctx context.Context, e Entry) (int64, error) {
	return c.insertAudit(ctx, e.row())
}

func (c *Control) insertAudit(ctx context.Context, row sql.InsertAuditParams) (int64, error) {
	// A client that leaves must not leave half an entry.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditTimeout)
	defer cancel()
	id, err := c.relaxed.InsertAudit(ctx, row)
	if err != nil {
		return 0, &AuditError{Err: err}
	}
	return id, nil
}

// Complete writes how a request ended into its entry, and who sent it, which a sign-in proves only then. The request
// has been answered: if that fails, the entry goes on saying that it was begun.
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

// Refused writes the entry of a request that was refused. Each sender has maxRefused entries a minute; what is more is
// counted in the last of them. An *AuditError says that it could not be written.
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
		if !all.hasEntry() { // which the number can go to
			id, err := c.insertAudit(ctx, sql.InsertAuditParams{Actor: "several senders", Operation: e.Operation, Method: e.Method, Status: int32(e.Status), RemoteAddress: Unknown}) //nolint:gosec // a status
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

// countRefused writes how many requests had no entry of their own: at every doubling, and when the minute is over.
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
	if err := c.relaxed.CountRefused(ctx, sql.CountRefusedParams{ID: id, More: int32(min(more, 1<<30))}); err != nil { //nolint:gosec // bounded
		c.cfg.Logger.Error("the audit log could not be written", "error", err, "entry", id, "more", more)
	}
}

// FlushAudit writes what has been counted so far; call it before the program ends.
func (c *Control) FlushAudit(ctx context.Context) {
	for _, w := range c.refusals.all() {
		if id, more := w.end(); id != 0 {
			c.writeMore(ctx, id, more)
		}
	}
}

// Stranger counts a request that is nobody's and is about to change something: a LimitError if its address has had
// enough of them in this minute.
func (c *Control) Stranger(remote string) error {
	w := c.strangers.stranger(addressKey(remote))
	if w.take() {
		return nil
	}
	return &LimitError{PerMinute: maxStrangers, RetryAfter: time.Until(w.began.Add(time.Minute))}
}

const (
	// maxRefused is how many entries a minute of refused requests a sender has, and maxAllRefused all senders together.
	maxRefused, maxAllRefused = 60, 1200
	// maxStrangers is how many requests a minute that change something an address may send without saying whose they
	// are: the beginnings of sign-ins, and sign-outs without a session.
	maxStrangers = 60
	// maxWindows is how many strangers are told apart; those beyond share one window. Who is known always has their
	// own: there are no more of them than keys and people.
	maxWindows = 10_000
	// sweepEvery is how often windows that are over are looked for: with many senders that takes a while.
	sweepEvery = time.Second
)

// windows count requests by sender and minute.
type windows struct {
	most   int // entries of a sender
	mu     sync.Mutex
	m      map[string]*refusalWindow
	others *refusalWindow // of strangers that are not told apart; nil: none yet
	whole  *refusalWindow // of all senders; nil: none yet
	swept  time.Time
}

func newWindows(most int) *windows { return &windows{most: most, m: map[string]*refusalWindow{}} }

// known gives the running minute of somebody who is known.
func (w *windows) known(key string) *refusalWindow {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.of(key, true)
}

// stranger gives the running minute of an address.
func (w *windows) stranger(key string) *refusalWindow {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.of(key, false)
}

// together gives the running minute of all senders.
func (w *windows) together(most int) *refusalWindow {
	w.mu.Lock()
	defer w.mu.Unlock()
	return running(&w.whole, time.Now(), most)
}

// of gives a sender's window; w.mu is held.
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

// running begins a minute if the one before is over.
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

// refusalWindow is one minute of a sender.
type refusalWindow struct {
	began time.Time
	most  int

	mu    sync.Mutex
	taken int
	last  int64 // the last entry that was written
	more  int   // requests without an entry of their own
	told  int   // of them, what the entry says
}

func (w *refusalWindow) over(now time.Time) bool { return now.Sub(w.began) >= time.Minute }

// take says whether there is room for one more entry.
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

// count counts a request without an entry of its own. It gives the entry that the number goes to if it is time to write
// it, and whether the request is the first of its kind.
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

// end gives the number that the entry does not say yet; 0: it says all.
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

// WhenProven gives a context in which f is called as soon as a sign-in has proven who it is, and before their session
// is made. If f fails there is none.
func WhenProven(ctx context.Context, f func(*Identity) error) context.Context {
	return context.WithValue(ctx, provenKey{}, f)
}

func proven(ctx context.Context, who *Identity) error {
	if f, ok := ctx.Value(provenKey{}).(func(*Identity) error); ok {
		return f(who)
	}
	return nil
}

// Note writes an entry of something that is done in the same transaction, by somebody who opened the database.
func Note(ctx context.Context, on db.DBTX, actor, operation, path string, key *uuid.UUID) error {
	_, err := sql.New(on).InsertAudit(ctx, sql.InsertAuditParams{
		Actor: db.Printable(actor, maxActor), KeyID: key, Operation: operation, Method: "CLI",
		Path: db.Printable(path, maxPath), Status: 200, RemoteAddress: "local",
	})
	if err != nil {
		return &AuditError{Err: err}
	}
	return nil
}

// Audit is an entry of the audit log as it is read.
type Audit struct {
	ID        int64
	At        time.Time
	Actor     string
	KeyID     *uuid.UUID
	Operation string
	Method    string
	Path      string
	// Status is that of the answer; 0: how the request ended was not recorded.
	Status        int
	RemoteAddress string
	RequestID     string
	Client        string
	// Issuer and Subject are of a person at a provider; ClaimedName is what the provider calls them, unproven.
	Issuer, Subject, ClaimedName string
	// More is how many further requests were refused that have no entry of their own.
	More int
}

// AuditFilter narrows a list of audit entries.
type AuditFilter struct {
	// Before returns the entries older than the one of this id; nil begins with the newest.
	Before           *int64
	Actor, Operation *string // nil: any
	// Limit is how many entries are returned at most.
	Limit int
}

// Audit lists entries of the audit log, newest first.
func (c *Control) Audit(ctx context.Context, f AuditFilter) ([]Audit, error) {
	rows, err := sql.New(c.cfg.DB.Lists()).ListAudit(ctx, sql.ListAuditParams{
		Before: f.Before, Actor: f.Actor, Operation: f.Operation, MaxRows: int32(f.Limit), //nolint:gosec // bounded by the contract
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
