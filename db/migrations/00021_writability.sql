-- +goose Up
-- Empty for ever: readiness deletes from it, in transactions that are undone.
CREATE TABLE writability (filler text NOT NULL);

-- +goose Down
DROP TABLE writability;
