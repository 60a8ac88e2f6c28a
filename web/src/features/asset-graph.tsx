import '@xyflow/react/dist/style.css'

import { type AssetStatus, startRun } from '@parliament-explorer/sdk'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import {
  Background,
  Controls,
  type Edge,
  Handle,
  MarkerType,
  type Node,
  type NodeProps,
  Position,
  ReactFlow,
  ReactFlowProvider,
  useNodesState,
  useReactFlow,
} from '@xyflow/react'
import { MoreHorizontal, Play } from 'lucide-react'
import { DropdownMenu } from 'radix-ui'
import { useEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { graphQuery } from '../app/queries'
import { toast } from '../app/toasts'
import { shortId } from '../lib/format'
import { useDraft } from '../lib/draft'
import { useFilterHistory } from '../lib/filter-history'
import { layOut } from '../lib/layout'
import { fullSize, isScrolledGraph, scrolledGraph, scrolledSize } from '../lib/scrolled-graph'
import { newIdempotencyKey } from '../ui/actions'
import { AssetState } from '../ui/asset-state'
import { Card, Field, Skeleton, Time } from '../ui/basics'
import { Name } from '../ui/links'
import { fieldErrors, Problem } from '../ui/problem'

type AssetNode = Node<
  { name: string; group: string; at: string | null; status: AssetStatus; causes: string[] },
  'asset'
>

const nodeSize = { width: 240, height: 92 }

/** How the graph fits its card. */
const fit = { maxZoom: 1, minZoom: 0.2, padding: 0.15 }

export default function Graph() {
  return (
    <ReactFlowProvider>
      <Lineage />
    </ReactFlowProvider>
  )
}

function Lineage() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const search = useSearch({ from: '/assets' })
  const record = useFilterHistory()
  const select = (value: string, field?: string) =>
    void navigate({ to: '/assets', search: { view: 'graph', selection: value.trim() || undefined }, ...record(field) })
  const [selection, setSelection] = useDraft(search.selection ?? '', (value) => select(value, 'selection'))
  const graph = useQuery(graphQuery(search.selection))
  const [nodes, setNodes, onNodesChange] = useNodesState<AssetNode>([])
  const { fitView } = useReactFlow()
  const [scrolled] = useState(isScrolledGraph)
  const edges = useMemo<Edge[]>(
    () =>
      (graph.data?.edges ?? []).map((e) => ({
        id: `${e.from}→${e.to}`,
        source: e.from,
        target: e.to,
        markerEnd: { type: MarkerType.ArrowClosed },
        focusable: false,
      })),
    [graph.data],
  )

  // The data of the last selection is shown until that of the new one arrives.
  const arrived = graph.isPlaceholderData ? undefined : graph.data
  const shape = useRef('')
  const chosen = useRef<string>(undefined)
  useEffect(() => {
    if (!arrived) return
    const names = arrived.nodes.map((n) => n.name)
    const nextShape = JSON.stringify([names, arrived.edges])
    const moved = shape.current !== nextShape
    shape.current = nextShape
    // A typed selection selects its assets. A later click changes that, and no event from the server does.
    const select = chosen.current !== (search.selection ?? '')
    chosen.current = search.selection ?? ''
    const places = layOut(names, arrived.edges, nodeSize)
    setNodes((old) => {
      const before = new Map(old.map((n) => [n.id, n]))
      return arrived.nodes.map((node) => {
        const was = before.get(node.name)
        return {
          id: node.name,
          type: 'asset' as const,
          data: {
            name: node.name,
            group: node.group,
            at: node.last_materialized_at,
            status: node.status,
            causes: node.stale_causes,
          },
          // A node that the user has dragged stays there until the graph has other nodes.
          position: (!moved && was?.position) || places.get(node.name)!,
          selected: select ? search.selection !== undefined : (was?.selected ?? false),
          ariaLabel: node.name,
        }
      })
    })
    if (moved && !scrolled) void fitView(fit)
  }, [arrived, search.selection, setNodes, fitView, scrolled])

  const selected = nodes.filter((n) => n.selected).map((n) => n.id)
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
  const selectAll = (on: boolean) => setNodes((old) => old.map((n) => ({ ...n, selected: on })))

  return (
    <>
      <div className="filters" role="search">
        <Field label={t('assets.selection')} id="selection">
          <input
            id="selection"
            type="search"
            value={selection}
            maxLength={1000}
            placeholder={t('assets.selectionPlaceholder')}
            style={{ width: '22rem' }}
            spellCheck={false}
            aria-invalid={graph.error !== null}
            aria-describedby="selection-help"
            onChange={(e) => setSelection(e.target.value)}
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
        <div className={scrolled ? 'graph scrolled' : 'graph'}>
          {graph.error && (
            <div className="graph-problem">
              <Problem error={graph.error} retry={() => void graph.refetch()} />
            </div>
          )}
          {!graph.data && graph.error ? null : !graph.data ? (
            <Skeleton lines={6} />
          ) : (
            <div
              style={
                scrolled
                  ? scrolledSize(
                      nodes.map((n) => n.position),
                      nodeSize,
                    )
                  : fullSize
              }
            >
              <ReactFlow
                nodes={nodes}
                edges={edges}
                nodeTypes={nodeTypes}
                onNodesChange={onNodesChange}
                nodesConnectable={false}
                deleteKeyCode={null}
                multiSelectionKeyCode={['Shift', 'Meta', 'Control']}
                selectionKeyCode={null}
                minZoom={0.2}
                proOptions={{ hideAttribution: true }}
                {...(scrolled ? scrolledGraph : { fitView: true, fitViewOptions: fit })}
              >
                <Background />
                {!scrolled && <Controls showInteractive={false} />}
              </ReactFlow>
            </div>
          )}
        </div>
      </Card>
    </>
  )
}

function AssetBox({ data, selected }: NodeProps<AssetNode>) {
  const { t } = useTranslation()
  const { updateNode } = useReactFlow()
  return (
    <div className="node">
      <Handle type="target" position={Position.Left} isConnectable={false} style={{ visibility: 'hidden' }} />
      <div className="node-title">
        {/* By touch, this is the way to select several. */}
        <label className="nodrag nopan node-tick">
          <input
            type="checkbox"
            aria-label={t('assets.selectNode', { name: data.name })}
            checked={selected}
            onClick={(e) => e.stopPropagation()}
            onChange={() => updateNode(data.name, { selected: !selected })}
          />
        </label>
        <Link to="/assets/$asset" params={{ asset: data.name }} className="break nodrag grow">
          <Name>{data.name}</Name>
        </Link>
        <NodeMenu name={data.name} />
      </div>
      <div className="row between wrap small muted" style={{ gap: '0.1rem 0.5rem' }}>
        <span>{data.group}</span>
        {data.status === 'running' || data.status === 'failed' ? (
          <AssetState status={data.status} />
        ) : (
          data.causes.length > 0 && (
            <span
              className="badge warn"
              style={{ paddingLeft: '0.55rem' }}
              title={t('assets.staleWhy', { assets: data.causes.join(', ') })}
            >
              {t('assets.stale')}
            </span>
          )
        )}
        {data.at ? <Time at={data.at} /> : <span>{t('assets.ageUnknown')}</span>}
      </div>
      <Handle type="source" position={Position.Right} isConnectable={false} style={{ visibility: 'hidden' }} />
    </div>
  )
}

/** Shows and selects what is upstream or downstream of an asset. */
function NodeMenu({ name }: { name: string }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const record = useFilterHistory()
  const select = (selection: string) =>
    void navigate({ to: '/assets', search: { view: 'graph', selection }, ...record() })
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger
        className="btn ghost icon nodrag nopan"
        aria-label={t('assets.nodeMenu', { name })}
        onClick={(e) => e.stopPropagation()}
        onKeyDown={(e) => e.stopPropagation()}
      >
        <MoreHorizontal size={16} aria-hidden />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" align="end" onKeyDown={(e) => e.stopPropagation()}>
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

const nodeTypes = { asset: AssetBox }
