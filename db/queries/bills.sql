-- name: LockBills :exec
-- One writer of bills at a time, so that two fetches of the same bill cannot both make its next version.
SELECT pg_advisory_xact_lock(7466551);

-- name: BillsByIDs :many
SELECT * FROM bills WHERE id = ANY(@ids::text[]);

-- name: BillSourceStates :many
-- What is needed to decide which bills must be fetched again.
SELECT id, parts FROM bills WHERE id = ANY(@ids::text[]);

-- name: UpsertBills :exec
INSERT INTO bills (id, parliament, session, prefix, digits, suffix, introduced_on, status_code, law, search, doc, content_hash, parts, version,
                   openparliament_at, legisinfo_at, first_seen_at, updated_at, last_run_id)
SELECT unnest(@ids::text[]), unnest(@parliaments::integer[]), unnest(@sessions::integer[]), unnest(@prefixes::text[]), unnest(@digits::integer[]), unnest(@suffixes::text[]),
       nullif(unnest(@introduced::text[]), '')::date, nullif(unnest(@status_codes::text[]), ''), unnest(@laws::boolean[]), unnest(@searches::text[]),
       unnest(@docs::jsonb[]), unnest(@hashes::bytea[]), unnest(@parts::jsonb[]), unnest(@versions::integer[]),
       nullif(unnest(@openparliament_ats::timestamptz[]), '0001-01-01 00:00:00+00'), nullif(unnest(@legisinfo_ats::timestamptz[]), '0001-01-01 00:00:00+00'),
       @at::timestamptz, unnest(@updated_ats::timestamptz[]), unnest(@last_run_ids::uuid[])
ON CONFLICT (id) DO UPDATE SET
    introduced_on = excluded.introduced_on, status_code = excluded.status_code, law = excluded.law, search = excluded.search, doc = excluded.doc,
    content_hash = excluded.content_hash, parts = excluded.parts, version = excluded.version, openparliament_at = excluded.openparliament_at,
    legisinfo_at = excluded.legisinfo_at, updated_at = excluded.updated_at, last_run_id = excluded.last_run_id;

-- name: InsertBillVersions :exec
INSERT INTO bill_versions (bill_id, version, changes, run_id, created_at)
SELECT unnest(@bill_ids::text[]), unnest(@versions::integer[]), unnest(@changes::jsonb[]), @run_id, @at;

-- name: GetBill :one
SELECT * FROM bills WHERE id = @id;

-- name: ListBills :many
SELECT * FROM bills
WHERE (sqlc.narg(parliament)::integer IS NULL OR (parliament = sqlc.narg(parliament) AND session = sqlc.narg(session)::integer))
  AND (sqlc.narg(status)::text IS NULL OR status_code = sqlc.narg(status))
  AND (sqlc.narg(law)::boolean IS NULL OR law = sqlc.narg(law))
  AND (cardinality(@ids::text[]) = 0 OR id LIKE ANY(@ids::text[]) OR id IN (SELECT i.bill_id FROM bill_index i WHERE i.words LIKE sqlc.narg(q)))
  AND (sqlc.narg(updated_since)::timestamptz IS NULL OR updated_at >= sqlc.narg(updated_since))
  AND (sqlc.narg(sponsor_id)::bigint IS NULL OR id IN (SELECT i.bill_id FROM bill_index i WHERE i.sponsor_id = sqlc.narg(sponsor_id)))
  AND (NOT @after::boolean OR coalesce(introduced_on, '0001-01-01') < @after_introduced::date OR (coalesce(introduced_on, '0001-01-01') = @after_introduced::date
       AND (prefix, digits, suffix, id) > (@after_prefix::text, @after_digits::integer, @after_suffix::text, @after_id::text)))
ORDER BY coalesce(introduced_on, '0001-01-01') DESC, prefix, digits, suffix, id
LIMIT @max_rows;

-- name: ListBillVersions :many
SELECT * FROM bill_versions WHERE bill_id = @bill_id AND (sqlc.narg(before)::integer IS NULL OR version < sqlc.narg(before)) ORDER BY version DESC LIMIT @max_rows;

-- name: NewestIntroduction :one
-- The nth latest date of introduction among the stored bills; none if there are fewer.
SELECT introduced_on FROM bills WHERE introduced_on IS NOT NULL ORDER BY coalesce(introduced_on, '0001-01-01') DESC, prefix, digits, suffix, id OFFSET @nth::integer LIMIT 1;

-- name: InsertFetchLog :exec
INSERT INTO fetch_logs (id, run_id, asset, source, status, records_attempted, records_succeeded, records_failed, duration_seconds, params, errors, created_at)
VALUES (@id, sqlc.narg(run_id), @asset, @source, @status, @records_attempted, @records_succeeded, @records_failed, @duration_seconds, @params, @errors, @created_at);

-- name: ListFetchLogs :many
SELECT * FROM fetch_logs
WHERE (sqlc.narg(before)::uuid IS NULL OR id < sqlc.narg(before))
  AND (sqlc.narg(status)::text IS NULL OR status = sqlc.narg(status))
  AND (sqlc.narg(source)::text IS NULL OR source = sqlc.narg(source))
  AND (sqlc.narg(run_id)::uuid IS NULL OR run_id = sqlc.narg(run_id))
ORDER BY id DESC LIMIT @max_rows;

-- name: FetchLogStats :many
SELECT status, count(*) AS n, avg(duration_seconds)::float8 AS avg_duration, sum(records_succeeded)::bigint AS succeeded, sum(records_failed)::bigint AS failed
FROM fetch_logs WHERE created_at >= @since AND created_at < @until GROUP BY status ORDER BY status;

-- name: BillsCreatedAfter :many
-- Bills that were not there before, in the order in which they became visible. unsettled: one of the assets is being
-- materialized, or an older transaction is open still, so there may be more in a moment. held_back: by such a transaction;
-- whoever went past the bill would miss what that brings.
SELECT v.bill_id, v.xid, v.created_at, (v.xid >= log_horizon())::boolean AS held_back,
       (v.xid >= log_horizon()
        OR EXISTS (SELECT FROM runs WHERE status IN ('queued', 'started', 'canceling') AND assets && @assets::text[]))::boolean AS unsettled
FROM bill_versions v
WHERE v.version = 1 AND (v.xid, v.bill_id) > (@after_xid::xid8, @after_id::text)
ORDER BY v.xid, v.bill_id LIMIT @max_rows;

-- name: BillStatistics :many
-- How many bills there are, by session.
SELECT parliament, session, count(*) AS bills, count(*) FILTER (WHERE law) AS laws, count(*) FILTER (WHERE legisinfo_at IS NULL) AS not_enriched,
       coalesce(max(introduced_on), '0001-01-01')::date AS latest_introduction
FROM bills GROUP BY parliament, session ORDER BY parliament DESC, session DESC;

-- name: BillsWithoutTitle :many
SELECT id FROM bills WHERE coalesce(doc -> 'title' ->> 'en', doc -> 'title' ->> 'fr') IS NULL ORDER BY id LIMIT @max_rows;

-- name: BillsIntroducedOn :many
SELECT * FROM bills WHERE coalesce(introduced_on, '0001-01-01') = @day::date ORDER BY prefix, digits, suffix, id;

-- name: BillsInOrder :many
SELECT b.* FROM unnest(@ids::text[]) WITH ORDINALITY AS t (id, place) JOIN bills b ON b.id = t.id ORDER BY t.place;
