-- +goose Up
CREATE TABLE bills (
    id            text PRIMARY KEY, -- "44-1/C-11"
    parliament    integer NOT NULL,
    session       integer NOT NULL,
    prefix        text NOT NULL,    -- number, taken apart so that C-2 sorts before C-10 and C-10 before C-10A
    digits        integer NOT NULL,
    suffix        text NOT NULL,
    introduced_on date,
    status_code   text,
    law           boolean NOT NULL,
    search        text NOT NULL,    -- number and titles, lower case, for q
    doc           jsonb NOT NULL,   -- the bill as the API gives it, without the columns below
    content_hash  bytea NOT NULL,   -- of doc
    parts         jsonb NOT NULL,   -- what each source gave, so that one can be merged again without asking the other
    version       integer NOT NULL,
    openparliament_at timestamptz,  -- when the record held was fetched from the source
    legisinfo_at  timestamptz,
    first_seen_at timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    last_run_id   uuid
);
-- Lists run latest introduced first, then by session and number; a bill nobody dated comes last.
CREATE INDEX bills_list_idx ON bills (coalesce(introduced_on, '0001-01-01') DESC, prefix, digits, suffix, id);
CREATE INDEX bills_session_idx ON bills (parliament, session, coalesce(introduced_on, '0001-01-01') DESC, prefix, digits, suffix, id);
CREATE INDEX bills_updated_idx ON bills (updated_at);
CREATE INDEX bills_status_idx ON bills (status_code);

CREATE TABLE bill_versions (
    bill_id    text NOT NULL REFERENCES bills ON DELETE CASCADE,
    version    integer NOT NULL,
    changes    jsonb NOT NULL, -- [{field, from, to}]; empty for version 1
    run_id     uuid,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (bill_id, version)
);
CREATE INDEX bill_versions_run_idx ON bill_versions (run_id);

CREATE TABLE fetch_logs (
    id                uuid PRIMARY KEY,
    run_id            uuid,
    asset             text NOT NULL,
    source            text NOT NULL,
    status            text NOT NULL CHECK (status IN ('success', 'partial_success', 'failure', 'source_unavailable')),
    records_attempted integer NOT NULL,
    records_succeeded integer NOT NULL,
    records_failed    integer NOT NULL,
    duration_seconds  double precision NOT NULL,
    params            jsonb NOT NULL,
    errors            jsonb NOT NULL,
    created_at        timestamptz NOT NULL
);
CREATE INDEX fetch_logs_created_idx ON fetch_logs (created_at);
CREATE INDEX fetch_logs_run_idx ON fetch_logs (run_id);

-- Shared politeness. Losing these on a crash costs nothing, so they are not written to the WAL.
CREATE UNLOGGED TABLE source_limits (
    source  text PRIMARY KEY,
    next_at timestamptz NOT NULL -- when the next request may go out
);
CREATE UNLOGGED TABLE source_slots (
    source text NOT NULL,
    slot   integer NOT NULL,
    held_until timestamptz NOT NULL,
    PRIMARY KEY (source, slot)
);

-- +goose Down
DROP TABLE source_slots, source_limits, fetch_logs, bill_versions, bills;
