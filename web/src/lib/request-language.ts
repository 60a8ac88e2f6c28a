/**
 * Sends the language of the page with each request, so that the server refuses in it. Otherwise the browser sends the
 * languages of its settings.
 */
export function inPageLanguage(send: typeof fetch): typeof fetch {
  return (input, init) => {
    const request = new Request(input, init)
    request.headers.set('Accept-Language', document.documentElement.lang)
    return send(request)
  }
}
