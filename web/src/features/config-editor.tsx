import {
  autocompletion,
  type CompletionContext,
  type CompletionResult,
  completionKeymap,
} from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { json } from '@codemirror/lang-json'
import { yaml } from '@codemirror/lang-yaml'
import { bracketMatching, indentOnInput } from '@codemirror/language'
import { EditorState } from '@codemirror/state'
import { EditorView, keymap, lineNumbers } from '@codemirror/view'
import { useEffect, useRef } from 'react'

import { suggest } from '../lib/complete'
import type { Format } from '../lib/config'

interface EditorProps {
  /** The id of the element that gets the focus. */
  id: string
  label: string
  format: Format
  text: string
  invalid: boolean
  describedBy: string
  assets: readonly { name: string; schema: object }[]
  onChange: (text: string) => void
}

// Tab is not among them, so that it leaves the editor.
const keys = keymap.of([...completionKeymap, ...defaultKeymap, ...historyKeymap])

/** A config as text, with completion from the JSON Schemas of the assets. */
export default function ConfigEditor(props: EditorProps) {
  const { format, text } = props
  const box = useRef<HTMLDivElement>(null)
  const view = useRef<EditorView>(undefined)
  const latest = useRef(props)
  useEffect(() => {
    latest.current = props
  })
  useEffect(() => {
    const complete = (context: CompletionContext): CompletionResult | null => {
      const typed = context.matchBefore(/[\w."'-]+/)
      if (!context.explicit && !typed) return null
      const { format, assets } = latest.current
      const found = suggest(context.state.doc.toString(), context.pos, format, assets)
      if (!found) return null
      const options = found.suggestions.map(({ label, insert, kind, detail, info }) => ({
        label,
        detail: detail && ' ' + detail,
        info,
        type: kind === 'field' ? 'property' : 'constant',
        apply: (v: EditorView, _: unknown, from: number, to: number) => {
          // A quote that was closed at once is replaced too.
          const after = v.state.sliceDoc(to, to + 1)
          const end = insert.includes('"') && after === '"' ? to + 1 : to
          v.dispatch({ changes: { from, to: end, insert }, selection: { anchor: from + insert.length } })
        },
      }))
      // A quote is no part of the name that is compared.
      const quoted = context.state.sliceDoc(found.from, found.from + 1) === '"'
      return { from: found.from, options, filter: !quoted, validFor: quoted ? undefined : /^[\w.-]*$/ }
    }
    const made = new EditorView({
      parent: box.current!,
      state: EditorState.create({
        doc: latest.current.text,
        extensions: [
          lineNumbers(),
          history(),
          indentOnInput(),
          bracketMatching(),
          autocompletion({ override: [complete] }),
          format === 'json' ? json() : yaml(),
          keys,
          EditorView.lineWrapping,
          EditorView.updateListener.of((update) => {
            if (update.docChanged) latest.current.onChange(update.state.doc.toString())
          }),
        ],
      }),
    })
    view.current = made
    return () => {
      made.destroy()
      view.current = undefined
    }
  }, [format])

  useEffect(() => {
    const at = view.current
    if (at && at.state.doc.toString() !== text)
      at.dispatch({ changes: { from: 0, to: at.state.doc.length, insert: text } })
  }, [text])

  const { id, label, invalid, describedBy } = props
  useEffect(() => {
    const content = view.current?.contentDOM
    content?.setAttribute('id', id)
    content?.setAttribute('aria-label', label)
    content?.setAttribute('aria-describedby', describedBy)
    content?.setAttribute('aria-invalid', String(invalid))
  }, [id, label, describedBy, invalid, format])

  return <div ref={box} className="editor" />
}
