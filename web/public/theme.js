// Before the first paint, so that nothing flashes: the theme and the language chosen earlier.
try {
  var theme = localStorage.getItem('theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
  var language = localStorage.getItem('language') || (navigator.language || '').slice(0, 2)
  document.documentElement.lang = language === 'fr' ? 'fr' : 'en'
} catch {
  // no storage: the system's theme, in English
}
