import { Link, useSearch } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'

import { useSession } from '../app/session'
import { feedAddress, feedForms, useFeedLink } from '../lib/feeds'
import { Card, CopyButton, PageHead } from '../ui/basics'

/** What to do with a feed: its address, and the three steps. Buttons that say "follow" lead here. */
export function FeedPage() {
  const { t, i18n } = useTranslation()
  const { feed = 'bills', q } = useSearch({ from: '/feeds' })
  const session = useSession()
  const name = useFeedName(feed, q)
  const address = feedAddress(feed, 'rss', i18n.language, q)
  useFeedLink(feed, name, q)
  return (
    <div className="page">
      <PageHead title={t('follow.title')} />
      <Card title={name} padded>
        <div className="stack prose">
          <p>{t('follow.intro')}</p>
          <label htmlFor="feed-address">{t('follow.address')}</label>
          <p className="row">
            <input id="feed-address" type="text" readOnly value={address} className="grow" />
            <CopyButton text={address} label={t('follow.copy')} />
          </p>
          <ol className="steps">
            <li>{t('follow.step1')}</li>
            <li>{t('follow.step2')}</li>
            <li>{t('follow.step3')}</li>
          </ol>
          {session?.authentication === 'required' && <p className="notice warn">{t('follow.access')}</p>}
          <h3>{t('follow.forms')}</h3>
          <ul className="stack tight">
            {feedForms.map((form) => (
              <li key={form}>
                <a href={feedAddress(feed, form, i18n.language, q)}>{form.toUpperCase()}</a>{' '}
                <span className="muted small">{t(`follow.${form}`)}</span>
              </li>
            ))}
          </ul>
        </div>
      </Card>
      <p>
        <Link to="/data">{t('follow.back')}</Link>
      </p>
    </div>
  )
}

/** The name of a feed, from the form of its address. */
function useFeedName(feed: string, q: string | undefined): string {
  const { t } = useTranslation()
  const bill = /^bill-(\d+-\d+)-(.+)$/i.exec(feed)
  if (bill) return t('follow.name_bill', { id: `${bill[2]} (${bill[1]})` })
  if (feed === 'bills') return t('follow.name_bills')
  if (feed === 'search') return t('follow.name_search', { q })
  if (feed.startsWith('sponsor-')) return t('follow.name_sponsor')
  return t('follow.name_other', { name: feed })
}
