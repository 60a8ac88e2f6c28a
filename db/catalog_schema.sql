-- What sqlc has to know of Postgres's own views. It is not run.
CREATE TABLE pg_stat_activity (
    pid           integer NOT NULL,
    backend_start timestamptz -- NULL: of another user
);
