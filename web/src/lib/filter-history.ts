import { useRouter } from '@tanstack/react-router'
import { useCallback, useRef } from 'react'

/**
 * How a changed filter is put into the history of the browser. Each change is an entry, so that Back undoes it. Typing
 * in a text field, whose name is given, is one entry as long as nothing else happens.
 */
export function useFilterHistory(): (field?: string) => { replace: boolean; resetScroll: false } {
  const router = useRouter()
  const typed = useRef<{ field: string; index: number }>(undefined)
  return useCallback(
    (field) => {
      const index = router.history.location.state.__TSR_index
      const replace = field !== undefined && typed.current?.field === field && typed.current.index === index
      typed.current = field === undefined ? undefined : { field, index: replace ? index : index + 1 }
      return { replace, resetScroll: false }
    },
    [router],
  )
}
