-- name: SaveBillRecord :exec
INSERT INTO bill_records (bill_id, record, item_hash, fetched_at) VALUES (@bill_id, @record, @item_hash, @fetched_at)
ON CONFLICT (bill_id) DO UPDATE SET record = excluded.record, item_hash = excluded.item_hash,
    fetched_at = excluded.fetched_at
WHERE (bill_records.record, bill_records.item_hash) IS DISTINCT FROM (excluded.record, excluded.item_hash);

-- name: BillRecords :many
SELECT * FROM bill_records WHERE bill_id = ANY(@ids::text[]);

-- name: BillRecordFetchedAt :one
SELECT fetched_at FROM bill_records WHERE bill_id = @bill_id;

-- name: BillsByLegisinfoID :many
SELECT id, (doc ->> 'legisinfo_id')::bigint AS legisinfo_id FROM bills
    WHERE (doc ->> 'legisinfo_id')::bigint = ANY(@legisinfo_ids::bigint[]) ORDER BY parliament, session, id;

-- name: BillsReinstatedFrom :many
-- Bills whose record says that they came from this one, the next session's first.
SELECT id, (doc ->> 'legisinfo_id')::bigint AS legisinfo_id FROM bills
WHERE (parts -> 'detail' -> 'reinstated_from' ->> 'id') IS NOT NULL
    AND (parts -> 'detail' -> 'reinstated_from' ->> 'id')::bigint = @legisinfo_id::bigint
ORDER BY parliament, session, id;

-- name: LaterSessionHeld :one
-- Whether a bill of a later session is stored: then this one is over, whatever its records said when they were fetched.
SELECT EXISTS (SELECT FROM bills WHERE (parliament, session) > (@parliament::integer, @session::integer));

-- name: LatestSession :one
-- The session of the latest stored bill; 0, 0 if there is none.
SELECT coalesce(max(latest.parliament), 0)::integer AS parliament, coalesce(max(latest.session), 0)::integer AS session
FROM (SELECT bills.parliament, bills.session FROM bills ORDER BY bills.parliament DESC, bills.session DESC LIMIT 1)
    AS latest;
