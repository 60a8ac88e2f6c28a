import './styles/index.css'

import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode, useState } from 'react'
import { createRoot } from 'react-dom/client'

import { queryClient } from './app/client'
import { router } from './app/router'
import { useMessages } from './app/toasts'
import { startI18n } from './i18n'
import { loadAhead, loadPart } from './ui/load-part'

const ToastList = loadPart(async () => (await import('./ui/toast-list')).ToastList, { quiet: true })

/** Messages of what the user did; loaded with the first one at the latest. */
function Toasts() {
  const messages = useMessages()
  const [used, setUsed] = useState(false)
  if (messages.length > 0 && !used) setUsed(true)
  return used && <ToastList messages={messages} />
}

void startI18n().then(() => {
  createRoot(document.getElementById('root')!).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <RouterProvider router={router} />
        <Toasts />
      </QueryClientProvider>
    </StrictMode>,
  )
  if (document.readyState === 'complete') loadAhead()
  else window.addEventListener('load', loadAhead, { once: true })
})
