import { useRouter } from '@tanstack/react-router'
import { useEffect, useRef, useState } from 'react'

/** A text being typed, handed on when the typing rests; it follows what it is a draft of when that changes otherwise. */
export function useDraft(
  value: string,
  settle: (value: string) => void,
  rest = 250,
): [string, (value: string) => void] {
  const [draft, setDraft] = useState(value)
  const [seen, setSeen] = useState(value)
  const [sent, setSent] = useState(value)
  const latest = useRef(settle)
  const router = useRouter()
  useEffect(() => {
    latest.current = settle
  })
  if (seen !== value) {
    setSeen(value)
    if (value !== sent) setDraft(value) // not our own, which may be behind by now
  }
  useEffect(() => {
    if (draft === value) return
    const timer = setTimeout(() => {
      if (router.state.location.pathname !== router.state.resolvedLocation?.pathname) return // another page is loading: it would be called back
      setSent(draft)
      latest.current(draft)
    }, rest)
    return () => clearTimeout(timer)
  }, [draft, value, rest, router])
  return [draft, setDraft]
}
