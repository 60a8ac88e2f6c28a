-- +goose Up
-- What is searched for is made plain as what is searched in, by one function.

-- No writer may be half-way between the old index and the new one.
LOCK TABLE bills, politicians IN SHARE ROW EXCLUSIVE MODE;

-- +goose StatementBegin
-- explorer_plain makes a text plain for searching: lower case, without accents and ligatures, narrow, with the hyphen,
-- the apostrophe and the quotation mark that a keyboard has, one blank for any white space, and nothing invisible.
-- What is left beyond ASCII are letters and digits of other scripts. It is the same in every locale: in C, lower() knows
-- ASCII alone, and the parser of text search takes anything else for a letter.
CREATE FUNCTION explorer_plain(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
    IF getdatabaseencoding() <> 'UTF8' THEN
        t := unaccent(t);
    ELSIF octet_length(t) <> char_length(t) THEN
        -- Signs that normalize() would take for a blank and an accent, or for two signs.
        t := regexp_replace(t, '[\u00b4\u02ca\u02cb\u0384\u1fbd\u1fbf\u1fef\u1ffd\u1ffe]', '''', 'g');
        t := regexp_replace(t, '[\u02ba\u02dd\u2033\u2034\u2036\u2037\u2057]', '"', 'g');
        t := normalize(t, NFKD);
        -- Accents, and what is not seen: joiners, marks of direction, variation selectors, tags.
        t := regexp_replace(t, '[\u0300-\u036f\u0483-\u0487\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u1ab0-\u1aff\u1dc0-\u1dff\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20d0-\u20ff\u3164\ufe00-\ufe0f\ufe20-\ufe2f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]', '', 'g');
        -- A soft hyphen in a number is meant, one in a word is not seen.
        t := regexp_replace(t, '(^|[^A-Za-z])([CcSs])\u00ad+([0-9])', '\1\2-\3', 'g');
        t := replace(t, chr(173), '');
        t := regexp_replace(t, '[\u02d7\u058a\u05be\u1400\u1806\u2010-\u2015\u2043\u2053\u2212\u2500\u2501\u2796\u2e17\u2e1a\u2e3a\u2e3b\u2e40\u2e5d\u301c\u3030\u30a0\U00010ead]', '-', 'g');
        t := regexp_replace(t, '[\u02b9\u02bb-\u02bd\u02c8\u02ee\u055a\u05f3\u07f4\u07f5\u2018-\u201b\u2032\u2035\u275b\u275c\u275f\ua78b\ua78c]', '''', 'g');
        t := regexp_replace(t, '[\u00ab\u00bb\u05f4\u201c-\u201f\u2039\u203a\u275d\u275e\u2760\u276e\u276f\u2e42\u300a-\u300f\u301d-\u301f]', '"', 'g');
        IF t ~ '[\u00c6\u00d0\u00d8\u00de\u00df\u00e6\u00f0\u00f8\u00fe\u0110\u0111\u0126\u0127\u0131\u0138\u0141\u0142\u014a\u014b\u0152\u0153\u0166\u0167\u1e9e]' THEN
            t := replace(replace(replace(replace(replace(replace(t, 'Œ', 'oe'), 'œ', 'oe'), 'Æ', 'ae'), 'æ', 'ae'), 'ß', 'ss'), 'ẞ', 'ss');
            t := translate(replace(replace(t, 'Þ', 'th'), 'þ', 'th'), 'ÐðØøĐđĦħıĸŁłŊŋŦŧ', 'ddooddhhikllnntt');
        END IF;
        IF t ~ '[\u0370-\u052f]' THEN
            t := translate(t, 'ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩςАБВГДЕЖЗИЙКЛМНОПРСТУФХЦЧШЩЪЫЬЭЮЯЁЂЄІЇЈЉЊЋЏҐ', 'αβγδεζηθικλμνξοπρστυφχψωσабвгдежзийклмнопрстуфхцчшщъыьэюяёђєіїјљњћџґ');
        END IF;
        -- Any other sign.
        t := regexp_replace(t, '[\u0080-\u00bf\u00d7\u00f7\u02c2-\u02df\u02e5-\u02ff\u0375\u037e\u0387\u2000-\u2bff\u2e00-\u2e7f\u3000-\u3004\u3008-\u3020\u3030\u3036-\u303f\u30fb\ud800-\uf8ff\ufe10-\ufe1f\ufe30-\ufe6f\uff00-\uff0f\ufffc-\uffff\U0001f000-\U0001fbff\U000f0000-\U0010ffff]', ' ', 'g');
        t := normalize(t, NFC);
    END IF;
    RETURN btrim(regexp_replace(translate(lower(t), '`', ''''), '[\u0001-\u0020\u007f]+', ' ', 'g'));
END $$;

-- explorer_words gives the words of a text, made plain, with one blank between them. The s of a possessive belongs to its
-- word: whoever leaves the apostrophe out finds the same.
CREATE FUNCTION explorer_words(t text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT btrim(regexp_replace(regexp_replace(explorer_plain(t), '([a-z0-9])''s(?![a-z0-9])', '\1s', 'g'), '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u007f]+', ' ', 'g'))
$$;

-- explorer_title takes the article off the words of a title, so that titles are equal that are the same to a reader.
CREATE FUNCTION explorer_title(words text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT left(regexp_replace(words, '^(an?|the|une?|l[ae]?|les) (?=.)', ''), 2000)
$$;

-- explorer_query looks for terms in both languages at once, with all of them or with any. A term is a word or a phrase,
-- or several, any of which will do, with | between; the term | stands between alternatives. A word that says nothing in one
-- of the languages is left out, unless there is no other.
CREATE FUNCTION explorer_query(terms text[], every boolean) RETURNS tsquery LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path FROM CURRENT SET client_min_messages = warning AS $$
DECLARE
    term text;
    spelt text;
    en tsquery;
    fr tsquery;
    one tsquery;
    stopped boolean;
    strong tsquery := '';
    weak tsquery := '';
    found tsquery := '';
BEGIN
    FOREACH term IN ARRAY terms || '|'::text LOOP
        IF term = '|' THEN
            found := found || CASE WHEN numnode(strong) > 0 THEN strong ELSE weak END;
            strong := '';
            weak := '';
            CONTINUE;
        END IF;
        one := '';
        stopped := false;
        FOREACH spelt IN ARRAY string_to_array(term, '|') LOOP
            spelt := explorer_words(spelt);
            en := phraseto_tsquery('explorer_en', spelt);
            fr := phraseto_tsquery('explorer_fr', spelt);
            stopped := stopped OR numnode(en) = 0 OR numnode(fr) = 0;
            one := one || CASE WHEN en = fr THEN en ELSE en || fr END;
        END LOOP;
        IF NOT every THEN
            strong := strong || one;
        ELSIF stopped THEN
            weak := weak && one;
        ELSE
            strong := strong && one;
        END IF;
    END LOOP;
    RETURN found;
END $$;
-- +goose StatementEnd

-- Words of titles, names and committees, for what is misspelt.
CREATE TABLE bill_words (word text PRIMARY KEY);
CREATE INDEX bill_words_first_idx ON bill_words (left(word, 1));
CREATE INDEX bill_words_trigrams_idx ON bill_words USING gin (word gin_trgm_ops) WITH (fastupdate = off);

ALTER TABLE bill_index ADD COLUMN titles text[] NOT NULL DEFAULT '{}'; -- see explorer_title
CREATE INDEX bill_index_latest_idx ON bill_index (introduced_on DESC NULLS LAST, bill_id DESC);

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION index_bill(b bills) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    d jsonb := b.doc;
    short_en text := explorer_words(left(coalesce(d -> 'short_title' ->> 'en', ''), 10000));
    short_fr text := explorer_words(left(coalesce(d -> 'short_title' ->> 'fr', ''), 10000));
    long_en text := explorer_words(left(coalesce(d -> 'title' ->> 'en', ''), 20000));
    long_fr text := explorer_words(left(coalesce(d -> 'title' ->> 'fr', ''), 20000));
    sponsor text := explorer_words(left(coalesce(d -> 'sponsor' ->> 'name', ''), 1000));
    committees text := explorer_words(coalesce((SELECT string_agg(concat_ws(' ', c ->> 'acronym', c -> 'name' ->> 'en', c -> 'name' ->> 'fr'), ' ') FROM jsonb_array_elements(d -> 'committees') AS c), ''));
    heading tsvector := setweight(to_tsvector('explorer_en', short_en), 'A') || setweight(to_tsvector('explorer_fr', short_fr), 'A')
        || setweight(to_tsvector('explorer_en', long_en), 'B') || setweight(to_tsvector('explorer_fr', long_fr), 'B');
BEGIN
    INSERT INTO bill_index (bill_id, session, status_code, bill_type, home_chamber, introduced_on, prefix, digits, suffix, sponsor_id, words, titles, head, tsv)
    VALUES (b.id, b.parliament || '-' || b.session, nullif(b.status_code, ''), d -> 'bill_type' ->> 'en', d ->> 'home_chamber', b.introduced_on, b.prefix, b.digits, b.suffix, (d -> 'sponsor' ->> 'person_id')::bigint,
        concat_ws(E'\n', explorer_words(b.prefix || '-' || b.digits || b.suffix), short_en, short_fr, long_en, long_fr),
        array_remove(ARRAY[explorer_title(short_en), explorer_title(short_fr), explorer_title(long_en), explorer_title(long_fr)], ''),
        heading,
        heading
        || setweight(to_tsvector('explorer_en', sponsor || ' ' || committees), 'C') || setweight(to_tsvector('explorer_fr', sponsor || ' ' || committees), 'C')
        -- A tsvector is under a megabyte; summaries are cut far before that.
        || setweight(to_tsvector('explorer_en', explorer_words(explorer_text(left(coalesce(d -> 'summary' ->> 'en', ''), 40000)))), 'D')
        || setweight(to_tsvector('explorer_fr', explorer_words(explorer_text(left(coalesce(d -> 'summary' ->> 'fr', ''), 40000)))), 'D'))
    ON CONFLICT (bill_id) DO UPDATE SET session = excluded.session, status_code = excluded.status_code, bill_type = excluded.bill_type, home_chamber = excluded.home_chamber, introduced_on = excluded.introduced_on,
        sponsor_id = excluded.sponsor_id, words = excluded.words, titles = excluded.titles, head = excluded.head, tsv = excluded.tsv;
    INSERT INTO bill_words SELECT DISTINCT w COLLATE "C" FROM unnest(string_to_array(concat_ws(' ', short_en, short_fr, long_en, long_fr, sponsor, committees), ' ')) AS w
    WHERE char_length(w) BETWEEN 3 AND 40 AND w COLLATE "C" > ':' -- in order, so that two writers never wait for each other
    ORDER BY 1 ON CONFLICT DO NOTHING;
END $$;

-- explorer_text is the text of sanitised HTML.
CREATE FUNCTION explorer_text(html text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT replace(replace(replace(replace(replace(replace(replace(regexp_replace(html, '<[^>]*>', ' ', 'g'), '&#39;', ''''), '&#34;', '"'), '&quot;', '"'), '&nbsp;', ' '), '&lt;', '<'), '&gt;', '>'), '&amp;', '&')
$$;
-- +goose StatementEnd

-- No more are similar titles looked for; whoever still does must look at all.
DROP INDEX bill_index_tsv_idx, bill_index_words_idx;
SELECT index_bill(b) FROM bills b;
-- A search would read all that waits to be put into an index.
CREATE INDEX bill_index_tsv_idx ON bill_index USING gin (tsv) WITH (fastupdate = off);
CREATE INDEX bill_index_titles_idx ON bill_index USING gin (titles) WITH (fastupdate = off);

-- Politicians are found by the words of names and ridings, in any order, whichever program wrote them.
ALTER TABLE politicians ADD COLUMN words text NOT NULL DEFAULT '', -- of name and ridings; names with a hyphen or an apostrophe in one word too
    ADD COLUMN names text[] NOT NULL DEFAULT '{}'; -- the words of the name, sorted, likewise

-- +goose StatementBegin
-- explorer_joined is a text whose words with a hyphen, an apostrophe or a stop within are one.
CREATE FUNCTION explorer_joined(t text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT explorer_words(regexp_replace(explorer_plain(t), '[''.-]+(?=[^ ])', '', 'g'))
$$;

-- explorer_sorted has the words of a text in order.
CREATE FUNCTION explorer_sorted(words text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT string_agg(w, ' ' ORDER BY w COLLATE "C") FROM regexp_split_to_table(words, ' ') AS w
$$;

CREATE FUNCTION index_politician_trigger() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    name text := coalesce(NEW.doc ->> 'name', '');
    given text := coalesce(NEW.doc ->> 'given_name', '') || ' ' || coalesce(NEW.doc ->> 'family_name', '');
    riding_en text := coalesce(NEW.doc -> 'riding' ->> 'en', '');
    riding_fr text := coalesce(NEW.doc -> 'riding' ->> 'fr', '');
BEGIN
    NEW.words := concat_ws(E'\n', explorer_words(name), explorer_joined(name), explorer_words(riding_en), explorer_joined(riding_en), explorer_words(riding_fr), explorer_joined(riding_fr));
    NEW.names := ARRAY(SELECT DISTINCT n FROM unnest(ARRAY[explorer_sorted(explorer_words(name)), explorer_sorted(explorer_joined(name)), explorer_sorted(explorer_words(given)), explorer_sorted(explorer_joined(given))]) AS n WHERE n <> '' ORDER BY n);
    RETURN NEW;
END $$;
-- +goose StatementEnd
CREATE TRIGGER politicians_index BEFORE INSERT OR UPDATE OF doc ON politicians FOR EACH ROW EXECUTE FUNCTION index_politician_trigger();
UPDATE politicians SET doc = doc;

-- +goose Down
LOCK TABLE bills, politicians IN SHARE ROW EXCLUSIVE MODE;
DROP TRIGGER politicians_index ON politicians;
DROP FUNCTION index_politician_trigger();
ALTER TABLE politicians DROP COLUMN words, DROP COLUMN names;
DROP INDEX bill_index_latest_idx;
ALTER TABLE bill_index DROP COLUMN titles;
DROP TABLE bill_words;
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION index_bill(b bills) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
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
-- +goose StatementEnd
DROP INDEX bill_index_tsv_idx;
DROP FUNCTION explorer_joined(text), explorer_sorted(text), explorer_text(text), explorer_title(text), explorer_query(text[], boolean), explorer_words(text), explorer_plain(text);
SELECT index_bill(b) FROM bills b;
CREATE INDEX bill_index_tsv_idx ON bill_index USING gin (tsv);
CREATE INDEX bill_index_words_idx ON bill_index USING gin (words gin_trgm_ops);
