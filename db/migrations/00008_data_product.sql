-- +goose Up
-- Politicians, search, feeds, embeddings, and what is missing upstream.

-- Both come with Postgres (contrib) and may be created by whoever owns the database.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS unaccent;

CREATE TABLE politicians (
    slug          text PRIMARY KEY,
    person_id     bigint,           -- parl.ca's
    is_current    boolean NOT NULL, -- a member now
    sort_key      text NOT NULL,    -- family name, given name, without accents
    party         text,             -- short name in English
    province      text,
    search        text NOT NULL,    -- name and riding, lower case, without accents
    doc           jsonb NOT NULL,
    list_hash     bytea NOT NULL,   -- of the list's item when the detail was fetched
    first_seen_at timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    last_run_id   uuid
);
CREATE INDEX politicians_person_idx ON politicians (person_id);
CREATE INDEX politicians_sort_idx ON politicians (sort_key, slug);

ALTER TABLE bills ADD COLUMN missing_since timestamptz; -- neither source lists it any more

CREATE TEXT SEARCH CONFIGURATION explorer_en (COPY = english);
ALTER TEXT SEARCH CONFIGURATION explorer_en ALTER MAPPING FOR hword, hword_part, word WITH unaccent, english_stem;
CREATE TEXT SEARCH CONFIGURATION explorer_fr (COPY = french);
ALTER TEXT SEARCH CONFIGURATION explorer_fr ALTER MAPPING FOR hword, hword_part, word WITH unaccent, french_stem;

-- What bills are found by. A trigger keeps it, so it is right whichever program writes.
CREATE TABLE bill_index (
    bill_id       text PRIMARY KEY REFERENCES bills ON DELETE CASCADE,
    session       text NOT NULL,
    status_code   text,
    bill_type     text,
    home_chamber  text,
    introduced_on date,
    prefix        text NOT NULL,
    digits        integer NOT NULL,
    suffix        text NOT NULL,
    sponsor_id    bigint,
    words         text NOT NULL, -- titles and sponsor, lower case, without accents
    head          tsvector NOT NULL, -- of the titles alone, for ranking
    tsv           tsvector NOT NULL
);
CREATE INDEX bill_index_tsv_idx ON bill_index USING gin (tsv);
CREATE INDEX bill_index_words_idx ON bill_index USING gin (words gin_trgm_ops);
CREATE INDEX bill_index_number_idx ON bill_index (digits, prefix);
CREATE INDEX bill_index_sponsor_idx ON bill_index (sponsor_id) WHERE sponsor_id IS NOT NULL;

-- +goose StatementBegin
CREATE FUNCTION index_bill(b bills) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    d jsonb := b.doc;
    sponsor text := left(coalesce(d -> 'sponsor' ->> 'name', ''), 1000);
    heading tsvector := setweight(to_tsvector('explorer_en', left(concat_ws(' ', b.id, d ->> 'number', d -> 'short_title' ->> 'en'), 10000)), 'A')
        || setweight(to_tsvector('explorer_fr', left(coalesce(d -> 'short_title' ->> 'fr', ''), 10000)), 'A')
        || setweight(to_tsvector('explorer_en', left(coalesce(d -> 'title' ->> 'en', ''), 20000)), 'B') || setweight(to_tsvector('explorer_fr', left(coalesce(d -> 'title' ->> 'fr', ''), 20000)), 'B');
    committees text := coalesce((SELECT string_agg(concat_ws(' ', c ->> 'acronym', c -> 'name' ->> 'en', c -> 'name' ->> 'fr'), ' ') FROM jsonb_array_elements(d -> 'committees') AS c), '');
BEGIN
    INSERT INTO bill_index (bill_id, session, status_code, bill_type, home_chamber, introduced_on, prefix, digits, suffix, sponsor_id, words, head, tsv)
    VALUES (b.id, b.parliament || '-' || b.session, nullif(b.status_code, ''), d -> 'bill_type' ->> 'en', d ->> 'home_chamber', b.introduced_on, b.prefix, b.digits, b.suffix, (d -> 'sponsor' ->> 'person_id')::bigint,
        left(lower(unaccent(concat_ws(' ', d -> 'short_title' ->> 'en', d -> 'short_title' ->> 'fr', d -> 'title' ->> 'en', d -> 'title' ->> 'fr', sponsor))), 50000),
        heading,
        heading
        || setweight(to_tsvector('explorer_en', sponsor || ' ' || committees), 'C') || setweight(to_tsvector('explorer_fr', sponsor || ' ' || committees), 'C')
        -- A tsvector is under a megabyte; summaries are cut far before that.
        || setweight(to_tsvector('explorer_en', left(coalesce(d -> 'summary' ->> 'en', ''), 40000)), 'D') || setweight(to_tsvector('explorer_fr', left(coalesce(d -> 'summary' ->> 'fr', ''), 40000)), 'D'))
    ON CONFLICT (bill_id) DO UPDATE SET session = excluded.session, status_code = excluded.status_code, bill_type = excluded.bill_type, home_chamber = excluded.home_chamber, introduced_on = excluded.introduced_on,
        sponsor_id = excluded.sponsor_id, words = excluded.words, head = excluded.head, tsv = excluded.tsv;
END $$;

CREATE FUNCTION index_bill_trigger() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM index_bill(NEW);
    RETURN NULL;
END $$;
-- +goose StatementEnd

SELECT index_bill(b) FROM bills b;
CREATE TRIGGER bills_index_insert AFTER INSERT ON bills FOR EACH ROW EXECUTE FUNCTION index_bill_trigger();
CREATE TRIGGER bills_index_update AFTER UPDATE ON bills FOR EACH ROW WHEN (OLD.doc IS DISTINCT FROM NEW.doc OR OLD.status_code IS DISTINCT FROM NEW.status_code OR OLD.introduced_on IS DISTINCT FROM NEW.introduced_on) EXECUTE FUNCTION index_bill_trigger();

CREATE INDEX bill_versions_order_idx ON bill_versions (xid, bill_id, version);

-- What feeds are made of: a change of a bill each, as it was then.
CREATE TABLE feed_items (
    bill_id      text NOT NULL REFERENCES bills ON DELETE CASCADE,
    version      integer NOT NULL,
    session      text NOT NULL,
    status_code  text,             -- if it came to this status with it
    sponsor_id   bigint,
    committees   text[] NOT NULL,  -- acronyms
    published_at timestamptz NOT NULL, -- when it happened
    sort_at      timestamptz NOT NULL, -- its place: when it was noticed or, of old bills, when it happened
    doc          jsonb NOT NULL,
    PRIMARY KEY (bill_id, version)
);
CREATE INDEX feed_items_sort_idx ON feed_items (sort_at DESC, bill_id, version DESC);
CREATE INDEX feed_items_session_idx ON feed_items (session, sort_at DESC);
CREATE INDEX feed_items_status_idx ON feed_items (status_code, sort_at DESC) WHERE status_code IS NOT NULL;
CREATE INDEX feed_items_sponsor_idx ON feed_items (sponsor_id, sort_at DESC) WHERE sponsor_id IS NOT NULL;
CREATE INDEX feed_items_committees_idx ON feed_items USING gin (committees);

-- One row: how feeds are, and a number that changes whenever they do.
CREATE TABLE feed_state (
    singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    max_items  integer NOT NULL,
    generation bigint NOT NULL,
    updated_at timestamptz NOT NULL
);
INSERT INTO feed_state (max_items, generation, updated_at) VALUES (100, 1, now());

CREATE TABLE embeddings (
    bill_id    text NOT NULL REFERENCES bills ON DELETE CASCADE,
    language   text NOT NULL,
    model      text NOT NULL,
    hash       bytea NOT NULL, -- of the text that was embedded
    embedding  real[] NOT NULL, -- of length one
    created_at timestamptz NOT NULL,
    PRIMARY KEY (bill_id, language, model)
);
CREATE INDEX embeddings_model_idx ON embeddings (model, created_at);

-- +goose Down
DROP TABLE embeddings, feed_state, feed_items;
DROP INDEX bill_versions_order_idx;
DROP TRIGGER bills_index_insert ON bills;
DROP TRIGGER bills_index_update ON bills;
DROP FUNCTION index_bill_trigger();
DROP FUNCTION index_bill(bills);
DROP TABLE bill_index;
DROP TEXT SEARCH CONFIGURATION explorer_fr;
DROP TEXT SEARCH CONFIGURATION explorer_en;
ALTER TABLE bills DROP COLUMN missing_since;
DROP TABLE politicians;
