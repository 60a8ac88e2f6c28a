// Applies the stored theme and language before the first paint, so that the page does not flash.
try {
  var theme = localStorage.getItem('theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
  var language = localStorage.getItem('language') || (navigator.language || '').slice(0, 2)
  document.documentElement.lang = language === 'fr' ? 'fr' : 'en'
} catch {
  // Without storage, the page has the system's theme and is in English.
}
