import { useProgress } from '../app/live'

/** The progress that a running step reports. With `placeholder`, an empty bar shows until the first report. */
export function StepProgress({ run, asset, placeholder }: { run: string; asset: string; placeholder?: boolean }) {
  const progress = useProgress(run, asset)
  if (!progress && !placeholder) return null
  const { done, total } = progress ?? { done: 0, total: 0 }
  return (
    <div className="row small muted num">
      <div
        className="progress grow"
        role="progressbar"
        aria-label={asset}
        aria-valuemin={0}
        aria-valuemax={Math.max(1, total)}
        aria-valuenow={done}
      >
        <div style={{ width: `${(100 * done) / Math.max(1, total)}%` }} />
      </div>
      <span style={placeholder ? { minWidth: '5rem', textAlign: 'right' } : undefined}>
        {progress ? `${done} / ${total}` : '…'}
      </span>
    </div>
  )
}
