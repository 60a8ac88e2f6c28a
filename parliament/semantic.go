package parliament

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/singleflight"

	"github.com/parliament-explorer/parliament-explorer/db"
	"github.com/parliament-explorer/parliament-explorer/parliament/embed"
	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
	"github.com/parliament-explorer/parliament-explorer/parliament/pgvector"
)

// Embedder finds the bills whose embeddings are nearest to a query's. It compares the query with all embeddings, which
// it keeps in memory. If there are too many of them, or they have just changed, it uses the index of pgvector, if the
// database has one. Make one with NewEmbedder. It is safe for concurrent use once Logger is set.
type Embedder struct {
	// Logger logs why pgvector cannot be used; nil logs nothing. Set it before use.
	Logger *slog.Logger

	db           *db.DB
	q            *sql.Queries
	client       *embed.Client
	queryVectors *lru.Cache[string, []float32] // by the text of the query
	queryTimeout time.Duration

	index   atomic.Pointer[indexLook]      // nil: not looked for yet
	held    atomic.Pointer[heldEmbeddings] // nil: not read yet
	reads   singleflight.Group             // concurrent reads share one
	readAt  atomic.Int64                   // when the last background read began, in Unix nanoseconds
	maxHeld int                            // maxHeld, except in tests
}

const (
	// maxHeld is how many numbers are kept in memory if there is an index: 64 MB. They are compared one by one in a few
	// milliseconds, and exactly. An index can miss some bills, and misses more for queries that are less like the texts of
	// bills.
	maxHeld = 16_000_000
	// heldReadInterval is how often the embeddings are read again if there is an index, which is up to date meanwhile.
	heldReadInterval = 5 * time.Second
)

// indexLook is the result of looking for the index.
type indexLook struct {
	at     time.Time
	size   int
	index  *pgvector.Index // nil: search without
	reason string          // why
	few    bool            // the embeddings can be held in memory
}

// indexLookInterval is how often it is looked whether there is an index: others make, drop and move it.
const indexLookInterval = 30 * time.Second

// heldEmbeddings are all embeddings as of a generation, those of a bill next to each other.
type heldEmbeddings struct {
	generation int64
	rows       []sql.AllEmbeddingsRow
}

// readTimeout bounds a read of the embeddings, which is for all who wait for it, so that none of them can end it.
const readTimeout = 10 * time.Second

// queryEmbeddingTimeout is how long a search waits for the embedding of its query.
const queryEmbeddingTimeout = 2 * time.Second

// NewEmbedder makes an Embedder.
func NewEmbedder(d *db.DB, client *embed.Client) *Embedder {
	vectors, _ := lru.New[string, []float32](500)
	return &Embedder{
		db: d, q: sql.New(d.Durable()), client: client, queryVectors: vectors, queryTimeout: queryEmbeddingTimeout,
		maxHeld: maxHeld,
	}
}

// Near returns the bills nearest in meaning to a text, the nearest first, or the reason why it cannot, for the user. If
// only is not nil, the result is limited to these bills. Near reads from the primary: the embeddings in memory belong
// to a generation that a lagging replica may not have reached, and a failure of a replica could not be retried, because
// only its reason is returned.
func (m *Embedder) Near(ctx context.Context, text string, limit int, only []string) (ids []string, reason string) {
	ctx = db.OnPrimary(ctx)
	to, ok := m.queryVectors.Get(text)
	if !ok {
		ctx, cancel := context.WithTimeout(ctx, m.queryTimeout)
		defer cancel()
		r, err := m.client.Once(ctx, []string{clip(text, 8000)})
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, fmt.Sprintf("the embeddings endpoint does not answer within %s", m.queryTimeout)
		}
		if err != nil {
			// What the endpoint or the network says, such as an address, may be more than is for everybody.
			var status *embed.StatusError
			var answer *embed.AnswerError
			switch {
			case errors.As(err, &status):
				return nil, fmt.Sprintf("the embeddings endpoint answered %d", status.Status)
			case errors.As(err, &answer):
				return nil, answer.Error()
			}
			return nil, "the embeddings endpoint does not answer"
		}
		to = r.Embeddings[0]
		m.queryVectors.Add(text, to)
	}
	size, err := m.q.EmbeddingSize(ctx, m.client.Model())
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, "no bill is embedded yet: materialize update_embeddings"
	case err != nil:
		return nil, "the embeddings cannot be read at the moment"
	case int(size) != len(to):
		return nil, fmt.Sprintf(
			"the embeddings endpoint gives %d numbers, the bills' embeddings have %d: is it another model by the same name?",
			len(to), size,
		)
	}
	ids, err = m.nearest(ctx, to, limit, only)
	if err != nil {
		return nil, "the embeddings cannot be read at the moment"
	}
	return ids, ""
}

func (m *Embedder) nearest(ctx context.Context, to []float32, limit int, only []string) ([]string, error) {
	look, err := m.findIndex(ctx, len(to))
	if err != nil {
		return nil, err
	}
	if look.index != nil {
		if look.few {
			held, err := m.current(ctx)
			if err != nil {
				return nil, err
			}
			if held != nil {
				return billIDs(nearestBills(held, to, limit, only)), nil
			}
		}
		found, enough, err := look.index.Nearest(ctx, m.db, to, limit, only)
		switch {
		case err == nil && enough:
			return billIDs(found), nil
		case err != nil && (ctx.Err() != nil || db.Unavailable(err)):
			return nil, err
		case err != nil: // dropped, moved or out of reach since it was looked for
			m.found(&indexLook{at: time.Now(), size: len(to), reason: err.Error()}, true)
		}
	}
	held, err := m.embeddings(ctx)
	if err != nil {
		return nil, err
	}
	return billIDs(nearestBills(held, to, limit, only)), nil
}

// current returns all embeddings if those in memory are up to date. Else it starts to read them in the background, and
// returns nil.
func (m *Embedder) current(ctx context.Context) ([]sql.AllEmbeddingsRow, error) {
	generation, err := m.q.EmbeddingGeneration(ctx)
	if err != nil {
		return nil, err
	}
	if h := m.held.Load(); h != nil && h.generation == generation {
		return h.rows, nil
	}
	now, before := time.Now().UnixNano(), m.readAt.Load()
	if now-before >= int64(heldReadInterval) && m.readAt.CompareAndSwap(before, now) {
		m.read(ctx, generation)
	}
	return nil, nil
}

func billIDs(found []pgvector.NearBill) []string {
	ids := make([]string, len(found))
	for i, b := range found {
		ids[i] = b.BillID
	}
	return ids
}

// nearestBills compares a vector with all embeddings.
func nearestBills(held []sql.AllEmbeddingsRow, to []float32, limit int, only []string) []pgvector.NearBill {
	chosen := make(map[string]bool, len(only))
	for _, id := range only {
		chosen[id] = true
	}
	best := make([]pgvector.NearBill, 0, 2*limit+1) // the nearest so far are among them
	nearer := func(a, b pgvector.NearBill) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), strings.Compare(a.BillID, b.BillID))
	}
	far := math.Inf(1) // what is farther is not among the nearest
	for i := 0; i < len(held); {
		bill := pgvector.NearBill{BillID: held[i].BillID, Distance: math.Inf(1)}
		wanted := only == nil || chosen[bill.BillID]
		for ; i < len(held) && held[i].BillID == bill.BillID; i++ {
			if wanted && len(held[i].Embedding) == len(to) {
				bill.Distance = min(bill.Distance, -float64(dot(held[i].Embedding, to)))
			}
		}
		if math.IsInf(bill.Distance, 1) || bill.Distance > far {
			continue
		}
		if best = append(best, bill); len(best) > 2*limit {
			slices.SortFunc(best, nearer)
			best = best[:limit]
			far = best[limit-1].Distance
		}
	}
	slices.SortFunc(best, nearer)
	return best[:min(limit, len(best))]
}

// dot returns the inner product of two vectors of the same length. Four separate sums are three times as fast as one,
// because an addition does not have to wait for the one before.
func dot(x, y []float32) float32 {
	var a, b, c, d float32
	y = y[:len(x)]
	i := 0
	for ; i+4 <= len(x); i += 4 {
		p, q := x[i:i+4:i+4], y[i:i+4:i+4]
		a += p[0] * q[0]
		b += p[1] * q[1]
		c += p[2] * q[2]
		d += p[3] * q[3]
	}
	for ; i < len(x); i++ {
		a += x[i] * y[i]
	}
	return a + b + c + d
}

// findIndex looks for the index of embeddings of a size.
func (m *Embedder) findIndex(ctx context.Context, size int) (*indexLook, error) {
	if l := m.index.Load(); l != nil && l.size == size && time.Since(l.at) < indexLookInterval {
		return l, nil
	}
	look := &indexLook{at: time.Now(), size: size}
	var err error
	look.index, err = pgvector.Find(ctx, m.db, m.Model(), size)
	var problem *pgvector.Problem
	switch {
	case errors.As(err, &problem):
		look.reason = problem.Reason
	case err != nil:
		return nil, err
	default:
		most := m.maxHeld / size
		//nolint:gosec // sixteen million
		n, err := m.q.CountEmbeddings(ctx, sql.CountEmbeddingsParams{Model: m.Model(), Most: int32(most) + 1})
		if err != nil {
			return nil, err
		}
		look.few = int(n) <= most
	}
	m.found(look, problem != nil && problem.Remedy != "")
	return look, nil
}

// found stores the result of looking for the index. It logs a change that concerns the operator.
func (m *Embedder) found(look *indexLook, tell bool) {
	before := m.index.Swap(look)
	switch {
	case m.Logger == nil:
	case look.index != nil && before != nil && before.index == nil:
		m.Logger.Info("search by meaning uses the pgvector index", "model", m.Model())
	case look.index == nil && tell && (before == nil || before.reason != look.reason):
		m.Logger.Warn("search by meaning is exact, without an index: pgvector cannot be used", "reason", look.reason)
	}
}

// IndexState says whether searches use an index. The index makes them faster; the results are the same.
type IndexState struct {
	Used bool
	Made bool // it was not there before
	// Reason says why there is no index, and Remedy what to do about it; empty if nothing is wrong.
	Reason, Remedy string
}

// Index builds the index for search by meaning if pgvector is available, and drops indexes that are no longer used. It
// reports what prevents the index in IndexState. It returns an error only if the same call may work soon.
func (m *Embedder) Index(ctx context.Context) (IndexState, error) {
	size, err := m.q.EmbeddingSize(ctx, m.Model())
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return IndexState{}, err
	}
	made, err := pgvector.Ensure(ctx, m.db, m.Model(), int(size))
	m.index.Store(nil)
	var problem *pgvector.Problem
	switch {
	case err == nil:
		return IndexState{Used: size > 0, Made: made}, nil
	case errors.As(err, &problem):
		return IndexState{Reason: problem.Reason, Remedy: problem.Remedy}, nil
	case ctx.Err() != nil || db.Unavailable(err):
		return IndexState{}, err
	}
	return IndexState{Reason: err.Error(), Remedy: "see the log of Postgres"}, nil
}

// embeddings returns all current embeddings.
func (m *Embedder) embeddings(ctx context.Context) ([]sql.AllEmbeddingsRow, error) {
	// The generation is read first: what is read after it is as new or newer, and never taken for newer than it is.
	generation, err := m.q.EmbeddingGeneration(ctx)
	if err != nil {
		return nil, err
	}
	if h := m.held.Load(); h != nil && h.generation == generation {
		return h.rows, nil
	}
	read := m.read(ctx, generation)
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-read:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*heldEmbeddings).rows, nil
	}
}

// read reads all embeddings as of a generation or later. Concurrent callers share one read.
func (m *Embedder) read(ctx context.Context, generation int64) <-chan singleflight.Result {
	return m.reads.DoChan(strconv.FormatInt(generation, 10), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		rows, err := m.q.AllEmbeddings(ctx, m.client.Model())
		if err != nil {
			return nil, err
		}
		h := &heldEmbeddings{generation: generation, rows: rows}
		m.held.Store(h)
		return h, nil
	})
}

// Model returns the name of the model.
func (m *Embedder) Model() string { return m.client.Model() }

// FindIndex reports whether searches by meaning have an index for a model. It does not build one. embedded is false if
// no bill has an embedding of the model yet.
func FindIndex(ctx context.Context, d *db.DB, model string) (state IndexState, embedded bool, err error) {
	size, err := sql.New(d.Durable()).EmbeddingSize(ctx, model)
	if errors.Is(err, pgx.ErrNoRows) {
		return IndexState{}, false, nil
	}
	if err != nil {
		return IndexState{}, false, fmt.Errorf("read the size of embeddings: %w", err)
	}
	_, err = pgvector.Find(ctx, d, model, int(size))
	var problem *pgvector.Problem
	switch {
	case err == nil:
		return IndexState{Used: true}, true, nil
	case errors.As(err, &problem):
		return IndexState{Reason: problem.Reason, Remedy: problem.Remedy}, true, nil
	}
	return IndexState{}, true, fmt.Errorf("look for the index of embeddings: %w", err)
}
