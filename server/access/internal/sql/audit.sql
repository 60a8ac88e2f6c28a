-- name: InsertAudit :one
INSERT INTO audit_log
  (at, actor, key_id, operation, method, path, status, remote_address, request_id, client, issuer, subject,
   claimed_name)
VALUES
  (now(), @actor, sqlc.narg(key_id), @operation, @method, @path, @status, @remote_address, @request_id, @client,
   @issuer, @subject, @claimed_name)
RETURNING id;

-- name: CompleteAudit :exec
UPDATE audit_log
SET status = @status, actor = @actor, key_id = sqlc.narg(key_id), issuer = @issuer, subject = @subject,
    claimed_name = @claimed_name
WHERE id = @id;

-- name: CountRefused :exec
UPDATE audit_log SET more = @more WHERE id = @id;

-- name: ListAudit :many
SELECT * FROM audit_log
WHERE (sqlc.narg(before)::bigint IS NULL OR id < sqlc.narg(before))
  AND (sqlc.narg(actor)::text IS NULL OR actor = sqlc.narg(actor))
  AND (sqlc.narg(operation)::text IS NULL OR operation = sqlc.narg(operation))
ORDER BY id DESC LIMIT sqlc.arg('limit');

-- name: SweepAudit :execrows
DELETE FROM audit_log
WHERE id IN (SELECT a.id FROM audit_log a WHERE a.at < @before ORDER BY a.at LIMIT sqlc.arg('limit'));

-- name: NthAudit :one
SELECT at FROM audit_log ORDER BY at DESC OFFSET @newer LIMIT 1;

-- name: TrimAudit :execrows
DELETE FROM audit_log
WHERE id IN (SELECT a.id FROM audit_log a ORDER BY a.at DESC, a.id DESC OFFSET @keep LIMIT sqlc.arg('limit'));
