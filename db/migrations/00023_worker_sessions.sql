-- +goose Up
-- Postgres ends a session at once when its process dies, so that other workers need not wait for missing heartbeats.
-- session_pid, session_start: the session of a worker, as in pg_stat_activity. NULL: it has none, as behind a pooler.
-- lost_at: when another worker found that the session was gone. A heartbeat of the worker itself clears it.
ALTER TABLE workers ADD COLUMN session_pid integer, ADD COLUMN session_start timestamptz, ADD COLUMN lost_at timestamptz;

-- +goose Down
ALTER TABLE workers DROP COLUMN session_pid, DROP COLUMN session_start, DROP COLUMN lost_at;
