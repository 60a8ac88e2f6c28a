import { type RunStatus, runStatuses } from '../app/search'

/** The statuses of a filter. `without` means all statuses except these. */
export interface Statuses {
  chosen: RunStatus[]
  without: boolean
}

/** Reads the filter `status` of the API. Unknown statuses are left out. */
export function parseStatuses(text: string | undefined): Statuses {
  const parts = (text ?? '').split(',').map((p) => p.trim())
  const named = (out: boolean) => runStatuses.filter((s) => parts.includes(out ? `-${s}` : s))
  const [included, excluded] = [named(false), named(true)]
  return included.length > 0
    ? { chosen: included.filter((s) => !excluded.includes(s)), without: false }
    : { chosen: excluded, without: excluded.length > 0 }
}

export function formatStatuses({ chosen, without }: Statuses): string | undefined {
  return chosen.map((s) => (without ? `-${s}` : s)).join(',') || undefined
}
