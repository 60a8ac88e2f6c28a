// Applies the theme and the language before the first paint, so that the page does not flash. The language is the one
// in the address, of this tab, of an earlier choice, or of the browser, in this order.
try {
  var theme = localStorage.getItem('theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
  var asked = new URLSearchParams(location.search).get('lang')
  if (asked === 'fr' || asked === 'en') sessionStorage.setItem('language', asked)
  var language =
    sessionStorage.getItem('language') || localStorage.getItem('language') || (navigator.language || '').slice(0, 2)
  document.documentElement.lang = language === 'fr' ? 'fr' : 'en'
} catch {
  // Without storage, the page has the system's theme and the language of its address.
  document.documentElement.lang = /[?&]lang=fr(&|$)/.test(location.search) ? 'fr' : 'en'
}
// The texts of the language are fetched together with the application, which asks for them once it runs.
var texts = document.currentScript.dataset[document.documentElement.lang]
if (texts) {
  var link = document.createElement('link')
  link.rel = 'modulepreload'
  link.href = texts
  document.head.append(link)
}
