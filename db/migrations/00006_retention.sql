-- +goose Up
-- What is old can be dropped cheaply: the event log in weekly partitions.

-- Transaction ids order the event log. Those of another cluster, where a backup is restored, may be smaller than those
-- in it: log_offset, which is set anew after a restore, keeps what comes after greater than what was before.
CREATE FUNCTION log_offset() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 0::bigint';
CREATE FUNCTION log_xid() RETURNS xid8 LANGUAGE sql VOLATILE AS 'SELECT (pg_current_xact_id()::text::bigint + log_offset())::text::xid8';
-- No transaction that is open is below it.
CREATE FUNCTION log_horizon() RETURNS xid8 LANGUAGE sql STABLE AS 'SELECT (pg_snapshot_xmin(pg_current_snapshot())::text::bigint + log_offset())::text::xid8';
-- Every transaction that has ended is below it.
CREATE FUNCTION log_ceiling() RETURNS xid8 LANGUAGE sql STABLE AS 'SELECT (pg_snapshot_xmax(pg_current_snapshot())::text::bigint + log_offset())::text::xid8';

ALTER TABLE bill_versions ALTER COLUMN xid SET DEFAULT log_xid();

ALTER TABLE events RENAME TO events_legacy;
ALTER TABLE events_legacy DROP CONSTRAINT events_pkey;
ALTER TABLE events_legacy ALTER COLUMN id DROP IDENTITY;
ALTER INDEX events_run_idx RENAME TO events_legacy_run_idx;
ALTER INDEX events_xid_idx RENAME TO events_legacy_xid_idx;
ALTER INDEX events_signal_idx RENAME TO events_legacy_signal_idx;
CREATE SEQUENCE event_ids AS bigint;

CREATE TABLE events (
    id      bigint NOT NULL DEFAULT nextval('event_ids'),
    xid     xid8 NOT NULL DEFAULT log_xid(),
    run_id  uuid NOT NULL,
    at      timestamptz NOT NULL,
    type    text NOT NULL,
    level   text NOT NULL,
    asset   text,
    attempt integer,
    message text NOT NULL,
    data    jsonb
) PARTITION BY RANGE (at);
ALTER SEQUENCE event_ids OWNED BY events.id;
CREATE INDEX events_run_idx ON events (run_id, id);
CREATE INDEX events_xid_idx ON events (xid, id);
CREATE INDEX events_signal_idx ON events (xid, id) WHERE type IN ('materialization', 'run_success', 'run_failure', 'run_canceled');

-- +goose StatementBegin
DO $$
DECLARE
    week timestamptz := date_trunc('week', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC';
BEGIN
    -- For what a clock that is wrong says, and for old events that are still needed.
    CREATE TABLE events_default PARTITION OF events DEFAULT;
    IF EXISTS (SELECT FROM events_legacy) THEN
        week := week + interval '7 days';
        PERFORM setval('event_ids', (SELECT max(id) FROM events_legacy));
        EXECUTE format('ALTER TABLE events ATTACH PARTITION events_legacy FOR VALUES FROM (MINVALUE) TO (%L)', week);
    ELSE
        DROP TABLE events_legacy;
    END IF;
    FOR i IN 0..2 LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF events FOR VALUES FROM (%L) TO (%L)', 'events_' || to_char(week AT TIME ZONE 'UTC', 'YYYYMMDD'), week, week + interval '7 days');
        week := week + interval '7 days';
    END LOOP;
END $$;
-- +goose StatementEnd

-- How much space the tables took, once a day.
CREATE TABLE storage_samples (
    day        date NOT NULL,
    table_name text NOT NULL,
    bytes      bigint NOT NULL,
    row_count  bigint NOT NULL, -- as Postgres estimates it
    PRIMARY KEY (day, table_name)
);

CREATE INDEX ticks_created_idx ON ticks (created_at);
CREATE INDEX sensor_ticks_last_idx ON sensor_ticks (last_at);
CREATE INDEX webhook_events_received_idx ON webhook_events (received_at);
CREATE INDEX run_keys_created_idx ON run_keys (created_at);
CREATE INDEX deliveries_created_idx ON deliveries (created_at);
CREATE INDEX alerts_recovered_idx ON alerts (recovered_at);

-- +goose Down
DROP INDEX alerts_recovered_idx, deliveries_created_idx, run_keys_created_idx, webhook_events_received_idx, sensor_ticks_last_idx, ticks_created_idx;
DROP TABLE storage_samples;
ALTER SEQUENCE event_ids OWNED BY NONE;
ALTER TABLE events RENAME TO events_partitioned;
ALTER INDEX events_run_idx RENAME TO events_partitioned_run_idx;
ALTER INDEX events_xid_idx RENAME TO events_partitioned_xid_idx;
ALTER INDEX events_signal_idx RENAME TO events_partitioned_signal_idx;
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
INSERT INTO events OVERRIDING SYSTEM VALUE SELECT * FROM events_partitioned;
SELECT setval(pg_get_serial_sequence('events', 'id'), coalesce((SELECT max(id) FROM events), 1), EXISTS (SELECT FROM events));
DROP TABLE events_partitioned;
DROP SEQUENCE event_ids;
CREATE INDEX events_run_idx ON events (run_id, id);
CREATE INDEX events_xid_idx ON events (xid, id);
CREATE INDEX events_signal_idx ON events (xid, id) WHERE type IN ('materialization', 'run_success', 'run_failure', 'run_canceled');
ALTER TABLE bill_versions ALTER COLUMN xid SET DEFAULT pg_current_xact_id();
DROP FUNCTION log_ceiling(), log_horizon(), log_xid(), log_offset();
