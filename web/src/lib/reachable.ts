import { getVersion } from '@parliament-explorer/sdk'

/** Whether the server responds, even if it refuses. */
export async function reachable(): Promise<boolean> {
  try {
    await getVersion({ cache: 'no-store' })
    return true
  } catch (error) {
    return error instanceof Error && error.name === 'ProblemError' && 'status' in error && Number(error.status) < 500
  }
}
