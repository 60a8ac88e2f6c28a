-- +goose Up
-- What LEGISinfo's lists say, as they were last read: stored bills are compared with it.

-- A session whose list was read. looked_at is when both sources were last asked for the whole session.
CREATE TABLE session_lists (
    session   text PRIMARY KEY,
    read_at   timestamptz NOT NULL,
    looked_at timestamptz NOT NULL
);

-- A bill of such a list. seen_at is when the item was first seen as it is now.
CREATE TABLE listed_bills (
    bill_id            text PRIMARY KEY,
    session            text NOT NULL,
    item_hash          text NOT NULL,
    latest_activity_at timestamptz,
    seen_at            timestamptz NOT NULL
);
CREATE INDEX listed_bills_session_idx ON listed_bills (session);

-- Finds the details that an older version of the program read.
CREATE INDEX bills_reader_idx ON bills (coalesce((parts -> 'detail' ->> 'reader')::integer, 0)) WHERE parts -> 'detail' <> 'null';

-- Sessions that are held already are due to be looked at.
INSERT INTO session_lists (session, read_at, looked_at)
SELECT DISTINCT parliament || '-' || session, '2000-01-01'::timestamptz, '2000-01-01'::timestamptz FROM bills;

-- +goose Down
DROP INDEX bills_reader_idx;
DROP TABLE listed_bills, session_lists;
