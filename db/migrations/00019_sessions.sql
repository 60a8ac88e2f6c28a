-- +goose Up
-- Sessions say whose they are, so that an admin can list and end them. Programs of the version before fill in token, data
-- and expiry alone: kind is NULL then, and data says the rest.
ALTER TABLE sessions
    ADD COLUMN id                uuid NOT NULL DEFAULT gen_random_uuid(), -- not the token: admins see it
    ADD COLUMN kind              text,                                    -- key or oidc; empty: nobody's
    ADD COLUMN name              text NOT NULL DEFAULT '',
    ADD COLUMN subject           text NOT NULL DEFAULT '',
    ADD COLUMN issuer            text NOT NULL DEFAULT '',
    ADD COLUMN scope             text NOT NULL DEFAULT '',
    ADD COLUMN key_id            uuid,
    ADD COLUMN began_at          timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN seen_at           timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN address           text NOT NULL DEFAULT '',
    ADD COLUMN client            text NOT NULL DEFAULT '',
    ADD COLUMN roles_read_at     timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN roles_asked_until timestamptz, -- a server reads the roles just now
    ADD COLUMN tokens            bytea;       -- of the provider, sealed with the session's token
CREATE UNIQUE INDEX sessions_id_idx ON sessions (id);
CREATE INDEX sessions_began_idx ON sessions (began_at, id);
CREATE INDEX sessions_person_idx ON sessions (subject, issuer) WHERE kind = 'oidc';
CREATE INDEX sessions_key_idx ON sessions (key_id) WHERE kind = 'key';
CREATE INDEX sessions_unread_idx ON sessions (token) WHERE kind IS NULL;

-- +goose Down
DROP INDEX sessions_unread_idx, sessions_key_idx, sessions_person_idx, sessions_began_idx, sessions_id_idx;
ALTER TABLE sessions
    DROP COLUMN id, DROP COLUMN kind, DROP COLUMN name, DROP COLUMN subject, DROP COLUMN issuer, DROP COLUMN scope, DROP COLUMN key_id,
    DROP COLUMN began_at, DROP COLUMN seen_at, DROP COLUMN address, DROP COLUMN client, DROP COLUMN roles_read_at,
    DROP COLUMN roles_asked_until, DROP COLUMN tokens;
