-- The part of River's schema that our own queries touch; River migrates the real tables. sqlc reads this file, nothing else does.
CREATE TABLE river_job (
    id bigserial PRIMARY KEY,
    state text NOT NULL,
    attempt smallint NOT NULL,
    max_attempts smallint NOT NULL,
    attempted_at timestamptz,
    scheduled_at timestamptz NOT NULL,
    finalized_at timestamptz,
    queue text NOT NULL,
    priority smallint NOT NULL,
    kind text NOT NULL,
    args jsonb NOT NULL,
    attempted_by text[]
);
