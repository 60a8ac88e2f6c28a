import { testAlertChannel } from '@parliament-explorer/sdk'
import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query'
import { Send } from 'lucide-react'
import { useTranslation } from 'react-i18next'

import { queryClient } from '../app/client'
import { useSystemStatus } from '../app/live'
import { alertsQuery, channelsQuery, deliveriesQuery } from '../app/queries'
import { toast } from '../app/toasts'
import { useSaid } from '../lib/said'
import { Act } from '../ui/act'
import { AlertLinks } from '../ui/alert-links'
import { Card, Empty, LoadMore, PageHead, Time } from '../ui/basics'
import { itemsOf, Loaded } from '../ui/loaded'

const tones = { pending: 'busy', delivered: 'good', failed: 'bad' } as const

export function Alerts() {
  const { t } = useTranslation()
  useSystemStatus() // updates the page when alerts change
  return (
    <div className="page">
      <PageHead title={t('alerts.title')} />
      <AlertList />
      <Channels />
      <Deliveries />
    </div>
  )
}

/** The alerts, newest first, with their deliveries. */
function AlertList() {
  const said = useSaid()
  const { t } = useTranslation()
  const alerts = useInfiniteQuery(alertsQuery)
  return (
    <Card label={t('alerts.title')}>
      <Loaded query={itemsOf(alerts)} lines={5}>
        {(items) =>
          items.length === 0 ? (
            <Empty title={t('alerts.none')}>{t('alerts.noneText')}</Empty>
          ) : (
            <div className="table-wrap">
              <table className="blocks">
                <thead>
                  <tr>
                    <th>{t('alerts.what')}</th>
                    <th>{t('alerts.opened')}</th>
                    <th>{t('alerts.recovered')}</th>
                    <th>{t('alerts.deliveries')}</th>
                  </tr>
                </thead>
                <tbody>
                  {items.map((a) => (
                    <tr key={a.id}>
                      <td style={{ width: '50%' }}>
                        <span
                          className={`badge ${a.recovered_at ? 'idle' : a.severity === 'error' ? 'bad' : 'warn'}`}
                          style={{ paddingLeft: '0.55rem' }}
                        >
                          {t(`alerts.severity_${a.severity}`)}
                        </span>{' '}
                        <strong className="break">{said(a.title, a.title_i18n)}</strong>
                        <p className="small break" style={{ whiteSpace: 'pre-line' }}>
                          {said(a.detail, a.detail_i18n)}
                        </p>
                        <AlertLinks alert={a} />
                        <p className="muted small break">
                          <code>{a.cause}</code> · {t('alerts.times', { count: a.occurrences })}
                        </p>
                      </td>
                      <td data-label={t('alerts.opened')}>
                        <Time at={a.opened_at} absolute />
                      </td>
                      <td data-label={t('alerts.recovered')}>
                        {a.recovered_at ? (
                          <Time at={a.recovered_at} absolute />
                        ) : (
                          <span className="badge bad" style={{ paddingLeft: '0.55rem' }}>
                            {t('alerts.open')}
                          </span>
                        )}
                      </td>
                      <td data-label={t('alerts.deliveries')} className="small">
                        {a.deliveries.length === 0 ? (
                          <span className="muted">{a.told_at ? t('app.none') : t('alerts.held')}</span>
                        ) : (
                          a.deliveries.map((d) => (
                            <p key={d.id}>
                              {d.channel}: {t(`alerts.kind_${d.kind}`)}, {t(`alerts.status_${d.status}`)}
                            </p>
                          ))
                        )}
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Loaded>
      <LoadMore query={alerts} />
    </Card>
  )
}

/** The configured channels. Each can be sent a test message. */
function Channels() {
  const { t } = useTranslation()
  const channels = useQuery(channelsQuery)
  const test = useMutation({
    mutationFn: (channel: string) => testAlertChannel({ path: { channel } }),
    onSuccess: () => {
      toast.good(t('alerts.tested'))
      void queryClient.invalidateQueries({ queryKey: ['alerts'] })
    },
    onError: toast.bad,
  })
  return (
    <Card title={t('alerts.channels')}>
      <Loaded query={channels} lines={2}>
        {(list) =>
          list.length === 0 ? (
            <Empty title={t('alerts.noChannels')}>{t('alerts.noChannelsText')}</Empty>
          ) : (
            <div className="table-wrap">
              <table className="blocks">
                <thead>
                  <tr>
                    <th>{t('alerts.channel')}</th>
                    <th>{t('alerts.kind')}</th>
                    <th>{t('alerts.target')}</th>
                    <th>
                      <span className="sr-only">{t('app.actions')}</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {list.map((c) => (
                    <tr key={c.name}>
                      <td>{c.name}</td>
                      <td data-label={t('alerts.kind')}>{t(`alerts.kind_${c.kind}`)}</td>
                      <td data-label={t('alerts.target')} className="break">
                        {c.target}
                      </td>
                      <td className="right">
                        <Act
                          className="btn small"
                          aria-label={t('app.pair', { name: t('alerts.test'), value: c.name })}
                          disabled={test.isPending}
                          onClick={() => test.mutate(c.name)}
                        >
                          <Send size={14} aria-hidden />
                          {t('alerts.test')}
                        </Act>
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

/** The latest messages to the channels. */
function Deliveries() {
  const said = useSaid()
  const { t } = useTranslation()
  const deliveries = useQuery(deliveriesQuery)
  return (
    <Card title={t('alerts.deliveries')}>
      <Loaded query={deliveries} lines={3}>
        {(list) =>
          list.length === 0 ? (
            <Empty title={t('alerts.noDeliveries')} />
          ) : (
            <div className="table-wrap">
              <table className="blocks">
                <thead>
                  <tr>
                    <th>{t('alerts.when')}</th>
                    <th>{t('alerts.channel')}</th>
                    <th>{t('alerts.kind')}</th>
                    <th>{t('alerts.status')}</th>
                    <th>{t('alerts.said')}</th>
                  </tr>
                </thead>
                <tbody>
                  {list.map((d) => (
                    <tr key={d.id}>
                      <td>
                        <Time at={d.created_at} absolute />
                      </td>
                      <td data-label={t('alerts.channel')}>{d.channel}</td>
                      <td data-label={t('alerts.kind')}>{t(`alerts.kind_${d.kind}`)}</td>
                      <td data-label={t('alerts.status')}>
                        <span className={`badge ${tones[d.status]}`} style={{ paddingLeft: '0.55rem' }}>
                          {t(`alerts.status_${d.status}`)}
                        </span>{' '}
                        <span className="muted small">{t('alerts.attempts', { count: d.attempts })}</span>
                      </td>
                      <td className="small break">{said(d.message, d.message_i18n)}</td>
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
