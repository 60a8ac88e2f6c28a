package parliament

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
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
)

// Meaning knows which bills are near in meaning to a text, by embeddings: with pgvector where the database has it, and
// in this process where it has not. Make one with NewMeaning.
type Meaning struct {
	db      *db.DB
	q       *db.Queries
	client  *embed.Client
	asked   *lru.Cache[string, []float32] // embeddings of what was asked for
	patient time.Duration

	vector atomic.Pointer[bool]           // whether the database has pgvector; nil: not known yet
	held   atomic.Pointer[heldEmbeddings] // without pgvector; nil: not read yet
	reads  singleflight.Group             // one read of them for all who wait for it
}

// heldEmbeddings are all embeddings as of a generation.
type heldEmbeddings struct {
	generation int64
	rows       []db.AllEmbeddingsRow
}

// readTimeout bounds a read of the embeddings, which is for all who wait for it, so that none of them can end it.
const readTimeout = 10 * time.Second

// askPatience is how long a search waits for the embedding of what was asked for.
const askPatience = 2 * time.Second

// NewMeaning makes a Meaning.
func NewMeaning(d *db.DB, client *embed.Client) *Meaning {
	asked, _ := lru.New[string, []float32](500)
	return &Meaning{db: d, q: d.Queries(), client: client, asked: asked, patient: askPatience}
}

// Near gives the bills nearest in meaning to a text, the nearest first, or why it cannot, in words for whoever
// searches.
func (m *Meaning) Near(ctx context.Context, text string, limit int) (ids []string, reason string) {
	to, ok := m.asked.Get(text)
	if !ok {
		ctx, cancel := context.WithTimeout(ctx, m.patient)
		defer cancel()
		r, err := m.client.Once(ctx, []string{clip(text, 8000)})
		if errors.Is(err, context.DeadlineExceeded) {
			return nil, fmt.Sprintf("the embeddings endpoint does not answer within %s", m.patient)
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
		m.asked.Add(text, to)
	}
	size, err := m.q.EmbeddingSize(ctx, m.client.Model())
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, "no bill is embedded yet: materialize update_embeddings"
	case err != nil:
		return nil, "the embeddings cannot be read just now"
	case int(size) != len(to):
		return nil, fmt.Sprintf("the embeddings endpoint gives %d numbers, the bills' embeddings have %d: is it another model by the same name?", len(to), size)
	}
	ids, err = m.nearest(ctx, to, limit)
	if err != nil {
		return nil, "the embeddings cannot be read just now"
	}
	return ids, ""
}

func (m *Meaning) nearest(ctx context.Context, to []float32, limit int) ([]string, error) {
	vector, held, err := m.source(ctx)
	if err != nil {
		return nil, err
	}
	if vector {
		return m.db.NearestBills(ctx, m.client.Model(), to, limit)
	}
	best := map[string]float32{}
	for _, e := range held {
		if len(e.Embedding) != len(to) {
			continue
		}
		var dot float32
		for i, x := range e.Embedding {
			dot += x * to[i]
		}
		if before, ok := best[e.BillID]; !ok || dot > before {
			best[e.BillID] = dot
		}
	}
	ids := make([]string, 0, len(best))
	for id := range best {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Or(cmp.Compare(best[b], best[a]), strings.Compare(a, b)) })
	return ids[:min(limit, len(ids))], nil
}

// source is where to look: in the database, or in the embeddings as they are now.
func (m *Meaning) source(ctx context.Context) (vector bool, held []db.AllEmbeddingsRow, err error) {
	has := m.vector.Load()
	if has == nil {
		is, err := m.db.HasVector(ctx)
		if err != nil {
			return false, nil, err
		}
		has = &is
		m.vector.Store(has)
	}
	if *has {
		return true, nil, nil
	}
	// The generation is read first: what is read after it is as new or newer, and never taken for newer than it is.
	generation, err := m.q.EmbeddingGeneration(ctx)
	if err != nil {
		return false, nil, err
	}
	if h := m.held.Load(); h != nil && h.generation == generation {
		return false, h.rows, nil
	}
	read := m.reads.DoChan(strconv.FormatInt(generation, 10), func() (any, error) {
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
	select {
	case <-ctx.Done():
		return false, nil, ctx.Err()
	case r := <-read:
		if r.Err != nil {
			return false, nil, r.Err
		}
		return false, r.Val.(*heldEmbeddings).rows, nil
	}
}

// EmbedCounts says what embedding came to.
type EmbedCounts struct {
	Embedded, Unchanged, Deleted int
	Requests, Tokens             int
	Size                         int // numbers in an embedding
}

// document is a bill's text in a language, for embedding; empty if it has none.
func document(b Bill, language string) string {
	pick := func(t Bilingual) string {
		if language == "fr" {
			return value(t.Fr)
		}
		return value(t.En)
	}
	parts := []string{}
	for _, s := range []string{pick(b.ShortTitle), pick(b.Title), clean(pick(b.Summary))} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return clip(b.Number+". "+strings.Join(parts, ". "), 6000) // models read little more than 512 tokens to 8,000
}

// Update embeds what is new or has changed, in batches, each stored as it comes: what fails keeps what was done before.
// progress hears how far it is.
func (m *Meaning) Update(ctx context.Context, batch int, progress func(done int)) (EmbedCounts, error) {
	var counts EmbedCounts
	model := m.client.Model()
	size, err := m.q.EmbeddingSize(ctx, model)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return counts, err
	}
	counts.Size = int(size)
	var after db.DocumentsToEmbedRow
	for {
		most := min(batch, embed.Most(counts.Size))                                                                                                             // as many as have room in an answer
		rows, err := m.q.DocumentsToEmbed(ctx, db.DocumentsToEmbedParams{Model: model, AfterID: after.ID, AfterLanguage: after.Language, MaxRows: int32(most)}) //nolint:gosec // bounded by the config
		if err != nil || len(rows) == 0 {
			if err == nil {
				var n int64
				n, err = m.q.DeleteOtherEmbeddings(ctx, model)
				counts.Deleted = int(n)
			}
			return counts, err
		}
		after = rows[len(rows)-1]
		var ask []db.DocumentsToEmbedRow
		var texts []string
		var hashes [][]byte
		now := time.Now().UTC().Truncate(time.Microsecond)
		for _, row := range rows {
			var b Bill
			if err := json.Unmarshal(row.Doc, &b); err != nil {
				return counts, fmt.Errorf("bill %s: %w", row.ID, err)
			}
			text := document(b, row.Language)
			if text == "" {
				continue
			}
			hash := sha256.Sum256([]byte(text))
			if slices.Equal(hash[:], row.Hash) {
				counts.Unchanged++
				if err := m.q.TouchEmbedding(ctx, db.TouchEmbeddingParams{CreatedAt: now, Version: &row.Version, BillID: row.ID, Language: row.Language, Model: model, Hash: row.Hash}); err != nil {
					return counts, err
				}
				continue
			}
			ask, texts, hashes = append(ask, row), append(texts, text), append(hashes, hash[:])
		}
		if len(texts) == 0 {
			continue
		}
		r, err := m.client.Embed(ctx, texts)
		if err != nil {
			return counts, err
		}
		counts.Requests++
		counts.Tokens += r.Tokens
		if got := len(r.Embeddings[0]); counts.Size != 0 && got != counts.Size {
			return counts, &embed.AnswerError{Reason: fmt.Sprintf("embeddings of %d numbers, those stored of model %s have %d", got, model, counts.Size)}
		}
		counts.Size = len(r.Embeddings[0])
		err = m.db.Tx(ctx, func(tx pgx.Tx) error {
			q := m.q.WithTx(tx)
			for i, row := range ask {
				if err := q.UpsertEmbedding(ctx, db.UpsertEmbeddingParams{BillID: row.ID, Language: row.Language, Model: model, Hash: hashes[i], Embedding: r.Embeddings[i], CreatedAt: now, Version: &row.Version}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return counts, err
		}
		counts.Embedded += len(ask)
		progress(counts.Embedded)
	}
}

// Lacking counts the documents that have no embedding of their present text, of bills that are as they were at a place
// in the history of all bills, and names ten of them at most.
func (m *Meaning) Lacking(ctx context.Context, before string) (n int, first []string, err error) {
	xid, err := placeXid(before)
	if err != nil {
		return 0, nil, err
	}
	var after db.DocumentsToEmbedRow
	for {
		rows, err := m.q.DocumentsToEmbed(ctx, db.DocumentsToEmbedParams{Model: m.client.Model(), AfterID: after.ID, AfterLanguage: after.Language, MaxRows: 500})
		if err != nil || len(rows) == 0 {
			return n, first, err
		}
		after = rows[len(rows)-1]
		for _, row := range rows {
			var b Bill
			if err := json.Unmarshal(row.Doc, &b); err != nil {
				return n, first, fmt.Errorf("bill %s: %w", row.ID, err)
			}
			text := document(b, row.Language)
			if hash := sha256.Sum256([]byte(text)); text == "" || slices.Equal(hash[:], row.Hash) || row.Xid >= xid {
				continue
			}
			if n++; len(first) < 10 {
				first = append(first, row.ID+" ("+row.Language+")")
			}
		}
	}
}

// Model is the model's name.
func (m *Meaning) Model() string { return m.client.Model() }
