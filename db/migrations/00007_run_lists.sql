-- +goose Up
-- Runs of an asset are found along its steps now. Servers of before still ask by this index, more slowly without it.
DROP INDEX runs_assets_idx;
-- What is new waits in a list that every search reads through: it is to be short.
ALTER INDEX runs_tags_idx SET (gin_pending_list_limit = 128);

-- +goose Down
ALTER INDEX runs_tags_idx RESET (gin_pending_list_limit);
CREATE INDEX runs_assets_idx ON runs USING gin (assets);
