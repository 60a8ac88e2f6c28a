-- +goose Up
-- Partitions, backfills, limits, sensors, webhooks, checks, freshness and alerts.

ALTER TABLE runs ADD COLUMN priority smallint NOT NULL DEFAULT 2, ADD COLUMN backfill_id uuid;
CREATE INDEX runs_backfill_idx ON runs (backfill_id, id DESC) WHERE backfill_id IS NOT NULL;
ALTER TABLE steps ADD COLUMN blocked_by text; -- the asset check that holds back what depends on the step
CREATE INDEX steps_asset_idx ON steps (asset, run_id DESC);
-- What sensors wait for, found without reading the log lines in between.
CREATE INDEX events_signal_idx ON events (xid, id) WHERE type IN ('materialization', 'run_success', 'run_failure', 'run_canceled');

CREATE TABLE dynamic_partitions (
    set        text NOT NULL,
    key        text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (set, key)
);

-- Where each partition of each asset stands; no row: missing.
CREATE TABLE asset_partitions (
    asset              text NOT NULL,
    partition          text NOT NULL,
    status             text NOT NULL CHECK (status IN ('missing', 'materialized', 'failed', 'running')),
    run_id             uuid NOT NULL, -- the run that the status is of
    materialized_at    timestamptz,
    PRIMARY KEY (asset, partition)
);

CREATE TABLE backfills (
    id          uuid PRIMARY KEY,
    assets      text[] NOT NULL,
    status      text NOT NULL CHECK (status IN ('running', 'paused', 'canceling', 'canceled', 'success', 'failure')),
    concurrency integer NOT NULL,
    priority    smallint NOT NULL,
    config      jsonb NOT NULL,  -- as it was given
    tags        jsonb NOT NULL,
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    error       text             -- why no further run could be started
);
CREATE INDEX backfills_active_idx ON backfills (id) WHERE ended_at IS NULL;

CREATE TABLE backfill_partitions (
    backfill_id uuid NOT NULL REFERENCES backfills ON DELETE CASCADE,
    ordinal     integer NOT NULL,
    partition   text NOT NULL,
    status      text NOT NULL CHECK (status IN ('pending', 'running', 'success', 'failure', 'canceled')),
    run_id      uuid,
    error       text,
    PRIMARY KEY (backfill_id, ordinal)
);
CREATE INDEX backfill_partitions_status_idx ON backfill_partitions (backfill_id, status, ordinal);
CREATE INDEX backfill_partitions_run_idx ON backfill_partitions (run_id) WHERE run_id IS NOT NULL;

-- Limits on what runs at once: who holds a place, and who waits for one.
CREATE TABLE step_slots (
    key    text NOT NULL,
    run_id uuid NOT NULL,
    asset  text NOT NULL,
    PRIMARY KEY (key, run_id, asset)
);
CREATE INDEX step_slots_step_idx ON step_slots (run_id, asset);
CREATE TABLE step_waits (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id   uuid NOT NULL,
    asset    text NOT NULL,
    priority smallint NOT NULL,
    keys     text[] NOT NULL,
    since    timestamptz NOT NULL,
    UNIQUE (run_id, asset)
);
CREATE INDEX step_waits_order_idx ON step_waits (priority, id);

CREATE TABLE sensors (
    name         text PRIMARY KEY,
    running      boolean NOT NULL,
    changed_at   timestamptz NOT NULL,
    cursor       text,
    next_at      timestamptz NOT NULL,  -- when it is to be evaluated next
    lease        uuid,                  -- who evaluates it now
    lease_until  timestamptz,
    lease_by     text,                  -- the process, in workers if it is one
    again        boolean NOT NULL DEFAULT false, -- somebody asked while it was being evaluated
    last_tick_id bigint
);

CREATE TABLE sensor_ticks (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sensor           text NOT NULL,
    kind             text NOT NULL CHECK (kind IN ('scheduled', 'event', 'webhook', 'manual')),
    status           text NOT NULL CHECK (status IN ('success', 'skipped', 'failure')),
    run_ids          uuid[] NOT NULL,
    repeated_keys    text[] NOT NULL,   -- run keys that had started a run before
    message          text,
    cursor           text,              -- after it
    duration_seconds double precision NOT NULL,
    evaluations      integer NOT NULL,  -- equal skips, one after the other, are one tick
    created_at       timestamptz NOT NULL,
    last_at          timestamptz NOT NULL
);
CREATE INDEX sensor_ticks_sensor_idx ON sensor_ticks (sensor, id DESC);

CREATE TABLE run_keys (
    sensor     text NOT NULL,
    key        text NOT NULL,
    run_id     uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (sensor, key)
);

CREATE TABLE webhook_events (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sensor       text NOT NULL,
    webhook_id   text NOT NULL,
    content_type text NOT NULL,
    body         bytea NOT NULL,
    received_at  timestamptz NOT NULL,
    processed_at timestamptz,
    UNIQUE (sensor, webhook_id)
);
CREATE INDEX webhook_events_open_idx ON webhook_events (sensor, id) WHERE processed_at IS NULL;

CREATE TABLE check_results (
    id         uuid PRIMARY KEY,
    asset      text NOT NULL,
    name       text NOT NULL,
    run_id     uuid NOT NULL,
    partition  text,
    passed     boolean NOT NULL,
    severity   text NOT NULL CHECK (severity IN ('warn', 'error')),
    blocking   boolean NOT NULL,
    message    text NOT NULL,
    metadata   jsonb NOT NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX check_results_check_idx ON check_results (asset, name, id DESC);
CREATE INDEX check_results_run_idx ON check_results (run_id);

CREATE TABLE asset_freshness (
    asset text PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('fresh', 'late', 'unknown')),
    since timestamptz NOT NULL
);

-- One row for each time that something went wrong, until it was right again.
CREATE TABLE alerts (
    id           uuid PRIMARY KEY,
    cause        text NOT NULL,
    severity     text NOT NULL CHECK (severity IN ('warn', 'error')),
    title        text NOT NULL,
    detail       text NOT NULL,
    data         jsonb NOT NULL,
    occurrences  integer NOT NULL,
    opened_at    timestamptz NOT NULL,
    last_at      timestamptz NOT NULL,
    recovered_at timestamptz,
    tell_at      timestamptz NOT NULL, -- not before then: the cause was told of a short while ago
    told_at      timestamptz
);
CREATE UNIQUE INDEX alerts_open_idx ON alerts (cause) WHERE recovered_at IS NULL;
CREATE INDEX alerts_untold_idx ON alerts (tell_at) WHERE recovered_at IS NULL AND told_at IS NULL;
CREATE INDEX alerts_cause_idx ON alerts (cause, told_at DESC);

CREATE TABLE deliveries (
    id           uuid PRIMARY KEY,
    alert_id     uuid REFERENCES alerts ON DELETE CASCADE, -- null: a test
    channel      text NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('firing', 'recovered', 'test')),
    status       text NOT NULL CHECK (status IN ('pending', 'delivered', 'failed')),
    attempts     integer NOT NULL DEFAULT 0,
    message      text,           -- what the receiver said, or what went wrong
    created_at   timestamptz NOT NULL,
    attempted_at timestamptz,
    delivered_at timestamptz
);
CREATE INDEX deliveries_alert_idx ON deliveries (alert_id);

-- Bills in the order in which they became visible, for a sensor to go on from.
ALTER TABLE bill_versions ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX bill_versions_new_idx ON bill_versions (xid, bill_id) WHERE version = 1;

-- +goose Down
DROP INDEX bill_versions_new_idx;
ALTER TABLE bill_versions DROP COLUMN xid;
DROP TABLE deliveries, alerts, asset_freshness, check_results, webhook_events, run_keys, sensor_ticks, sensors, step_waits, step_slots,
    backfill_partitions, backfills, asset_partitions, dynamic_partitions;
DROP INDEX events_signal_idx, steps_asset_idx, runs_backfill_idx;
ALTER TABLE steps DROP COLUMN blocked_by;
ALTER TABLE runs DROP COLUMN backfill_id, DROP COLUMN priority;
