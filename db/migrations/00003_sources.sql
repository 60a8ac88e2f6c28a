-- +goose Up
-- What is known of each source and how it did lately, for people to see.
CREATE TABLE source_states (
    source              text PRIMARY KEY,
    url                 text NOT NULL,
    requests_per_second double precision NOT NULL,
    max_in_flight       integer NOT NULL,
    held_until          timestamptz, -- Retry-After
    breaker_open_until  timestamptz,
    breaker_changed_at  timestamptz,
    last_success_at     timestamptz,
    last_failure_at     timestamptz,
    last_error          text
);

-- +goose Down
DROP TABLE source_states;
