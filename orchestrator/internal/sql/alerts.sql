-- name: RaiseAlert :one
-- The channels may be notified of a new alert at once, unless they were notified of its cause within the window.
INSERT INTO alerts (id, cause, severity, title, detail, data, occurrences, opened_at, last_at, tell_at)
VALUES (@id, @cause, @severity, @title, @detail, @data, 1, @at, @at,
        greatest(@at, (SELECT max(a.told_at) FROM alerts a
            WHERE a.cause = @cause) + make_interval(secs => @window_seconds::float8)))
ON CONFLICT (cause) WHERE recovered_at IS NULL DO UPDATE SET
    occurrences = alerts.occurrences + 1, last_at = excluded.last_at, severity = excluded.severity,
        title = excluded.title, detail = excluded.detail, data = excluded.data
RETURNING id, tell_at, told_at;

-- name: MarkAlertTold :execrows
UPDATE alerts SET told_at = @told_at WHERE id = @id AND told_at IS NULL AND recovered_at IS NULL;

-- name: RecoverAlert :one
UPDATE alerts SET recovered_at = @at WHERE cause = @cause AND recovered_at IS NULL RETURNING id, told_at;

-- name: ListUntoldAlerts :many
SELECT id FROM alerts WHERE recovered_at IS NULL AND told_at IS NULL AND tell_at <= @now LIMIT 100;

-- name: GetAlert :one
SELECT * FROM alerts WHERE id = @id;

-- name: ListAlerts :many
SELECT * FROM alerts WHERE (NOT @open_only::boolean OR recovered_at IS NULL) AND (sqlc.narg(before)::uuid IS NULL
    OR id < sqlc.narg(before)) ORDER BY id DESC LIMIT sqlc.arg('limit');

-- name: InsertDelivery :exec
INSERT INTO deliveries (id, alert_id, channel, kind, status, created_at) VALUES (@id, sqlc.narg(alert_id), @channel,
    @kind, 'pending', @created_at);

-- name: GetDelivery :one
SELECT * FROM deliveries WHERE id = @id;

-- name: DeliveryPending :one
SELECT EXISTS (SELECT FROM deliveries WHERE alert_id = @alert_id AND channel = @channel AND kind = @kind
    AND status = 'pending');

-- name: DeliveryAttempted :exec
-- A delivered message stays delivered, however an attempt ends that was taken for lost.
UPDATE deliveries SET status = @status::text, attempts = attempts + 1, message = sqlc.narg(message),
    attempted_at = @at::timestamptz,
    delivered_at = CASE WHEN @status::text = 'delivered' THEN @at::timestamptz END
WHERE id = @id AND status <> 'delivered';

-- name: ListDeliveriesOfAlerts :many
SELECT * FROM deliveries WHERE alert_id = ANY(@alert_ids::uuid[]) ORDER BY id;

-- name: ListDeliveries :many
SELECT * FROM deliveries WHERE (sqlc.narg(channel)::text IS NULL OR channel = sqlc.narg(channel))
    AND (sqlc.narg(before)::uuid IS NULL OR id < sqlc.narg(before)) ORDER BY id DESC LIMIT sqlc.arg('limit');

-- name: ListFreshness :many
SELECT * FROM asset_freshness;

-- name: LockFreshness :one
-- Locks the asset's row, which it makes if there is none yet. What is read after that stays true until the end of the
-- transaction: materializations lock the row too.
INSERT INTO asset_freshness (asset, state, since) VALUES (@asset, 'unknown', @at)
ON CONFLICT (asset) DO UPDATE SET asset = excluded.asset
RETURNING state, since;

-- name: ShareFreshness :exec
-- Makes whoever decides about the freshness of the assets wait for this transaction, and this transaction for them.
SELECT FROM asset_freshness WHERE asset = ANY(@assets::text[]) ORDER BY asset FOR SHARE;

-- name: WaitShortly :exec
-- Until it ends, the transaction fails if it waits for a lock longer than 0.2 s.
SELECT set_config('lock_timeout', '200ms', true);

-- name: SetFreshness :exec
UPDATE asset_freshness SET state = @state, since = @since WHERE asset = @asset;

-- name: InsertCheckResult :exec
INSERT INTO check_results (id, asset, name, run_id, partition, passed, severity, blocking, message, metadata,
    created_at)
VALUES (@id, @asset, @name, @run_id, sqlc.narg(partition), @passed, @severity, @blocking, @message, @metadata,
    @created_at);

-- name: NewerCheckResult :one
-- Whether a check has a result that is newer. Used by LockCheck.
SELECT EXISTS (SELECT FROM check_results WHERE asset = @asset AND name = @name AND id > @id);

-- name: LatestCheckResults :many
-- The results of the checks that began last: an id is of the time when the check began.
SELECT r.* FROM (SELECT unnest(@assets::text[]) AS asset, unnest(@names::text[]) AS name) AS c
CROSS JOIN LATERAL (SELECT * FROM check_results WHERE check_results.asset = c.asset AND check_results.name = c.name
    ORDER BY id DESC LIMIT 1) AS r;

-- name: ListCheckResults :many
SELECT * FROM check_results
WHERE asset = @asset AND (sqlc.narg(name)::text IS NULL OR name = sqlc.narg(name))
    AND (sqlc.narg(before)::uuid IS NULL OR id < sqlc.narg(before))
ORDER BY id DESC LIMIT sqlc.arg('limit');

-- name: ListCheckResultsOfRun :many
SELECT * FROM check_results WHERE run_id = @run_id ORDER BY id;

-- name: CountOpenAlerts :one
SELECT count(*) FROM alerts WHERE recovered_at IS NULL;
