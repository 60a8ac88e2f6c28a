import { Check, CircleX, X } from 'lucide-react'
import { Toast } from 'radix-ui'
import { useTranslation } from 'react-i18next'

import { dismiss, type Message } from '../app/toasts'

/** Messages in a corner of the page. */
export function ToastList({ messages }: { messages: readonly Message[] }) {
  const { t } = useTranslation()
  return (
    <Toast.Provider swipeDirection="right" duration={7000}>
      {messages.map((m) => (
        <Toast.Root
          key={m.id}
          className={`toast ${m.kind}`}
          type={m.kind === 'bad' ? 'foreground' : 'background'}
          duration={m.kind === 'bad' ? 12_000 : 7_000}
          onOpenChange={(open) => open || dismiss(m.id)}
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
