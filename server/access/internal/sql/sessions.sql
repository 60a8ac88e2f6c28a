-- name: FindSession :one
SELECT *, extract(epoch FROM now() - roles_read_at)::float8 AS roles_age FROM sessions
WHERE token = @token AND expiry > now();

-- name: LiveSessions :many
-- The hashed tokens of the newest valid sessions.
SELECT s.token FROM sessions s LEFT JOIN api_keys k ON k.id = s.key_id
WHERE s.expiry > now() AND s.kind IS DISTINCT FROM ''
  AND (s.kind IS DISTINCT FROM 'key'
    OR k.revoked_at IS NULL AND k.id IS NOT NULL AND (k.expires_at IS NULL OR k.expires_at > now()))
ORDER BY s.began_at DESC, s.id DESC LIMIT sqlc.arg('limit');

-- name: InsertSession :exec
INSERT INTO sessions
  (token, data, expiry, id, kind, name, subject, issuer, scope, key_id, address, client, tokens)
VALUES
  (@token, @data, @expiry, @id, @kind, @name, @subject, @issuer, @scope, sqlc.narg(key_id), @address, @client,
   sqlc.narg(tokens));

-- name: SessionSeen :exec
UPDATE sessions SET seen_at = now(), address = @address, client = @client
WHERE token = @token AND seen_at < now() - interval '1 minute';

-- name: UnreadSessions :many
-- Sessions that the previous version of the program began.
SELECT token, data FROM sessions WHERE kind IS NULL AND expiry > now() LIMIT 10000;

-- name: ReadSession :exec
-- Fills in the columns of a session from its data.
UPDATE sessions
SET kind = @kind, name = @name, subject = @subject, issuer = @issuer, scope = @scope, key_id = sqlc.narg(key_id)
WHERE token = @token AND kind IS NULL;

-- name: AskForRoles :execrows
-- Claims the reading of the roles of a session's person for 15 s, so that one server does it at a time.
UPDATE sessions SET roles_asked_until = now() + interval '15 seconds'
WHERE token = @token AND expiry > now() AND roles_read_at = @roles_read_at
  AND (roles_asked_until IS NULL OR roles_asked_until < now());

-- name: RolesNotRead :exec
UPDATE sessions SET roles_asked_until = NULL WHERE token = @token;

-- name: RolesRead :exec
UPDATE sessions
SET data = @data, name = @name, scope = @scope, tokens = sqlc.narg(tokens), roles_read_at = now(),
    roles_asked_until = NULL
WHERE token = @token;

-- name: RescopePerson :exec
-- A person has the same scope in all their sessions.
UPDATE sessions SET scope = @scope
WHERE kind = 'oidc' AND issuer = @issuer AND subject = @subject AND scope <> @scope;

-- name: DeleteSession :execrows
DELETE FROM sessions WHERE token = @token;

-- name: EndSession :one
DELETE FROM sessions WHERE id = @id AND kind <> '' RETURNING *;

-- name: EndPerson :many
DELETE FROM sessions
WHERE (sqlc.narg(subject)::text IS NOT NULL OR sqlc.narg(key_id)::uuid IS NOT NULL)
  AND (sqlc.narg(subject)::text IS NULL OR kind = 'oidc' AND subject = sqlc.narg(subject))
  AND (sqlc.narg(issuer)::text IS NULL OR issuer IN (sqlc.narg(issuer), ''))
  AND (sqlc.narg(key_id)::uuid IS NULL OR kind = 'key' AND key_id = sqlc.narg(key_id))
RETURNING *;

-- name: TrimSessions :exec
-- Ends the oldest sessions of a person or a key that has more than @keep.
DELETE FROM sessions WHERE id IN (
    SELECT s.id FROM sessions s
    WHERE s.kind = @kind AND s.issuer = @issuer AND s.subject = @subject
      AND s.key_id IS NOT DISTINCT FROM sqlc.narg(key_id)::uuid
    ORDER BY s.began_at DESC, s.id DESC OFFSET @keep
);

-- name: ListSessions :many
-- Valid sessions. A session of a key has the scope of the key, and is not valid once the key has ended.
SELECT s.id, s.kind, s.name, s.subject, s.issuer, coalesce(k.scope, s.scope)::text AS scope, s.key_id,
  s.began_at, s.seen_at, least(s.expiry, k.expires_at)::timestamptz AS expires_at, s.address, s.client
FROM sessions s LEFT JOIN api_keys k ON k.id = s.key_id
WHERE s.expiry > now() AND s.kind <> ''
  AND (s.kind <> 'key' OR k.revoked_at IS NULL AND k.id IS NOT NULL
    AND (k.expires_at IS NULL OR k.expires_at > now()))
  AND (sqlc.narg(subject)::text IS NULL OR s.subject = sqlc.narg(subject))
  AND (sqlc.narg(issuer)::text IS NULL OR s.issuer = sqlc.narg(issuer))
  AND (sqlc.narg(key_id)::uuid IS NULL OR s.key_id = sqlc.narg(key_id))
  AND (sqlc.narg(before)::timestamptz IS NULL
    OR (s.began_at, s.id) < (sqlc.narg(before), sqlc.narg(before_id)::uuid))
ORDER BY s.began_at DESC, s.id DESC LIMIT sqlc.arg('limit');

-- name: StandingOf :many
-- The valid ones of these keys and sessions, and their scopes. The roles of a key never get old.
SELECT k.id, k.scope, 0::float8 AS roles_age FROM api_keys k
WHERE k.id = ANY(@keys::uuid[]) AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
UNION ALL
SELECT s.id,
       coalesce(CASE WHEN s.kind = 'key' THEN (
           SELECT k.scope FROM api_keys k
           WHERE k.id = s.key_id AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
       ) ELSE s.scope END, '')::text,
       CASE WHEN s.kind = 'oidc' THEN extract(epoch FROM now() - s.roles_read_at)::float8 ELSE 0 END
FROM sessions s WHERE s.id = ANY(@sessions::uuid[]) AND s.expiry > now();

-- name: DeleteExpiredSessions :execrows
DELETE FROM sessions WHERE expiry < now();
