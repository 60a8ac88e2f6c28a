-- +goose Up
-- Empty for ever: readiness writes to it in transactions that are undone. Plain values are stored as they are, so that
-- what is written needs room.
CREATE TABLE writability (filler text NOT NULL);
ALTER TABLE writability ALTER COLUMN filler SET STORAGE PLAIN;

-- +goose Down
DROP TABLE writability;
