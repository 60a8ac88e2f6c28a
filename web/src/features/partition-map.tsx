import { type Asset, type AssetPartitions, materializeAsset, startBackfill } from '@parliament-explorer/sdk'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useVirtualizer } from '@tanstack/react-virtual'
import { Play } from 'lucide-react'
import { useId, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { partitionsQuery } from '../app/queries'
import { toast } from '../app/toasts'
import { serverFlag } from '../lib/base'
import { shortId } from '../lib/format'
import { cellText, groupOf, groupWords, keysOf, mapRows, neighbour, partitionWords } from '../lib/partitions'
import { languageOf } from '../lib/bill-words'
import { useWidth } from '../lib/size'
import { Act } from '../ui/act'
import { newIdempotencyKey } from '../ui/actions'
import { AssetState, stateTone } from '../ui/asset-state'
import { Card, Empty } from '../ui/basics'
import { RunLink } from '../ui/links'
import { Loaded } from '../ui/loaded'

/** The height of a cell, in pixels; and its width, unless it shows a session. */
const cellSize = 26
const sessionWidth = 48

/** The width of the names of groups, in pixels. On a smaller screen than `besideFrom`, they are above their cells. */
const groupWidth = 128
const besideFrom = 560

/** An asset's partitions as a heat map. Selected partitions can be materialized. */
export default function Partitions({ asset }: { asset: Asset }) {
  const { t } = useTranslation()
  const query = useQuery(partitionsQuery(asset.name))
  return (
    <Loaded query={query} lines={6} height="20rem">
      {(data) =>
        data.items.length === 0 ? (
          <Card>
            <Empty title={t('assets.noPartitions')} command={`explorer materialize parliament_sessions${serverFlag}`}>
              {t('assets.noPartitionsText')}
            </Empty>
          </Card>
        ) : (
          <PartitionMap asset={asset} data={data} />
        )
      }
    </Loaded>
  )
}

function PartitionMap({ asset, data }: { asset: Asset; data: AssetPartitions }) {
  const { t, i18n } = useTranslation()
  const navigate = useNavigate()
  const [box, width] = useWidth<HTMLDivElement>()
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const [at, setAt] = useState(data.items.length - 1)
  const anchor = useRef(at)
  /** The cell that gets the focus once its row is there. */
  const coming = useRef<number>(undefined)
  const language = languageOf(i18n.language)
  const wide = data.items.some((p) => cellText(p.key).length > 2)
  const cellWidth = wide ? sessionWidth : cellSize
  const grouped = data.items.some((p) => groupOf(p.key) !== undefined)
  const beside = grouped && width >= besideFrom
  const perRow = Math.max(1, Math.floor(Math.max(width - 16 - (beside ? groupWidth : 0), cellWidth) / cellWidth))
  const rows = useMemo(
    () =>
      mapRows(
        data.items.map((p) => p.key),
        perRow,
        grouped && !beside,
      ),
    [data.items, perRow, grouped, beside],
  )
  const rowOf = (index: number) => rows.findIndex((row) => index < row.to && row.to > row.from)
  const scroller = useRef<HTMLDivElement>(null)
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => cellSize,
    overscan: 8,
    initialOffset: 1e9,
  })
  const current = data.items[Math.min(at, data.items.length - 1)]!

  const choose = (index: number, range: boolean) => {
    const [from, to] = range ? [Math.min(anchor.current, index), Math.max(anchor.current, index)] : [index, index]
    setSelected((old) => {
      const next = new Set(old)
      const on = range || !old.has(data.items[index]!.key)
      for (let i = from; i <= to; i++) {
        if (on) next.add(data.items[i]!.key)
        else next.delete(data.items[i]!.key)
      }
      return next
    })
    anchor.current = index
    setAt(index)
  }
  /** Focuses a cell at once, so that the next key is for it. Returns whether its row is there. */
  const focus = (index: number) => {
    const cell = scroller.current?.querySelector<HTMLButtonElement>(`[data-index="${index}"]`)
    cell?.focus()
    return Boolean(cell)
  }
  const move = (e: React.KeyboardEvent) => {
    const last = data.items.length - 1
    const next = {
      ArrowLeft: Math.max(at - 1, 0),
      ArrowRight: Math.min(at + 1, last),
      ArrowUp: neighbour(rows, at, -1),
      ArrowDown: neighbour(rows, at, 1),
      Home: 0,
      End: last,
    }[e.key]
    if (next === undefined) return
    e.preventDefault()
    setAt(next)
    virtual.scrollToIndex(rowOf(next))
    coming.current = focus(next) ? undefined : next
    if (coming.current === next) requestAnimationFrame(() => coming.current === next && focus(next))
  }
  const keysWith = (status: string) => new Set(data.items.filter((p) => p.status === status).map((p) => p.key))

  const start = useMutation({
    mutationFn: async () => {
      const keys = data.items.filter((p) => selected.has(p.key)).map((p) => p.key)
      const headers = { 'Idempotency-Key': newIdempotencyKey() }
      if (keys.length === 1)
        return {
          run: (await materializeAsset({ path: { asset: asset.name }, body: { partition: keys[0] }, headers })).data.id,
        }
      return {
        backfill: (
          (await startBackfill({ body: { assets: [asset.name], partitions: keys }, headers })).data as { id: string }
        ).id,
      }
    },
    onSuccess: ({ run, backfill }) => {
      setSelected(new Set())
      if (run) {
        toast.good(t('launch.started', { id: shortId(run) }))
        void navigate({ to: '/runs/$runId', params: { runId: run } })
      } else if (backfill) {
        toast.good(t('assets.backfillStarted', { id: shortId(backfill) }))
        void navigate({ to: '/backfills/$backfillId', params: { backfillId: backfill } })
      }
    },
    onError: toast.bad,
  })

  return (
    <Card
      title={t('assets.partitionsOf', { set: data.set?.name })}
      actions={
        <div className="row wrap">
          <button
            type="button"
            className="btn small"
            disabled={data.counts.missing === 0}
            onClick={() => setSelected(keysWith('missing'))}
          >
            {t('assets.selectMissing')}
          </button>
          <button
            type="button"
            className="btn small"
            disabled={data.counts.failed === 0}
            onClick={() => setSelected(keysWith('failed'))}
          >
            {t('assets.selectFailed')}
          </button>
          <button
            type="button"
            className="btn small"
            onClick={() => setSelected(selected.size > 0 ? new Set() : new Set(data.items.map((p) => p.key)))}
          >
            {selected.size > 0 ? t('assets.clear') : t('assets.selectAll')}
          </button>
          <Act
            className="btn small primary"
            disabled={selected.size === 0 || start.isPending}
            onClick={() => start.mutate()}
          >
            <Play size={14} aria-hidden />
            {selected.size > 0 ? t('assets.materializePartitions', { count: selected.size }) : t('assets.materialize')}
          </Act>
        </div>
      }
      padded
    >
      <div className="stack" ref={box}>
        <p className="row wrap">
          {(['materialized', 'missing', 'failed', 'running'] as const).map((status) => (
            <span key={status} className="row" style={{ gap: '0.3rem' }}>
              <AssetState status={status} /> <span className="num small">{data.counts[status]}</span>
            </span>
          ))}
        </p>
        <RangeField
          items={data.items}
          onSelect={(keys) => {
            setSelected((old) => new Set([...old, ...keys]))
            const first = data.items.findIndex((p) => p.key === keys[0])
            setAt(first)
            virtual.scrollToIndex(rowOf(first))
          }}
        />
        <p className="muted small" id="partition-hint">
          {t('assets.partitionHint')}
        </p>
        <div
          ref={scroller}
          className="heat"
          role="group"
          aria-label={t('assets.partitionsOf', { set: data.set?.name })}
          aria-describedby="partition-hint"
        >
          <div style={{ height: virtual.getTotalSize(), position: 'relative' }}>
            {virtual.getVirtualItems().map(({ key, index: n, start: top }) => (
              <div key={key} className="heat-row" style={{ top }}>
                {(beside || rows[n]!.group) && (
                  <span className="small muted" style={beside ? { width: groupWidth } : undefined}>
                    {rows[n]!.group && groupWords(rows[n]!.group, language)}
                  </span>
                )}
                {data.items.slice(rows[n]!.from, rows[n]!.to).map((p, i) => {
                  const index = rows[n]!.from + i
                  return (
                    <button
                      key={p.key}
                      type="button"
                      className={`cell ${stateTone(p.status)}`}
                      style={wide ? { width: sessionWidth - 2 } : undefined}
                      data-index={index}
                      data-status={p.status}
                      tabIndex={index === at ? 0 : -1}
                      aria-pressed={selected.has(p.key)}
                      aria-label={t('assets.cell', {
                        key: partitionWords(p.key, language),
                        status: t(`assets.state_${p.status}`),
                      })}
                      title={t('assets.cell', {
                        key: partitionWords(p.key, language),
                        status: t(`assets.state_${p.status}`),
                      })}
                      onClick={(e) => choose(coming.current ?? index, e.shiftKey)}
                      onFocus={() => {
                        coming.current = undefined
                        setAt(index)
                      }}
                      onKeyDown={move}
                    >
                      {cellText(p.key)}
                    </button>
                  )
                })}
              </div>
            ))}
          </div>
        </div>
        <p className="row wrap small">
          <strong>{partitionWords(current.key, language)}</strong> <AssetState status={current.status} />{' '}
          {current.run_id && <RunLink id={current.run_id} />}
          <span className="muted">{t('assets.selectedCount', { count: selected.size })}</span>
        </p>
      </div>
    </Card>
  )
}

/** Selects partitions by a key, a group or a range that is typed. Keys and groups are suggested. */
function RangeField({ items, onSelect }: { items: AssetPartitions['items']; onSelect: (keys: string[]) => void }) {
  const { t, i18n } = useTranslation()
  const id = useId()
  const language = languageOf(i18n.language)
  const [text, setText] = useState('')
  const [none, setNone] = useState<string>()
  const keys = useMemo(() => items.map((p) => p.key), [items])
  const groups = useMemo(() => [...new Set(keys.map(groupOf))].filter((g) => g !== undefined), [keys])
  const suggested = useMemo(
    () => [
      ...groups.toReversed().map((g) => [g, t('assets.allOf', { group: groupWords(g, language) })] as const),
      ...keys
        .slice(-500)
        .toReversed()
        .map((key) => [key, partitionWords(key, language)] as const),
    ],
    [groups, keys, language, t],
  )
  const group = groups.at(-1)
  return (
    <form
      className="field"
      style={{ maxWidth: '32rem' }}
      onSubmit={(e) => {
        e.preventDefault()
        const found = keysOf(text, keys)
        setNone(found.length === 0 && text.trim() !== '' ? text : undefined)
        if (found.length === 0) return
        onSelect(found)
        setText('')
      }}
    >
      <label htmlFor={id}>{t('assets.range')}</label>
      <div className="row">
        <input
          id={id}
          type="text"
          className="grow"
          list={id + 'keys'}
          value={text}
          autoComplete="off"
          spellCheck={false}
          placeholder={t('assets.rangePlaceholder', { example: `${group ?? keys[0]}, ${keys[0]}..${keys.at(-1)}` })}
          aria-invalid={none !== undefined}
          aria-describedby={id + 'help'}
          onChange={(e) => {
            setText(e.target.value)
            setNone(undefined)
          }}
        />
        <button type="submit" className="btn">
          {t('assets.rangeAdd')}
        </button>
      </div>
      <datalist id={id + 'keys'}>
        {suggested.map(([value, words]) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
      </datalist>
      <p id={id + 'help'} className="small" role="status" style={{ color: none ? 'var(--bad)' : 'var(--muted)' }}>
        {none ? t('assets.rangeNone', { text: none }) : t('assets.rangeHelp', { group: group ?? keys[0] })}
      </p>
    </form>
  )
}
