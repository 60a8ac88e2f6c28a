-- name: InsertFetchLog :exec
INSERT INTO fetch_logs (id, run_id, asset, source, status, records_attempted, records_succeeded, records_failed,
    duration_seconds, params, errors, created_at)
VALUES (@id, sqlc.narg(run_id), @asset, @source, @status, @records_attempted, @records_succeeded, @records_failed,
    @duration_seconds, @params, @errors, @created_at);

-- name: ListFetchLogs :many
SELECT * FROM fetch_logs
WHERE (sqlc.narg(before)::uuid IS NULL OR id < sqlc.narg(before))
  AND (sqlc.narg(status)::text IS NULL OR status = sqlc.narg(status))
  AND (sqlc.narg(source)::text IS NULL OR source = sqlc.narg(source))
  AND (sqlc.narg(run_id)::uuid IS NULL OR run_id = sqlc.narg(run_id))
ORDER BY id DESC LIMIT sqlc.arg('limit');

-- name: FetchLogStats :many
SELECT status, count(*) AS n, avg(duration_seconds)::float8 AS avg_duration,
    sum(records_succeeded)::bigint AS succeeded, sum(records_failed)::bigint AS failed
FROM fetch_logs WHERE created_at >= @since AND created_at < @until GROUP BY status ORDER BY status;

-- name: SweepFetchLogs :execrows
DELETE FROM fetch_logs WHERE id IN (SELECT f.id FROM fetch_logs f WHERE f.created_at < @before ORDER BY f.created_at
    LIMIT sqlc.arg('limit'));

-- name: NthFetchLog :one
SELECT created_at FROM fetch_logs ORDER BY created_at DESC OFFSET @newer LIMIT 1;

-- name: TrimFetchLogs :execrows
DELETE FROM fetch_logs WHERE id IN (SELECT f.id FROM fetch_logs f ORDER BY f.created_at DESC, f.id DESC OFFSET @keep
    LIMIT sqlc.arg('limit'));
