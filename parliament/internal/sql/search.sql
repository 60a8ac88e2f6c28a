-- name: PlainText :one
-- A text as it is searched for, and its words.
SELECT explorer_plain(@text::text)::text AS plain, explorer_words(@text::text)::text AS words;

-- name: SearchNumbers :many
-- Bills with one of some numbers: of any chamber without a prefix, of any session without one, of a Parliament with
-- "44-".
SELECT i.bill_id FROM bill_index i
JOIN (SELECT unnest(@prefixes::text[]) AS prefix, unnest(@digits::integer[]) AS digits,
    unnest(@suffixes::text[]) AS suffix, unnest(@sessions::text[]) AS session, unnest(@places::integer[]) AS place) AS n
    ON i.digits = n.digits AND i.suffix = n.suffix AND (n.prefix = '' OR i.prefix = n.prefix)
    AND (n.session = '' OR i.session = n.session OR (n.session LIKE '%-' AND starts_with(i.session, n.session)))
WHERE (sqlc.narg(session)::text IS NULL OR i.session = sqlc.narg(session))
  AND (sqlc.narg(status)::text IS NULL OR i.status_code = sqlc.narg(status))
  AND (sqlc.narg(bill_type)::text IS NULL OR i.bill_type = sqlc.narg(bill_type))
  AND (sqlc.narg(chamber)::text IS NULL OR i.home_chamber = sqlc.narg(chamber))
  AND (sqlc.narg(year)::integer IS NULL OR extract(year FROM i.introduced_on) = sqlc.narg(year))
  AND i.bill_id <> ALL(@without_ids::text[])
  AND (cardinality(@without::text[]) = 0 OR NOT i.tsv @@ explorer_query(@without::text[], false))
GROUP BY i.bill_id
ORDER BY split_part(i.session, '-', 1)::integer DESC, split_part(i.session, '-', 2)::integer DESC, min(n.place),
    i.prefix, i.bill_id LIMIT 1000;

-- name: SearchTitles :many
-- Bills with just this title, whatever article is in front.
SELECT i.bill_id FROM bill_index i
WHERE i.titles @> ARRAY[explorer_title(explorer_words(@title::text))]
  AND (sqlc.narg(session)::text IS NULL OR i.session = sqlc.narg(session))
  AND (sqlc.narg(status)::text IS NULL OR i.status_code = sqlc.narg(status))
  AND (sqlc.narg(bill_type)::text IS NULL OR i.bill_type = sqlc.narg(bill_type))
  AND (sqlc.narg(chamber)::text IS NULL OR i.home_chamber = sqlc.narg(chamber))
  AND (sqlc.narg(year)::integer IS NULL OR extract(year FROM i.introduced_on) = sqlc.narg(year))
ORDER BY split_part(i.session, '-', 1)::integer DESC, split_part(i.session, '-', 2)::integer DESC, i.prefix, i.digits,
    i.bill_id LIMIT 1000;

-- name: SessionsThere :many
-- Which of some sessions there are; "44-" is any of the 44th Parliament.
SELECT DISTINCT i.session FROM bill_index i JOIN unnest(@sessions::text[]) AS s (session) ON i.session = s.session
    OR (s.session LIKE '%-' AND starts_with(i.session, s.session));

-- name: SearchWords :many
-- Bills with all the words; without any word, all bills. Words that thousands of bills have find the latest thousand;
-- the best by titles are ranked by all of their text.
WITH found AS (
    SELECT i.bill_id, i.introduced_on, i.head FROM bill_index i
    WHERE (cardinality(@terms::text[]) = 0 OR i.tsv @@ explorer_query(@terms::text[], true))
      AND (cardinality(@only_in::text[]) = 0 OR i.session = ANY(@only_in::text[]))
      AND (sqlc.narg(session)::text IS NULL OR i.session = sqlc.narg(session))
      AND (sqlc.narg(status)::text IS NULL OR i.status_code = sqlc.narg(status))
      AND (sqlc.narg(bill_type)::text IS NULL OR i.bill_type = sqlc.narg(bill_type))
      AND (sqlc.narg(chamber)::text IS NULL OR i.home_chamber = sqlc.narg(chamber))
      AND (sqlc.narg(year)::integer IS NULL OR extract(year FROM i.introduced_on) = sqlc.narg(year))
      AND i.bill_id <> ALL(@without_ids::text[])
      AND (cardinality(@without::text[]) = 0 OR NOT i.tsv @@ explorer_query(@without::text[], false))
    ORDER BY i.introduced_on DESC NULLS LAST, i.bill_id DESC LIMIT 1000
), rated AS (
    SELECT found.bill_id, found.introduced_on, CASE WHEN cardinality(@terms::text[]) > 0
        THEN ts_rank('{0, 0, 0.4, 1}', found.head, explorer_query(@terms::text[], true), 1) ELSE 0 END AS head_rank
        FROM found
), placed AS (
    SELECT rated.bill_id, rated.head_rank,
        row_number() OVER (ORDER BY rated.head_rank DESC, rated.introduced_on DESC NULLS LAST,
        rated.bill_id DESC) AS place FROM rated
)
SELECT placed.bill_id FROM placed
ORDER BY placed.head_rank + CASE WHEN cardinality(@terms::text[]) > 0 AND placed.place <= 100
    THEN (SELECT ts_rank_cd('{0.1, 0.3, 0.6, 1}', i.tsv, explorer_query(@terms::text[], true), 1) FROM bill_index i
        WHERE i.bill_id = placed.bill_id) ELSE 0 END DESC, placed.place;

-- name: SearchSome :many
-- Bills with some of the words. A word weighs as much as it is rare; words that very many bills have say nothing beside
-- others. A bill has to have two fifths of all that they weigh, half of two words; where none has, the best are found.
WITH bills AS (SELECT count(*) AS n FROM bill_index),
term AS MATERIALIZED (SELECT t.place, explorer_query(ARRAY[t.term], true) AS q
    FROM unnest(@terms::text[]) WITH ORDINALITY AS t (term, place)),
hit AS MATERIALIZED (
    SELECT term.place, h.bill_id, h.titled FROM term
    CROSS JOIN LATERAL (SELECT i.bill_id, i.head @@ term.q AS titled FROM bill_index i WHERE i.tsv @@ term.q
        LIMIT (SELECT greatest(200, n / 16) + 1 FROM bills)) AS h
), weight AS (
    SELECT hit.place, ln(1 + bills.n::float8 / count(*)) AS w FROM hit, bills GROUP BY hit.place, bills.n
        HAVING count(*) <= greatest(200, bills.n / 16)
), score AS (
    SELECT hit.bill_id, sum(weight.w) AS w, sum(CASE WHEN hit.titled THEN weight.w ELSE weight.w / 2 END) AS rank
        FROM hit JOIN weight ON weight.place = hit.place GROUP BY hit.bill_id
), least AS (
    SELECT least((SELECT max(score.w) FROM score), CASE count(*) WHEN 2 THEN 0.5 ELSE 0.4 END * sum(weight.w)) AS w
        FROM weight
)
SELECT i.bill_id FROM score JOIN least ON score.w >= least.w JOIN bill_index i ON i.bill_id = score.bill_id
WHERE (cardinality(@only_in::text[]) = 0 OR i.session = ANY(@only_in::text[]))
  AND (sqlc.narg(session)::text IS NULL OR i.session = sqlc.narg(session))
  AND (sqlc.narg(status)::text IS NULL OR i.status_code = sqlc.narg(status))
  AND (sqlc.narg(bill_type)::text IS NULL OR i.bill_type = sqlc.narg(bill_type))
  AND (sqlc.narg(chamber)::text IS NULL OR i.home_chamber = sqlc.narg(chamber))
  AND (sqlc.narg(year)::integer IS NULL OR extract(year FROM i.introduced_on) = sqlc.narg(year))
  AND i.bill_id <> ALL(@without_ids::text[])
ORDER BY score.rank DESC, i.introduced_on DESC NULLS LAST, i.bill_id DESC LIMIT 100;

-- name: SearchTerms :many
-- What is known of some terms: whether a bill has them, and whether they say something in both languages.
SELECT t.place::integer AS place,
       EXISTS (SELECT FROM bill_index i WHERE i.tsv @@ explorer_query(ARRAY[t.term], true)) AS found,
       (numnode(phraseto_tsquery('explorer_en', explorer_words(t.term))) > 0
           AND numnode(phraseto_tsquery('explorer_fr', explorer_words(t.term))) > 0)::boolean AS telling
FROM unnest(@terms::text[]) WITH ORDINALITY AS t (term, place);

-- name: SimilarWords :many
-- Words that could be meant by some: about as long with the same first letter, or longer with the same beginning, or
-- with the same parts.
SELECT t.word::text AS asked, w.word FROM unnest(@words::text[]) AS t (word)
JOIN bill_words w ON left(w.word, 1) = left(t.word, 1)
    AND (char_length(w.word) BETWEEN char_length(t.word) - 2 AND char_length(t.word) + 2
        OR (char_length(t.word) >= 4 AND starts_with(w.word, t.word)))
UNION
SELECT t.word::text, w.word FROM unnest(@words::text[]) AS t (word) JOIN bill_words w ON w.word % t.word
WHERE char_length(w.word) BETWEEN char_length(t.word) - 2 AND char_length(t.word) + 2;

-- name: FilterBills :many
-- The bills that the filters leave.
SELECT i.bill_id FROM bill_index i
WHERE (cardinality(@only_in::text[]) = 0 OR i.session = ANY(@only_in::text[]))
  AND (sqlc.narg(session)::text IS NULL OR i.session = sqlc.narg(session))
  AND (sqlc.narg(status)::text IS NULL OR i.status_code = sqlc.narg(status))
  AND (sqlc.narg(bill_type)::text IS NULL OR i.bill_type = sqlc.narg(bill_type))
  AND (sqlc.narg(chamber)::text IS NULL OR i.home_chamber = sqlc.narg(chamber))
  AND (sqlc.narg(year)::integer IS NULL OR extract(year FROM i.introduced_on) = sqlc.narg(year))
  AND i.bill_id <> ALL(@without_ids::text[])
  AND (cardinality(@without::text[]) = 0 OR NOT i.tsv @@ explorer_query(@without::text[], false));

-- name: SearchFacets :many
SELECT i.session, i.status_code, i.bill_type, i.home_chamber,
    coalesce(extract(year FROM i.introduced_on), 0)::integer AS year, count(*) AS n
FROM bill_index i WHERE i.bill_id = ANY(@ids::text[]) GROUP BY 1, 2, 3, 4, 5;

-- name: Headlines :many
-- Marks the words that were looked for in some texts: between the characters 2 and 3, fragments between 4.
SELECT t.place::integer AS place,
       CASE WHEN t.language = 'fr'
           THEN ts_headline('explorer_fr', t.text,
               (SELECT replace(plainto_tsquery('explorer_fr', explorer_words(@q::text))::text, '&', '|')::tsquery),
               t.options)
           ELSE ts_headline('explorer_en', t.text,
               (SELECT replace(plainto_tsquery('explorer_en', explorer_words(@q::text))::text, '&', '|')::tsquery),
               t.options) END::text AS headline
FROM (SELECT unnest(@places::integer[]) AS place, unnest(@languages::text[]) AS language,
    unnest(@texts::text[]) AS text, unnest(@options::text[]) AS options) AS t;

-- name: DocumentsToEmbed :many
-- Bills whose text in a language may have changed since it was embedded, or was not.
SELECT b.id, l.language::text AS language, b.doc, b.version, v.xid, e.hash
FROM bills b JOIN bill_versions v ON v.bill_id = b.id AND v.version = b.version
    CROSS JOIN (VALUES ('en'), ('fr')) AS l (language)
LEFT JOIN embeddings e ON e.bill_id = b.id AND e.language = l.language AND e.model = @model
WHERE (b.id, l.language) > (@after_id::text, @after_language::text) AND e.version IS DISTINCT FROM b.version
ORDER BY b.id, l.language LIMIT sqlc.arg('limit');

-- name: UpsertEmbedding :exec
-- An update that is slower than another one does not put an older text in the place of a newer one.
INSERT INTO embeddings (bill_id, language, model, hash, embedding, created_at, version)
    VALUES (@bill_id, @language, @model, @hash, @embedding, @created_at, @version)
ON CONFLICT (bill_id, language, model) DO UPDATE SET hash = excluded.hash, embedding = excluded.embedding,
    created_at = excluded.created_at, version = excluded.version
WHERE embeddings.version IS NULL OR embeddings.version <= excluded.version;

-- name: TouchEmbedding :exec
-- The text is what it was.
UPDATE embeddings SET created_at = @created_at, version = @version WHERE bill_id = @bill_id AND language = @language
    AND model = @model AND hash = @hash;

-- name: DeleteOtherEmbeddings :execrows
DELETE FROM embeddings WHERE model <> @model;

-- name: EmbeddingSize :one
-- How many numbers the embeddings of a model have; no row without any.
SELECT cardinality(embedding)::integer AS size FROM embeddings WHERE model = @model LIMIT 1;

-- name: EmbeddingGeneration :one
-- Changes whenever an embedding does.
SELECT generation FROM embedding_state;

-- name: CountEmbeddings :one
-- How many embeddings of a model there are, counted up to a number.
SELECT count(*) FROM (SELECT 1 FROM embeddings WHERE model = @model LIMIT @most::integer) AS e;

-- name: AllEmbeddings :many
-- Those of a bill are next to each other.
SELECT bill_id, embedding FROM embeddings WHERE model = @model ORDER BY bill_id;
