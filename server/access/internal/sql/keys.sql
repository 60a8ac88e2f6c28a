-- name: InsertKey :exec
INSERT INTO api_keys (id, name, prefix, hash, scope, created_by, created_at, expires_at)
VALUES (@id, @name, @prefix, @hash, @scope, @created_by, @created_at, sqlc.narg(expires_at));

-- name: KeyByHash :one
SELECT * FROM api_keys WHERE hash = @hash;

-- name: KeyByID :one
SELECT * FROM api_keys WHERE id = @id;

-- name: ListKeys :many
SELECT * FROM api_keys ORDER BY id DESC;

-- name: LiveKeys :many
-- The hashes of the valid keys.
SELECT hash FROM api_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now());

-- name: RevokeKey :one
UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = @id RETURNING *;

-- name: KeyUsed :exec
UPDATE api_keys SET last_used_at = now()
WHERE id = @id AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute');
