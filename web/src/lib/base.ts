/** Where the application is mounted, such as https://example.org/explorer/ui/; the server writes it into the page. */
export const uiBase = new URL('.', document.baseURI)

/** Where the API is: one folder above. */
export const apiBase = new URL('..', uiBase)

/** What commands for a terminal need to find this server; nothing where it is where they look by themselves. */
export const serverFlag =
  apiBase.href === 'http://127.0.0.1:8080/' ? '' : ` --server ${apiBase.href.replace(/\/$/, '')}`

/** The address of something of the server that is not a page of the application. */
export function serverUrl(path: string): string {
  return new URL(path, apiBase).href
}
