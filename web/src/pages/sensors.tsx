import { evaluateSensor, type Sensor, startSensor, stopSensor } from '@parliament-explorer/sdk'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { Zap } from 'lucide-react'
import { useTranslation } from 'react-i18next'

import { queryClient } from '../app/client'
import { sensorsQuery } from '../app/queries'
import { toast } from '../app/toasts'
import { duration } from '../lib/format'
import { useSaid } from '../lib/said'
import { Act } from '../ui/act'
import { Card, Empty, Time } from '../ui/basics'
import { RunLink } from '../ui/links'
import { LiveSwitch } from '../ui/live-switch'
import { Loaded } from '../ui/loaded'
import { TickResult } from '../ui/tick'

/** The sensors, with their switches and last ticks. */
export function Sensors() {
  const said = useSaid()
  const { t, i18n } = useTranslation()
  const sensors = useQuery(sensorsQuery)
  return (
    <Card title={t('automation.sensors')}>
      <Loaded query={sensors} lines={5} height="13rem">
        {(list) =>
          list.length === 0 ? (
            <Empty title={t('automation.noSensors')}>{t('automation.noSensorsText')}</Empty>
          ) : (
            <div className="table-wrap">
              <table className="blocks">
                <thead>
                  <tr>
                    <th>{t('automation.running')}</th>
                    <th>{t('automation.sensor')}</th>
                    <th>{t('automation.kind')}</th>
                    <th>{t('automation.last')}</th>
                    <th>
                      <span className="sr-only">{t('app.actions')}</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {list.map((sensor) => (
                    <tr key={sensor.name}>
                      <td>
                        <SensorSwitch sensor={sensor} />
                      </td>
                      <td>
                        <Link to="/automation/sensors/$sensor" params={{ sensor: sensor.name }} className="break">
                          {sensor.name}
                        </Link>
                        <p className="muted small break">{said(sensor.description, sensor.description_i18n)}</p>
                      </td>
                      <td data-label={t('automation.kind')} className="small">
                        {t(`automation.kind_${sensor.kind}`)}
                        <p className="muted small">
                          {t('automation.every', { every: duration(sensor.interval_seconds * 1000, i18n.language) })}
                        </p>
                      </td>
                      <td data-label={t('automation.last')}>
                        {sensor.last_tick ? (
                          <span className="row wrap" style={{ gap: '0.1rem 0.5rem' }}>
                            <TickResult tick={sensor.last_tick} />
                            <span className="small muted">
                              <Time at={sensor.last_tick.last_at} />
                            </span>
                            {sensor.last_tick.run_ids.length === 1 ? (
                              <RunLink id={sensor.last_tick.run_ids[0]!} />
                            ) : (
                              <span className="small break">
                                {said(sensor.last_tick.message, sensor.last_tick.message_i18n)}
                              </span>
                            )}
                          </span>
                        ) : (
                          <span className="muted">{t('app.never')}</span>
                        )}
                      </td>
                      <td className="right">
                        <Evaluate sensor={sensor.name} />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Loaded>
    </Card>
  )
}

export function SensorSwitch({ sensor }: { sensor: Sensor }) {
  const { t } = useTranslation()
  return (
    <LiveSwitch
      kind="sensors"
      of={sensor}
      label={t('automation.switchSensor', { name: sensor.name })}
      turn={(name, on) => (on ? startSensor : stopSensor)({ path: { sensor: name } })}
    />
  )
}

export function Evaluate({ sensor }: { sensor: string }) {
  const { t } = useTranslation()
  const evaluate = useMutation({
    mutationFn: () => evaluateSensor({ path: { sensor } }),
    onSuccess: ({ data }) => {
      toast.good(
        t('automation.evaluated', {
          status: [t(`automation.tick_${data.status}`), data.message].filter(Boolean).join(': '),
        }),
      )
      void queryClient.invalidateQueries({ queryKey: ['sensors'] })
      void queryClient.invalidateQueries({ queryKey: ['sensor-ticks'] })
    },
    onError: toast.bad,
  })
  return (
    <Act
      className="btn small"
      aria-label={t('app.pair', { name: t('automation.evaluate'), value: sensor })}
      disabled={evaluate.isPending}
      onClick={() => evaluate.mutate()}
    >
      <Zap size={14} aria-hidden />
      {t('automation.evaluate')}
    </Act>
  )
}
