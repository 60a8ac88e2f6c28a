-- name: InsertEvents :exec
-- Takes the run's row lock (which its caller may hold already), so that ids of one run become visible in order.
WITH run AS (SELECT r.id FROM runs AS r WHERE r.id = @run_id FOR NO KEY UPDATE)
INSERT INTO events (run_id, at, type, level, asset, attempt, message, data)
SELECT run.id, e.at, e.type, e.level, nullif(e.asset, ''), nullif(e.attempt, 0), e.message, nullif(e.data, '')::jsonb
FROM run, (SELECT unnest(@ats::timestamptz[]) AS at, unnest(@types::text[]) AS type, unnest(@levels::text[]) AS level,
    unnest(@assets::text[]) AS asset,
                  unnest(@attempts::integer[]) AS attempt, unnest(@messages::text[]) AS message,
                      unnest(@datas::text[]) AS data) AS e;

-- name: InsertStepEvents :exec
-- What an attempt reports while it runs. Nothing is written once it has ended: a worker that was frozen must not add
-- to a step that was given to another, or to a run that has ended. Locks the run and then the step, as ends do.
WITH run AS (SELECT r.id FROM runs AS r WHERE r.id = @run_id FOR NO KEY UPDATE),
     step AS (SELECT s.run_id FROM run JOIN steps AS s ON s.run_id = run.id WHERE s.asset = @asset
         AND s.attempt = @attempt AND s.status = 'started' AND s.job_id = @job_id FOR NO KEY UPDATE OF s)
INSERT INTO events (run_id, at, type, level, asset, attempt, message, data)
SELECT step.run_id, e.at, e.type, e.level, @asset, @attempt, e.message, nullif(e.data, '')::jsonb
FROM step, (SELECT unnest(@ats::timestamptz[]) AS at, unnest(@types::text[]) AS type,
    unnest(@levels::text[]) AS level,
                   unnest(@messages::text[]) AS message, unnest(@datas::text[]) AS data) AS e;

-- name: WrittenStepEvents :many
-- Which of the events that an attempt reported at these times are written. No two of them have the same time.
SELECT at FROM events WHERE run_id = @run_id AND asset = @asset AND attempt = @attempt AND type IN ('log', 'progress')
    AND at = ANY(@ats::timestamptz[]);

-- name: ListRunEvents :many
-- since, a moment before the run, keeps older partitions from being searched.
SELECT * FROM events WHERE run_id = @run_id AND id > @after AND at >= @since ORDER BY id LIMIT sqlc.arg('limit');

-- name: ListRunEventsNewestFirst :many
SELECT * FROM events WHERE run_id = @run_id AND (sqlc.narg(before)::bigint IS NULL OR id < sqlc.narg(before))
    AND at >= @since ORDER BY id DESC LIMIT sqlc.arg('limit');

-- name: ListEventsAfter :many
-- All runs, in the order of (xid, id), up to the oldest transaction that is still open: nothing can appear before what
-- was read.
SELECT * FROM events
WHERE (xid, id) > (@after_xid::xid8, @after_id::bigint) AND xid < log_horizon()
ORDER BY xid, id LIMIT sqlc.arg('limit');

-- name: NotifyRuns :exec
SELECT pg_notify('explorer_runs', unnest(@payloads::text[]));

-- name: InsertEventsOfRuns :exec
-- InsertEvents for several runs, whose locks the caller holds.
INSERT INTO events (run_id, at, type, level, asset, attempt, message, data)
SELECT e.run_id, e.at, e.type, e.level, nullif(e.asset, ''), nullif(e.attempt, 0), e.message, nullif(e.data, '')::jsonb
FROM (SELECT unnest(@run_ids::uuid[]) AS run_id, unnest(@ats::timestamptz[]) AS at, unnest(@types::text[]) AS type,
    unnest(@levels::text[]) AS level, unnest(@assets::text[]) AS asset, unnest(@attempts::integer[]) AS attempt,
    unnest(@messages::text[]) AS message, unnest(@datas::text[]) AS data) AS e;
