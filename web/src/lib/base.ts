/** The base address of the UI, such as https://example.org/explorer/ui/. The server writes it into the page. */
export const uiBase = new URL('.', document.baseURI)

/** The base address of the API, one folder above the UI. */
export const apiBase = new URL('..', uiBase)

/** The --server flag for terminal commands. Empty if the server is at the default address of the commands. */
export const serverFlag =
  apiBase.href === 'http://127.0.0.1:8080/' ? '' : ` --server ${apiBase.href.replace(/\/$/, '')}`

/** The address of a server resource that is not a page of the UI. */
export function serverUrl(path: string): string {
  return new URL(path, apiBase).href
}
