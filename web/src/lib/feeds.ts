import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'

import { serverUrl } from './base'

export const feedForms = ['rss', 'atom', 'json'] as const
export type FeedForm = (typeof feedForms)[number]

const types = { rss: 'application/rss+xml', atom: 'application/atom+xml', json: 'application/feed+json' } as const

/** The address of a feed. The feed `search` needs the words that it searches for. */
export function feedAddress(feed: string, form: FeedForm, language: string, q?: string): string {
  const query = new URLSearchParams({ ...(q ? { q } : {}), lang: language === 'fr' ? 'fr' : 'en' })
  return serverUrl(`feeds/${encodeURIComponent(feed)}.${form}?${query}`)
}

/**
 * Names a page's feed in its head while the page is shown, so that browsers and feed readers find it. It replaces
 * the feeds that the server named in the HTML.
 */
export function useFeedLink(feed: string, title: string | undefined, q?: string): void {
  const { i18n } = useTranslation()
  useEffect(() => {
    if (!title) return
    document.head.querySelectorAll('link[rel="alternate"][type]:not([data-page])').forEach((served) => served.remove())
    const links = (['rss', 'atom'] as const).map((form) => {
      const link = document.createElement('link')
      link.rel = 'alternate'
      link.dataset.page = ''
      link.type = types[form]
      link.title = title
      link.href = feedAddress(feed, form, i18n.language, q)
      document.head.append(link)
      return link
    })
    return () => links.forEach((link) => link.remove())
  }, [feed, title, q, i18n.language])
}
