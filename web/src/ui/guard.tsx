import { Component, type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { Problem } from './problem'

/** Contains an error of one part of a page. The rest of the page, and the navigation, stay usable. */
export class Guard extends Component<{ children: ReactNode }, { error?: unknown }> {
  override state: { error?: unknown } = {}

  static getDerivedStateFromError(error: unknown): { error: unknown } {
    return { error: error ?? new Error('unknown') }
  }

  override render(): ReactNode {
    const { error } = this.state
    if (error === undefined) return this.props.children
    return <Broken error={error} retry={() => this.setState({ error: undefined })} />
  }
}

function Broken({ error, retry }: { error: unknown; retry: () => void }) {
  const { t } = useTranslation()
  return (
    <div style={{ padding: '1rem' }}>
      <Problem error={error} title={t('app.crashedPart')} retry={retry} />
    </div>
  )
}
