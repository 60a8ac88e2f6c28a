-- name: SearchNumbers :many
SELECT i.bill_id FROM bill_index i
WHERE i.digits = ANY(@digits::integer[]) AND (i.prefix || '-' || i.digits || i.suffix) = ANY(@numbers::text[])
  AND (sqlc.narg(session)::text IS NULL OR i.session = sqlc.narg(session))
  AND (sqlc.narg(status)::text IS NULL OR i.status_code = sqlc.narg(status))
  AND (sqlc.narg(bill_type)::text IS NULL OR i.bill_type = sqlc.narg(bill_type))
  AND (sqlc.narg(chamber)::text IS NULL OR i.home_chamber = sqlc.narg(chamber))
  AND (sqlc.narg(year)::integer IS NULL OR extract(year FROM i.introduced_on) = sqlc.narg(year))
ORDER BY i.introduced_on DESC NULLS LAST, i.bill_id DESC LIMIT 200;

-- name: SearchWords :many
-- Bills with all the words or, relaxed, with some of them. The best by titles are ranked by all of their text.
WITH q AS (
    SELECT CASE WHEN @relaxed::boolean
        THEN (replace(plainto_tsquery('explorer_en', @q)::text, '&', '|')::tsquery || replace(plainto_tsquery('explorer_fr', @q)::text, '&', '|')::tsquery)
        ELSE (websearch_to_tsquery('explorer_en', @q) || websearch_to_tsquery('explorer_fr', @q)) END AS ts
), found AS (
    SELECT i.bill_id, i.introduced_on, ts_rank('{0, 0, 0.4, 1}', i.head, q.ts, 1) AS head_rank
    FROM bill_index i, q
    WHERE i.tsv @@ q.ts
      AND (sqlc.narg(session)::text IS NULL OR i.session = sqlc.narg(session))
      AND (sqlc.narg(status)::text IS NULL OR i.status_code = sqlc.narg(status))
      AND (sqlc.narg(bill_type)::text IS NULL OR i.bill_type = sqlc.narg(bill_type))
      AND (sqlc.narg(chamber)::text IS NULL OR i.home_chamber = sqlc.narg(chamber))
      AND (sqlc.narg(year)::integer IS NULL OR extract(year FROM i.introduced_on) = sqlc.narg(year))
    ORDER BY head_rank DESC, i.introduced_on DESC NULLS LAST, i.bill_id DESC LIMIT 1000
), placed AS (
    SELECT found.*, row_number() OVER (ORDER BY head_rank DESC, introduced_on DESC NULLS LAST, bill_id DESC) AS place FROM found
)
SELECT placed.bill_id FROM placed
LEFT JOIN LATERAL (
    SELECT ts_rank_cd('{0.1, 0.3, 0.6, 1}', i.tsv, q.ts, 1) AS rank FROM bill_index i, q WHERE placed.place <= 100 AND i.bill_id = placed.bill_id
) AS full_text ON true
ORDER BY coalesce(full_text.rank, 0) + placed.head_rank DESC, placed.place;

-- name: SearchSimilar :many
-- Bills with a word in their titles that is spelt like what was asked for.
SELECT i.bill_id FROM bill_index i
WHERE @words::text <% i.words
  AND (sqlc.narg(session)::text IS NULL OR i.session = sqlc.narg(session))
  AND (sqlc.narg(status)::text IS NULL OR i.status_code = sqlc.narg(status))
  AND (sqlc.narg(bill_type)::text IS NULL OR i.bill_type = sqlc.narg(bill_type))
  AND (sqlc.narg(chamber)::text IS NULL OR i.home_chamber = sqlc.narg(chamber))
  AND (sqlc.narg(year)::integer IS NULL OR extract(year FROM i.introduced_on) = sqlc.narg(year))
ORDER BY word_similarity(@words, i.words) DESC, i.introduced_on DESC NULLS LAST, i.bill_id DESC LIMIT 200;

-- name: FilterBills :many
-- Which of some bills the filters leave.
SELECT i.bill_id FROM bill_index i
WHERE i.bill_id = ANY(@ids::text[])
  AND (sqlc.narg(session)::text IS NULL OR i.session = sqlc.narg(session))
  AND (sqlc.narg(status)::text IS NULL OR i.status_code = sqlc.narg(status))
  AND (sqlc.narg(bill_type)::text IS NULL OR i.bill_type = sqlc.narg(bill_type))
  AND (sqlc.narg(chamber)::text IS NULL OR i.home_chamber = sqlc.narg(chamber))
  AND (sqlc.narg(year)::integer IS NULL OR extract(year FROM i.introduced_on) = sqlc.narg(year));

-- name: SearchFacets :many
SELECT facet::text AS facet, value::text AS value, count(*) AS n
FROM bill_index i CROSS JOIN LATERAL (VALUES ('session', i.session), ('status', i.status_code), ('type', i.bill_type), ('chamber', i.home_chamber), ('year', extract(year FROM i.introduced_on)::text)) AS f (facet, value)
WHERE i.bill_id = ANY(@ids::text[]) AND value IS NOT NULL
GROUP BY facet, value;

-- name: Headlines :many
-- Marks the words that were looked for in some texts: between the characters 2 and 3, fragments between 4.
SELECT t.place::integer AS place,
       ts_headline(CASE WHEN t.language = 'fr' THEN 'explorer_fr' ELSE 'explorer_en' END::regconfig, t.text,
           CASE WHEN t.language = 'fr' THEN websearch_to_tsquery('explorer_fr', @q) || replace(plainto_tsquery('explorer_fr', @q)::text, '&', '|')::tsquery
                ELSE websearch_to_tsquery('explorer_en', @q) || replace(plainto_tsquery('explorer_en', @q)::text, '&', '|')::tsquery END,
           E'StartSel=\x02, StopSel=\x03, ' || CASE WHEN t.whole THEN 'HighlightAll=true' ELSE E'FragmentDelimiter=\x04, MaxFragments=2, MaxWords=25, MinWords=10' END)::text AS headline
FROM (SELECT unnest(@places::integer[]) AS place, unnest(@languages::text[]) AS language, unnest(@texts::text[]) AS text, unnest(@whole::boolean[]) AS whole) AS t;

-- name: DocumentsToEmbed :many
-- Bills whose text in a language may have changed since it was embedded, or was not.
SELECT b.id, l.language::text AS language, b.doc, b.version, v.xid, e.hash
FROM bills b JOIN bill_versions v ON v.bill_id = b.id AND v.version = b.version CROSS JOIN (VALUES ('en'), ('fr')) AS l (language)
LEFT JOIN embeddings e ON e.bill_id = b.id AND e.language = l.language AND e.model = @model
WHERE (b.id, l.language) > (@after_id::text, @after_language::text) AND e.version IS DISTINCT FROM b.version
ORDER BY b.id, l.language LIMIT @max_rows;

-- name: UpsertEmbedding :exec
-- An update that is slower than another one does not put an older text in the place of a newer one.
INSERT INTO embeddings (bill_id, language, model, hash, embedding, created_at, version) VALUES (@bill_id, @language, @model, @hash, @embedding, @created_at, @version)
ON CONFLICT (bill_id, language, model) DO UPDATE SET hash = excluded.hash, embedding = excluded.embedding, created_at = excluded.created_at, version = excluded.version
WHERE embeddings.version IS NULL OR embeddings.version <= excluded.version;

-- name: TouchEmbedding :exec
-- The text is what it was.
UPDATE embeddings SET created_at = @created_at, version = @version WHERE bill_id = @bill_id AND language = @language AND model = @model AND hash = @hash;

-- name: DeleteOtherEmbeddings :execrows
DELETE FROM embeddings WHERE model <> @model;

-- name: EmbeddingSize :one
-- How many numbers the embeddings of a model have; no row without any.
SELECT cardinality(embedding)::integer AS size FROM embeddings WHERE model = @model LIMIT 1;

-- name: EmbeddingGeneration :one
-- Changes whenever an embedding does.
SELECT generation FROM embedding_state;

-- name: AllEmbeddings :many
SELECT bill_id, embedding FROM embeddings WHERE model = @model;
