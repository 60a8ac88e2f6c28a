/** The day in the reader's time zone: "2026-11-26". */
export function today(now = new Date()): string {
  const padded = (n: number) => String(n).padStart(2, '0')
  return `${now.getFullYear()}-${padded(now.getMonth() + 1)}-${padded(now.getDate())}`
}
