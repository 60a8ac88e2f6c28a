import type { FieldError, Problem } from './generated/types.gen.js'

/**
 * What the server refused or failed to do, as it says so itself (RFC 9457). Every function of this package throws one
 * for an answer that is no success.
 */
export class ProblemError extends Error {
  override readonly name = 'ProblemError'
  /** Names the kind of problem, e.g. `urn:parliament-explorer:invalid`. */
  readonly type: string
  /** The HTTP status in words. */
  readonly title: string
  /** The HTTP status. */
  readonly status: number
  /** What is wrong with this request; the message of the error too. */
  readonly detail: string
  /** Which fields are at fault, if any: `pointer` is a JSON pointer such as `/config/limit`. */
  readonly errors: readonly FieldError[]

  constructor(problem: Problem) {
    super(problem.detail || problem.title)
    this.type = problem.type
    this.title = problem.title
    this.status = problem.status
    this.detail = problem.detail
    this.errors = problem.errors ?? []
  }
}

/** No answer came: the server cannot be reached, or took too long. `cause` is what fetch said. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
}

/** Makes an error of an answer's body, which is a problem unless something in between answered. */
export function problemOf(body: unknown, response: Response): ProblemError {
  if (typeof body === 'object' && body !== null && 'title' in body && 'status' in body) {
    return new ProblemError(body as Problem)
  }
  return new ProblemError({
    type: 'about:blank',
    title: response.statusText,
    status: response.status,
    detail: `${response.url} answered ${response.status} ${response.statusText}`.trim(),
    errors: [],
  })
}
