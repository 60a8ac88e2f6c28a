import type { Event, Run, Step } from '@parliament-explorer/sdk'

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

/** The time that a step waited for a worker, once its upstream steps had ended. Undefined if it has not begun to. */
export function waitOf(
  run: Pick<Run, 'created_at' | 'ended_at' | 'steps'>,
  step: Step,
  now: number,
): { from: number; to: number } | undefined {
  const upstream = run.steps.filter((s) => step.upstream.includes(s.asset))
  if (upstream.some((s) => s.ended_at === null)) return undefined
  if (step.started_at === null && (step.status !== 'queued' || run.ended_at !== null)) return undefined
  const from = Math.max(Date.parse(run.created_at), ...upstream.map((s) => Date.parse(s.ended_at!)))
  const to = step.started_at === null ? now : Date.parse(step.started_at)
  return to > from ? { from, to } : undefined
}

/** The steps in the order in which they can start, so that a step is below all that it waits for. */
export function inOrder(steps: readonly Step[]): Step[] {
  const byName = new Map(steps.map((s) => [s.asset, s]))
  const depths = new Map<string, number>()
  const depth = (step: Step): number => {
    const known = depths.get(step.asset)
    if (known !== undefined) return known
    const upstream = step.upstream.flatMap((name) => byName.get(name) ?? [])
    const own = Math.max(-1, ...upstream.map(depth)) + 1
    depths.set(step.asset, own)
    return own
  }
  return [...steps].sort((a, b) => depth(a) - depth(b) || a.asset.localeCompare(b.asset))
}
