import a11y from 'eslint-plugin-jsx-a11y'
import hooks from 'eslint-plugin-react-hooks'
import { defineConfig } from 'eslint/config'
import ts from 'typescript-eslint'

// Two letters in a row are a word. Names and commands are no texts.
const words = '/[A-Za-zÀ-ÿ]{2}/'
const names = 'LEGISinfo|openparliament.ca|openapi.json|explorer .*'
const spoken = 'aria-label|aria-description|alt|label|placeholder|title'

export default defineConfig(
  { ignores: ['dist', 'node_modules', 'test-results'] },
  ...ts.configs.recommended,
  // Prettier does not break strings and comments.
  { rules: { 'max-len': ['error', { code: 120 }] } },
  {
    files: ['src/**/*.{ts,tsx}'],
    plugins: { 'jsx-a11y': a11y, 'react-hooks': hooks },
    rules: {
      ...a11y.flatConfigs.recommended.rules,
      'react-hooks/rules-of-hooks': 'error',
      'react-hooks/exhaustive-deps': 'error',
      // The UI reads data only through the generated SDK, like any other client.
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
      // Texts are in both languages.
      'no-restricted-syntax': [
        'error',
        ...[
          `JSXText[value=${words}]:not([value=/^\\s*(${names})\\s*$/])`,
          `JSXAttribute[name.name=/^(${spoken})$/] > Literal[value=${words}]`,
          'JSXExpressionContainer > Literal[value=/[A-Za-zÀ-ÿ]{2} /]',
        ].map((selector) => ({ selector, message: 'Put the text in src/i18n, in both languages.' })),
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
  },
)
