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
  /** All that was answered, with what this version of the package does not know: JSON as it came, or text. */
  readonly body: unknown

  constructor(problem: Problem, body: unknown = problem) {
    super(problem.detail || problem.title)
    this.body = body
    this.type = problem.type
    this.title = problem.title
    this.status = problem.status
    this.detail = problem.detail
    this.errors = Array.isArray(problem.errors) ? problem.errors : []
  }
}

/** No answer came: the server cannot be reached, or took too long. `cause` is what fetch said. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
}

/** Makes an error of an answer's body, which is a problem unless something in between answered. */
export function problemOf(body: unknown, response: Response): ProblemError {
  const blank: Problem = {
    type: 'about:blank',
    title: response.statusText,
    status: response.status,
    detail: `${response.url} answered ${response.status} ${response.statusText}`.trim(),
    errors: [],
  }
  if (typeof body !== 'object' || body === null || !('title' in body)) return new ProblemError(blank, body)
  return new ProblemError({ ...blank, ...(body as Partial<Problem>) }, body) // RFC 9457 lets each member be left out
}
