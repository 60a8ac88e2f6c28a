/** Allowed values of the search parameters of pages. */
export const runStatuses = ['queued', 'started', 'success', 'failure', 'canceling', 'canceled'] as const
export type RunStatus = (typeof runStatuses)[number]
export const fetchStatuses = ['success', 'partial_success', 'failure', 'source_unavailable', 'canceled'] as const
export const periods = ['1h', '24h', '7d'] as const
export const levels = ['debug', 'info', 'warn', 'error'] as const
/** How far the timeline of the overview looks back. */
export const timelinePeriods = ['1h', '6h', '24h', '7d', '30d'] as const
export type TimelinePeriod = (typeof timelinePeriods)[number]
