import type { ReactNode } from 'react'

/** Stands in for the Markdown component of the form library: descriptions of config fields have no Markdown. */
export function Markdown({ children }: { children?: ReactNode }) {
  return <>{children}</>
}
