-- name: GetSchedule :one
SELECT * FROM schedules WHERE name = @name;

-- name: ListSchedules :many
SELECT * FROM schedules;

-- name: SetSchedule :one
-- Starting a running schedule does not change its start time.
INSERT INTO schedules (name, running, changed_at) VALUES (@name, @running, @changed_at)
ON CONFLICT (name) DO UPDATE SET changed_at = CASE WHEN schedules.running = excluded.running THEN schedules.changed_at
    ELSE excluded.changed_at END, running = excluded.running
RETURNING *;

-- name: LockRunningSchedule :one
-- Locked until the end of the tick, so that no run starts after a stop was answered.
SELECT * FROM schedules WHERE name = @name AND running FOR SHARE;

-- name: InsertTick :execrows
INSERT INTO ticks (schedule, kind, scheduled_for, status, run_id, message, created_at)
VALUES (@schedule, @kind, @scheduled_for, @status, sqlc.narg(run_id), sqlc.narg(message), @created_at)
ON CONFLICT (schedule, scheduled_for) WHERE kind <> 'manual' DO NOTHING;

-- name: TickExists :one
SELECT EXISTS (SELECT FROM ticks WHERE schedule = @schedule AND scheduled_for = @scheduled_for AND kind <> 'manual');

-- name: ListTicks :many
SELECT * FROM ticks WHERE schedule = @schedule AND (sqlc.narg(before)::bigint IS NULL OR id < sqlc.narg(before))
    ORDER BY id DESC LIMIT sqlc.arg('limit');

-- name: LatestTicks :many
SELECT t.* FROM unnest(@schedules::text[]) AS s(name)
CROSS JOIN LATERAL (SELECT * FROM ticks WHERE schedule = s.name ORDER BY id DESC LIMIT 1) AS t;
