import react from '@vitejs/plugin-react'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync } from 'node:zlib'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

const server = process.env.EXPLORER_URL ?? 'http://127.0.0.1:8080'

// In production, the server writes the base address into index.html. In development, this plugin does.
const devBase: Plugin = {
  name: 'dev-base',
  apply: 'serve',
  transformIndexHtml: (html) => html.replace('<base href="./" />', '<base href="/ui/" />'),
}

/** Tells theme.js where the texts of each language are. */
const textsOfLanguages: Plugin = {
  name: 'texts-of-languages',
  apply: 'build',
  transformIndexHtml: {
    order: 'post',
    handler: (html, { bundle }) => {
      const address = (language: string) => {
        const found = Object.values(bundle!).find(
          (file) => file.type === 'chunk' && file.facadeModuleId?.endsWith(`/src/i18n/${language}/index.ts`),
        )
        if (!found) throw new Error(`no texts of ${language}`)
        return `data-${language}="./${found.fileName}"`
      }
      const script = '<script src="./theme.js"'
      if (!html.includes(script)) throw new Error(`index.html has no ${script}`)
      return html.replace(script, `${script} ${address('en')} ${address('fr')}`)
    },
  },
}

/** Writes each file of the build compressed as well as brotli can, which would take the server seconds. */
const compressed: Plugin = {
  name: 'compressed',
  apply: 'build',
  writeBundle: ({ dir }) => {
    for (const name of readdirSync(dir!, { recursive: true, encoding: 'utf8' })) {
      const file = join(dir!, name)
      if (!/\.(js|css)$/.test(name) || statSync(file).size < 512) continue
      writeFileSync(file + '.br', brotliCompressSync(readFileSync(file)))
    }
  },
}

export default defineConfig(({ command }) => ({
  // The build uses relative addresses, so it works below any path.
  base: command === 'build' ? './' : '/ui/',
  plugins: [react(), devBase, textsOfLanguages, compressed],
  resolve: {
    alias: {
      // Only a test helper of the form library imports it. The form uses our validator.
      '@rjsf/validator-ajv8': fileURLToPath(new URL('./src/lib/validator.ts', import.meta.url)),
      // Descriptions of fields are plain text.
      'markdown-to-jsx/react': fileURLToPath(new URL('./src/lib/plain-text.tsx', import.meta.url)),
      'fast-uri': fileURLToPath(new URL('./src/lib/uri.ts', import.meta.url)),
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
  worker: { format: 'es' },
  server: { proxy: { '^/(?!ui/)': { target: server, changeOrigin: true } } },
  test: { environment: 'node', include: ['src/**/*.test.ts'] },
}))
