import type { BillDetail } from '@parliament-explorer/sdk'
import { Link } from '@tanstack/react-router'
import { Printer } from 'lucide-react'
import { useTranslation } from 'react-i18next'

import { uiBase } from '../lib/base'
import { citation, languageOf } from '../lib/bill-words'
import { billParams } from '../lib/bills'
import { today } from '../lib/today'
import { Card, CopyButton } from '../ui/basics'

/** Links to a bill: its address, a citation with the day seen, a frame for other pages, its feed, and paper. */
export function ShareBill({ bill }: { bill: BillDetail }) {
  const { t, i18n } = useTranslation()
  const language = languageOf(i18n.language)
  const params = billParams(bill.id)
  const address = new URL(`bills/${bill.id}`, uiBase).href
  const frameAddress = new URL(`embed/bills/${bill.id}?lang=${language}`, uiBase).href
  const cited = citation(bill, address, today(), language)
  const frame =
    `<iframe src="${frameAddress}" title="${bill.number}" ` + 'width="480" height="320" loading="lazy"></iframe>'
  return (
    <Card title={t('readers.share')} padded>
      <div className="stack share">
        <div className="row wrap">
          <Link to="/feeds" search={{ feed: `bill-${bill.id.replace('/', '-')}` }} className="btn small">
            {t('readers.follow')}
          </Link>
          <button type="button" className="btn small" onClick={() => window.print()}>
            <Printer size={15} aria-hidden />
            {t('readers.print')}
          </button>
        </div>
        <Copied label={t('readers.copyLink')} text={address} />
        <h3>{t('readers.cite')}</h3>
        <Copied label={t('readers.copyCitation')} text={cited} />
        <details>
          <summary>{t('readers.embed')}</summary>
          <p className="small">
            {t('readers.embedHelp')}{' '}
            <Link to="/embed/bills/$session/$number" params={params}>
              {t('readers.embedPreview')}
            </Link>
          </p>
          <Copied label={t('readers.copyEmbed')} text={frame} />
        </details>
      </div>
    </Card>
  )
}

function Copied({ text, label }: { text: string; label: string }) {
  return (
    <p className="row top">
      <span className="small break grow">{text}</span>
      <CopyButton text={text} label={label} />
    </p>
  )
}
