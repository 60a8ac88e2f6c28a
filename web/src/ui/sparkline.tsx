interface Point {
  at: number
  value: number
}

const [width, height, pad] = [112, 27, 3]

/** The recent course of a number, without axes. It draws two lines, which needs no library of charts. */
export function Sparkline({ points, label }: { points: Point[]; label: string }) {
  if (points.length < 2) return <span className="sparkline" aria-hidden />
  const x = linear(
    points.map((p) => p.at),
    pad,
    width - pad,
  )
  const y = linear(
    points.map((p) => p.value),
    height - pad,
    pad,
  )
  const last = points.length - 1
  return (
    <svg className="sparkline" viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
      <path d={'M' + points.map((_, i) => `${x[i]},${y[i]}`).join('L')} />
      <circle cx={x[last]} cy={y[last]} r={2.2} />
    </svg>
  )
}

/** Places values between two ends. Equal values are in the middle. */
function linear(values: number[], from: number, to: number): string[] {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  return values.map((v) => (from + (high > low ? (v - low) / (high - low) : 0.5) * (to - from)).toFixed(1))
}
