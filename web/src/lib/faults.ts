/**
 * Whether a message such as "2 fields are invalid: …" says no more than the list of its faults. It says more if the
 * list was cut: the number is that of all.
 */
export function onlyLists(message: string, listed: number): boolean {
  return listed > 0 && Number(/^\d+/.exec(message)?.[0]) === listed
}
