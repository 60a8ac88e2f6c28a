package parliament

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/parliament-explorer/parliament-explorer/parliament/embed"
	"github.com/parliament-explorer/parliament-explorer/parliament/internal/sql"
)

// EmbedCounts is the result of an update of the embeddings.
type EmbedCounts struct {
	Embedded, Unchanged, Deleted int
	Requests, Tokens             int
	Size                         int // numbers in an embedding
}

// document returns the text of a bill in one language that is embedded; empty if the bill has none.
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

// Update embeds the documents that are new or changed, in batches, and stores each batch, so that a failure keeps the
// batches before it. It calls progress with the number of embedded documents so far.
func (m *Embedder) Update(ctx context.Context, batch int, progress func(done int)) (EmbedCounts, error) {
	var counts EmbedCounts
	model := m.client.Model()
	size, err := m.q.EmbeddingSize(ctx, model)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return counts, err
	}
	counts.Size = int(size)
	var after sql.DocumentsToEmbedRow
	for {
		// as many as have room in an answer
		most := min(batch, embed.Most(counts.Size))
		//nolint:gosec // bounded by the config
		rows, err := m.q.DocumentsToEmbed(ctx, sql.DocumentsToEmbedParams{
			Model: model, AfterID: after.ID, AfterLanguage: after.Language, Limit: int32(most),
		})
		if err != nil || len(rows) == 0 {
			if err == nil {
				var n int64
				n, err = m.q.DeleteOtherEmbeddings(ctx, model)
				counts.Deleted = int(n)
			}
			return counts, err
		}
		after = rows[len(rows)-1]
		now := time.Now().UTC().Truncate(time.Microsecond)
		changed, err := m.changedDocuments(ctx, rows, now)
		if err != nil {
			return counts, err
		}
		counts.Unchanged += changed.unchanged
		if len(changed.texts) == 0 {
			continue
		}
		r, err := m.client.Embed(ctx, changed.texts)
		if err != nil {
			return counts, err
		}
		counts.Requests++
		counts.Tokens += r.Tokens
		if got := len(r.Embeddings[0]); counts.Size != 0 && got != counts.Size {
			return counts, &embed.AnswerError{
				Reason: fmt.Sprintf("embeddings of %d numbers, those stored of model %s have %d", got, model, counts.Size),
			}
		}
		counts.Size = len(r.Embeddings[0])
		if err := m.storeEmbeddings(ctx, changed, r.Embeddings, now); err != nil {
			return counts, err
		}
		counts.Embedded += len(changed.rows)
		progress(counts.Embedded)
	}
}

// changedDocuments are documents whose text has no embedding yet. The slices have one element per document.
type changedDocuments struct {
	rows      []sql.DocumentsToEmbedRow
	texts     []string
	hashes    [][]byte
	unchanged int // documents whose text is embedded already
}

// changedDocuments returns the documents of rows whose text changed. It records that the others are up to date.
func (m *Embedder) changedDocuments(
	ctx context.Context, rows []sql.DocumentsToEmbedRow, now time.Time,
) (changed changedDocuments, err error) {
	for _, row := range rows {
		var b Bill
		if err := json.Unmarshal(row.Doc, &b); err != nil {
			return changed, fmt.Errorf("bill %s: %w", row.ID, err)
		}
		text := document(b, row.Language)
		if text == "" {
			continue
		}
		hash := sha256.Sum256([]byte(text))
		if !slices.Equal(hash[:], row.Hash) {
			changed.rows = append(changed.rows, row)
			changed.texts = append(changed.texts, text)
			changed.hashes = append(changed.hashes, hash[:])
			continue
		}
		changed.unchanged++
		err := m.q.TouchEmbedding(ctx, sql.TouchEmbeddingParams{
			CreatedAt: now, Version: &row.Version, BillID: row.ID, Language: row.Language, Model: m.client.Model(),
			Hash: row.Hash,
		})
		if err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// storeEmbeddings stores the embeddings of documents in one transaction.
func (m *Embedder) storeEmbeddings(
	ctx context.Context, documents changedDocuments, embeddings [][]float32, now time.Time,
) error {
	return m.db.Tx(ctx, func(tx pgx.Tx) error {
		q := m.q.WithTx(tx)
		for i, row := range documents.rows {
			err := q.UpsertEmbedding(ctx, sql.UpsertEmbeddingParams{
				BillID: row.ID, Language: row.Language, Model: m.client.Model(), Hash: documents.hashes[i],
				Embedding: embeddings[i], CreatedAt: now, Version: &row.Version,
			})
			if err != nil {
				return fmt.Errorf("store the embedding of bill %s: %w", row.ID, err)
			}
		}
		return nil
	})
}

// CountNotEmbedded counts the documents whose current text has no embedding, of bills that have not changed since a
// place in the history of all bills. It returns at most ten of their names.
func (m *Embedder) CountNotEmbedded(ctx context.Context, before string) (n int, first []string, err error) {
	xid, err := placeXid(before)
	if err != nil {
		return 0, nil, err
	}
	var after sql.DocumentsToEmbedRow
	for {
		rows, err := m.q.DocumentsToEmbed(ctx, sql.DocumentsToEmbedParams{
			Model: m.client.Model(), AfterID: after.ID, AfterLanguage: after.Language, Limit: 500,
		})
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
