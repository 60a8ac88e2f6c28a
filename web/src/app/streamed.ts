/** The events that the stream sends. Log lines are not among them: there may be very many. */
export const streamedTypes = [
  'run_enqueued',
  'run_started',
  'run_success',
  'run_failure',
  'run_canceling',
  'run_canceled',
  'materialization',
  'progress',
  'step_started',
  'step_success',
  'step_failure',
  'step_up_for_retry',
  'step_skipped',
  'step_canceled',
  'step_requeued',
]
