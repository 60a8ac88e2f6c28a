import type { BillDetail } from '@parliament-explorer/sdk'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'

import { day, type Lane, lastOf, languageOf, progressOf, statusWords } from '../lib/bill-words'
import { Card } from '../ui/basics'
import { ExternalLink, OtherSession } from './bill-record'

/** Where a bill stands, in plain words: its status, what that means, what happened last and what comes next. */
export function BillStatus({ bill }: { bill: BillDetail }) {
  const { t, i18n } = useTranslation()
  const language = languageOf(i18n.language)
  const status = statusWords(bill, language)
  const last = lastOf(bill, language)
  return (
    <section className={`card bill-status ${status.tone}`} aria-label={t('readers.statusTitle')}>
      <div className="body stack">
        <h2>{status.headline}</h2>
        {status.explanation && (
          <p className="prose">
            {status.explanation}{' '}
            {status.term && (
              <Link to="/glossary" hash={status.term} className="no-print">
                {t('readers.moreAbout')}
              </Link>
            )}
          </p>
        )}
        <dl className="now-next">
          <div>
            <dt>{t('readers.last')}</dt>
            <dd>{last ? <ExternalLink url={last.url}>{last.text}</ExternalLink> : t('readers.lastUnknown')}</dd>
          </div>
          <div>
            <dt>{t('readers.next')}</dt>
            <dd>
              {bill.reinstated_as ? (
                <>
                  {t('readers.continuesAs')} <OtherSession bill={bill.reinstated_as} />
                </>
              ) : (
                (status.next ?? t('readers.nextNone'))
              )}
            </dd>
          </div>
        </dl>
      </div>
    </section>
  )
}

const marks = { done: '✓', now: '●', ahead: '', skipped: '–', failed: '✕' } as const

/**
 * The way of a bill through both chambers. The state of a step is in its text for screen readers, and in the form of
 * its mark for those who see no colours.
 */
export function BillProgress({ lanes, heading = true }: { lanes: Lane[]; heading?: boolean }) {
  const { t, i18n } = useTranslation()
  const language = languageOf(i18n.language)
  const picture = (
    <ol className="bill-way">
      {lanes.map((lane) => (
        <li key={lane.chamber ?? 'assent'} className={lane.chamber ? undefined : 'last'}>
          <span className="lane">{lane.chamber ? t(`bills.${lane.chamber}`) : t('readers.assent')}</span>
          <ol>
            {lane.steps.map((step) => (
              <li key={step.key} className={step.state} aria-current={step.state === 'now' ? 'step' : undefined}>
                <span className="mark" aria-hidden>
                  {marks[step.state]}
                </span>
                <span className="step">
                  {lane.chamber ? step.name : ''}
                  <span className="sr-only">
                    {lane.chamber ? ': ' : ''}
                    {t(`readers.state_${step.state}`)}
                  </span>
                </span>
                {step.date && <span className="muted small">{day(step.date, language)}</span>}
              </li>
            ))}
          </ol>
        </li>
      ))}
    </ol>
  )
  return heading ? (
    <Card title={t('readers.progress')} padded>
      {picture}
    </Card>
  ) : (
    picture
  )
}

export function ProgressOf({ bill }: { bill: BillDetail }) {
  const { i18n } = useTranslation()
  return <BillProgress lanes={progressOf(bill, languageOf(i18n.language))} />
}
