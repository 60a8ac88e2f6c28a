import { useRouterState } from '@tanstack/react-router'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'

import { languageOf } from '../lib/bill-words'
import { glossary } from '../lib/glossary'
import { Card, PageHead } from '../ui/basics'

/** The terms of the readers' pages, in plain language. Each has an address, which other pages link to. */
export function Glossary() {
  const { t, i18n } = useTranslation()
  const language = languageOf(i18n.language)
  const hash = useRouterState({ select: (s) => s.location.hash })
  useEffect(() => {
    if (hash) document.getElementById(hash)?.scrollIntoView()
  }, [hash])
  const entries = glossary
    .map((e) => ({ id: e.id, ...e[language] }))
    .sort((a, b) => a.term.localeCompare(b.term, language))
  return (
    <div className="page">
      <PageHead title={t('readers.glossary')} />
      <p className="muted">{t('readers.glossaryText')}</p>
      <Card label={t('readers.glossary')} padded>
        <dl className="glossary prose">
          {entries.map((e) => (
            <div key={e.id} id={e.id} className={e.id === hash ? 'target' : undefined}>
              <dt>{e.term}</dt>
              <dd>{e.text}</dd>
            </div>
          ))}
        </dl>
      </Card>
    </div>
  )
}
