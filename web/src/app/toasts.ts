import { type ReactNode, useSyncExternalStore } from 'react'

import { errorMessage } from '../ui/problem'

export interface Message {
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

/** The messages that are shown. */
export function useMessages(): readonly Message[] {
  return useSyncExternalStore(subscribe, () => messages)
}

export function dismiss(id: number): void {
  setMessages(messages.filter((message) => message.id !== id))
}
