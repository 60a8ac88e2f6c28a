import react from '@vitejs/plugin-react'
import { fileURLToPath } from 'node:url'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

const server = process.env.EXPLORER_URL ?? 'http://127.0.0.1:8080'

// The server writes the right base into index.html for the address it is asked at; while developing, this does.
const devBase: Plugin = {
  name: 'dev-base',
  apply: 'serve',
  transformIndexHtml: (html) => html.replace('<base href="./" />', '<base href="/ui/" />'),
}

export default defineConfig(({ command }) => ({
  // Relative addresses in the build: it works below any path.
  base: command === 'build' ? './' : '/ui/',
  plugins: [react(), devBase],
  resolve: {
    alias: {
      // Only a helper for the form library's own tests asks for it; the form is given a validator of ours.
      '@rjsf/validator-ajv8': fileURLToPath(new URL('./src/lib/validator.ts', import.meta.url)),
      '@parliament-explorer/sdk': fileURLToPath(new URL('../sdk/typescript/src/index.ts', import.meta.url)),
    },
  },
  build: {
    target: 'es2022',
    outDir: 'dist',
    assetsDir: 'static',
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
  },
  server: { proxy: { '^/(?!ui/)': { target: server, changeOrigin: true } } },
  test: { environment: 'node', include: ['src/**/*.test.ts'] },
}))
