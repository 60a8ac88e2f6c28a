-- name: ListDynamicPartitions :many
SELECT key FROM dynamic_partitions WHERE set = @set ORDER BY key COLLATE "C";

-- name: HasDynamicPartition :one
SELECT EXISTS (SELECT FROM dynamic_partitions WHERE set = @set AND key = @key);

-- name: AddDynamicPartitions :execrows
INSERT INTO dynamic_partitions (set, key, created_at) SELECT @set, unnest(@keys::text[]), @created_at
    ON CONFLICT DO NOTHING;

-- name: ListAssetPartitions :many
SELECT * FROM asset_partitions WHERE asset = @asset;

-- name: ListWholeMaterializations :many
-- The last materialization of an asset by each config, of runs without a partition.
SELECT DISTINCT ON (r.config -> @asset::text) m.run_id, m.created_at, coalesce(r.config -> @asset::text,
    'null')::jsonb AS config
FROM materializations m JOIN runs r ON r.id = m.run_id
WHERE m.asset = @asset::text AND m.partition IS NULL
ORDER BY r.config -> @asset::text, m.id DESC
LIMIT 1000;

-- name: PartitionsRunning :exec
-- Runs of these assets have begun. The rows are locked in the order in which they are given, which is that of
-- LockPartitions.
INSERT INTO asset_partitions (asset, partition, status, run_id) SELECT unnest(@assets::text[]),
    unnest(@partitions::text[]), 'running', unnest(@run_ids::uuid[])
ON CONFLICT (asset, partition) DO UPDATE SET status = 'running', run_id = excluded.run_id;

-- name: PartitionMaterialized :exec
INSERT INTO asset_partitions (asset, partition, status, run_id, materialized_at) VALUES (@asset, @partition,
    'materialized', @run_id, @at)
ON CONFLICT (asset, partition) DO UPDATE SET materialized_at = excluded.materialized_at,
    status = CASE WHEN asset_partitions.run_id = excluded.run_id THEN 'materialized' ELSE asset_partitions.status END;

-- name: LockPartitions :exec
-- What the next statement reads of other runs of the partition then stays true: they wait for this transaction. All
-- partitions that a transaction changes are locked at once and in one order, so that no two wait for each other.
SELECT FROM asset_partitions WHERE asset = ANY(@assets::text[]) AND partition = @partition
    ORDER BY asset COLLATE "C" FOR NO KEY UPDATE;

-- name: PartitionNotMaterialized :exec
-- The run's step failed, or ended without a result: the partition is then what it was before, or running if another
-- run has it. Lock it first, with LockPartitions.
UPDATE asset_partitions SET run_id = coalesce(other.id, asset_partitions.run_id),
    status = CASE WHEN @failed::boolean THEN 'failed' WHEN other.id IS NOT NULL THEN 'running'
        WHEN asset_partitions.materialized_at IS NULL THEN 'missing' ELSE 'materialized' END
FROM (SELECT (
    SELECT r.id FROM runs r JOIN steps s ON s.run_id = r.id AND s.asset = @asset
    WHERE NOT @failed::boolean AND r.partition = @partition AND r.id <> @run_id AND s.status IN ('waiting', 'queued',
        'started', 'up_for_retry')
    ORDER BY r.id DESC LIMIT 1) AS id) AS other
WHERE asset_partitions.asset = @asset AND asset_partitions.partition = @partition
    AND asset_partitions.run_id = @run_id;

-- name: InsertBackfill :exec
WITH b AS (
    INSERT INTO backfills (id, assets, status, concurrency, priority, config, tags, created_by, created_at)
    VALUES (@id, @assets, 'running', @concurrency, @priority, @config, @tags, @created_by, @created_at) RETURNING id
)
INSERT INTO backfill_partitions (backfill_id, ordinal, partition, status)
SELECT b.id, p.ordinal, p.key, 'pending' FROM b, unnest(@partitions::text[]) WITH ORDINALITY AS p(key, ordinal);

-- name: LockBackfill :one
SELECT * FROM backfills WHERE id = @id FOR NO KEY UPDATE;

-- name: GetBackfill :one
SELECT * FROM backfills WHERE id = @id;

-- name: ListBackfills :many
SELECT * FROM backfills
WHERE (sqlc.narg(before)::uuid IS NULL OR id < sqlc.narg(before)) AND (sqlc.narg(status)::text IS NULL
    OR status = sqlc.narg(status))
ORDER BY id DESC LIMIT sqlc.arg('limit');

-- name: CountBackfillPartitions :many
SELECT backfill_id, status, count(*) AS n, count(*) FILTER (WHERE status = 'canceled'
    AND run_id IS NULL) AS not_started FROM backfill_partitions WHERE backfill_id = ANY(@ids::uuid[])
        GROUP BY backfill_id, status;

-- name: NextBackfillPartitions :many
SELECT * FROM backfill_partitions WHERE backfill_id = @backfill_id AND status = 'pending' ORDER BY ordinal
    LIMIT sqlc.arg('limit');

-- name: SetBackfillPartition :exec
UPDATE backfill_partitions SET status = @status, run_id = sqlc.narg(run_id), error = sqlc.narg(error)
    WHERE backfill_id = @backfill_id AND ordinal = @ordinal;

-- name: EndBackfillPartition :exec
UPDATE backfill_partitions SET status = @status WHERE run_id = @run_id AND status = 'running';

-- name: SetBackfillStatus :exec
UPDATE backfills SET status = @status, ended_at = sqlc.narg(ended_at) WHERE id = @id;

-- name: CancelPendingPartitions :exec
UPDATE backfill_partitions SET status = 'canceled' WHERE backfill_id = @id AND status = 'pending';

-- name: ReopenBackfillPartitions :execrows
UPDATE backfill_partitions SET status = 'pending', error = NULL WHERE backfill_id = @id AND status IN ('failure',
    'canceled');

-- name: ListBackfillRuns :many
SELECT run_id::uuid FROM backfill_partitions WHERE backfill_id = @id AND status = 'running' AND run_id IS NOT NULL;

-- name: ListBackfillPartitions :many
SELECT * FROM backfill_partitions
WHERE backfill_id = @backfill_id AND (sqlc.narg(status)::text IS NULL OR status = sqlc.narg(status))
    AND (sqlc.narg(after)::integer IS NULL OR ordinal > sqlc.narg(after))
ORDER BY ordinal LIMIT sqlc.arg('limit');

-- name: ListIdleBackfills :many
-- Backfills with fewer open runs than their concurrency: they should have started more, or ended.
SELECT b.id FROM backfills b
WHERE b.ended_at IS NULL AND b.status IN ('running', 'canceling')
  AND (SELECT count(*) FROM backfill_partitions p WHERE p.backfill_id = b.id AND p.status = 'running')
      < least(b.concurrency, greatest(1, (SELECT count(*) FROM backfill_partitions p WHERE p.backfill_id = b.id
          AND p.status IN ('running', 'pending'))));

-- name: ListOpenBackfills :many
SELECT * FROM backfills WHERE ended_at IS NULL ORDER BY id DESC LIMIT 50;
