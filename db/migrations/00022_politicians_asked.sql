-- +goose Up
-- When a politician's own record was last asked for. Lists of people who were members before say too little to tell
-- whether it changed. NULL: by a version of the program that did not note it.
ALTER TABLE politicians ADD COLUMN asked_at timestamptz;

-- +goose Down
ALTER TABLE politicians DROP COLUMN asked_at;
