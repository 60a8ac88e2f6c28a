import { useMutation } from '@tanstack/react-query'
import { CircleHelp } from 'lucide-react'
import { Switch } from 'radix-ui'
import { useId, useSyncExternalStore } from 'react'
import { useTranslation } from 'react-i18next'

import { isRefusal, queryClient } from '../app/client'
import { toast } from '../app/toasts'
import { createStore } from '../lib/store'
import { useRefusal } from './act'

type Kind = 'schedules' | 'sensors'

interface Switchable {
  name: string
  running: boolean
}

/** The schedules and sensors whose state is not known, as in `sensors/new_bills_sensor`. */
const unknown = createStore<ReadonlySet<string>>(new Set())

// What the server says ends all doubt.
queryClient.getQueryCache().subscribe((event) => {
  if (event.type !== 'updated' || event.action.type !== 'success' || event.action.manual) return
  const [kind, name] = event.query.queryKey
  const prefix = `${String(kind)}/`
  const known = (key: string) => (name ? key === prefix + String(name) : key.startsWith(prefix))
  const rest = [...unknown.get()].filter((key) => !known(key))
  if (rest.length < unknown.get().size) unknown.set(new Set(rest))
})

/** Whether the state is unknown: a request to change it got no answer, so it may have been carried out or not. */
export function useUnknown(kind: Kind, name: string): boolean {
  return useSyncExternalStore(unknown.subscribe, () => unknown.get().has(`${kind}/${name}`))
}

/** Replaces a schedule or sensor in the loaded list and on its own page. */
function put<T extends Switchable>(kind: Kind, name: string, change: (old: T) => T): void {
  queryClient.setQueryData<T[]>([kind], (old) => old?.map((s) => (s.name === name ? change(s) : s)))
  queryClient.setQueryData<T>([kind, name], (old) => old && change(old))
}

/**
 * Starts and stops a schedule or a sensor. The switch moves at once. If the server refuses, everything goes back to
 * what it was. If the server does not answer, the state is shown as unknown until the server can be asked.
 */
export function LiveSwitch<T extends Switchable>({
  kind,
  of,
  label,
  turn,
}: {
  kind: Kind
  of: T
  label: string
  turn: (name: string, on: boolean) => Promise<{ data: T }>
}) {
  const { t } = useTranslation()
  const { name } = of
  const lost = useUnknown(kind, name)
  const refusal = useRefusal()
  const reason = useId()
  const change = useMutation({
    mutationFn: (on: boolean) => turn(name, on),
    onMutate: async (on) => {
      await queryClient.cancelQueries({ queryKey: [kind] })
      const before = {
        list: queryClient.getQueryData<T[]>([kind])?.find((s) => s.name === name),
        one: queryClient.getQueryData<T>([kind, name]),
      }
      put<T>(kind, name, (old) => ({ ...old, running: on }))
      return before
    },
    onSuccess: ({ data }) => put<T>(kind, name, () => data),
    onError: (error, _on, before) => {
      const { list, one } = before ?? {}
      if (list) queryClient.setQueryData<T[]>([kind], (old) => old?.map((s) => (s.name === name ? list : s)))
      if (one) queryClient.setQueryData<T>([kind, name], one)
      if (!isRefusal(error)) unknown.set(new Set(unknown.get()).add(`${kind}/${name}`))
      toast.bad(error)
    },
    onSettled: () => void queryClient.invalidateQueries({ queryKey: [kind] }),
  })
  if (lost) {
    return (
      <button
        type="button"
        className="btn small"
        data-state="unknown"
        aria-label={`${label}: ${t('automation.unknown')}. ${t('automation.askAgain')}`}
        title={t('automation.askAgain')}
        onClick={() => void queryClient.invalidateQueries({ queryKey: [kind] })}
      >
        <CircleHelp size={14} aria-hidden />
        {t('automation.unknown')}
      </button>
    )
  }
  return (
    <>
      <Switch.Root
        className="switch"
        aria-label={label}
        checked={of.running}
        disabled={change.isPending}
        aria-disabled={refusal !== undefined || undefined}
        aria-describedby={refusal && reason}
        title={refusal}
        onCheckedChange={(on) => refusal === undefined && change.mutate(on)}
      >
        <Switch.Thumb />
      </Switch.Root>
      {refusal !== undefined && (
        <span id={reason} hidden>
          {refusal}
        </span>
      )}
    </>
  )
}
