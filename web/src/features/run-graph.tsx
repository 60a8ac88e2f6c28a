import '@xyflow/react/dist/style.css'

import type { Step } from '@parliament-explorer/sdk'
import { Controls, type Edge, Handle, MarkerType, type Node, type NodeProps, Position, ReactFlow } from '@xyflow/react'
import { useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { inOrder } from '../lib/attempts'
import { layOut } from '../lib/layout'
import { fullSize, isScrolledGraph, scrolledGraph, scrolledSize } from '../lib/scrolled-graph'
import { Duration, StatusBadge } from '../ui/basics'
import { AssetLink } from '../ui/links'

type StepNode = Node<{ step: Step }, 'step'>

const nodeSize = { width: 240, height: 76 }

/** The properties of a graph that fits its card. */
const fitted = () => ({
  fitView: true,
  fitViewOptions: { maxZoom: 1, padding: 0.1 },
  nodesDraggable: false,
  panOnDrag: matchMedia('(pointer: fine)').matches, // a finger scrolls the page
  preventScrolling: false,
  zoomOnScroll: false,
})

/** The steps of a run as a graph: what waits for what. */
export default function RunGraph({ steps }: { steps: Step[] }) {
  const { t } = useTranslation()
  const [scrolled] = useState(isScrolledGraph)
  const shape = JSON.stringify(steps.map((s) => [s.asset, s.upstream]))
  const { places, edges } = useMemo(() => {
    const of = JSON.parse(shape) as [string, string[]][]
    const pairs = of.flatMap(([asset, upstream]) => upstream.map((from) => ({ from, to: asset })))
    const names = of.map(([asset]) => asset)
    return {
      places: layOut(names, pairs, nodeSize),
      edges: pairs.map<Edge>(({ from, to }) => ({
        id: `${from}→${to}`,
        source: from,
        target: to,
        markerEnd: { type: MarkerType.ArrowClosed },
        focusable: false,
      })),
    }
  }, [shape])
  const nodes = inOrder(steps).map<StepNode>((step) => ({
    id: step.asset,
    type: 'step',
    data: { step },
    position: places.get(step.asset)!,
    ariaLabel: step.asset,
    ...nodeSize, // known, so that the first picture is the last one
  }))
  return (
    <div className={scrolled ? 'graph scrolled' : 'graph run-graph'} role="group" aria-label={t('run.graphLabel')}>
      <div style={scrolled ? scrolledSize([...places.values()], nodeSize) : fullSize}>
        <ReactFlow
          nodes={nodes}
          edges={edges}
          nodeTypes={nodeTypes}
          nodesConnectable={false}
          nodesFocusable={false}
          elementsSelectable={false}
          deleteKeyCode={null}
          minZoom={0.1}
          proOptions={{ hideAttribution: true }}
          {...(scrolled ? scrolledGraph : fitted())}
        >
          {!scrolled && <Controls showInteractive={false} />}
        </ReactFlow>
      </div>
    </div>
  )
}

function StepBox({ data: { step } }: NodeProps<StepNode>) {
  return (
    <div className="node">
      <Handle type="target" position={Position.Left} isConnectable={false} style={{ visibility: 'hidden' }} />
      <div className="node-title">
        <AssetLink name={step.asset} />
      </div>
      <div className="row between small muted">
        <StatusBadge status={step.status} />
        {step.started_at && <Duration from={step.started_at} to={step.ended_at} />}
      </div>
      <Handle type="source" position={Position.Right} isConnectable={false} style={{ visibility: 'hidden' }} />
    </div>
  )
}

const nodeTypes = { step: StepBox }
