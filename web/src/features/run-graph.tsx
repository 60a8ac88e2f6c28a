import type { Step } from '@parliament-explorer/sdk'
import { useTranslation } from 'react-i18next'

import { inOrder } from '../lib/attempts'
import { Duration, StatusBadge } from '../ui/basics'
import { Graph } from '../ui/graph'
import { AssetLink } from '../ui/links'

const nodeSize = { width: 240, height: 76 }

/** The steps of a run as a graph: what waits for what. */
export default function RunGraph({ steps }: { steps: Step[] }) {
  const { t } = useTranslation()
  const byAsset = new Map(steps.map((step) => [step.asset, step]))
  return (
    <Graph
      className="run-graph"
      label={t('run.graphLabel')}
      names={inOrder(steps).map((step) => step.asset)}
      edges={steps.flatMap(({ asset, upstream }) => upstream.map((from) => ({ from, to: asset })))}
      size={nodeSize}
      box={(asset) => <StepBox step={byAsset.get(asset)!} />}
    />
  )
}

function StepBox({ step }: { step: Step }) {
  return (
    <div className="node">
      <div className="node-title">
        <AssetLink name={step.asset} />
      </div>
      <div className="row between small muted">
        <StatusBadge status={step.status} />
        {step.started_at && <Duration from={step.started_at} to={step.ended_at} />}
      </div>
    </div>
  )
}
