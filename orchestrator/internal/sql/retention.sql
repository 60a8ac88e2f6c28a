-- name: NeededRuns :many
-- Runs that have not ended, and those of the last materializations of each asset.
WITH RECURSIVE names AS (
    (SELECT asset FROM materializations ORDER BY asset LIMIT 1)
    UNION ALL
    SELECT (SELECT m.asset FROM materializations m WHERE m.asset > names.asset ORDER BY m.asset LIMIT 1) FROM names
        WHERE names.asset IS NOT NULL
)
SELECT DISTINCT needed.run_id FROM (
    SELECT last.run_id FROM names CROSS JOIN LATERAL (
        SELECT m.run_id FROM materializations m WHERE m.asset = names.asset ORDER BY m.id DESC LIMIT @last
    ) AS last
    UNION ALL
    SELECT id AS run_id FROM runs WHERE status IN ('queued', 'started', 'canceling')
) AS needed;

-- name: SweepRuns :execrows
-- Steps go with their runs.
DELETE FROM runs WHERE id IN (SELECT r.id FROM runs r WHERE r.id < @below AND r.ended_at IS NOT NULL
    AND r.id <> ALL(@needed::uuid[]) ORDER BY r.id LIMIT sqlc.arg('limit'));

-- name: SweepMaterializations :execrows
-- The latest one of a partition stays.
DELETE FROM materializations WHERE id IN (
    SELECT m.id FROM materializations m
    WHERE m.id < @below AND m.run_id <> ALL(@needed::uuid[])
      AND NOT EXISTS (SELECT FROM asset_partitions p WHERE p.asset = m.asset AND p.partition = m.partition
          AND p.run_id = m.run_id)
    ORDER BY m.id LIMIT sqlc.arg('limit'));

-- name: SweepChecks :execrows
-- The latest result of each check stays.
DELETE FROM check_results WHERE id IN (
    SELECT c.id FROM check_results c
    WHERE c.id < @below AND EXISTS (SELECT FROM check_results newer WHERE newer.asset = c.asset
        AND newer.name = c.name AND newer.id > c.id)
    ORDER BY c.id LIMIT sqlc.arg('limit'));

-- name: SweepBackfills :execrows
DELETE FROM backfills WHERE id IN (SELECT b.id FROM backfills b WHERE b.id < @below AND b.ended_at IS NOT NULL
    ORDER BY b.id LIMIT sqlc.arg('limit'));

-- name: SweepTicks :execrows
-- The latest tick of each schedule stays.
DELETE FROM ticks WHERE id IN (
    SELECT t.id FROM ticks t WHERE t.created_at < @before AND EXISTS (SELECT FROM ticks newer
        WHERE newer.schedule = t.schedule AND newer.id > t.id)
    ORDER BY t.created_at LIMIT sqlc.arg('limit'));

-- name: SweepSensorTicks :execrows
DELETE FROM sensor_ticks WHERE id IN (
    SELECT t.id FROM sensor_ticks t WHERE t.last_at < @before AND NOT EXISTS (SELECT FROM sensors s
        WHERE s.last_tick_id = t.id)
    ORDER BY t.last_at LIMIT sqlc.arg('limit'));

-- name: SweepRunKeys :execrows
DELETE FROM run_keys WHERE (sensor, key) IN (SELECT k.sensor, k.key FROM run_keys k WHERE k.created_at < @before
    ORDER BY k.created_at LIMIT sqlc.arg('limit'));

-- name: SweepWebhookEvents :execrows
DELETE FROM webhook_events WHERE id IN (
    SELECT w.id FROM webhook_events w WHERE w.received_at < @before AND w.processed_at IS NOT NULL
        ORDER BY w.received_at LIMIT sqlc.arg('limit'));

-- name: SweepAlerts :execrows
-- Their deliveries go with them.
DELETE FROM alerts WHERE id IN (SELECT a.id FROM alerts a WHERE a.recovered_at < @before ORDER BY a.recovered_at
    LIMIT sqlc.arg('limit'));

-- name: SweepTestDeliveries :execrows
DELETE FROM deliveries WHERE id IN (SELECT d.id FROM deliveries d WHERE d.created_at < @before AND d.alert_id IS NULL
    ORDER BY d.created_at LIMIT sqlc.arg('limit'));

-- name: NthRun :one
-- The run that exactly so many newer runs come after.
SELECT id FROM runs ORDER BY id DESC OFFSET @newer LIMIT 1;

-- name: NthTick :one
SELECT created_at FROM ticks ORDER BY created_at DESC OFFSET @newer LIMIT 1;

-- name: NthSensorTick :one
SELECT last_at FROM sensor_ticks ORDER BY last_at DESC OFFSET @newer LIMIT 1;

-- name: NthWebhookEvent :one
SELECT received_at FROM webhook_events ORDER BY received_at DESC OFFSET @newer LIMIT 1;

-- name: NthRunKey :one
SELECT created_at FROM run_keys ORDER BY created_at DESC OFFSET @newer LIMIT 1;

-- name: NthRecoveredAlert :one
SELECT recovered_at::timestamptz FROM alerts WHERE recovered_at IS NOT NULL ORDER BY recovered_at DESC OFFSET @newer
    LIMIT 1;

-- name: NthTestDelivery :one
SELECT created_at FROM deliveries WHERE alert_id IS NULL ORDER BY created_at DESC OFFSET @newer LIMIT 1;

-- Rows that were made at the same moment differ by id only: a sweep by time deletes all of them or none. The
-- following queries delete the rest of what exceeds the count.

-- name: TrimTicks :execrows
DELETE FROM ticks WHERE id IN (
    SELECT t.id FROM (SELECT id, schedule FROM ticks ORDER BY created_at DESC, id DESC OFFSET @keep) t
    WHERE EXISTS (SELECT FROM ticks newer WHERE newer.schedule = t.schedule AND newer.id > t.id)
    LIMIT sqlc.arg('limit'));

-- name: TrimSensorTicks :execrows
DELETE FROM sensor_ticks WHERE id IN (
    SELECT t.id FROM (SELECT id FROM sensor_ticks ORDER BY last_at DESC, id DESC OFFSET @keep) t
    WHERE NOT EXISTS (SELECT FROM sensors s WHERE s.last_tick_id = t.id) LIMIT sqlc.arg('limit'));

-- name: TrimRunKeys :execrows
DELETE FROM run_keys WHERE (sensor, key) IN (SELECT k.sensor, k.key FROM run_keys k ORDER BY k.created_at DESC,
    k.sensor, k.key OFFSET @keep LIMIT sqlc.arg('limit'));

-- name: TrimWebhookEvents :execrows
DELETE FROM webhook_events WHERE id IN (
    SELECT w.id FROM (SELECT id, processed_at FROM webhook_events ORDER BY received_at DESC, id DESC OFFSET @keep) w
        WHERE w.processed_at IS NOT NULL LIMIT sqlc.arg('limit'));

-- name: TrimAlerts :execrows
DELETE FROM alerts WHERE id IN (SELECT a.id FROM alerts a WHERE a.recovered_at IS NOT NULL
    ORDER BY a.recovered_at DESC, a.id DESC OFFSET @keep LIMIT sqlc.arg('limit'));

-- name: TrimTestDeliveries :execrows
DELETE FROM deliveries WHERE id IN (SELECT d.id FROM deliveries d WHERE d.alert_id IS NULL ORDER BY d.created_at DESC,
    d.id DESC OFFSET @keep LIMIT sqlc.arg('limit'));

-- name: SampleStorage :exec
INSERT INTO storage_samples (day, table_name, bytes, row_count)
SELECT (now() AT TIME ZONE 'UTC')::date, unnest(@names::text[]), unnest(@bytes::bigint[]), unnest(@rows::bigint[])
ON CONFLICT (day, table_name) DO UPDATE SET bytes = excluded.bytes, row_count = excluded.row_count;

-- name: SweepSamples :exec
DELETE FROM storage_samples WHERE day < (now() AT TIME ZONE 'UTC')::date - 400;

-- name: StorageGrowth :many
-- How much each table grew a day, over the last week or for as long as there are samples.
SELECT a.table_name, ((b.bytes - a.bytes)::float8 / (b.day - a.day))::float8 AS bytes_a_day,
    (b.day - a.day)::integer AS days
FROM (SELECT DISTINCT ON (s.table_name) s.table_name, s.day, s.bytes FROM storage_samples s
    WHERE s.day >= (now() AT TIME ZONE 'UTC')::date - 7 ORDER BY s.table_name, s.day) a
JOIN (SELECT DISTINCT ON (s.table_name) s.table_name, s.day, s.bytes FROM storage_samples s ORDER BY s.table_name,
    s.day DESC) b ON b.table_name = a.table_name AND b.day > a.day;

-- name: DatabaseTime :one
SELECT now()::timestamptz AS now;
