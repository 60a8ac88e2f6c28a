-- +goose Up
-- Canceled fetches; feeds and embeddings whose number changes with them, in the same transaction.

ALTER TABLE fetch_logs DROP CONSTRAINT fetch_logs_status_check;
ALTER TABLE fetch_logs ADD CONSTRAINT fetch_logs_status_check CHECK (status IN ('success', 'partial_success', 'failure', 'source_unavailable', 'canceled'));

-- The oldest item of each session when the update that is under way began; null while none is. An update that was cut
-- off goes on with it: what the first half brought must not make the second half look like news.
ALTER TABLE feed_state ADD COLUMN oldest jsonb;

-- Names of feeds ignore case, so acronyms are kept in one.
UPDATE feed_items SET committees = upper(committees::text)::text[] WHERE committees::text <> upper(committees::text);

-- Whoever writes items changes the generation with them. updated_at is whole seconds and never the same twice: it is
-- what Last-Modified says, and two states of a feed must not share one.
-- +goose StatementBegin
CREATE FUNCTION feeds_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE feed_state SET generation = generation + 1, updated_at = greatest(date_trunc('second', clock_timestamp()), date_trunc('second', updated_at) + interval '1 second');
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER feed_items_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON feed_items FOR EACH STATEMENT EXECUTE FUNCTION feeds_changed();
-- A sponsor's feed has the sponsor's name in its title.
CREATE TRIGGER politicians_feeds_update AFTER UPDATE ON politicians FOR EACH ROW
    WHEN (OLD.doc -> 'name' IS DISTINCT FROM NEW.doc -> 'name' OR OLD.person_id IS DISTINCT FROM NEW.person_id) EXECUTE FUNCTION feeds_changed();
CREATE TRIGGER politicians_feeds_delete AFTER DELETE ON politicians FOR EACH ROW EXECUTE FUNCTION feeds_changed();

-- Changes whenever an embedding does. Its row's lock puts writers in one order, which their clocks would not.
CREATE TABLE embedding_state (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    generation bigint NOT NULL
);
INSERT INTO embedding_state (generation) VALUES (1);
-- +goose StatementBegin
CREATE FUNCTION embeddings_changed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE embedding_state SET generation = generation + 1;
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE TRIGGER embeddings_changed AFTER INSERT OR UPDATE OF embedding OR DELETE OR TRUNCATE ON embeddings FOR EACH STATEMENT EXECUTE FUNCTION embeddings_changed();

-- Which version of the bill was embedded. Times cannot say it: a bill is stored a moment after the time that it is given.
ALTER TABLE embeddings ADD COLUMN version integer;

-- +goose Down
ALTER TABLE embeddings DROP COLUMN version;
DROP TRIGGER embeddings_changed ON embeddings;
DROP FUNCTION embeddings_changed();
DROP TABLE embedding_state;
DROP TRIGGER politicians_feeds_delete ON politicians;
DROP TRIGGER politicians_feeds_update ON politicians;
DROP TRIGGER feed_items_changed ON feed_items;
DROP FUNCTION feeds_changed();
ALTER TABLE feed_state DROP COLUMN oldest;
ALTER TABLE fetch_logs DROP CONSTRAINT fetch_logs_status_check;
UPDATE fetch_logs SET status = 'failure' WHERE status = 'canceled';
ALTER TABLE fetch_logs ADD CONSTRAINT fetch_logs_status_check CHECK (status IN ('success', 'partial_success', 'failure', 'source_unavailable'));
