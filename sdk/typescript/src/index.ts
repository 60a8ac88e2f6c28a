/**
 * Client of the Parliament Explorer API: a typed function for every operation of the contract, and event streams that resume.
 *
 * @packageDocumentation
 */
export * from './generated/index.js'
export type { Client } from './generated/client/index.js'
export { configureExplorer, createExplorer, type ExplorerOptions } from './client.js'
export { followEvents, followRun, followRunBatches, followStatus, type FollowOptions, type StreamedEvent } from './follow.js'
export { ConnectionError, ProblemError } from './problem.js'
