-- name: NextSensor :one
-- How many seconds it takes until a sensor is due; 0: one is due, -1: none runs. One that is being evaluated is looked
-- at again a second later.
SELECT (CASE WHEN count(*) = 0 THEN -1 ELSE greatest(0, extract(epoch FROM min(CASE WHEN lease IS NULL THEN next_at
    ELSE greatest(next_at, least(lease_until, now() + interval '1 second')) END) - now())) END)::float8 AS seconds
FROM sensors WHERE running AND name = ANY(@names::text[]);

-- name: ClaimDueSensors :many
UPDATE sensors SET lease = gen_random_uuid(), lease_until = now() + make_interval(secs => @lease_seconds::float8),
    lease_by = @lease_by, again = false
WHERE name IN (
    SELECT s.name FROM sensors s
    WHERE s.running AND s.name = ANY(@names::text[]) AND s.next_at <= now() AND (s.lease IS NULL
        OR s.lease_until < now())
    FOR UPDATE SKIP LOCKED)
RETURNING *;

-- name: ClaimSensor :one
-- Claims the sensor, whether it is running or not.
UPDATE sensors SET lease = gen_random_uuid(), lease_until = now() + make_interval(secs => @lease_seconds::float8),
    lease_by = @lease_by, again = false
WHERE name = @name AND (lease IS NULL OR lease_until < now())
RETURNING *;

-- name: ClaimOrAskSensor :one
-- A process that evaluates the sensor already evaluates it once more: again is then true, and the lease is not this
-- process's.
UPDATE sensors SET again = coalesce(lease_until >= now(), false),
    lease = CASE WHEN lease_until >= now() THEN lease ELSE gen_random_uuid() END,
    lease_by = CASE WHEN lease_until >= now() THEN lease_by ELSE @lease_by END,
    lease_until = CASE WHEN lease_until >= now() THEN lease_until
        ELSE now() + make_interval(secs => @lease_seconds::float8) END
WHERE name = @name AND running
RETURNING *;

-- name: FreeSensorsOfDeadWorkers :execrows
-- A worker that is not in the list has stopped. Servers without a worker are never in it; their leases expire.
-- The sensors are due at once.
UPDATE sensors SET lease = NULL, lease_until = NULL, lease_by = NULL, next_at = now()
WHERE lease IS NOT NULL AND EXISTS (SELECT FROM workers w WHERE w.id = lease_by
    AND (w.lost_at IS NOT NULL OR w.beat_at < now() - make_interval(secs => @dead_after::float8)));

-- name: FreeSensorsOfWorker :exec
UPDATE sensors SET lease = NULL, lease_until = NULL, lease_by = NULL, next_at = now() WHERE lease_by = @lease_by;

-- name: FreeSensor :exec
UPDATE sensors SET lease = NULL, lease_until = NULL, lease_by = NULL WHERE name = @name AND lease = @lease;

-- name: LockSensor :one
SELECT * FROM sensors WHERE name = @name AND lease = @lease FOR UPDATE;

-- name: LockRunningSensor :one
-- Locked until the end of the transaction, so that no event is taken after a stop was answered.
SELECT * FROM sensors WHERE name = @name AND running FOR SHARE;

-- name: RunningSensorCursor :one
SELECT cursor FROM sensors WHERE name = @name AND running;

-- name: ReleaseSensor :exec
-- Due again an interval after it was due, or after now if it was evaluated early.
UPDATE sensors SET lease = NULL, lease_until = NULL, lease_by = NULL, again = false, cursor = sqlc.narg(cursor),
    last_tick_id = @last_tick_id,
    next_at = CASE WHEN again THEN now() ELSE least(greatest(next_at + make_interval(secs => @seconds::float8),
        now()), now() + make_interval(secs => @seconds)) END
WHERE name = @name;

-- name: RecordSkips :exec
-- Evaluations that were skipped as the ones before them: one statement for all.
WITH s AS (
    SELECT unnest(@names::text[]) AS name, unnest(@leases::uuid[]) AS lease, unnest(@ticks::bigint[]) AS tick,
        unnest(@cursors::text[]) AS cursor, unnest(@seconds::float8[]) AS seconds
), freed AS (
    UPDATE sensors SET lease = NULL, lease_until = NULL, lease_by = NULL, again = false, cursor = nullif(s.cursor,
        ''),
        next_at = CASE WHEN again THEN now() ELSE least(greatest(next_at + make_interval(secs => s.seconds), now()),
            now() + make_interval(secs => s.seconds)) END
    FROM s WHERE sensors.name = s.name AND sensors.lease = s.lease
    RETURNING s.tick
)
UPDATE sensor_ticks SET evaluations = evaluations + 1, last_at = now() FROM freed WHERE sensor_ticks.id = freed.tick;

-- name: InsertSensorTick :one
INSERT INTO sensor_ticks (sensor, kind, status, run_ids, repeated_keys, message, cursor, duration_seconds,
    evaluations, created_at, last_at)
VALUES (@sensor, @kind, @status, @run_ids, @repeated_keys, sqlc.narg(message), sqlc.narg(cursor), @duration_seconds,
    1, @created_at, @created_at)
RETURNING *;

-- name: InsertRunKey :execrows
INSERT INTO run_keys (sensor, key, run_id, created_at) VALUES (@sensor, @key, @run_id, @created_at)
    ON CONFLICT DO NOTHING;

-- name: UsedRunKeys :many
SELECT key FROM run_keys WHERE sensor = @sensor AND key = ANY(@keys::text[]);

-- name: ListRunKeys :many
SELECT key, run_id, created_at FROM run_keys
WHERE sensor = @sensor
  AND (sqlc.narg(key)::text IS NULL OR key = sqlc.narg(key))
  AND (sqlc.narg(prefix)::text IS NULL OR key LIKE sqlc.narg(prefix))
  AND (NOT @before::boolean OR (created_at, key) < (@before_at::timestamptz, @before_key::text))
ORDER BY created_at DESC, key DESC LIMIT sqlc.arg('limit');

-- name: ForgetRunKey :one
DELETE FROM run_keys WHERE sensor = @sensor AND key = @key RETURNING key, run_id, created_at;

-- name: ListSensors :many
SELECT * FROM sensors;

-- name: SensorTicksByID :many
SELECT * FROM sensor_ticks WHERE id = ANY(@ids::bigint[]);

-- name: SetSensor :exec
-- Starting a running sensor does not change its start time. One that never ran begins at the given cursor.
INSERT INTO sensors (name, running, changed_at, cursor, next_at) VALUES (@name, @running, @changed_at,
    sqlc.narg(begin), @changed_at)
ON CONFLICT (name) DO UPDATE SET
    changed_at = CASE WHEN sensors.running = excluded.running THEN sensors.changed_at ELSE excluded.changed_at END,
    next_at = CASE WHEN sensors.running = excluded.running THEN sensors.next_at ELSE excluded.next_at END,
    running = excluded.running;

-- name: EnsureSensor :exec
INSERT INTO sensors (name, running, changed_at, cursor, next_at) VALUES (@name, false, @at, sqlc.narg(begin), @at)
    ON CONFLICT DO NOTHING;

-- name: SetSensorCursor :exec
-- An evaluation in progress uses the old cursor, and is discarded.
INSERT INTO sensors (name, running, changed_at, cursor, next_at) VALUES (@name, false, @at, sqlc.narg(cursor), @at)
ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor, lease = NULL, lease_until = NULL, lease_by = NULL,
    next_at = excluded.next_at;

-- name: ListSensorTicks :many
SELECT * FROM sensor_ticks WHERE sensor = @sensor AND (sqlc.narg(before)::bigint IS NULL OR id < sqlc.narg(before))
    ORDER BY id DESC LIMIT sqlc.arg('limit');

-- name: InsertWebhookEvent :execrows
INSERT INTO webhook_events (sensor, webhook_id, content_type, body, received_at) VALUES (@sensor, @webhook_id,
    @content_type, @body, @received_at) ON CONFLICT DO NOTHING;

-- name: ListOpenWebhookEvents :many
SELECT * FROM webhook_events WHERE sensor = @sensor AND processed_at IS NULL ORDER BY id LIMIT sqlc.arg('limit');

-- name: CloseWebhookEvents :exec
UPDATE webhook_events SET processed_at = @at WHERE sensor = @sensor AND webhook_id = ANY(@webhook_ids::text[]);

-- name: ListSignals :many
-- The events that sensors wait for, in the order in which they became visible; see ListEventsAfter.
SELECT * FROM events
WHERE type IN ('materialization', 'run_success', 'run_failure', 'run_canceled') AND type = ANY(@types::text[])
  AND (coalesce(cardinality(@assets::text[]), 0) = 0 OR asset = ANY(@assets::text[]))
  AND (xid, id) > (@after_xid::xid8, @after_id::bigint) AND xid < log_horizon()
ORDER BY xid, id LIMIT sqlc.arg('limit');

-- name: SignalsHidden :one
-- Whether there are events that ListSignals holds back because an older transaction is open.
SELECT EXISTS (SELECT FROM events
    WHERE type IN ('materialization', 'run_success', 'run_failure', 'run_canceled') AND type = ANY(@types::text[])
      AND (coalesce(cardinality(@assets::text[]), 0) = 0 OR asset = ANY(@assets::text[])) AND xid >= log_horizon());
