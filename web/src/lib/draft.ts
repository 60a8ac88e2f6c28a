import { useRouter } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'

/**
 * The text of an input that is committed when the user stops typing for `rest` milliseconds. The draft follows `value`
 * when that changes for another reason.
 */
export function useDraft(
  value: string,
  settle: (value: string) => void,
  rest = 250,
): [string, (value: string) => void] {
  const [draft, setDraft] = useState(value)
  const [seen, setSeen] = useState(value)
  const [sent, setSent] = useState<string>()
  const latest = useRef(settle)
  const router = useRouter()
  useEffect(() => {
    latest.current = settle
  })
  if (seen !== value) {
    setSeen(value)
    // A value that this hook committed does not replace a newer draft. If it comes back later, it does: by Back.
    if (value !== sent) setDraft(value)
    setSent(undefined)
  }
  useEffect(() => {
    if (draft === value) return
    const timer = setTimeout(() => {
      // While another page loads, a commit would cancel the navigation.
      if (router.state.location.pathname !== router.state.resolvedLocation?.pathname) return
      setSent(draft)
      latest.current(draft)
    }, rest)
    return () => clearTimeout(timer)
  }, [draft, value, rest, router])
  return [draft, setDraft]
}
