-- name: EnsureSlots :exec
INSERT INTO source_slots (source, slot, held_until) SELECT @source, generate_series(1, @slots::integer), '-infinity'
    ON CONFLICT DO NOTHING;

-- name: TakeSlot :one
UPDATE source_slots SET held_until = clock_timestamp() + make_interval(secs => @lease::float8)
WHERE source_slots.source = @source AND source_slots.slot = (
    SELECT s.slot FROM source_slots s WHERE s.source = @source AND s.slot <= @slots::integer
        AND s.held_until < clock_timestamp()
    ORDER BY s.slot FOR UPDATE SKIP LOCKED LIMIT 1)
RETURNING source_slots.slot, source_slots.held_until;

-- name: ExtendSlot :one
-- Holds a slot for another while from now on; no row if it is somebody else's by now.
UPDATE source_slots SET held_until = clock_timestamp() + make_interval(secs => @lease::float8)
WHERE source = @source AND slot = @slot AND held_until = @held_until RETURNING held_until;

-- name: ReleaseSlot :exec
UPDATE source_slots SET held_until = '-infinity' WHERE source = @source AND slot = @slot AND held_until = @held_until;

-- name: ReserveRequest :one
-- Puts the caller into the line of requests to a source and says how many seconds it must wait for its turn.
INSERT INTO source_limits (source, next_at)
    VALUES (@source, clock_timestamp() + make_interval(secs => @spacing::float8))
ON CONFLICT (source) DO UPDATE SET next_at = greatest(source_limits.next_at,
    clock_timestamp()) + make_interval(secs => @spacing::float8)
RETURNING (extract(epoch FROM next_at - clock_timestamp()) - @spacing::float8)::float8 AS wait_seconds;

-- name: HoldSource :exec
-- Nobody asks the source before then: what Retry-After demands.
INSERT INTO source_limits (source, next_at)
    VALUES (@source, clock_timestamp() + make_interval(secs => @seconds::float8))
ON CONFLICT (source) DO UPDATE SET next_at = greatest(source_limits.next_at, excluded.next_at);
