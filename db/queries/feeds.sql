-- name: BillsForFeeds :many
-- Bills that changed since feeds knew of them.
SELECT b.id, b.parliament, b.session, b.introduced_on, b.doc, b.version, coalesce(f.done, 0)::integer AS done
FROM bills b LEFT JOIN (SELECT bill_id, max(version) AS done FROM feed_items GROUP BY bill_id) f ON f.bill_id = b.id
WHERE b.version > coalesce(f.done, 0) ORDER BY b.id LIMIT @max_rows;

-- name: VersionsOfBills :many
SELECT bill_id, version, changes, created_at FROM bill_versions WHERE bill_id = ANY(@ids::text[]) ORDER BY bill_id, version DESC;

-- name: InsertFeedItems :exec
INSERT INTO feed_items (bill_id, version, session, status_code, sponsor_id, committees, published_at, sort_at, doc)
SELECT unnest(@bill_ids::text[]), unnest(@versions::integer[]), unnest(@sessions::text[]), nullif(unnest(@status_codes::text[]), ''), nullif(unnest(@sponsor_ids::bigint[]), 0),
       string_to_array(unnest(@committees::text[]), ','), unnest(@published_ats::timestamptz[]), unnest(@sort_ats::timestamptz[]), unnest(@docs::jsonb[])
ON CONFLICT DO NOTHING;

-- name: ListFeedItems :many
SELECT * FROM feed_items
WHERE (sqlc.narg(session)::text IS NULL OR session = sqlc.narg(session))
  AND (sqlc.narg(status)::text IS NULL OR status_code = sqlc.narg(status))
  AND (sqlc.narg(sponsor_id)::bigint IS NULL OR sponsor_id = sqlc.narg(sponsor_id))
  AND (sqlc.narg(committee)::text IS NULL OR committees @> ARRAY[sqlc.narg(committee)::text])
  AND (sqlc.narg(bill_id)::text IS NULL OR bill_id = sqlc.narg(bill_id))
  AND (sqlc.narg(bill_ids)::text[] IS NULL OR bill_id = ANY(sqlc.narg(bill_ids)::text[]))
ORDER BY sort_at DESC, bill_id, version DESC LIMIT @max_rows;

-- name: GetFeedState :one
SELECT max_items, generation, updated_at FROM feed_state;

-- name: SetFeedState :exec
UPDATE feed_state SET max_items = @max_items, updated_at = @at, generation = generation + 1;

-- name: FeedSessions :many
SELECT session, count(*) AS n, max(sort_at)::timestamptz AS latest FROM feed_items GROUP BY session ORDER BY session DESC;

-- name: FeedStatuses :many
SELECT status_code::text AS status_code, coalesce(max(doc -> 'status' ->> 'fr'), '')::text AS french, count(*) AS n, max(sort_at)::timestamptz AS latest FROM feed_items WHERE status_code IS NOT NULL GROUP BY status_code ORDER BY status_code;

-- name: CommitteeName :one
SELECT (c -> 'name')::jsonb AS name FROM bills b CROSS JOIN jsonb_array_elements(b.doc -> 'committees') AS c
WHERE b.id IN (SELECT f.bill_id FROM feed_items f WHERE f.committees @> ARRAY[@acronym::text] ORDER BY f.sort_at DESC LIMIT 1) AND c ->> 'acronym' = @acronym LIMIT 1;

-- name: ListBillChanges :many
SELECT v.bill_id, v.version, v.changes, v.run_id, v.created_at, v.xid FROM bill_versions v
WHERE (v.xid, v.bill_id, v.version) > (@after_xid::xid8, @after_id::text, @after_version::integer) AND v.xid < log_horizon()
  AND (sqlc.narg(since)::timestamptz IS NULL OR v.created_at >= sqlc.narg(since))
ORDER BY v.xid, v.bill_id, v.version LIMIT @max_rows;

-- name: OldestFeedItems :many
-- When the oldest bill that feeds know of each session was new.
SELECT session, min(published_at)::timestamptz AS oldest FROM feed_items WHERE version = 1 GROUP BY session;
