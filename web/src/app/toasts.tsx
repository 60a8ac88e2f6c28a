import { Check, CircleX, X } from 'lucide-react'
import { Toast } from 'radix-ui'
import { type ReactNode, useSyncExternalStore } from 'react'
import { useTranslation } from 'react-i18next'

import { errorMessage } from '../ui/problem'

interface Message {
  id: number
  kind: 'good' | 'bad'
  content: ReactNode
}

let messages: readonly Message[] = []
let nextId = 1
const listeners = new Set<() => void>()

function setMessages(to: readonly Message[]): void {
  messages = to
  for (const listener of listeners) listener()
}

function add(kind: Message['kind'], content: ReactNode): void {
  setMessages([...messages, { id: nextId++, kind, content }].slice(-4))
}

/** Shows a short message in a corner of the page and announces it to screen readers. */
export const toast = {
  good: (content: ReactNode) => add('good', content),
  bad: (error: unknown) => add('bad', errorMessage(error)),
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

export function Toasts() {
  const { t } = useTranslation()
  const shown = useSyncExternalStore(subscribe, () => messages)
  return (
    <Toast.Provider swipeDirection="right" duration={7000}>
      {shown.map((m) => (
        <Toast.Root
          key={m.id}
          className={`toast ${m.kind}`}
          type={m.kind === 'bad' ? 'foreground' : 'background'}
          duration={m.kind === 'bad' ? 12_000 : 7_000}
          onOpenChange={(open) => open || setMessages(messages.filter((o) => o.id !== m.id))}
        >
          {m.kind === 'good' ? <Check size={18} aria-hidden /> : <CircleX size={18} aria-hidden />}
          <Toast.Description className="grow break">{m.content}</Toast.Description>
          <Toast.Close className="btn ghost icon" aria-label={t('app.close')}>
            <X size={16} aria-hidden />
          </Toast.Close>
        </Toast.Root>
      ))}
      <Toast.Viewport className="toasts" />
    </Toast.Provider>
  )
}
