import { useEffect, useRef, useState } from 'react'

/** A text being typed, handed on when the typing rests; it follows what it is a draft of when that changes otherwise. */
export function useDraft(value: string, settle: (value: string) => void, rest = 250): [string, (value: string) => void] {
  const [draft, setDraft] = useState(value)
  const [seen, setSeen] = useState(value)
  const [sent, setSent] = useState(value)
  const latest = useRef(settle)
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
      setSent(draft)
      latest.current(draft)
    }, rest)
    return () => clearTimeout(timer)
  }, [draft, value, rest])
  return [draft, setDraft]
}
