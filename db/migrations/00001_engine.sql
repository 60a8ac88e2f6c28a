-- +goose Up
-- The engine's own tables. River's tables stand beside them and are migrated by the same command.

CREATE TABLE runs (
    id              uuid PRIMARY KEY, -- UUIDv7: newest first is ORDER BY id DESC
    job             text,             -- null: assets materialized by themselves
    assets          text[] NOT NULL,
    partition       text,
    status          text NOT NULL CHECK (status IN ('queued', 'started', 'success', 'failure', 'canceling', 'canceled')),
    trigger_kind    text NOT NULL,
    trigger_name    text,
    config          jsonb NOT NULL, -- {asset: config}, defaults filled in
    tags            jsonb NOT NULL,
    parent_run_id   uuid REFERENCES runs ON DELETE SET NULL,
    timeout_seconds integer NOT NULL DEFAULT 0,
    created_at      timestamptz NOT NULL,
    started_at      timestamptz,
    ended_at        timestamptz,
    deadline_at     timestamptz,
    canceled_by     text,
    error           jsonb
);
CREATE INDEX runs_job_idx ON runs (job, id DESC) WHERE job IS NOT NULL;
CREATE INDEX runs_status_idx ON runs (status, id DESC);
CREATE INDEX runs_assets_idx ON runs USING gin (assets);
CREATE INDEX runs_tags_idx ON runs USING gin (tags jsonb_path_ops);
CREATE INDEX runs_partition_idx ON runs (partition, id DESC) WHERE partition IS NOT NULL;
CREATE INDEX runs_parent_idx ON runs (parent_run_id) WHERE parent_run_id IS NOT NULL;
CREATE INDEX runs_deadline_idx ON runs (deadline_at) WHERE ended_at IS NULL AND deadline_at IS NOT NULL;

CREATE TABLE steps (
    run_id          uuid NOT NULL REFERENCES runs ON DELETE CASCADE,
    asset           text NOT NULL,
    upstream        text[] NOT NULL, -- the steps of this run that must succeed first
    status          text NOT NULL CHECK (status IN ('waiting', 'queued', 'started', 'up_for_retry', 'success', 'failure', 'skipped', 'canceled')),
    attempt         integer NOT NULL DEFAULT 0, -- how often it was started
    failures        integer NOT NULL DEFAULT 0, -- attempts that ended in an error, counted against the retry policy
    losses          integer NOT NULL DEFAULT 0, -- attempts lost with their worker
    job_id          bigint,          -- river_job.id
    worker_id       text,            -- who has it; with attempt, the fencing token
    started_at      timestamptz,
    ended_at        timestamptz,
    next_attempt_at timestamptz,
    error           jsonb,
    PRIMARY KEY (run_id, asset)
);
CREATE INDEX steps_worker_idx ON steps (worker_id) WHERE status = 'started';

CREATE TABLE materializations (
    id         uuid PRIMARY KEY,
    asset      text NOT NULL,
    partition  text,
    run_id     uuid NOT NULL,
    attempt    integer NOT NULL,
    metadata   jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (run_id, asset) -- a step is recorded once, whatever happens to its workers
);
CREATE INDEX materializations_asset_idx ON materializations (asset, id DESC);

-- Append-only. Ids of one run become visible in order, because every writer holds the run's row lock; over all runs
-- the order of visibility is (xid, id) below the oldest transaction still open.
CREATE TABLE events (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid     xid8 NOT NULL DEFAULT pg_current_xact_id(),
    run_id  uuid NOT NULL,
    at      timestamptz NOT NULL,
    type    text NOT NULL,
    level   text NOT NULL,
    asset   text,
    attempt integer,
    message text NOT NULL,
    data    jsonb
);
CREATE INDEX events_run_idx ON events (run_id, id);
CREATE INDEX events_xid_idx ON events (xid, id);

CREATE TABLE schedules (
    name       text PRIMARY KEY,
    running    boolean NOT NULL,
    changed_at timestamptz NOT NULL
);

CREATE TABLE ticks (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schedule      text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('scheduled', 'catch_up', 'manual')),
    scheduled_for timestamptz NOT NULL,
    status        text NOT NULL CHECK (status IN ('success', 'skipped', 'failure')),
    run_id        uuid,
    message       text,
    created_at    timestamptz NOT NULL
);
CREATE UNIQUE INDEX ticks_once_idx ON ticks (schedule, scheduled_for) WHERE kind <> 'manual';
CREATE INDEX ticks_schedule_idx ON ticks (schedule, id DESC);

CREATE TABLE workers (
    id         text PRIMARY KEY,
    host       text NOT NULL,
    pid        integer NOT NULL,
    started_at timestamptz NOT NULL,
    beat_at    timestamptz NOT NULL
);

CREATE TABLE idempotency_keys (
    key         text PRIMARY KEY,
    fingerprint bytea NOT NULL,
    run_id      uuid NOT NULL,
    created_at  timestamptz NOT NULL
);
CREATE INDEX idempotency_keys_created_idx ON idempotency_keys (created_at);

-- +goose Down
DROP TABLE idempotency_keys, workers, ticks, schedules, events, materializations, steps, runs;
