import { AlertDialog } from 'radix-ui'
import type { ReactNode } from 'react'

/** Asks for confirmation before an action that cannot be undone. */
export function Confirm({
  trigger,
  title,
  text,
  yes,
  no,
  onYes,
}: {
  trigger: ReactNode
  title: string
  text: string
  yes: string
  no: string
  onYes: () => void
}) {
  return (
    <AlertDialog.Root>
      <AlertDialog.Trigger asChild>{trigger}</AlertDialog.Trigger>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className="overlay" />
        <AlertDialog.Content className="dialog stack" style={{ maxWidth: '30rem' }}>
          <AlertDialog.Title asChild>
            <h2>{title}</h2>
          </AlertDialog.Title>
          <AlertDialog.Description>{text}</AlertDialog.Description>
          <div className="row wrap" style={{ justifyContent: 'flex-end' }}>
            <AlertDialog.Cancel className="btn">{no}</AlertDialog.Cancel>
            <AlertDialog.Action className="btn danger" onClick={onYes}>
              {yes}
            </AlertDialog.Action>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  )
}
