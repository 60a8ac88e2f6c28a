-- name: LockBills :exec
-- One writer of bills at a time, so that two fetches of the same bill cannot both make its next version.
SELECT pg_advisory_xact_lock(7466551);

-- name: BillsByIDs :many
SELECT * FROM bills WHERE id = ANY(@ids::text[]);

-- name: BillSourceStates :many
-- What is needed to decide which bills must be fetched again.
SELECT id, parts FROM bills WHERE id = ANY(@ids::text[]);

-- name: UpsertBills :exec
INSERT INTO bills (id, parliament, session, prefix, digits, suffix, introduced_on, status_code, law, search, doc,
    content_hash, parts, version,
                   openparliament_at, legisinfo_at, first_seen_at, updated_at, last_run_id)
SELECT unnest(@ids::text[]), unnest(@parliaments::integer[]), unnest(@sessions::integer[]), unnest(@prefixes::text[]),
    unnest(@digits::integer[]), unnest(@suffixes::text[]),
       nullif(unnest(@introduced::text[]), '')::date, nullif(unnest(@status_codes::text[]), ''),
           unnest(@laws::boolean[]), unnest(@searches::text[]),
       unnest(@docs::jsonb[]), unnest(@hashes::bytea[]), unnest(@parts::jsonb[]), unnest(@versions::integer[]),
       nullif(unnest(@openparliament_ats::timestamptz[]), '0001-01-01 00:00:00+00'),
           nullif(unnest(@legisinfo_ats::timestamptz[]), '0001-01-01 00:00:00+00'),
       @at::timestamptz, unnest(@updated_ats::timestamptz[]), unnest(@last_run_ids::uuid[])
ON CONFLICT (id) DO UPDATE SET
    introduced_on = excluded.introduced_on, status_code = excluded.status_code, law = excluded.law,
        search = excluded.search, doc = excluded.doc,
    content_hash = excluded.content_hash, parts = excluded.parts, version = excluded.version,
        openparliament_at = excluded.openparliament_at,
    legisinfo_at = excluded.legisinfo_at, updated_at = excluded.updated_at, last_run_id = excluded.last_run_id;

-- name: InsertBillVersions :exec
INSERT INTO bill_versions (bill_id, version, changes, run_id, created_at)
SELECT unnest(@bill_ids::text[]), unnest(@versions::integer[]), unnest(@changes::jsonb[]), @run_id, @at;

-- name: GetBill :one
SELECT * FROM bills WHERE id = @id;

-- name: ListBills :many
-- By introduction (the latest first, unless ascending), update or latest activity. It is planned for its arguments, so
-- that one order remains, and with it one index; the bounds beside the places after a cursor are for that index.
SELECT * FROM bills
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
  AND (NOT @sponsored::boolean OR sponsor_id = ANY(@sponsor_ids::bigint[]) OR sponsor_name = @sponsor_name::text)
  AND (NOT @after::boolean OR CASE
    WHEN @sort::text = 'updated' AND @ascending::boolean
        THEN (updated_at, id) > (@after_at::timestamptz, @after_id::text)
    WHEN @sort = 'updated' THEN updated_at <= @after_at AND (updated_at < @after_at OR id > @after_id)
    WHEN @sort = 'latest_activity' AND @ascending
        THEN (coalesce(latest_activity_at, 'infinity'), id)
            > (coalesce(sqlc.narg(after_activity)::timestamptz, 'infinity'), @after_id)
    WHEN @sort = 'latest_activity'
        THEN coalesce(latest_activity_at, '-infinity') <= coalesce(sqlc.narg(after_activity), '-infinity')
            AND (coalesce(latest_activity_at, '-infinity') < coalesce(sqlc.narg(after_activity), '-infinity')
                OR id > @after_id)
    WHEN @ascending
        THEN (coalesce(introduced_on, '9999-12-31'), prefix, digits, suffix, id)
            > (coalesce(sqlc.narg(after_introduced)::date, '9999-12-31'), @after_prefix::text, @after_digits::integer,
                @after_suffix::text, @after_id)
    ELSE coalesce(introduced_on, '0001-01-01') <= coalesce(sqlc.narg(after_introduced), '0001-01-01')
        AND (coalesce(introduced_on, '0001-01-01') < coalesce(sqlc.narg(after_introduced), '0001-01-01')
            OR (prefix, digits, suffix, id) > (@after_prefix, @after_digits, @after_suffix, @after_id))
    END)
ORDER BY
    CASE WHEN @sort = 'updated' AND @ascending THEN updated_at END,
    CASE WHEN @sort = 'updated' AND NOT @ascending THEN updated_at END DESC,
    CASE WHEN @sort = 'latest_activity' AND @ascending THEN coalesce(latest_activity_at, 'infinity') END,
    CASE WHEN @sort = 'latest_activity' AND NOT @ascending THEN coalesce(latest_activity_at, '-infinity') END DESC,
    CASE WHEN @sort = 'introduced' AND @ascending THEN coalesce(introduced_on, '9999-12-31') END,
    CASE WHEN @sort = 'introduced' AND NOT @ascending THEN coalesce(introduced_on, '0001-01-01') END DESC,
    CASE WHEN @sort = 'introduced' THEN prefix END, CASE WHEN @sort = 'introduced' THEN digits END,
        CASE WHEN @sort = 'introduced' THEN suffix END, id
LIMIT sqlc.arg('limit');

-- name: FilterWords :one
-- What somebody typed into filters, as words.
SELECT explorer_words(@kind::text)::text AS kind, explorer_words(@chamber::text)::text AS chamber,
    explorer_committee(explorer_words(@committee::text))::text AS committee,
    explorer_words(@sponsor::text)::text AS sponsor;

-- name: BillTypes :many
SELECT DISTINCT bill_type::text AS bill_type FROM bill_index WHERE bill_type IS NOT NULL ORDER BY bill_type;

-- name: KindsThere :one
SELECT EXISTS (SELECT FROM bills WHERE kinds @> @kinds::text[]) AS found;

-- name: NumbersThere :one
-- Whether any bill has one of some numbers, which may be without a prefix.
SELECT EXISTS (SELECT FROM bill_index i JOIN (SELECT unnest(@prefixes::text[]) AS prefix,
    unnest(@digits::integer[]) AS digits, unnest(@suffixes::text[]) AS suffix) AS n
    ON i.digits = n.digits AND i.suffix = n.suffix AND (n.prefix = '' OR i.prefix = n.prefix)) AS found;

-- name: ListBillPlaces :many
SELECT id, updated_at FROM bills WHERE id > @after::text ORDER BY id LIMIT sqlc.arg('limit');

-- name: ListBillVersions :many
SELECT * FROM bill_versions WHERE bill_id = @bill_id
    AND (sqlc.narg(before)::integer IS NULL OR version < sqlc.narg(before)) ORDER BY version DESC
    LIMIT sqlc.arg('limit');

-- name: NewestIntroduction :one
-- The nth latest date of introduction among the stored bills; none if there are fewer.
SELECT introduced_on FROM bills WHERE introduced_on IS NOT NULL ORDER BY coalesce(introduced_on, '0001-01-01') DESC,
    prefix, digits, suffix, id OFFSET @nth::integer LIMIT 1;

-- name: BillsCreatedAfter :many
-- Bills that were not there before, in the order in which they became visible. held_back: an older transaction is still
-- open. It may commit bills that come before this one, and a reader that went past this one would miss them.
SELECT v.bill_id, v.xid, v.created_at, (v.xid >= log_horizon())::boolean AS held_back
FROM bill_versions v
WHERE v.version = 1 AND (v.xid, v.bill_id) > (@after_xid::xid8, @after_id::text)
ORDER BY v.xid, v.bill_id LIMIT sqlc.arg('limit');

-- name: BillStatistics :many
-- How many bills there are, by session.
SELECT parliament, session, count(*) AS bills, count(*) FILTER (WHERE law) AS laws,
    count(*) FILTER (WHERE legisinfo_at IS NULL) AS not_enriched,
       coalesce(max(introduced_on), '0001-01-01')::date AS latest_introduction
FROM bills GROUP BY parliament, session ORDER BY parliament DESC, session DESC;

-- name: BillsWithoutTitle :many
SELECT id FROM bills WHERE coalesce(doc -> 'title' ->> 'en', doc -> 'title' ->> 'fr') IS NULL ORDER BY id
    LIMIT sqlc.arg('limit');

-- name: BillsIntroducedOn :many
SELECT * FROM bills WHERE coalesce(introduced_on, '0001-01-01') = @day::date ORDER BY prefix, digits, suffix, id;

-- name: BillsInOrder :many
SELECT b.* FROM unnest(@ids::text[]) WITH ORDINALITY AS t (id, place) JOIN bills b ON b.id = t.id ORDER BY t.place;
