import './styles/index.css'

import { QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'

import { queryClient } from './app/client'
import { router } from './app/router'
import { Toasts } from './app/toasts'
import { startI18n } from './i18n'
import { loadAhead } from './ui/load-part'

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
