-- name: AdvisoryLock :exec
SELECT pg_advisory_xact_lock(@key);

-- name: AdvisoryLocks :exec
-- One after the other, in the order in which they are given.
SELECT pg_advisory_xact_lock(key) FROM unnest(@keys::bigint[]) AS key;

-- name: CountSlots :many
SELECT key, count(*) AS n FROM step_slots WHERE key = ANY(@keys::text[]) GROUP BY key;

-- name: CountWaits :many
SELECT k.key::text AS key, count(*) AS n FROM step_waits w, unnest(w.keys) AS k(key) WHERE k.key = ANY(@keys::text[])
    GROUP BY k.key;

-- name: SomebodyWaits :one
SELECT EXISTS (SELECT FROM step_waits WHERE keys && @keys::text[] AND priority <= @priority);

-- name: TakeSlots :exec
INSERT INTO step_slots (key, run_id, asset) SELECT unnest(@keys::text[]), @run_id, @asset ON CONFLICT DO NOTHING;

-- name: WaitForSlot :exec
INSERT INTO step_waits (run_id, asset, priority, keys, since) VALUES (@run_id, @asset, @priority, @keys, @since)
    ON CONFLICT (run_id, asset) DO NOTHING;

-- name: ListWaits :many
SELECT * FROM step_waits ORDER BY priority, id LIMIT 1000;

-- name: StopWaiting :exec
DELETE FROM step_waits WHERE run_id = @run_id AND asset = @asset;

-- name: ReleaseSlots :exec
DELETE FROM step_slots WHERE run_id = @run_id AND asset = @asset;

-- name: ReleaseForgottenSlots :execrows
-- Places of steps that have ended or are gone. Rows that another transaction has locked are skipped: the end of a step
-- locks its places in an order of its own.
DELETE FROM step_slots WHERE (key, run_id, asset) IN (
    SELECT s.key, s.run_id, s.asset FROM step_slots s
    WHERE NOT EXISTS (SELECT FROM steps t WHERE t.run_id = s.run_id AND t.asset = s.asset AND t.status IN ('queued',
        'started', 'up_for_retry'))
    FOR UPDATE SKIP LOCKED);

-- name: QueuePlaces :many
-- For a run's queued steps: how many come before them, among those that wait for a worker, or for the same limits.
SELECT s.asset, coalesce(w.keys, '{}')::text[] AS waits_for,
    (CASE WHEN w.id IS NOT NULL THEN
        (SELECT count(*) FROM step_waits o WHERE o.keys && w.keys AND (o.priority, o.id) <= (w.priority, w.id))
     ELSE (SELECT count(*) FROM river_job o WHERE o.queue = j.queue AND o.state = 'available' AND (o.priority,
         o.scheduled_at, o.id) <= (j.priority, j.scheduled_at, j.id))
     END)::bigint AS position
FROM steps s
LEFT JOIN step_waits w ON w.run_id = s.run_id AND w.asset = s.asset
LEFT JOIN river_job j ON j.id = s.job_id
WHERE s.run_id = @run_id AND s.status = 'queued'
ORDER BY s.asset;

-- name: LatestSteps :many
-- The step of the newest run that had each asset.
SELECT t.run_id, t.asset, t.status FROM unnest(@assets::text[]) AS a(name)
CROSS JOIN LATERAL (SELECT run_id, asset, status FROM steps WHERE asset = a.name ORDER BY run_id DESC LIMIT 1) AS t;

-- name: BlockStep :exec
UPDATE steps SET blocked_by = @blocked_by WHERE run_id = @run_id AND asset = @asset;
