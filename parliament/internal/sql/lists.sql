-- name: RecordListedBills :exec
-- Keeps what a session's list says. An item that is as it was keeps the time at which it was first seen so.
INSERT INTO listed_bills AS l (bill_id, session, item_hash, latest_activity_at, seen_at)
SELECT unnest(@ids::text[]), @session, unnest(@hashes::text[]),
    nullif(unnest(@activities::timestamptz[]), '0001-01-01 00:00:00+00'), @read_at::timestamptz
ON CONFLICT (bill_id) DO UPDATE SET session = excluded.session, item_hash = excluded.item_hash,
    latest_activity_at = excluded.latest_activity_at, seen_at = excluded.seen_at
WHERE l.item_hash <> excluded.item_hash AND l.seen_at <= excluded.seen_at;

-- name: ForgetUnlistedBills :exec
DELETE FROM listed_bills WHERE session = @session AND bill_id <> ALL(@ids::text[]) AND seen_at <= @read_at;

-- name: RecordSessionList :exec
-- looked: both sources were asked for the whole session. A session that is new was looked at just now.
INSERT INTO session_lists AS s (session, read_at, looked_at) VALUES (@session, @read_at, @read_at)
ON CONFLICT (session) DO UPDATE SET read_at = greatest(s.read_at, excluded.read_at),
    looked_at = CASE WHEN @looked::boolean THEN greatest(s.looked_at, excluded.looked_at) ELSE s.looked_at END;

-- name: SessionsToLookAt :many
-- Held sessions that nobody looked at for long, the one first that waits longest.
SELECT session FROM session_lists l
WHERE looked_at < @before AND EXISTS (SELECT FROM bills b WHERE b.parliament || '-' || b.session = l.session)
ORDER BY looked_at, session LIMIT sqlc.arg('limit');

-- name: NewestSession :one
SELECT (parliament || '-' || session)::text AS code FROM bills ORDER BY parliament DESC, session DESC LIMIT 1;

-- name: BillStatesOfSession :many
-- What is needed to decide which bills of a session's list must be fetched again.
SELECT id, coalesce(parts -> 'item' ->> 'hash', '')::text AS item_hash,
    coalesce(parts -> 'detail' ->> 'item_hash', '')::text AS detail_hash,
       (law AND doc -> 'statute' = 'null')::boolean AS lacks_chapter
FROM bills WHERE parliament = @parliament AND session = @session;

-- name: LaggingBills :many
-- Bills that are not stored as the newest list has them, those first that lag longest. missing: not stored at all.
SELECT l.bill_id, l.session, l.seen_at, l.latest_activity_at, (b.id IS NULL)::boolean AS missing,
       (b.id IS NOT NULL AND b.parts -> 'item' ->> 'hash' = l.item_hash)::boolean AS lacks_detail,
       coalesce(b.parts -> 'item' ->> 'latest_activity', '')::text AS stored_activity
FROM listed_bills l LEFT JOIN bills b ON b.id = l.bill_id
WHERE b.id IS NULL OR b.parts -> 'item' ->> 'hash' IS DISTINCT FROM l.item_hash
    OR b.parts -> 'detail' ->> 'item_hash' IS DISTINCT FROM l.item_hash
ORDER BY l.seen_at, l.bill_id;

-- name: SessionLists :many
SELECT * FROM session_lists ORDER BY session;

-- name: IncompleteDetails :many
-- Bills whose detail an older reader read, in no order; those first whose record is held, so that nobody need be asked.
SELECT b.id, (r.bill_id IS NOT NULL)::boolean AS recorded
FROM bills b LEFT JOIN bill_records r ON r.bill_id = b.id AND r.item_hash = b.parts -> 'detail' ->> 'item_hash'
WHERE b.parts -> 'detail' <> 'null' AND coalesce((b.parts -> 'detail' ->> 'reader')::integer, 0) < @reader::integer
ORDER BY r.bill_id IS NULL, random() LIMIT sqlc.arg('limit');
