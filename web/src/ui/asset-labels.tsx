import type { Asset } from '@parliament-explorer/sdk'
import { Link } from '@tanstack/react-router'

/** The owners, kinds and tags of an asset. Each leads to the assets that share it. */
export function Labels({ asset, only }: { asset: Asset; only?: 'owner' | 'kind' | 'tag' }) {
  const labels = [
    ...asset.owners.map((owner) => ({ owner })),
    ...asset.kinds.map((kind) => ({ kind })),
    ...Object.entries(asset.tags).map(([key, value]) => ({ tag: `${key}:${value}` })),
  ].filter((label) => !only || only in label)
  return (
    <span className="row wrap" style={{ gap: '0.25rem 0.4rem' }}>
      {labels.map((label) => (
        <Link key={Object.values(label)[0]} to="/assets" search={label} className="tag">
          {Object.values(label)[0]}
        </Link>
      ))}
    </span>
  )
}
