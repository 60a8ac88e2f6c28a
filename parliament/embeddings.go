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
		most := min(batch, embed.Most(counts.Size))                                                                                                              // as many as have room in an answer
		rows, err := m.q.DocumentsToEmbed(ctx, sql.DocumentsToEmbedParams{Model: model, AfterID: after.ID, AfterLanguage: after.Language, MaxRows: int32(most)}) //nolint:gosec // bounded by the config
		if err != nil || len(rows) == 0 {
			if err == nil {
				var n int64
				n, err = m.q.DeleteOtherEmbeddings(ctx, model)
				counts.Deleted = int(n)
			}
			return counts, err
		}
		after = rows[len(rows)-1]
		var ask []sql.DocumentsToEmbedRow
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
				if err := m.q.TouchEmbedding(ctx, sql.TouchEmbeddingParams{CreatedAt: now, Version: &row.Version, BillID: row.ID, Language: row.Language, Model: model, Hash: row.Hash}); err != nil {
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
				if err := q.UpsertEmbedding(ctx, sql.UpsertEmbeddingParams{BillID: row.ID, Language: row.Language, Model: model, Hash: hashes[i], Embedding: r.Embeddings[i], CreatedAt: now, Version: &row.Version}); err != nil {
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
func (m *Embedder) Lacking(ctx context.Context, before string) (n int, first []string, err error) {
	xid, err := placeXid(before)
	if err != nil {
		return 0, nil, err
	}
	var after sql.DocumentsToEmbedRow
	for {
		rows, err := m.q.DocumentsToEmbed(ctx, sql.DocumentsToEmbedParams{Model: m.client.Model(), AfterID: after.ID, AfterLanguage: after.Language, MaxRows: 500})
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
