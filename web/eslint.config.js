import a11y from 'eslint-plugin-jsx-a11y'
import hooks from 'eslint-plugin-react-hooks'
import { defineConfig } from 'eslint/config'
import ts from 'typescript-eslint'

export default defineConfig({ ignores: ['dist', 'node_modules', 'test-results'] }, ...ts.configs.recommended, {
  files: ['src/**/*.{ts,tsx}'],
  plugins: { 'jsx-a11y': a11y, 'react-hooks': hooks },
  rules: {
    ...a11y.flatConfigs.recommended.rules,
    'react-hooks/rules-of-hooks': 'error',
    'react-hooks/exhaustive-deps': 'error',
    // Data comes through the generated SDK alone, as any other front end would get it.
    'no-restricted-globals': [
      'error',
      ...['fetch', 'EventSource', 'XMLHttpRequest', 'WebSocket'].map((name) => ({
        name,
        message: 'Use @parliament-explorer/sdk.',
      })),
    ],
    'no-restricted-properties': [
      'error',
      ...['fetch', 'EventSource', 'XMLHttpRequest', 'WebSocket'].flatMap((property) =>
        ['window', 'globalThis', 'self'].map((object) => ({
          object,
          property,
          message: 'Use @parliament-explorer/sdk.',
        })),
      ),
      { object: 'navigator', property: 'sendBeacon' },
    ],
    'no-restricted-imports': [
      'error',
      {
        paths: [
          'axios',
          'ky',
          'got',
          'node-fetch',
          'undici',
          'swr',
          'eventsource',
          'eventsource-parser',
          'openapi-fetch',
        ].map((name) => ({ name, message: 'Use @parliament-explorer/sdk.' })),
        patterns: [
          {
            group: ['**/sdk/typescript/**', '@parliament-explorer/sdk/*'],
            message: 'Import @parliament-explorer/sdk, nothing inside it.',
          },
        ],
      },
    ],
  },
})
