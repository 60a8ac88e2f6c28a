import type { Tick } from '@parliament-explorer/sdk'
import { useTranslation } from 'react-i18next'

const tones = { success: 'good', skipped: 'idle', failure: 'bad' } as const

export function TickResult({ tick }: { tick: Pick<Tick, 'status'> }) {
  const { t } = useTranslation()
  return (
    <span className={`badge ${tones[tick.status]}`} style={{ paddingLeft: '0.55rem' }}>
      {t(`automation.tick_${tick.status}`)}
    </span>
  )
}
