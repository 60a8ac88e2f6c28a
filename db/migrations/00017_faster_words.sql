-- +goose Up
-- The same words as before at half the cost: blanks are put together by splitting, which is far cheaper than a regular
-- expression that matches at every word, and what is called for every text is PL/pgSQL, whose plans are kept.

-- +goose StatementBegin
-- explorer_blanks puts one blank where there are several, and none at the ends.
CREATE FUNCTION explorer_blanks(t text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT array_to_string(array_remove(string_to_array(t, ' '), ''), ' ')
$$;

CREATE OR REPLACE FUNCTION explorer_plain(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT AS $$
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
    t := translate(lower(t), '`', '''');
    IF t ~ '[\u0001-\u001f\u007f]' THEN
        t := regexp_replace(t, '[\u0001-\u001f\u007f]+', ' ', 'g');
    END IF;
    RETURN explorer_blanks(t);
END $$;

CREATE OR REPLACE FUNCTION explorer_words(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT AS $$
BEGIN
    t := explorer_plain(t);
    IF t ~ '[\u0001-\u001f\u0021-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u007f]' THEN
        t := regexp_replace(t, '([a-z0-9])''s(?![a-z0-9])', '\1s', 'g');
        t := explorer_blanks(regexp_replace(t, '[\u0001-\u001f\u0021-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u007f]+', ' ', 'g'));
    END IF;
    RETURN t;
END $$;
-- +goose StatementEnd
-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION explorer_plain(t text) RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT AS $$
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

CREATE OR REPLACE FUNCTION explorer_words(t text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT btrim(regexp_replace(regexp_replace(explorer_plain(t), '([a-z0-9])''s(?![a-z0-9])', '\1s', 'g'), '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u007f]+', ' ', 'g'))
$$;
-- +goose StatementEnd
DROP FUNCTION explorer_blanks(text);
