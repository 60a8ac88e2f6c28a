-- name: MarkMissingBills :execrows
UPDATE bills SET missing_since = @at WHERE parliament = @parliament AND session = @session
    AND id <> ALL(@listed::text[]) AND missing_since IS NULL;

-- name: MarkFoundBills :execrows
UPDATE bills SET missing_since = NULL WHERE id = ANY(@listed::text[]) AND missing_since IS NOT NULL;

-- name: BillCoverage :many
SELECT (parliament || '-' || session)::text AS code, count(*) AS bills, count(doc -> 'title' ->> 'en') AS title_en,
    count(doc -> 'title' ->> 'fr') AS title_fr, count(doc -> 'short_title' ->> 'en') AS short_title,
       count(introduced_on) AS introduced_on, count(doc -> 'status' ->> 'en') AS status,
           count(status_code) AS status_code, count(doc -> 'sponsor' ->> 'person_id') AS sponsor,
       count(*) FILTER (WHERE doc -> 'committees' <> '[]') AS committees, count(doc -> 'summary' ->> 'en') AS summary,
           count(doc ->> 'text_url') AS text_url,
       count(*) FILTER (WHERE parts -> 'detail' ->> 'id' IS NOT NULL) AS enriched, count(missing_since) AS missing
FROM bills GROUP BY parliament, session ORDER BY parliament DESC, session DESC;

-- name: SourceDifferences :many
-- What both sources say of the same bill, where it is not letter for letter the same.
SELECT id, coalesce(parts -> 'openparliament' ->> 'name_en', '')::text AS op_title_en,
    coalesce(parts -> 'item' ->> 'long_title_en', '')::text AS li_title_en,
    coalesce(parts -> 'openparliament' ->> 'name_fr', '')::text AS op_title_fr,
    coalesce(parts -> 'item' ->> 'long_title_fr', '')::text AS li_title_fr,
       coalesce(parts -> 'openparliament' ->> 'introduced', '')::text AS op_introduced,
           coalesce(introduced_on::text, '')::text AS li_introduced,
       coalesce(parts -> 'openparliament' ->> 'legisinfo_id', '')::text AS op_legisinfo_id,
           coalesce(parts -> 'item' ->> 'id', '')::text AS li_legisinfo_id
FROM bills
WHERE parts -> 'openparliament' <> 'null' AND parts -> 'item' <> 'null'
  AND (parts -> 'openparliament' ->> 'name_en' IS DISTINCT FROM parts -> 'item' ->> 'long_title_en'
      OR parts -> 'openparliament' ->> 'name_fr' IS DISTINCT FROM parts -> 'item' ->> 'long_title_fr'
       OR coalesce(parts -> 'openparliament' ->> 'introduced', '') <> coalesce(introduced_on::text, '')
           OR coalesce(parts -> 'openparliament' ->> 'legisinfo_id', '') <> coalesce(parts -> 'item' ->> 'id', ''))
ORDER BY id;

-- name: MissingBills :many
SELECT id, missing_since FROM bills WHERE missing_since IS NOT NULL ORDER BY missing_since DESC, id LIMIT 500;

-- name: ExportBills :many
SELECT * FROM bills
WHERE id > @after::text
  AND (sqlc.narg(parliament)::integer IS NULL
      OR (parliament = sqlc.narg(parliament) AND session = sqlc.narg(session)::integer))
  AND (sqlc.narg(status)::text IS NULL OR status_code = sqlc.narg(status))
  AND (sqlc.narg(law)::boolean IS NULL OR law = sqlc.narg(law))
  AND (cardinality(@ids::text[]) = 0 OR id LIKE ANY(@ids::text[])
      OR id IN (SELECT i.bill_id FROM bill_index i WHERE i.words LIKE sqlc.narg(q)))
  AND (sqlc.narg(updated_since)::timestamptz IS NULL OR updated_at >= sqlc.narg(updated_since))
  AND (cardinality(@kinds::text[]) = 0 OR kinds @> @kinds::text[])
  AND (sqlc.narg(chamber)::text IS NULL OR home_chamber = sqlc.narg(chamber))
  AND (sqlc.narg(introduced_from)::date IS NULL
      OR (coalesce(introduced_on, '0001-01-01') BETWEEN sqlc.narg(introduced_from) AND sqlc.narg(introduced_to)::date
       -- in the words of either index
       AND coalesce(introduced_on, '9999-12-31') BETWEEN sqlc.narg(introduced_from) AND sqlc.narg(introduced_to)))
  AND (sqlc.narg(committee)::text IS NULL OR committees @> ARRAY[sqlc.narg(committee)::text])
  AND (NOT @sponsored::boolean OR sponsor_id = ANY(@sponsor_ids::bigint[]) OR sponsor_name = @sponsor_name::text)
ORDER BY id LIMIT sqlc.arg('limit');

-- name: ExportState :one
-- What an export of these bills is made of, as checksums: the bills themselves, where each came from, and the slugs of
-- those who may be their sponsors.
SELECT count(*) AS bills,
       coalesce(sum(hashtextextended(row(id, content_hash, version, updated_at, missing_since)::text, 0)),
           0)::text AS content,
       coalesce(sum(hashtextextended(row(id, openparliament_at, legisinfo_at, first_seen_at, last_run_id)::text, 0)),
           0)::text AS provenance,
       (SELECT coalesce(sum(hashtextextended(row(slug, person_id)::text, 0)), 0) FROM politicians
           WHERE person_id IS NOT NULL)::text AS people
FROM bills
WHERE (sqlc.narg(parliament)::integer IS NULL
    OR (parliament = sqlc.narg(parliament) AND session = sqlc.narg(session)::integer))
  AND (sqlc.narg(status)::text IS NULL OR status_code = sqlc.narg(status))
  AND (sqlc.narg(law)::boolean IS NULL OR law = sqlc.narg(law))
  AND (cardinality(@ids::text[]) = 0 OR id LIKE ANY(@ids::text[])
      OR id IN (SELECT i.bill_id FROM bill_index i WHERE i.words LIKE sqlc.narg(q)))
  AND (sqlc.narg(updated_since)::timestamptz IS NULL OR updated_at >= sqlc.narg(updated_since))
  AND (cardinality(@kinds::text[]) = 0 OR kinds @> @kinds::text[])
  AND (sqlc.narg(chamber)::text IS NULL OR home_chamber = sqlc.narg(chamber))
  AND (sqlc.narg(introduced_from)::date IS NULL
      OR (coalesce(introduced_on, '0001-01-01') BETWEEN sqlc.narg(introduced_from) AND sqlc.narg(introduced_to)::date
       -- in the words of either index
       AND coalesce(introduced_on, '9999-12-31') BETWEEN sqlc.narg(introduced_from) AND sqlc.narg(introduced_to)))
  AND (sqlc.narg(committee)::text IS NULL OR committees @> ARRAY[sqlc.narg(committee)::text])
  AND (NOT @sponsored::boolean OR sponsor_id = ANY(@sponsor_ids::bigint[]) OR sponsor_name = @sponsor_name::text);

-- name: CountBills :one
SELECT count(*) FROM bills;
