import { type AssetGraph, startRun } from '@parliament-explorer/sdk'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { MoreHorizontal, Play } from 'lucide-react'
import { DropdownMenu } from 'radix-ui'
import type { TFunction } from 'i18next'
import { useCallback, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { graphQuery } from '../app/queries'
import { toast } from '../app/toasts'
import { shortId } from '../lib/format'
import { useDraft } from '../lib/draft'
import { useFilterHistory } from '../lib/filter-history'
import { newIdempotencyKey } from '../ui/actions'
import { AssetState } from '../ui/asset-state'
import { Card, Field, Skeleton, Time } from '../ui/basics'
import { Graph } from '../ui/graph'
import { Name } from '../ui/links'
import { fieldErrors, Problem } from '../ui/problem'

type AssetNode = AssetGraph['nodes'][number]

const nodeSize = { width: 240, height: 92 }

const none: ReadonlySet<string> = new Set()

/** The assets and what they are made from. Those that are selected can be materialized. */
export default function Lineage() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const search = useSearch({ from: '/assets' })
  const record = useFilterHistory()
  const select = (value: string, field?: string) =>
    void navigate({ to: '/assets', search: { view: 'graph', selection: value.trim() || undefined }, ...record(field) })
  const [draft, setDraft] = useDraft(search.selection ?? '', (value) => select(value, 'selection'))
  const graph = useQuery(graphQuery(search.selection))
  const nodes = useMemo(() => graph.data?.nodes ?? [], [graph.data])
  const names = useMemo(() => nodes.map((n) => n.name), [nodes])
  const byName = useMemo(() => new Map(nodes.map((n) => [n.name, n])), [nodes])

  // A typed selection selects its assets. Later clicks change that, and no event from the server does. Until the assets
  // of a new selection have arrived, those of the last one are shown, and none is selected.
  const of = search.selection ?? ''
  const [picked, setPicked] = useState<{ of: string; names: ReadonlySet<string> }>()
  const selection = useMemo(() => {
    if (graph.isPlaceholderData) return none
    const wanted = picked?.of === of ? picked.names : of ? byName : none
    return new Set(names.filter((name) => wanted.has(name)))
  }, [graph.isPlaceholderData, picked, of, names, byName])
  const selected = useMemo(() => [...selection], [selection])
  const choose = useCallback(
    (name: string | undefined, several: boolean) => {
      const next = new Set(several ? selection : none)
      if (name !== undefined && !next.delete(name)) next.add(name)
      setPicked({ of, names: next })
    },
    [selection, of],
  )
  const selectAll = (on: boolean) => setPicked({ of, names: on ? new Set(names) : none })
  const box = useCallback(
    (name: string) => (
      <AssetBox node={byName.get(name)!} selected={selection.has(name)} toggle={() => choose(name, true)} t={t} />
    ),
    [byName, selection, choose, t],
  )
  const start = useMutation({
    mutationFn: () => startRun({ body: { assets: selected }, headers: { 'Idempotency-Key': newIdempotencyKey() } }),
    onSuccess: ({ data }) => {
      toast.good(t('launch.started', { id: shortId(data.id) }))
      void navigate({ to: '/runs/$runId', params: { runId: data.id } })
    },
    onError: (error) => {
      // What has to be configured first is entered there.
      if (fieldErrors(error).some((e) => e.pointer.startsWith('/config/')))
        void navigate({ to: '/launch', search: { assets: selected.join(',') } })
      else toast.bad(error)
    },
  })

  return (
    <>
      <div className="filters" role="search">
        <Field label={t('assets.selection')} id="selection">
          <input
            id="selection"
            type="search"
            value={draft}
            maxLength={1000}
            placeholder={t('assets.selectionPlaceholder')}
            style={{ width: '22rem' }}
            spellCheck={false}
            aria-invalid={graph.error !== null}
            aria-describedby="selection-help"
            onChange={(e) => setDraft(e.target.value)}
          />
        </Field>
        <p id="selection-help" className="muted small" style={{ flex: '1 1 18rem' }}>
          {t('assets.selectionHelp')}
        </p>
      </div>
      <Card
        label={t('assets.graphLabel')}
        title={
          <span className="muted small" style={{ fontWeight: 400 }}>
            {t('assets.selectHint')}
          </span>
        }
        actions={
          <div className="row wrap">
            <button type="button" className="btn small" onClick={() => selectAll(selected.length < nodes.length)}>
              {selected.length < nodes.length ? t('assets.selectAll') : t('assets.clear')}
            </button>
            {selected.length > 0 && (
              <Link to="/launch" search={{ assets: selected.join(',') }} className="btn small">
                {t('launch.configure')}
              </Link>
            )}
            <button
              type="button"
              className="btn small primary"
              disabled={selected.length === 0 || start.isPending}
              onClick={() => start.mutate()}
            >
              <Play size={14} aria-hidden />
              {selected.length > 0
                ? t('assets.materializeSelection', { count: selected.length })
                : t('assets.materialize')}
            </button>
          </div>
        }
      >
        <div className="graph-place">
          {graph.error && (
            <div className="graph-problem">
              <Problem error={graph.error} retry={() => void graph.refetch()} />
            </div>
          )}
          {!graph.data && graph.error ? null : !graph.data ? (
            <Skeleton lines={6} />
          ) : (
            <Graph
              label={t('assets.graphLabel')}
              names={names}
              edges={graph.data.edges}
              size={nodeSize}
              box={box}
              selected={selection}
              onChoose={choose}
            />
          )}
        </div>
      </Card>
    </>
  )
}

interface AssetBoxProps {
  node: AssetNode
  selected: boolean
  toggle: () => void
  t: TFunction
}

/** What is in the box of an asset. There may be a thousand of them, so they subscribe to little. */
function AssetBox({ node, selected, toggle, t }: AssetBoxProps) {
  const at = node.last_materialized_at
  return (
    <div className="node">
      <div className="node-title">
        {/* By touch, this is the way to select several. */}
        <label className="node-tick">
          <input
            type="checkbox"
            aria-label={t('assets.selectNode', { name: node.name })}
            checked={selected}
            onChange={toggle}
          />
        </label>
        <Link to="/assets/$asset" params={{ asset: node.name }} className="break grow">
          <Name>{node.name}</Name>
        </Link>
        <NodeMenu name={node.name} t={t} />
      </div>
      <div className="row between wrap small muted" style={{ gap: '0.1rem 0.5rem' }}>
        <span>{node.group}</span>
        {node.status === 'running' || node.status === 'failed' ? (
          <AssetState status={node.status} />
        ) : (
          node.stale_causes.length > 0 && (
            <span
              className="badge warn"
              style={{ paddingLeft: '0.55rem' }}
              title={t('assets.staleWhy', { assets: node.stale_causes.join(', ') })}
            >
              {t('assets.stale')}
            </span>
          )
        )}
        {at ? <Time at={at} /> : <span>{t('assets.ageUnknown')}</span>}
      </div>
    </div>
  )
}

/** Shows and selects what is upstream or downstream of an asset. The menu is made when it is opened first. */
function NodeMenu({ name, t }: { name: string; t: TFunction }) {
  const [used, setUsed] = useState(false)
  if (used) return <OpenedMenu name={name} />
  return (
    <button
      type="button"
      className="btn ghost icon"
      aria-label={t('assets.nodeMenu', { name })}
      aria-haspopup="menu"
      aria-expanded={false}
      onClick={() => setUsed(true)}
    >
      <MoreHorizontal size={16} aria-hidden />
    </button>
  )
}

function OpenedMenu({ name }: { name: string }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const record = useFilterHistory()
  const select = (selection: string) =>
    void navigate({ to: '/assets', search: { view: 'graph', selection }, ...record() })
  return (
    <DropdownMenu.Root modal={false} defaultOpen>
      <DropdownMenu.Trigger className="btn ghost icon" aria-label={t('assets.nodeMenu', { name })}>
        <MoreHorizontal size={16} aria-hidden />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" align="end">
          <DropdownMenu.Item className="menu-item" onSelect={() => select(`+${name}`)}>
            {t('assets.withUpstream')}
          </DropdownMenu.Item>
          <DropdownMenu.Item className="menu-item" onSelect={() => select(`${name}+`)}>
            {t('assets.withDownstream')}
          </DropdownMenu.Item>
          <DropdownMenu.Item className="menu-item" onSelect={() => select(`+${name}+`)}>
            {t('assets.withBoth')}
          </DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  )
}
