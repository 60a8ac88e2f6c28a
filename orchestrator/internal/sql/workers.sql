-- name: Beat :one
-- The session is recorded only if it is there: in_session. A heartbeat touches no other table, which may be locked.
-- valid_seconds: how long the worker sleeps, and sends no other.
INSERT INTO workers AS w (id, host, pid, started_at, beat_at, session_pid, session_start)
SELECT @id, @host, @pid, now(), now() + make_interval(secs => @valid_seconds::float8), a.pid, a.backend_start
FROM (SELECT) one
    LEFT JOIN pg_stat_activity a ON a.pid = sqlc.narg(session_pid) AND a.backend_start = sqlc.narg(session_start)
ON CONFLICT (id) DO UPDATE SET beat_at = excluded.beat_at, lost_at = NULL, session_pid = excluded.session_pid,
    session_start = excluded.session_start
RETURNING (w.session_pid IS NOT NULL)::boolean AS in_session;

-- name: OpenWork :one
-- others: jobs run on other workers than this. anything: a run, a job, or what waits for one, is open. sensor_seconds:
-- until a sensor is due; -1: none runs.
SELECT EXISTS (SELECT FROM river_job WHERE state = 'running' AND attempted_by[array_upper(attempted_by, 1)]
        <> @id::text)::boolean AS others,
    (EXISTS (SELECT FROM river_job WHERE state IN ('available', 'running', 'retryable', 'scheduled'))
        OR EXISTS (SELECT FROM runs WHERE status IN ('queued', 'started', 'canceling'))
        OR EXISTS (SELECT FROM step_waits) OR EXISTS (SELECT FROM step_slots)
        OR EXISTS (SELECT FROM sensors WHERE lease IS NOT NULL)
        OR EXISTS (SELECT FROM backfills WHERE ended_at IS NULL)
        OR EXISTS (SELECT FROM alerts WHERE recovered_at IS NULL AND told_at IS NULL))::boolean AS anything,
    (SELECT CASE WHEN count(*) = 0 THEN -1 ELSE greatest(0, extract(epoch FROM min(next_at) - now())) END
        FROM sensors WHERE running AND lease IS NULL AND name = ANY(@sensors::text[]))::float8 AS sensor_seconds;

-- name: NextDue :one
-- What a worker must know before it sleeps. busy: something is to be done now. due_seconds: until a job, a sensor, a
-- deferred alert or the deadline of a run is due; a day at most. schedules: those that run. A run may wait if no job of
-- its steps is lost, and one of them is due later.
SELECT (EXISTS (SELECT FROM river_job WHERE state = 'running')
        OR EXISTS (SELECT FROM river_job WHERE state IN ('available', 'retryable', 'scheduled')
            AND scheduled_at <= now())
        OR EXISTS (SELECT FROM runs WHERE status = 'canceling')
        OR EXISTS (SELECT FROM runs r WHERE r.status IN ('queued', 'started')
            AND (NOT EXISTS (SELECT FROM steps s WHERE s.run_id = r.id AND s.job_id IS NOT NULL
                    AND s.status IN ('queued', 'started', 'up_for_retry'))
                OR EXISTS (SELECT FROM steps s WHERE s.run_id = r.id AND s.job_id IS NOT NULL
                    AND s.status IN ('queued', 'started', 'up_for_retry')
                    AND NOT EXISTS (SELECT FROM river_job j WHERE j.id = s.job_id
                        AND j.state IN ('available', 'retryable', 'scheduled')))))
        OR EXISTS (SELECT FROM step_waits) OR EXISTS (SELECT FROM step_slots)
        OR EXISTS (SELECT FROM sensors WHERE lease IS NOT NULL)
        OR EXISTS (SELECT FROM backfills WHERE ended_at IS NULL))::boolean AS busy,
    extract(epoch FROM least(now() + interval '1 day',
        (SELECT min(scheduled_at) FROM river_job WHERE state IN ('available', 'retryable', 'scheduled')),
        (SELECT min(next_at) FROM sensors WHERE running AND name = ANY(@sensors::text[])),
        (SELECT min(tell_at) FROM alerts WHERE recovered_at IS NULL AND told_at IS NULL),
        (SELECT min(deadline_at) FROM runs WHERE status = 'started')) - now())::float8 AS due_seconds,
    (SELECT coalesce(array_agg(name), '{}') FROM schedules WHERE running)::text[] AS schedules;

-- name: InsertTopic :one
-- The channel on which River tells its clients of new jobs.
SELECT (current_schema() || '.river_insert')::text;

-- name: RouseWorkers :exec
-- Wakes the workers that sleep.
SELECT pg_notify(current_schema() || '.river_insert', '{"queue": "ticks"}');

-- name: WakeWorkers :one
-- Tells River's clients of the queues in which jobs are due. next_seconds: until the next of the others is due; -1: none.
WITH queues AS MATERIALIZED (
    SELECT q.queue, EXISTS (SELECT FROM generate_series(1, 4) p (priority) WHERE EXISTS (
        SELECT FROM river_job j WHERE j.state = 'available' AND j.queue = q.queue AND j.priority = p.priority
            AND j.scheduled_at <= now())) AS due,
        (SELECT min(least((SELECT min(j.scheduled_at) FROM river_job j WHERE j.state = 'available' AND j.queue = q.queue
                AND j.priority = p.priority AND j.scheduled_at > now()),
            (SELECT min(j.scheduled_at) FROM river_job j WHERE j.state = 'retryable' AND j.queue = q.queue
                AND j.priority = p.priority AND j.scheduled_at > now()),
            (SELECT min(j.scheduled_at) FROM river_job j WHERE j.state = 'scheduled' AND j.queue = q.queue
                AND j.priority = p.priority AND j.scheduled_at > now())))
         FROM generate_series(1, 4) p (priority)) AS next_at
    FROM unnest(@queues::text[]) q (queue)
), told AS MATERIALIZED (
    SELECT pg_notify(current_schema() || '.river_insert', json_build_object('queue', queue)::text) FROM queues WHERE due
)
SELECT coalesce(extract(epoch FROM min(next_at) - now()), -1)::float8 AS next_seconds,
    (SELECT count(*) FROM told) AS told
FROM queues;

-- name: Session :one
-- This session, as others see it.
SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid();

-- name: ListGoneWorkers :many
-- Workers whose session has ended. After a restart of the server nothing is known of sessions that began before it.
SELECT id, session_pid::integer AS session_pid, session_start::timestamptz AS session_start FROM workers w
WHERE w.session_pid IS NOT NULL AND w.lost_at IS NULL AND w.id <> @id
  AND w.session_start > pg_postmaster_start_time()
  AND NOT EXISTS (SELECT FROM pg_stat_activity a
      WHERE a.pid = w.session_pid AND coalesce(a.backend_start = w.session_start, true));

-- name: LoseWorker :execrows
-- A worker that has sent a heartbeat with another session is not lost.
UPDATE workers SET lost_at = now()
WHERE id = @id AND session_pid = @session_pid::integer AND session_start = @session_start::timestamptz
  AND lost_at IS NULL;

-- name: ListWorkers :many
-- The last heartbeat of a worker that sleeps is in the future.
SELECT id, host, pid, started_at, least(beat_at, now())::timestamptz AS beat_at,
    (beat_at > now() - make_interval(secs => @dead_after::float8) AND lost_at IS NULL)::boolean AS alive
FROM workers ORDER BY started_at;

-- name: DeleteWorker :exec
DELETE FROM workers WHERE id = @id;

-- name: DeleteDeadWorkers :exec
DELETE FROM workers WHERE beat_at < now() - interval '1 day';

-- name: ListLostJobs :many
-- River jobs that run on a worker that is lost or without a recent heartbeat, and those of the worker that asks which it
-- does not have in hand.
SELECT j.id, j.kind, j.queue, j.args, j.max_attempts, coalesce(j.attempted_by[array_upper(j.attempted_by, 1)],
    '')::text AS worker_id
FROM river_job j
WHERE j.state = 'running' AND j.kind = ANY(@kinds::text[])
  AND (EXISTS (SELECT FROM workers w WHERE w.id = j.attempted_by[array_upper(j.attempted_by, 1)]
          AND w.lost_at IS NOT NULL)
      OR NOT EXISTS (SELECT FROM workers w WHERE w.id = j.attempted_by[array_upper(j.attempted_by, 1)]
          AND w.beat_at > now() - make_interval(secs => @dead_after::float8))
      AND j.attempted_at < now() - make_interval(secs => @dead_after::float8)
      OR j.attempted_by[array_upper(j.attempted_by, 1)] = @own::text AND j.id <> ALL(@in_hand::bigint[])
      AND j.attempted_at < now() - make_interval(secs => @in_hand_after::float8))
LIMIT 100;

-- name: DiscardLostJob :execrows
-- Whatever the worker that lost a finished job reports later changes nothing. A job
-- that went to another worker meanwhile is not lost.
UPDATE river_job SET state = 'discarded', finalized_at = now()
WHERE id = @id AND state = 'running' AND coalesce(attempted_by[array_upper(attempted_by, 1)], '') = @worker_id::text;

-- name: ListForgottenSteps :many
-- Steps that have not ended and whose River job is gone or finished, except ends that are being recorded just now.
SELECT s.run_id, s.asset, s.job_id::bigint AS job_id FROM runs r JOIN steps s ON s.run_id = r.id LEFT
    JOIN river_job j ON j.id = s.job_id
WHERE r.status IN ('queued', 'started', 'canceling') AND s.status IN ('queued', 'started', 'up_for_retry')
    AND s.job_id IS NOT NULL
  AND NOT EXISTS (SELECT FROM step_waits w WHERE w.run_id = s.run_id AND w.asset = s.asset)
  AND (j.id IS NULL OR j.finalized_at < now() - interval '5 seconds')
LIMIT 100;

-- name: JobsAlive :one
SELECT count(*) FROM river_job WHERE id = @id AND finalized_at IS NULL;

-- name: Deployment :one
-- Measurements of all processes together.
SELECT (SELECT count(*) FROM workers WHERE beat_at > now() - interval '15 seconds'
           AND lost_at IS NULL) AS workers_alive,
       (SELECT coalesce(extract(epoch FROM now() - min(scheduled_at)), 0)::float8 FROM river_job
           WHERE state = 'available') AS oldest_seconds,
       (SELECT count(*) FROM alerts WHERE recovered_at IS NULL) AS open_alerts,
       (SELECT count(*) FROM runs WHERE status = 'queued') AS queued, (SELECT count(*) FROM runs
           WHERE status = 'started') AS started,
       (SELECT count(*) FROM runs WHERE status = 'canceling') AS canceling;

-- name: QueueDepth :one
SELECT count(*) FILTER (WHERE state = 'available') AS available, count(*) FILTER (WHERE state = 'running') AS running,
    count(*) FILTER (WHERE state = 'retryable') AS retryable
FROM river_job WHERE state IN ('available', 'running', 'retryable');

-- name: DatabaseUptime :one
-- How many seconds the server has run.
SELECT greatest(0, extract(epoch FROM clock_timestamp() - pg_postmaster_start_time()))::float8 AS seconds;

-- name: QueueStates :many
SELECT queue, count(*) FILTER (WHERE state = 'available') AS available,
    count(*) FILTER (WHERE state = 'running') AS running,
       count(*) FILTER (WHERE state = 'retryable') AS retryable,
           count(*) FILTER (WHERE state = 'scheduled') AS scheduled,
       coalesce(min(scheduled_at) FILTER (WHERE state = 'available'),
           '0001-01-01')::timestamptz AS oldest_available_at
FROM river_job WHERE state IN ('available', 'running', 'retryable', 'scheduled') GROUP BY queue ORDER BY queue;
