-- name: RegisterSource :exec
INSERT INTO source_states (source, url, requests_per_second, max_in_flight)
    VALUES (@source, @url, @requests_per_second, @max_in_flight)
ON CONFLICT (source) DO UPDATE SET url = excluded.url, requests_per_second = excluded.requests_per_second,
    max_in_flight = excluded.max_in_flight;

-- name: SourceSucceeded :exec
UPDATE source_states SET last_success_at = now() WHERE source = @source;

-- name: SourceFailed :exec
UPDATE source_states SET last_failure_at = now(), last_error = @error WHERE source = @source;

-- name: SourceBreaker :exec
-- seconds 0: closed.
UPDATE source_states SET breaker_changed_at = now(), breaker_open_until = CASE WHEN @seconds::float8 > 0
    THEN now() + make_interval(secs => @seconds) END
WHERE source = @source;

-- name: SourceHeld :exec
UPDATE source_states SET held_until = greatest(held_until, now() + make_interval(secs => @seconds::float8))
    WHERE source = @source;

-- name: ListSources :many
SELECT s.*, coalesce(s.breaker_open_until > now(), false)::boolean AS breaker_open,
    coalesce(s.held_until > now(), false)::boolean AS held,
       (SELECT count(*) FROM source_slots WHERE source_slots.source = s.source
           AND source_slots.held_until > clock_timestamp()) AS in_flight
FROM source_states s ORDER BY s.source;
