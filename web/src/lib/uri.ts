/**
 * Stands in for the URI library of the form library, which resolves references between schemas. The browser's own
 * parser does; the schemas of configs refer to nothing outside themselves.
 */
export default {
  equal: (a: string, b: string): boolean => a === b,
  resolve: (base: string, reference: string): string =>
    URL.canParse(reference, base) ? new URL(reference, base).href : reference,
}
