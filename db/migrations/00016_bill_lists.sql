-- +goose Up
-- What bills are listed by: the columns are made of doc, whichever program writes it.

-- +goose StatementBegin
-- explorer_instant reads a time that names its offset, as documents have it; NULL of anything else.
CREATE FUNCTION explorer_instant(t text) RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    IF t !~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$' THEN
        RETURN NULL;
    END IF;
    RETURN t::timestamptz;
EXCEPTION WHEN data_exception THEN -- the 31st of February
    RETURN NULL;
END $$;

-- explorer_committee takes off the words of a committee's name what most of them begin with, and an article.
CREATE FUNCTION explorer_committee(words text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT regexp_replace(words, '^(the )?((standing|special|legislative|senate|house|joint) )*committee on (the )?(?=.)|^(le )?comite ((permanent|special|legislatif|senatorial|mixte) )*(de la|de l|des|de|du|sur l|sur la|sur le|sur les) (?=.)|^(the|la|le|les|l) (?=.)', '')
$$;

-- explorer_committees are the names that the committees of a bill go by.
CREATE FUNCTION explorer_committees(committees jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT coalesce(array_agg(DISTINCT n.name ORDER BY n.name), '{}')
    FROM jsonb_array_elements(CASE jsonb_typeof(committees) WHEN 'array' THEN committees ELSE '[]' END) AS c,
         unnest(ARRAY[explorer_words(c ->> 'acronym'), explorer_words(c -> 'name' ->> 'en'), explorer_words(c -> 'name' ->> 'fr')]) AS w,
         unnest(ARRAY[w, explorer_committee(w)]) AS n (name)
    WHERE n.name <> ''
$$;

-- explorer_kinds are the words for a bill's type. Of a bill whose type is not known yet they are what its number says.
CREATE FUNCTION explorer_kinds(doc jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT coalesce(array_agg(DISTINCT w ORDER BY w), '{}') FROM regexp_split_to_table(concat_ws(' ', explorer_words(doc -> 'bill_type' ->> 'en'), explorer_words(doc -> 'bill_type' ->> 'fr'),
        CASE WHEN doc -> 'government_bill' = 'true' THEN 'government' END, CASE WHEN doc -> 'private_member_bill' = 'true' THEN 'private member members' END), ' ') AS w
    WHERE w <> ''
$$;
-- +goose StatementEnd

ALTER TABLE bills
    ADD COLUMN home_chamber text GENERATED ALWAYS AS (doc ->> 'home_chamber') STORED,
    ADD COLUMN latest_activity_at timestamptz GENERATED ALWAYS AS (explorer_instant(doc ->> 'latest_activity_at')) STORED,
    ADD COLUMN kinds text[] GENERATED ALWAYS AS (explorer_kinds(doc)) STORED,
    ADD COLUMN committees text[] GENERATED ALWAYS AS (explorer_committees(doc -> 'committees')) STORED,
    ADD COLUMN sponsor_id bigint GENERATED ALWAYS AS ((doc -> 'sponsor' ->> 'person_id')::bigint) STORED,
    ADD COLUMN sponsor_name text GENERATED ALWAYS AS (nullif(explorer_sorted(explorer_words(doc -> 'sponsor' ->> 'name')), '')) STORED; -- its words, in order

-- One index for each order of the list; bills_list_idx has the latest introduced first.
CREATE INDEX bills_earliest_idx ON bills (coalesce(introduced_on, '9999-12-31'), prefix, digits, suffix, id);
CREATE INDEX bills_updated_order_idx ON bills (updated_at, id);
CREATE INDEX bills_updated_desc_idx ON bills (updated_at DESC, id);
CREATE INDEX bills_activity_idx ON bills (coalesce(latest_activity_at, 'infinity'), id);
CREATE INDEX bills_activity_desc_idx ON bills (coalesce(latest_activity_at, '-infinity') DESC, id);
DROP INDEX bills_updated_idx;
CREATE INDEX bills_words_idx ON bills USING gin (kinds, committees) WITH (fastupdate = off);
CREATE INDEX bills_sponsor_idx ON bills (sponsor_id) WHERE sponsor_id IS NOT NULL;
CREATE INDEX bills_sponsor_name_idx ON bills (sponsor_name) WHERE sponsor_name IS NOT NULL;

-- Run keys are looked at: the newest of a sensor, or those that begin so.
CREATE INDEX run_keys_sensor_idx ON run_keys (sensor, created_at DESC, key DESC);
CREATE INDEX run_keys_prefix_idx ON run_keys (sensor, key text_pattern_ops);

-- +goose Down
DROP INDEX run_keys_prefix_idx, run_keys_sensor_idx;
CREATE INDEX bills_updated_idx ON bills (updated_at);
DROP INDEX bills_earliest_idx, bills_updated_order_idx, bills_updated_desc_idx;
ALTER TABLE bills DROP COLUMN sponsor_name, DROP COLUMN sponsor_id, DROP COLUMN committees, DROP COLUMN kinds, DROP COLUMN latest_activity_at, DROP COLUMN home_chamber;
DROP FUNCTION explorer_kinds(jsonb);
DROP FUNCTION explorer_committees(jsonb);
DROP FUNCTION explorer_committee(text);
DROP FUNCTION explorer_instant(text);
