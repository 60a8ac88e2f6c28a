-- name: InsertRuns :exec
-- Runs, their steps and their first events, and the River jobs of the steps that have max_attempts. Lists of assets are
-- comma-separated names. It does what River's client does when it inserts jobs, in the same statement.
WITH run AS (
    INSERT INTO runs (id, job, assets, partition, status, trigger_kind, trigger_name, config, tags, parent_run_id,
        timeout_seconds, created_at, priority, backfill_id)
    SELECT r.id, nullif(r.job, ''), string_to_array(r.assets, ','), nullif(r.partition, ''), 'queued', r.trigger_kind,
        nullif(r.trigger_name, ''), r.config::jsonb, r.tags::jsonb,
        nullif(r.parent_run_id, '00000000-0000-0000-0000-000000000000'),
        r.timeout_seconds, r.created_at, r.priority, nullif(r.backfill_id, '00000000-0000-0000-0000-000000000000')
    FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@jobs::text[]) AS job, unnest(@assets::text[]) AS assets,
        unnest(@partitions::text[]) AS partition, unnest(@trigger_kinds::text[]) AS trigger_kind,
        unnest(@trigger_names::text[]) AS trigger_name, unnest(@configs::text[]) AS config,
        unnest(@tags::text[]) AS tags, unnest(@parent_run_ids::uuid[]) AS parent_run_id,
        unnest(@timeout_seconds::integer[]) AS timeout_seconds, unnest(@created_ats::timestamptz[]) AS created_at,
        unnest(@priorities::smallint[]) AS priority, unnest(@backfill_ids::uuid[]) AS backfill_id) AS r
), asked AS MATERIALIZED (
    SELECT s.*, CASE WHEN s.max_attempts > 0 THEN nextval('river_job_id_seq') END AS job_id
    FROM (SELECT unnest(@step_run_ids::uuid[]) AS run_id, unnest(@step_assets::text[]) AS asset,
        unnest(@step_upstreams::text[]) AS upstream, unnest(@step_statuses::text[]) AS status,
        unnest(@step_max_attempts::smallint[]) AS max_attempts, unnest(@step_priorities::smallint[]) AS priority,
        unnest(@step_metadatas::text[]) AS metadata) AS s
), job AS (
    INSERT INTO river_job (id, args, kind, max_attempts, metadata, priority, queue, state)
    SELECT job_id, jsonb_build_object('run_id', run_id, 'asset', asset), 'materialize', max_attempts,
        coalesce(nullif(metadata, ''), '{}')::jsonb, priority, 'materialize', 'available'
    FROM asked WHERE max_attempts > 0
), step AS (
    INSERT INTO steps (run_id, asset, upstream, status, job_id)
    SELECT run_id, asset, string_to_array(upstream, ','), status, job_id FROM asked
), event AS (
    INSERT INTO events (run_id, at, type, level, message, data)
    SELECT unnest(@ids::uuid[]), unnest(@created_ats::timestamptz[]), 'run_enqueued', 'info', 'run enqueued',
        unnest(@datas::text[])::jsonb
)
SELECT pg_notify(current_schema() || '.river_insert', '{"queue": "materialize"}')
WHERE EXISTS (SELECT FROM asked WHERE max_attempts > 0);

-- name: GetRun :one
SELECT * FROM runs WHERE id = @id;

-- name: RunChain :many
-- The runs of a chain of retries: those that the run retries, then those that retry the first one or a retry of it.
-- Both parts are bounded.
WITH RECURSIVE retried AS (
    SELECT runs.id, runs.parent_run_id, 0 AS depth FROM runs WHERE runs.id = @id
    UNION ALL
    SELECT runs.id, runs.parent_run_id, retried.depth + 1 FROM retried JOIN runs ON runs.id = retried.parent_run_id
    WHERE retried.depth < 49
), below AS (
    -- By depth, not by id: two servers' clocks may differ.
    (SELECT retried.id FROM retried ORDER BY retried.depth DESC LIMIT 1)
    UNION ALL
    SELECT runs.id FROM below JOIN runs ON runs.parent_run_id = below.id
)
SELECT runs.id, runs.status, runs.created_at FROM runs
WHERE runs.id IN (SELECT retried.id FROM retried UNION (SELECT below.id FROM below LIMIT 50)) ORDER BY runs.id;

-- name: NeighborsInJob :many
-- The runs before and after a run of a job.
(SELECT runs.id FROM runs WHERE runs.job = @job AND runs.id < @id ORDER BY runs.id DESC LIMIT 1)
UNION ALL
(SELECT runs.id FROM runs WHERE runs.job = @job AND runs.id > @id ORDER BY runs.id LIMIT 1);

-- name: NeighborsOfAssets :many
-- The runs before and after a run without a job, of the same assets, among the 200 that are nearest each way.
(SELECT runs.id FROM (
    SELECT steps.run_id FROM steps WHERE steps.asset = @asset AND steps.run_id < @id ORDER BY steps.run_id DESC LIMIT 200
) near JOIN runs ON runs.id = near.run_id
WHERE runs.job IS NULL AND runs.assets = @assets ORDER BY runs.id DESC LIMIT 1)
UNION ALL
(SELECT runs.id FROM (
    SELECT steps.run_id FROM steps WHERE steps.asset = @asset AND steps.run_id > @id ORDER BY steps.run_id LIMIT 200
) near JOIN runs ON runs.id = near.run_id
WHERE runs.job IS NULL AND runs.assets = @assets ORDER BY runs.id LIMIT 1);

-- name: LockRun :one
-- Used by LockRunAndSteps.
SELECT * FROM runs WHERE id = @id FOR NO KEY UPDATE;

-- name: ListRuns :many
SELECT * FROM runs
WHERE (sqlc.narg(before)::uuid IS NULL OR id < sqlc.narg(before))
  AND (sqlc.narg(status)::text IS NULL OR status = sqlc.narg(status))
  AND (sqlc.narg(statuses)::text[] IS NULL OR status = ANY(sqlc.narg(statuses)))
  AND (sqlc.narg(job)::text IS NULL OR job = sqlc.narg(job))
  AND (sqlc.narg(asset)::text IS NULL OR assets @> ARRAY[sqlc.narg(asset)::text]) -- ListRunsOfAsset is faster
  AND (sqlc.narg(partition)::text IS NULL OR partition = sqlc.narg(partition))
  AND (sqlc.narg(backfill_id)::uuid IS NULL OR backfill_id = sqlc.narg(backfill_id))
  AND (sqlc.narg(tags)::jsonb IS NULL OR tags @> sqlc.narg(tags))
  AND (sqlc.narg(created_after)::timestamptz IS NULL OR created_at > sqlc.narg(created_after))
  AND (sqlc.narg(created_before)::timestamptz IS NULL OR created_at < sqlc.narg(created_before))
  -- the same bound on the UUIDv7, for the index
  AND (sqlc.narg(created_ceiling)::uuid IS NULL OR id <= sqlc.narg(created_ceiling))
  -- the same bound on the UUIDv7, for the index
  AND (sqlc.narg(created_floor)::uuid IS NULL OR id >= sqlc.narg(created_floor))
ORDER BY id DESC
LIMIT sqlc.arg('limit');

-- name: ListRunsOfAsset :many
-- ListRuns by way of the asset's steps: fast for an asset of every run and for an asset of few runs.
SELECT runs.* FROM steps JOIN runs ON runs.id = steps.run_id
WHERE (sqlc.narg(before)::uuid IS NULL OR steps.run_id < sqlc.narg(before))
  AND (sqlc.narg(status)::text IS NULL OR runs.status = sqlc.narg(status))
  AND (sqlc.narg(statuses)::text[] IS NULL OR runs.status = ANY(sqlc.narg(statuses)))
  AND (sqlc.narg(job)::text IS NULL OR runs.job = sqlc.narg(job))
  AND steps.asset = sqlc.narg(asset)::text
  AND (sqlc.narg(partition)::text IS NULL OR runs.partition = sqlc.narg(partition))
  AND (sqlc.narg(backfill_id)::uuid IS NULL OR runs.backfill_id = sqlc.narg(backfill_id))
  AND (sqlc.narg(tags)::jsonb IS NULL OR runs.tags @> sqlc.narg(tags))
  AND (sqlc.narg(created_after)::timestamptz IS NULL OR runs.created_at > sqlc.narg(created_after))
  AND (sqlc.narg(created_before)::timestamptz IS NULL OR runs.created_at < sqlc.narg(created_before))
  AND (sqlc.narg(created_ceiling)::uuid IS NULL OR steps.run_id <= sqlc.narg(created_ceiling))
  AND (sqlc.narg(created_floor)::uuid IS NULL OR steps.run_id >= sqlc.narg(created_floor))
ORDER BY steps.run_id DESC
LIMIT sqlc.arg('limit');

-- name: ListSteps :many
SELECT * FROM steps WHERE run_id = @run_id ORDER BY asset;

-- name: ListStepsOfRuns :many
SELECT * FROM steps WHERE run_id = ANY(@run_ids::uuid[]) ORDER BY run_id, asset;

-- name: StartSteps :many
-- Takes steps for a worker. A step is left out if another job has it, if it has ended or its run is canceled, or if
-- another transaction has locked the run. An attempt that had begun already has no recorded end: the answer to its
-- start was lost, or its end was, and its job came back.
WITH run AS (
    SELECT id, status, timeout_seconds FROM runs WHERE id = ANY(@run_ids::uuid[]) ORDER BY id
    FOR NO KEY UPDATE SKIP LOCKED
), asked AS (
    SELECT unnest(@run_ids::uuid[]) AS run_id, unnest(@assets::text[]) AS asset, unnest(@job_ids::bigint[]) AS job_id
), before AS (
    SELECT steps.run_id, steps.asset, steps.attempt
    FROM asked JOIN steps ON steps.run_id = asked.run_id AND steps.asset = asked.asset
    WHERE steps.job_id = asked.job_id AND steps.status = 'started'
), step AS (
    UPDATE steps SET status = 'started', attempt = steps.attempt + 1, worker_id = @worker_id, next_attempt_at = NULL,
        started_at = coalesce(steps.started_at, @at)
    FROM asked JOIN run ON run.id = asked.run_id
    WHERE steps.run_id = asked.run_id AND steps.asset = asked.asset AND steps.job_id = asked.job_id
      AND steps.status IN ('queued', 'up_for_retry', 'started') AND run.status IN ('queued', 'started')
    RETURNING steps.run_id, steps.asset, steps.job_id, steps.attempt, steps.failures
), started AS (
    UPDATE runs SET status = 'started', started_at = @at,
        deadline_at = CASE WHEN run.timeout_seconds > 0 THEN now() + run.timeout_seconds * interval '1 second' END
    FROM run WHERE runs.id = run.id AND run.status = 'queued' AND run.id IN (SELECT step.run_id FROM step)
    RETURNING runs.id
), event AS (
    INSERT INTO events (run_id, at, type, level, asset, attempt, message)
    SELECT e.run_id, @at, e.type, e.level, e.asset, e.attempt, e.message
    FROM (
        SELECT started.id AS run_id, 1 AS ord, 'run_started' AS type, 'info' AS level, NULL::text AS asset,
            NULL::integer AS attempt, 'run started' AS message FROM started
        UNION ALL
        SELECT step.run_id, 2, 'step_requeued', 'warn', step.asset, before.attempt,
            step.asset || ' requeued: what became of its attempt could not be recorded'
        FROM before JOIN step ON step.run_id = before.run_id AND step.asset = before.asset
        UNION ALL
        SELECT step.run_id, 3, 'step_started', 'info', step.asset, step.attempt, step.asset || ' started' FROM step
    ) e ORDER BY e.run_id, e.ord
)
SELECT step.job_id::bigint AS job_id, step.attempt, step.failures, (runs.config -> step.asset)::jsonb AS config,
    runs.partition, runs.tags, runs.job
FROM step JOIN runs ON runs.id = step.run_id;

-- name: FinishStep :exec
-- The caller holds the run's row lock and has seen that the step is still this attempt's.
UPDATE steps SET status = @status, failures = failures + @failed::integer, ended_at = sqlc.narg(ended_at),
    next_attempt_at = sqlc.narg(next_attempt_at),
    error = sqlc.narg(error), worker_id = CASE WHEN @status = 'queued' THEN NULL ELSE worker_id END
WHERE run_id = @run_id AND asset = @asset;

-- name: SetStepStatus :exec
UPDATE steps SET status = @status, ended_at = sqlc.narg(ended_at), job_id = coalesce(sqlc.narg(job_id), job_id),
    error = coalesce(sqlc.narg(error), error)
WHERE run_id = @run_id AND asset = @asset;

-- name: RequeueStep :exec
UPDATE steps SET status = 'queued', job_id = @job_id, losses = losses + 1, worker_id = NULL
WHERE run_id = @run_id AND asset = @asset;

-- name: ReplaceStepJob :exec
-- Another job for a step that is between two attempts.
UPDATE steps SET job_id = @job_id WHERE run_id = @run_id AND asset = @asset;

-- name: SetRunStatus :exec
UPDATE runs SET status = @status, ended_at = sqlc.narg(ended_at), canceled_by = coalesce(sqlc.narg(canceled_by),
    canceled_by), error = coalesce(sqlc.narg(error), error)
WHERE id = @id;

-- name: InsertMaterialization :exec
INSERT INTO materializations (id, asset, partition, run_id, attempt, metadata, created_at)
VALUES (@id, @asset, sqlc.narg(partition), @run_id, @attempt, @metadata, @created_at);

-- name: ListMaterializations :many
SELECT * FROM materializations
WHERE asset = @asset AND (sqlc.narg(before)::uuid IS NULL OR id < sqlc.narg(before))
  AND (sqlc.narg(partition)::text IS NULL OR partition = sqlc.narg(partition))
ORDER BY id DESC LIMIT sqlc.arg('limit');

-- name: ListMaterializationsOfRun :many
SELECT * FROM materializations WHERE run_id = @run_id ORDER BY id;

-- name: LatestMaterializations :many
SELECT m.* FROM unnest(@assets::text[]) AS a(name)
CROSS JOIN LATERAL (SELECT * FROM materializations WHERE asset = a.name ORDER BY id DESC LIMIT 1) AS m;

-- name: ListRunsPastDeadline :many
SELECT id FROM runs WHERE deadline_at < @at AND ended_at IS NULL AND status = 'started' LIMIT 100;

-- name: ListStepJobsOfWorker :many
-- The jobs of the steps that a worker runs.
SELECT steps.job_id::bigint FROM steps JOIN runs ON runs.id = steps.run_id
WHERE steps.worker_id = @worker_id AND steps.status = 'started' AND steps.job_id IS NOT NULL
    AND runs.status <> 'canceling';

-- name: ListAbandonedSteps :many
-- Started steps of a run that no live worker runs. While the server has not been
-- up for long, no worker had time to send a heartbeat.
SELECT s.asset, coalesce(s.worker_id, '')::text AS worker_id FROM steps s LEFT JOIN workers w ON w.id = s.worker_id
WHERE s.run_id = @run_id AND s.status = 'started'
  AND (w.id IS NULL OR w.lost_at IS NOT NULL OR w.beat_at < now() - make_interval(secs => @dead_after::float8)
      AND pg_postmaster_start_time() < now() - make_interval(secs => @dead_after::float8));

-- name: ListAbandonedRuns :many
-- Canceling runs with steps that no live worker runs.
SELECT r.id FROM runs r WHERE r.status = 'canceling' AND EXISTS (
    SELECT FROM steps s LEFT JOIN workers w ON w.id = s.worker_id
    WHERE s.run_id = r.id AND s.status = 'started' AND (w.id IS NULL OR w.lost_at IS NOT NULL
        OR w.beat_at < now() - make_interval(secs => @dead_after::float8)))
LIMIT 100;

-- name: InsertIdempotencyKey :execrows
INSERT INTO idempotency_keys (key, fingerprint, run_id, created_at) VALUES (@key, @fingerprint, @run_id, @created_at)
ON CONFLICT (key) DO NOTHING;

-- name: ClaimIdempotencyKeys :many
-- Claims keys and returns the runs whose keys were free. All transactions claim keys in one order. One that waits for
-- another, which has claimed one of the keys and has not ended, fails as after WaitShortly.
WITH patience AS MATERIALIZED (SELECT set_config('lock_timeout', '200ms', true) AS is_set)
INSERT INTO idempotency_keys (key, fingerprint, run_id, created_at)
SELECT k.key, k.fingerprint, k.run_id, k.created_at
FROM (SELECT unnest(@keys::text[]) AS key, unnest(@fingerprints::bytea[]) AS fingerprint,
    unnest(@run_ids::uuid[]) AS run_id, unnest(@created_ats::timestamptz[]) AS created_at) AS k
CROSS JOIN patience
ORDER BY k.key, k.run_id
ON CONFLICT (key) DO NOTHING
RETURNING run_id;

-- name: GetIdempotencyKey :one
SELECT * FROM idempotency_keys WHERE key = @key;

-- name: DeleteIdempotencyKeys :execrows
DELETE FROM idempotency_keys WHERE created_at < @before;

-- name: AnyOpenRun :one
-- Whether a run that has not ended has one of the assets.
SELECT EXISTS (SELECT FROM runs WHERE status IN ('queued', 'started', 'canceling') AND assets && @assets::text[]) AS running;

-- name: LockFreeRuns :many
-- Used by LockFreeRunsAndSteps.
SELECT * FROM runs WHERE id = ANY(@ids::uuid[]) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED;

-- name: FinishSteps :exec
-- FinishStep for attempts that succeeded.
UPDATE steps SET status = 'success', ended_at = f.ended_at, next_attempt_at = NULL, error = NULL
FROM (SELECT unnest(@run_ids::uuid[]) AS run_id, unnest(@assets::text[]) AS asset,
    unnest(@ended_ats::timestamptz[]) AS ended_at) AS f
WHERE steps.run_id = f.run_id AND steps.asset = f.asset;

-- name: QueueSteps :exec
-- Steps that waited for others are ready, and have jobs.
UPDATE steps SET status = 'queued', job_id = s.job_id
FROM (SELECT unnest(@run_ids::uuid[]) AS run_id, unnest(@assets::text[]) AS asset,
    unnest(@jobs::bigint[]) AS job_id) AS s
WHERE steps.run_id = s.run_id AND steps.asset = s.asset;

-- name: EndRuns :exec
-- SetRunStatus for several runs.
UPDATE runs SET status = e.status, ended_at = e.ended_at, error = nullif(e.error, '')::jsonb
FROM (SELECT unnest(@ids::uuid[]) AS id, unnest(@statuses::text[]) AS status,
    unnest(@ended_ats::timestamptz[]) AS ended_at, unnest(@errors::text[]) AS error) AS e
WHERE runs.id = e.id;

-- name: InsertMaterializations :exec
INSERT INTO materializations (id, asset, run_id, attempt, metadata, created_at)
SELECT unnest(@ids::uuid[]), unnest(@assets::text[]), unnest(@run_ids::uuid[]), unnest(@attempts::integer[]),
    unnest(@metadatas::text[])::jsonb, unnest(@created_ats::timestamptz[]);

-- name: CompleteJobs :exec
-- The River jobs of attempts that succeeded, as River completes them.
UPDATE river_job SET state = 'completed', finalized_at = now()
WHERE id = ANY(@ids::bigint[]) AND state = 'running';
