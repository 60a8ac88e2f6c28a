-- name: SweepFetchLogs :execrows
DELETE FROM fetch_logs WHERE id IN (SELECT f.id FROM fetch_logs f WHERE f.created_at < @before ORDER BY f.created_at LIMIT @max_rows);

-- name: SweepAudit :execrows
DELETE FROM audit_log WHERE id IN (SELECT a.id FROM audit_log a WHERE a.at < @before ORDER BY a.at LIMIT @max_rows);

-- name: NthFetchLog :one
SELECT created_at FROM fetch_logs ORDER BY created_at DESC OFFSET @newer LIMIT 1;

-- name: NthAudit :one
SELECT at FROM audit_log ORDER BY at DESC OFFSET @newer LIMIT 1;

-- name: TrimFetchLogs :execrows
DELETE FROM fetch_logs WHERE id IN (SELECT f.id FROM fetch_logs f ORDER BY f.created_at DESC, f.id DESC OFFSET @keep LIMIT @max_rows);

-- name: TrimAudit :execrows
DELETE FROM audit_log WHERE id IN (SELECT a.id FROM audit_log a ORDER BY a.at DESC, a.id DESC OFFSET @keep LIMIT @max_rows);
