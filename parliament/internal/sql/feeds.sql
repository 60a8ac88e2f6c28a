-- name: BillsForFeeds :many
-- Bills that changed since feeds knew of them.
SELECT b.id, b.parliament, b.session, b.introduced_on, b.doc, b.version, coalesce(f.done, 0)::integer AS done
FROM bills b LEFT JOIN (SELECT bill_id, max(version) AS done FROM feed_items GROUP BY bill_id) f ON f.bill_id = b.id
WHERE b.version > coalesce(f.done, 0) AND b.id > @after::text ORDER BY b.id LIMIT sqlc.arg('limit');

-- name: BillsNotInFeeds :many
-- Bills with a change from before a place in the history of all bills that feeds do not have.
SELECT b.id, count(*) OVER () AS n FROM bills b
    LEFT JOIN (SELECT bill_id, max(version) AS done FROM feed_items GROUP BY bill_id) f ON f.bill_id = b.id
WHERE b.version > coalesce(f.done, 0) AND EXISTS (SELECT FROM bill_versions v WHERE v.bill_id = b.id
    AND v.version > coalesce(f.done, 0) AND v.xid < @before_xid)
ORDER BY b.id LIMIT 10;

-- name: VersionsOfBills :many
SELECT bill_id, version, changes, created_at FROM bill_versions WHERE bill_id = ANY(@ids::text[]) ORDER BY bill_id,
    version DESC;

-- name: InsertFeedItems :exec
INSERT INTO feed_items (bill_id, version, session, status_code, sponsor_id, committees, published_at, sort_at, doc)
SELECT unnest(@bill_ids::text[]), unnest(@versions::integer[]), unnest(@sessions::text[]),
    nullif(unnest(@status_codes::text[]), ''), nullif(unnest(@sponsor_ids::bigint[]), 0),
       string_to_array(unnest(@committees::text[]), ','), unnest(@published_ats::timestamptz[]),
           unnest(@sort_ats::timestamptz[]), unnest(@docs::jsonb[])
ON CONFLICT DO NOTHING;

-- name: ListFeedItems :many
SELECT * FROM feed_items
WHERE (sqlc.narg(session)::text IS NULL OR session = sqlc.narg(session))
  AND (sqlc.narg(status)::text IS NULL OR status_code = sqlc.narg(status))
  AND (sqlc.narg(sponsor_id)::bigint IS NULL OR sponsor_id = sqlc.narg(sponsor_id))
  AND (sqlc.narg(committee)::text IS NULL OR committees @> ARRAY[sqlc.narg(committee)::text])
  AND (sqlc.narg(bill_id)::text IS NULL OR bill_id = sqlc.narg(bill_id))
  AND (sqlc.narg(bill_ids)::text[] IS NULL OR bill_id = ANY(sqlc.narg(bill_ids)::text[]))
ORDER BY sort_at DESC, bill_id, version DESC LIMIT sqlc.arg('limit');

-- name: GetFeedState :one
SELECT max_items, generation, updated_at FROM feed_state;

-- name: LockFeedState :one
-- Updates of feeds come one after the other. oldest is that of the update that was cut off, if one was.
SELECT coalesce(oldest, 'null')::jsonb AS oldest FROM feed_state FOR UPDATE;

-- name: SetFeedOldest :exec
UPDATE feed_state SET oldest = @oldest;

-- name: EndFeedUpdate :exec
-- The end of an update. How many items a feed has is part of every feed.
UPDATE feed_state SET oldest = NULL, max_items = @max_items,
    generation = generation + CASE WHEN max_items <> @max_items THEN 1 ELSE 0 END,
    updated_at = CASE WHEN max_items <> @max_items
        THEN greatest(date_trunc('second', clock_timestamp()), date_trunc('second', updated_at) + interval '1 second')
        ELSE updated_at END;

-- name: FeedSessions :many
SELECT session, count(*) AS n, max(sort_at)::timestamptz AS latest FROM feed_items GROUP BY session
    ORDER BY session DESC;

-- name: FeedStatuses :many
SELECT status_code::text AS status_code, coalesce(max(doc -> 'status' ->> 'fr'), '')::text AS french, count(*) AS n,
    max(sort_at)::timestamptz AS latest FROM feed_items WHERE status_code IS NOT NULL GROUP BY status_code
    ORDER BY status_code;

-- name: CommitteeNames :many
-- What the committees by an acronym are called, one of each chamber, in the words of the bill that moved last.
SELECT DISTINCT ON (c ->> 'chamber') (c -> 'name')::jsonb AS name
FROM (SELECT f.bill_id, max(f.sort_at) AS at FROM feed_items f WHERE f.committees @> ARRAY[@acronym::text]
    GROUP BY f.bill_id) i
JOIN bills b ON b.id = i.bill_id CROSS JOIN jsonb_array_elements(b.doc -> 'committees') AS c
WHERE upper(c ->> 'acronym') = @acronym ORDER BY c ->> 'chamber', i.at DESC, b.id;

-- name: ListBillChanges :many
SELECT v.bill_id, v.version, v.changes, v.run_id, v.created_at, v.xid FROM bill_versions v
WHERE (v.xid, v.bill_id, v.version) > (@after_xid::xid8, @after_id::text, @after_version::integer)
    AND v.xid < log_horizon()
  AND (sqlc.narg(since)::timestamptz IS NULL OR v.created_at >= sqlc.narg(since))
  AND (NOT @filtered::boolean OR v.bill_id IN (SELECT b.id FROM bills b
    WHERE (sqlc.narg(parliament)::integer IS NULL
        OR (b.parliament = sqlc.narg(parliament) AND b.session = sqlc.narg(session)::integer))
    AND (cardinality(@kinds::text[]) = 0 OR b.kinds @> @kinds::text[])
    AND (sqlc.narg(chamber)::text IS NULL OR b.home_chamber = sqlc.narg(chamber))
    AND (sqlc.narg(introduced_from)::date IS NULL
        OR (coalesce(b.introduced_on, '0001-01-01') BETWEEN sqlc.narg(introduced_from)
        AND sqlc.narg(introduced_to)::date
         -- in the words of either index
         AND coalesce(b.introduced_on, '9999-12-31') BETWEEN sqlc.narg(introduced_from) AND sqlc.narg(introduced_to)))
    AND (sqlc.narg(committee)::text IS NULL OR b.committees @> ARRAY[sqlc.narg(committee)::text])
    AND (NOT @sponsored::boolean OR b.sponsor_id = ANY(@sponsor_ids::bigint[]) OR b.sponsor_name = @sponsor_name::text)
  ))
ORDER BY v.xid, v.bill_id, v.version LIMIT sqlc.arg('limit');

-- name: OldestFeedItems :many
-- When the oldest bill that feeds know of each session was new.
SELECT session, min(published_at)::timestamptz AS oldest FROM feed_items WHERE version = 1 GROUP BY session;

-- name: BillsChangedAfter :one
-- How many bills were changed since a place in the history of all bills by runs that brought no new ones. last_xid is
-- the place after them. unsettled: a transaction that stored bills is still open or was open a moment ago, so more
-- changes may become visible soon.
SELECT count(DISTINCT v.bill_id) FILTER (WHERE v.version > 1
    AND NOT EXISTS (SELECT FROM bill_versions n WHERE n.run_id = v.run_id AND n.version = 1)) AS bills,
       coalesce(max(v.xid::text::bigint)::text::xid8, @after_xid::xid8)::xid8 AS last_xid,
       coalesce(min(v.created_at), '0001-01-01')::timestamptz AS oldest,
       EXISTS (SELECT FROM bill_versions n WHERE n.xid > @after_xid AND n.xid >= log_horizon())::boolean AS unsettled
FROM bill_versions v WHERE v.xid > @after_xid AND v.xid < log_horizon();
