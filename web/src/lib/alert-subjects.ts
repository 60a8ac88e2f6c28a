import type { Alert } from '@parliament-explorer/sdk'

/** What an alert is about. */
export interface AlertSubjects {
  /** The runs that the alert names. The latest occurrence replaces those before. */
  runs: string[]
  /** The run whose fetch logs explain the alert. */
  fetchLogsOf?: string
  job?: string
  assets: string[]
  /** The check of the only asset. */
  check?: string
  /** The source of data that has trouble. */
  source?: string
}

const runId = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

const texts = (value: unknown): string[] =>
  (Array.isArray(value) ? (value as unknown[]) : [value]).filter((v): v is string => typeof v === 'string' && v !== '')

/** What an alert is about, from its data. The data of alerts of sensors is free, so all of it may be missing. */
export function subjectsOf({ cause, data }: Pick<Alert, 'cause' | 'data'>): AlertSubjects {
  const runs = [...new Set([...texts(data.run_id), ...texts(data.run_ids)])].filter((id) => runId.test(id))
  const assets = [...new Set([...texts(data.asset), ...texts(data.assets)])]
  const [check] = assets.length === 1 ? texts(data.check) : []
  const [source] = texts(data.source)
  const [named] = texts(data.job)
  // run_failure_sensor names the job in the cause; without a job, it names the assets there.
  const rest = cause.startsWith('run:') ? cause.slice('run:'.length) : undefined
  const job = named ?? (rest && rest !== assets.join(', ') ? rest : undefined)
  return { runs, fetchLogsOf: data.fetch_log_id ? runs[0] : undefined, job, assets: job ? [] : assets, check, source }
}
