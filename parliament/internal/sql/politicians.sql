-- name: PoliticianHashes :many
SELECT slug, list_hash, asked_at FROM politicians WHERE slug = ANY(@slugs::text[]);

-- name: DepartedPoliticians :many
-- Members who are not in a list of all members.
SELECT slug, (doc ->> 'name')::text AS name FROM politicians WHERE is_current AND NOT slug = ANY(@slugs::text[])
    ORDER BY slug LIMIT sqlc.arg('limit');

-- name: UpsertPolitician :one
-- created and changed say what it did; is_current alone is no change of the person.
WITH before AS (SELECT p.doc, p.is_current FROM politicians p WHERE p.slug = @slug)
INSERT INTO politicians (slug, person_id, is_current, sort_key, party, province, search, doc, list_hash, first_seen_at,
    updated_at, last_run_id, asked_at)
VALUES (@slug, sqlc.narg(person_id), @is_current, @sort_key, sqlc.narg(party), sqlc.narg(province), @search, @doc,
    @list_hash, @at, @at, @run_id, @at)
ON CONFLICT (slug) DO UPDATE SET person_id = excluded.person_id, is_current = excluded.is_current,
    sort_key = excluded.sort_key, party = excluded.party, province = excluded.province,
    search = excluded.search, doc = excluded.doc, list_hash = excluded.list_hash, asked_at = excluded.asked_at,
    updated_at = CASE WHEN politicians.doc IS DISTINCT FROM excluded.doc
        OR politicians.is_current <> excluded.is_current THEN excluded.updated_at ELSE politicians.updated_at END,
    last_run_id = CASE WHEN politicians.doc IS DISTINCT FROM excluded.doc
        OR politicians.is_current <> excluded.is_current THEN excluded.last_run_id ELSE politicians.last_run_id END
RETURNING (NOT EXISTS (SELECT FROM before))::boolean AS created,
    coalesce((SELECT before.doc IS DISTINCT FROM politicians.doc OR before.is_current <> politicians.is_current
    FROM before), true)::boolean AS changed;

-- name: SetCurrentPoliticians :execrows
-- Those of the list are members, the others are not (any more).
UPDATE politicians SET is_current = slug = ANY(@slugs::text[]), updated_at = @at, last_run_id = @run_id
    WHERE is_current <> (slug = ANY(@slugs::text[]));

-- name: GetPolitician :one
SELECT * FROM politicians WHERE slug = @slug;

-- name: ListPoliticians :many
-- By family name; those whom somebody looks for, by rank before. With a list of people, those of it by theirs. With
-- patterns, those whose name or ridings have them all: first those whose name is just that, then those whose name has
-- all the words.
WITH p AS (
    SELECT politicians.*, (CASE
        WHEN cardinality(@people::text[]) > 0 THEN (@ranks::integer[])[array_position(@people::text[], slug)]
        WHEN cardinality(@patterns::text[]) = 0 OR names && @names::text[] THEN 0
        WHEN EXISTS (SELECT FROM unnest(names) AS n WHERE string_to_array(n, ' ') @> @tokens::text[]) THEN 1
        ELSE 2 END)::integer AS rank
    FROM politicians
    WHERE (sqlc.narg(is_current)::boolean IS NULL OR is_current = sqlc.narg(is_current))
      AND (sqlc.narg(party)::text IS NULL OR party = sqlc.narg(party))
      AND (sqlc.narg(province)::text IS NULL OR province = sqlc.narg(province))
      AND (cardinality(@people::text[]) = 0 OR slug = ANY(@people::text[]))
      AND (cardinality(@patterns::text[]) = 0 OR words LIKE ALL(@patterns::text[]))
)
SELECT slug, is_current, doc, first_seen_at, updated_at, rank FROM p
WHERE NOT @after::boolean OR (rank, sort_key, slug) > (@after_rank::integer, @after_key::text, @after_slug::text)
ORDER BY rank, sort_key, slug LIMIT sqlc.arg('limit');

-- name: PoliticianWords :one
-- What somebody looks for as words, and with those joined that a hyphen or an apostrophe parts.
SELECT explorer_words(@q::text)::text AS words, explorer_joined(@q::text)::text AS joined;

-- name: AnyPolitician :one
-- Whether anybody's name or ridings have all the patterns.
SELECT EXISTS (SELECT FROM politicians WHERE words LIKE ALL(@patterns::text[])) AS found;

-- name: PeopleAsTyped :many
-- Person ids (0 if there is none) of whoever has a slug, and of those whose name has just some words; these are in
-- order.
SELECT coalesce(person_id, 0)::bigint AS person_id, (slug = @slug::text)::boolean AS by_slug FROM politicians
    WHERE slug = @slug OR names && ARRAY[@name::text] ORDER BY slug;

-- name: PoliticiansByWords :many
SELECT slug, words FROM politicians ORDER BY slug;

-- name: SlugsOfPeople :many
SELECT person_id::bigint AS person_id, min(slug)::text AS slug FROM politicians WHERE person_id = ANY(@people::bigint[])
    GROUP BY person_id;

-- name: BillsOfSponsor :many
SELECT b.* FROM bill_index i JOIN bills b ON b.id = i.bill_id WHERE i.sponsor_id = @person_id
ORDER BY coalesce(b.introduced_on, '0001-01-01') DESC, b.prefix, b.digits, b.suffix, b.id LIMIT sqlc.arg('limit');

-- name: PoliticianCoverage :one
SELECT count(*) AS people, count(*) FILTER (WHERE is_current) AS members, count(person_id) AS with_person_id,
    count(party) AS with_party, count(province) AS with_province,
       count(*) FILTER (WHERE coalesce(doc -> 'riding' ->> 'en', '') <> '') AS with_riding
FROM politicians;

-- name: SponsorCoverage :many
-- House bills with a sponsor's person id, and those of them whose sponsor is known as a politician.
SELECT i.session, count(*) AS house_bills, count(i.sponsor_id) AS with_sponsor,
    count(*) FILTER (WHERE EXISTS (SELECT FROM politicians p WHERE p.person_id = i.sponsor_id)) AS linked
FROM bill_index i WHERE i.prefix = 'C' GROUP BY i.session ORDER BY i.session DESC;
