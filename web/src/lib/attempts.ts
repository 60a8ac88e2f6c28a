import type { Event, Step } from '@parliament-explorer/sdk'

/** One attempt of a step, with its start, end and outcome. `to` is missing while the attempt runs. */
export interface Attempt {
  asset: string
  number: number
  from: number
  to?: number
  outcome: 'started' | 'success' | 'failure' | 'canceled' | 'up_for_retry'
}

const outcomeByType: Record<string, Attempt['outcome']> = {
  step_success: 'success',
  step_failure: 'failure',
  step_canceled: 'canceled',
  step_up_for_retry: 'up_for_retry',
  step_requeued: 'up_for_retry',
}

/** The attempts in a run's events, in order. */
export function attemptsOf(events: readonly Event[]): Attempt[] {
  const attempts: Attempt[] = []
  const running = new Map<string, Attempt>()
  for (const event of events) {
    if (event.asset === null) continue
    if (event.type === 'step_started') {
      const attempt: Attempt = {
        asset: event.asset,
        number: event.attempt ?? 1,
        from: Date.parse(event.at),
        outcome: 'started',
      }
      attempts.push(attempt)
      running.set(event.asset, attempt)
      continue
    }
    const outcome = outcomeByType[event.type]
    const attempt = running.get(event.asset)
    if (!outcome || !attempt) continue
    attempt.to = Date.parse(event.at)
    attempt.outcome = outcome
    running.delete(event.asset)
  }
  return attempts
}

/** The attempts from the steps alone, until the events are loaded. */
export function attemptsOfSteps(steps: readonly Step[]): Attempt[] {
  return steps.flatMap((s) =>
    s.started_at === null
      ? []
      : [
          {
            asset: s.asset,
            number: s.attempt,
            from: Date.parse(s.started_at),
            to: s.ended_at ? Date.parse(s.ended_at) : undefined,
            outcome:
              s.status === 'success' || s.status === 'failure' || s.status === 'canceled' || s.status === 'up_for_retry'
                ? s.status
                : 'started',
          },
        ],
  )
}
