-- +goose Up
-- LEGISinfo's records of bills as they came, so that a later version of the program can read more of them without
-- asking again. Postgres compresses them.
CREATE TABLE bill_records (
    bill_id    text PRIMARY KEY REFERENCES bills ON DELETE CASCADE,
    record     bytea NOT NULL,      -- JSON; not jsonb, which takes neither every text nor keeps what came
    item_hash  text NOT NULL,       -- of the list item that it belongs to
    fetched_at timestamptz NOT NULL -- when it came, or came differently
);
-- A reinstated bill names the one that it came from by LEGISinfo's id.
CREATE INDEX bills_legisinfo_idx ON bills (((doc ->> 'legisinfo_id')::bigint));
CREATE INDEX bills_reinstated_idx ON bills (((parts -> 'detail' -> 'reinstated_from' ->> 'id')::bigint)) WHERE (parts -> 'detail' -> 'reinstated_from' ->> 'id') IS NOT NULL;

-- +goose Down
DROP INDEX bills_reinstated_idx, bills_legisinfo_idx;
DROP TABLE bill_records;
