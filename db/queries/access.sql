-- name: InsertKey :exec
INSERT INTO api_keys (id, name, prefix, hash, scope, created_by, created_at, expires_at)
VALUES (@id, @name, @prefix, @hash, @scope, @created_by, @created_at, sqlc.narg(expires_at));

-- name: KeyByHash :one
SELECT * FROM api_keys WHERE hash = @hash;

-- name: KeyByID :one
SELECT * FROM api_keys WHERE id = @id;

-- name: ListKeys :many
SELECT * FROM api_keys ORDER BY id DESC;

-- name: RevokeKey :one
UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = @id RETURNING *;

-- name: KeyUsed :exec
UPDATE api_keys SET last_used_at = now() WHERE id = @id AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute');

-- name: FindSession :one
SELECT data FROM sessions WHERE token = @token AND expiry > now();

-- name: CommitSession :exec
INSERT INTO sessions (token, data, expiry) VALUES (@token, @data, @expiry) ON CONFLICT (token) DO UPDATE SET data = excluded.data, expiry = excluded.expiry;

-- name: DeleteSession :exec
DELETE FROM sessions WHERE token = @token;

-- name: DeleteExpiredSessions :execrows
DELETE FROM sessions WHERE expiry < now();

-- name: InsertAudit :one
INSERT INTO audit_log (at, actor, key_id, operation, method, path, status, remote_address, request_id, client, issuer, subject, claimed_name)
VALUES (now(), @actor, sqlc.narg(key_id), @operation, @method, @path, @status, @remote_address, @request_id, @client, @issuer, @subject, @claimed_name)
RETURNING id;

-- name: CompleteAudit :exec
UPDATE audit_log SET status = @status, actor = @actor, key_id = sqlc.narg(key_id), issuer = @issuer, subject = @subject, claimed_name = @claimed_name WHERE id = @id;

-- name: CountRefused :exec
UPDATE audit_log SET more = @more WHERE id = @id;

-- name: ListAudit :many
SELECT * FROM audit_log
WHERE (sqlc.narg(before)::bigint IS NULL OR id < sqlc.narg(before)) AND (sqlc.narg(actor)::text IS NULL OR actor = sqlc.narg(actor))
  AND (sqlc.narg(operation)::text IS NULL OR operation = sqlc.narg(operation))
ORDER BY id DESC LIMIT @max_rows;
